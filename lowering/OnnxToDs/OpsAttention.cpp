//===- OpsAttention.cpp - attention and rotary embedding operators --------===//
#include "lowering/OnnxToDs/GraphConverter.h"

using namespace mlir;
using namespace mlir::onnx;
using onnx::tensorType;
using EK = ElementwiseKind;

static const int64_t swapMiddle[] = {0, 2, 1, 3};

/// [B, S, H·D] → [B, S, H, D].
static Value splitHeads(NodeContext &n, Value x, int64_t heads) {
  SmallVector<OpFoldResult> dims = n.b.shape(x);
  OpFoldResult count = n.b.sizes.number(heads);
  return n.b.reshape(
      x, {dims[0], dims[1], count, n.b.sizes.floorDiv(dims[2], count)});
}

/// [B, S, H, D] → [B, S, H·D].
static Value joinHeads(NodeContext &n, Value x) {
  SmallVector<OpFoldResult> dims = n.b.shape(x);
  return n.b.reshape(x, {dims[0], dims[1], n.b.sizes.mul(dims[2], dims[3])});
}

/// ds.attention of query [B, S, H, D], key and value [B, Hkv, T, ·].
static Value attention(NodeContext &n, Value query, Value key, Value value,
                       Value mask, double scale, bool causal) {
  SmallVector<OpFoldResult> dims = n.b.shape(query);
  dims[3] = n.b.size(value, 3);
  return n.b.track(ds::AttentionOp::create(
                       n.b.b, n.b.loc,
                       n.b.typeOf(dims, tensorType(query).getElementType()),
                       query, key, value, mask, n.b.b.getF64FloatAttr(scale),
                       causal ? n.b.b.getUnitAttr() : UnitAttr()),
                   dims);
}

/// cos or sin [B or 1, S, R/2] for x [B, S, H, R].
static Value rope(NodeContext &n, Value x, Value cos, Value sin,
                  bool interleaved) {
  SmallVector<OpFoldResult> dims = n.b.shape(x);
  auto table = [&](Value value) {
    return n.b.broadcast(value, {dims[0], dims[1], n.b.size(value, 2)});
  };
  auto layout = interleaved ? ds::RopeLayout::Pairs : ds::RopeLayout::Halves;
  return n.b.track(ds::RopeOp::create(n.b.b, n.b.loc, x.getType(), x,
                                      table(cos), table(sin), layout, layout),
                   dims);
}

/// Rotates the first 2·width(cos) of the last dimension, the rest stays.
static Value partialRope(NodeContext &n, Value x, Value cos, Value sin,
                         bool interleaved) {
  OpFoldResult width = n.b.size(x, 3);
  OpFoldResult rotary = n.b.sizes.mul(n.b.size(cos, 2), n.b.sizes.number(2));
  if (rotary == width)
    return rope(n, x, cos, sin, interleaved);
  Value head = n.b.sliceAlong(x, 3, n.b.sizes.number(0), rotary);
  Value tail = n.b.sliceAlong(x, 3, rotary, n.b.sizes.sub(width, rotary));
  return n.b.concat({rope(n, head, cos, sin, interleaved), tail}, 3);
}

/// RotaryEmbedding of ai.onnx (cos, sin, positions) and com.microsoft
/// (positions, cos, sin).
template <bool isMicrosoft> static LogicalResult convertRotary(NodeContext &n) {
  Value x = n.input(0);
  Value positions = n.input(isMicrosoft ? 1 : 3);
  Value cos = n.input(isMicrosoft ? 2 : 1), sin = n.input(isMicrosoft ? 3 : 2);
  int64_t rank = tensorType(x).getRank();
  if (isMicrosoft &&
      (n.integer("is_packed_batching", 0) || n.number("scale", 1) != 1))
    return n.unsupported("packed batching or a scale");
  // To [B, S, H, D].
  Value rows;
  if (rank == 4) {
    rows = n.b.transpose(x, swapMiddle);
  } else if (rank == 3) {
    int64_t heads = n.integer("num_heads", 0);
    if (heads == 0) {
      // com.microsoft: the head is as wide as the tables say.
      std::optional<int64_t> half =
          getConstantIntValue(n.b.size(cos, tensorType(cos).getRank() - 1));
      std::optional<int64_t> width = getConstantIntValue(n.b.size(x, 2));
      if (!isMicrosoft || !half || !width || *width % (2 * *half))
        return n.error("a 3-D input needs num_heads");
      heads = *width / (2 * *half);
    }
    rows = splitHeads(n, x, heads);
  } else {
    return n.error("its input must have 3 or 4 dimensions");
  }
  if (positions) {
    SmallVector<OpFoldResult> dims = n.b.shape(rows);
    Type i64 = n.b.b.getI64Type();
    // com.microsoft: one number is the position of the first row.
    if (tensorType(positions).getRank() == 1) {
      Value line = n.b.unsqueeze(n.b.iota(dims[1]), {0});
      positions = n.b.add(line, n.b.unsqueeze(n.b.cast(positions, i64), {1}));
      positions = n.b.broadcast(positions, {dims[0], dims[1]});
    }
    cos = n.b.gather(cos, positions, 0);
    sin = n.b.gather(sin, positions, 0);
  }
  int64_t rotary = n.integer("rotary_embedding_dim", 0);
  if (rotary != 0) {
    auto cut = [&](Value table) {
      return n.b.sliceAlong(table, 2, n.b.sizes.number(0),
                            n.b.sizes.number(rotary / 2));
    };
    cos = cut(cos);
    sin = cut(sin);
  }
  Value result = partialRope(n, rows, cos, sin, n.integer("interleaved", 0));
  n.output(0, rank == 4 ? n.b.transpose(result, swapMiddle)
                        : joinHeads(n, result));
  return success();
}

static double defaultScale(NodeContext &n, Value query) {
  std::optional<int64_t> width = getConstantIntValue(n.b.size(query, 3));
  return width ? 1 / std::sqrt(double(*width)) : 1;
}

/// mask && also, in whichever of the forms i1 or float `mask` has.
static Value andMask(NodeContext &n, Value mask, Value also) {
  if (!mask)
    return also;
  if (tensorType(mask).getElementType().isInteger(1))
    return n.b.elementwise(EK::And, {mask, also});
  Value low = n.b.scalarLike(mask, -std::numeric_limits<double>::infinity());
  return n.b.elementwise(EK::Select, {also, mask, low});
}

/// i1 [.., S, T]: key t <= row s + offset; offset broadcasts ([B,1,1,1] or
/// rank 0, i64).
static Value causalMask(NodeContext &n, OpFoldResult rows, OpFoldResult keys,
                        Value offset) {
  Value row = n.b.unsqueeze(n.b.iota(rows), {0, 1, 3});
  Value key = n.b.unsqueeze(n.b.iota(keys), {0, 1, 2});
  return n.b.elementwise(EK::Le, {key, n.b.add(row, offset)});
}

static LogicalResult convertAttention(NodeContext &n) {
  Value q = n.input(0), k = n.input(1), v = n.input(2), mask = n.input(3);
  if (n.number("softcap", 0) != 0)
    return n.unsupported("softcap");
  if (n.isUsed(3))
    return n.unsupported("the output of scores");
  if (n.integer("left_window_size", -1) >= 0 ||
      n.integer("right_window_size", -1) >= 0)
    return n.unsupported("a window");
  bool flat = tensorType(q).getRank() == 3;
  if (!flat && tensorType(q).getRank() != 4)
    return n.error("its query must have 3 or 4 dimensions");
  // Query to [B, S, H, D], keys and values to [B, Hkv, T, ·].
  Value query;
  if (flat) {
    int64_t heads = n.integer("q_num_heads", 0),
            kvHeads = n.integer("kv_num_heads", 0);
    if (heads <= 0 || kvHeads <= 0)
      return n.error("3-D inputs need q_num_heads and kv_num_heads");
    query = splitHeads(n, q, heads);
    k = n.b.transpose(splitHeads(n, k, kvHeads), swapMiddle);
    v = n.b.transpose(splitHeads(n, v, kvHeads), swapMiddle);
  } else {
    query = n.b.transpose(q, swapMiddle);
  }
  double scale =
      n.attribute("scale") ? n.number("scale", 1) : defaultScale(n, query);
  OpFoldResult past = n.b.sizes.number(0);
  if (n.has(4)) {
    past = n.b.size(n.input(4), 2);
    k = n.b.concat({n.input(4), k}, 2);
    v = n.b.concat({n.input(5), v}, 2);
  }
  n.output(1, k);
  n.output(2, v);
  OpFoldResult rows = n.b.size(query, 1), keys = n.b.size(k, 2);
  Type i64 = n.b.b.getI64Type();
  if (mask) {
    // A mask may be shorter than the keys: the rest is not attended.
    int64_t rank = tensorType(mask).getRank();
    OpFoldResult width = n.b.size(mask, rank - 1);
    if (width != keys && getConstantIntValue(width) != 1 &&
        getConstantIntValue(width) && getConstantIntValue(keys)) {
      SmallVector<OpFoldResult> dims = n.b.shape(mask);
      dims.back() = n.b.sizes.sub(keys, width);
      bool isBool = tensorType(mask).getElementType().isInteger(1);
      Value fill = n.b.broadcast(
          isBool
              ? n.b.scalarLike(mask, 0)
              : n.b.scalarLike(mask, -std::numeric_limits<double>::infinity()),
          dims);
      mask = n.b.concat({mask, fill}, rank - 1);
    }
  }
  bool causal = n.integer("is_causal", 0) != 0;
  if (n.has(6)) {
    // Keys beyond nonpad_kv_seqlen of each sequence are padding; new rows are
    // the last ones before it.
    Value length = n.b.unsqueeze(n.b.cast(n.input(6), i64), {1, 2, 3});
    Value key = n.b.unsqueeze(n.b.iota(keys), {0, 1, 2});
    mask = andMask(n, mask, n.b.elementwise(EK::Lt, {key, length}));
    if (causal) {
      Value offset = n.b.sub(length, n.b.fromSizes({rows}, true));
      mask = andMask(n, mask, causalMask(n, rows, keys, offset));
      causal = false;
    }
  } else if (causal && n.b.sizes.sub(keys, rows) != past) {
    // ds.attention counts from the end, ONNX from the past.
    mask = andMask(n, mask,
                   causalMask(n, rows, keys, n.b.fromSizes({past}, true)));
    causal = false;
  }
  Value result = attention(n, query, k, v, mask, scale, causal);
  n.output(0, flat ? joinHeads(n, result) : n.b.transpose(result, swapMiddle));
  return success();
}

/// com.microsoft GroupQueryAttention: (packed) projections, optional rotation,
/// appended cache, causal attention up to seqlens_k of each sequence.
static LogicalResult convertGroupQueryAttention(NodeContext &n) {
  int64_t heads = n.integer("num_heads", 0),
          kvHeads = n.integer("kv_num_heads", 0);
  if (heads <= 0 || kvHeads <= 0)
    return n.error("it needs num_heads and kv_num_heads");
  if (n.number("softcap", 0) != 0 || n.integer("local_window_size", -1) > 0 ||
      n.integer("smooth_softmax", 0) || n.has(10) || n.has(11))
    return n.unsupported("softcap, a local window, smooth softmax, an "
                         "attention bias or a sink");
  Sizes &s = n.b.sizes;
  Value query, key, value;
  if (!n.has(1)) {
    // [B, S, (H + 2·Hkv)·D]
    Value packed = splitHeads(n, n.input(0), heads + 2 * kvHeads);
    query = n.b.sliceAlong(packed, 2, s.number(0), s.number(heads));
    key = n.b.sliceAlong(packed, 2, s.number(heads), s.number(kvHeads));
    value =
        n.b.sliceAlong(packed, 2, s.number(heads + kvHeads), s.number(kvHeads));
  } else {
    query = splitHeads(n, n.input(0), heads);
    key = splitHeads(n, n.input(1), kvHeads);
    value = splitHeads(n, n.input(2), kvHeads);
  }
  double scale = n.number("scale", 0);
  if (scale == 0)
    scale = defaultScale(n, query);
  Type i64 = n.b.b.getI64Type();
  OpFoldResult rows = n.b.size(query, 1);
  // seqlens_k is the last key of each sequence; its new rows end there.
  Value last = n.b.unsqueeze(
      n.b.cast(n.b.reshape(n.input(5), {n.b.size(query, 0)}), i64), {1});
  Value first =
      n.b.sub(n.b.add(last, n.b.scalar(i64, 1)), n.b.fromSizes({rows}, true));
  Value positions = n.b.add(first, n.b.unsqueeze(n.b.iota(rows), {0}));
  if (n.integer("do_rotary", 0)) {
    Value rotaryPositions = n.has(9) ? n.input(9) : positions;
    Value cos = n.b.gather(n.input(7), rotaryPositions, 0),
          sin = n.b.gather(n.input(8), rotaryPositions, 0);
    bool interleaved = n.integer("rotary_interleaved", 0) != 0;
    query = partialRope(n, query, cos, sin, interleaved);
    key = partialRope(n, key, cos, sin, interleaved);
  }
  key = n.b.transpose(key, swapMiddle);
  value = n.b.transpose(value, swapMiddle);
  if (n.has(3)) {
    key = n.b.concat({n.input(3), key}, 2);
    value = n.b.concat({n.input(4), value}, 2);
  }
  n.output(1, key);
  n.output(2, value);
  Value keyIndex = n.b.unsqueeze(n.b.iota(n.b.size(key, 2)), {0, 1, 2});
  Value mask =
      n.b.elementwise(EK::Le, {keyIndex, n.b.unsqueeze(positions, {1, 3})});
  n.output(0, joinHeads(n, attention(n, query, key, value, mask, scale,
                                     /*causal=*/false)));
  return success();
}

/// com.microsoft MultiHeadAttention with separate query, key and value.
static LogicalResult convertMultiHeadAttention(NodeContext &n) {
  int64_t heads = n.integer("num_heads", 0);
  if (heads <= 0)
    return n.error("it needs num_heads");
  if (n.has(3) || n.has(4) || !n.has(1) || !n.has(2) || n.has(8) || n.has(9))
    return n.unsupported("a bias, a key padding mask, packed inputs or a "
                         "cache buffer");
  Value query = splitHeads(n, n.input(0), heads);
  auto keys = [&](Value x) {
    // [B, T, H·D] or already [B, H, T, D].
    return tensorType(x).getRank() == 4
               ? x
               : n.b.transpose(splitHeads(n, x, heads), swapMiddle);
  };
  Value key = keys(n.input(1)), value = keys(n.input(2));
  if (n.has(6)) {
    key = n.b.concat({n.input(6), key}, 2);
    value = n.b.concat({n.input(7), value}, 2);
  }
  n.output(1, key);
  n.output(2, value);
  double scale = n.number("scale", 0);
  if (scale == 0)
    scale = defaultScale(n, query);
  bool causal = n.integer("unidirectional", 0) != 0;
  n.output(0, joinHeads(n, attention(n, query, key, value, n.input(5), scale,
                                     causal)));
  return success();
}

ArrayRef<OpEntry> mlir::onnx::attentionOps() {
  static const OpEntry ops[] = {
      {"", "Attention", 23, newestOpset, convertAttention},
      {"", "RotaryEmbedding", 23, newestOpset, convertRotary<false>},
      {microsoft, "GroupQueryAttention", 1, 1, convertGroupQueryAttention},
      {microsoft, "MultiHeadAttention", 1, 1, convertMultiHeadAttention},
      {microsoft, "RotaryEmbedding", 1, 1, convertRotary<true>},
  };
  return ops;
}
