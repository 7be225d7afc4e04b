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

/// An error where query [B, S, H, D], key and value [B, Hkv, T, ·] and the mask
/// do not fit each other.
static void checkAttention(NodeContext &n, Value query, Value key, Value value,
                           Value mask) {
  Type element = tensorType(query).getElementType();
  if (!isa<FloatType>(element) || tensorType(key).getElementType() != element ||
      tensorType(value).getElementType() != element)
    return n.b.wrong("its query, key and value are not of one float type");
  if (tensorType(key).getRank() != 4 || tensorType(value).getRank() != 4)
    return n.b.wrong("its keys or values do not have 4 dimensions");
  SmallVector<OpFoldResult> q = n.b.shape(query), k = n.b.shape(key),
                            v = n.b.shape(value);
  n.b.checkSameSize(q[0], k[0], "batch sizes of query and key");
  n.b.checkSameSize(q[0], v[0], "batch sizes of query and value");
  n.b.checkSameSize(k[1], v[1], "heads of key and value");
  n.b.checkSameSize(k[2], v[2], "lengths of key and value");
  n.b.checkSameSize(q[3], k[3], "widths of query and key");
  std::optional<int64_t> heads = getConstantIntValue(q[2]),
                         groups = getConstantIntValue(k[1]);
  if (heads && groups && (*groups == 0 || *heads % *groups != 0))
    n.b.wrong(Twine(*heads) + " query heads are no multiple of " +
              Twine(*groups) + " key heads");
  if (!mask)
    return;
  Type maskElement = tensorType(mask).getElementType();
  if (!isa<FloatType>(maskElement) && !maskElement.isInteger(1))
    n.b.wrong("its mask is neither bool nor float");
  n.b.checkBroadcasts(n.b.shape(mask), {q[0], q[2], q[1], k[2]}, "its mask");
}

/// ds.attention of query [B, S, H, D], key and value [B, Hkv, T, ·].
static Value attention(NodeContext &n, Value query, Value key, Value value,
                       Value mask, double scale, bool causal) {
  checkAttention(n, query, key, value, mask);
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
  if (tensorType(cos).getRank() != 3 || tensorType(sin).getRank() != 3)
    return n.error("its tables of cosines and sines do not have a row for "
                   "each position of each sequence");
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

/// The attribute `scale`, or 1 / √(width of a head) where it is left out or 0.
static FailureOr<double> scaleOf(NodeContext &n, Value query) {
  if (double scale = n.number("scale", 0))
    return scale;
  std::optional<int64_t> width = getConstantIntValue(n.b.size(query, 3));
  if (!width)
    return n.unsupported("without scale, heads of unknown width");
  return 1 / std::sqrt(double(*width));
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

namespace {
/// Attention of ai.onnx on the way to its form: query [B, S, H, D], key and
/// value [B, Hkv, T, ·].
struct AttentionForm {
  Value query, key, value, mask;
  double scale;
  bool causal = false;
};
} // namespace

/// A mask may be shorter than the keys: the rest is not attended.
static Value padMask(NodeContext &n, Value mask, OpFoldResult keys) {
  int64_t rank = tensorType(mask).getRank();
  if (rank == 0)
    return mask;
  std::optional<int64_t> width = getConstantIntValue(n.b.size(mask, rank - 1)),
                         all = getConstantIntValue(keys);
  if (!width || !all || *width >= *all || *width == 1)
    return mask;
  SmallVector<OpFoldResult> dims = n.b.shape(mask);
  dims.back() = n.b.sizes.number(*all - *width);
  bool isBool = tensorType(mask).getElementType().isInteger(1);
  double none = isBool ? 0 : -std::numeric_limits<double>::infinity();
  Value fill = n.b.broadcast(n.b.scalarLike(mask, none), dims);
  return n.b.concat({mask, fill}, rank - 1);
}

/// Causality, windows and padding as ds.attention's `causal` or as a mask.
static void restrictKeys(NodeContext &n, AttentionForm &form,
                         OpFoldResult past) {
  OpFoldResult rows = n.b.size(form.query, 1), keys = n.b.size(form.key, 2);
  int64_t left = n.integer("left_window_size", -1),
          right = n.integer("right_window_size", -1);
  bool causal = n.integer("is_causal", 0) != 0;
  Type i64 = n.b.b.getI64Type();
  Value key = n.b.unsqueeze(n.b.iota(keys), {0, 1, 2});
  // New rows come behind the past, or are the last before the padding.
  Value offset;
  if (n.has(6)) {
    Value length = n.b.unsqueeze(n.b.cast(n.input(6), i64), {1, 2, 3});
    form.mask = andMask(n, form.mask, n.b.elementwise(EK::Lt, {key, length}));
    offset = n.b.sub(length, n.b.fromSizes({rows}, true));
  } else {
    offset = n.b.fromSizes({past}, true);
    // ds.attention counts from the end, ONNX from the past.
    if (causal && n.b.sizes.sub(keys, rows) == past) {
      form.causal = true;
      causal = false;
    }
  }
  if (causal)
    form.mask = andMask(n, form.mask, causalMask(n, rows, keys, offset));
  if (left < 0 && right < 0)
    return;
  Value row = n.b.add(n.b.unsqueeze(n.b.iota(rows), {0, 1, 3}), offset);
  if (left >= 0)
    form.mask = andMask(
        n, form.mask,
        n.b.elementwise(EK::Le, {n.b.sub(row, n.b.scalar(i64, left)), key}));
  if (right >= 0)
    form.mask = andMask(
        n, form.mask,
        n.b.elementwise(EK::Le, {key, n.b.add(row, n.b.scalar(i64, right))}));
}

/// Attention in products and a softmax: what ds.attention does not do. Gives
/// the result [B, H, S, Dv]; output 3 of the node is set.
static FailureOr<Value> spelledAttention(NodeContext &n,
                                         const AttentionForm &form) {
  Type element = tensorType(form.query).getElementType();
  Type wide = element.isF64() ? element : Type(n.b.b.getF32Type());
  double softcap = n.number("softcap", 0);
  int64_t mode = n.integer("qk_matmul_output_mode", 0);
  SmallVector<OpFoldResult> q = n.b.shape(form.query);
  OpFoldResult groups = n.b.size(form.key, 1), keys = n.b.size(form.key, 2),
               perGroup = n.b.sizes.floorDiv(q[2], groups);
  // Heads of a group side by side: [B, Hkv, H / Hkv, S, ·].
  auto grouped = [&](OpFoldResult last) {
    return SmallVector<OpFoldResult>{q[0], groups, perGroup, q[1], last};
  };
  auto joined = [&](OpFoldResult last) {
    return SmallVector<OpFoldResult>{q[0], q[2], q[1], last};
  };
  Value query = n.b.cast(n.b.transpose(form.query, swapMiddle), wide);
  Value key = n.b.transpose(n.b.cast(form.key, wide), {0, 1, 3, 2});
  Value scores =
      n.b.matmul(n.b.reshape(query, grouped(q[3])), n.b.unsqueeze(key, {2}));
  scores = n.b.reshape(scores, joined(keys));
  scores = n.b.mul(scores, n.b.scalar(wide, form.scale));
  SmallVector<Value> stages{scores};
  if (softcap != 0) {
    Value cap = n.b.scalar(wide, softcap);
    scores = n.b.mul(n.b.elementwise(EK::Tanh, {n.b.div(scores, cap)}), cap);
  }
  stages.push_back(scores);
  double infinity = std::numeric_limits<double>::infinity();
  Value mask = form.mask;
  if (form.causal)
    mask =
        andMask(n, mask,
                causalMask(n, q[1], keys,
                           n.b.fromSizes({n.b.sizes.sub(keys, q[1])}, true)));
  Value lowest = n.b.scalar(wide, -infinity);
  if (mask && tensorType(mask).getElementType().isInteger(1))
    scores = n.b.elementwise(EK::Select, {mask, scores, lowest});
  else if (mask)
    scores = n.b.add(scores, n.b.cast(mask, wide));
  stages.push_back(scores);
  // A row that may attend to nothing gives zeros.
  Value top = n.b.reduce(ds::ReduceKind::Max, scores, {3}, true);
  Value blind = n.b.elementwise(EK::Eq, {top, lowest});
  Value weights = n.b.elementwise(
      EK::Select, {blind, n.b.scalar(wide, 0), n.b.softmax(scores, 3)});
  stages.push_back(weights);
  if (mode < 0 || mode >= int64_t(stages.size()))
    return n.error("its qk_matmul_output_mode is " + Twine(mode));
  n.output(3, n.b.cast(stages[mode], element));
  Value value = n.b.unsqueeze(n.b.cast(form.value, wide), {2});
  Value result = n.b.matmul(n.b.reshape(weights, grouped(keys)), value);
  return n.b.cast(n.b.reshape(result, joined(n.b.size(form.value, 3))),
                  element);
}

static LogicalResult convertAttention(NodeContext &n) {
  Value q = n.input(0), k = n.input(1), v = n.input(2);
  bool flat = tensorType(q).getRank() == 3;
  if (!flat && tensorType(q).getRank() != 4)
    return n.error("its query must have 3 or 4 dimensions");
  if (tensorType(k).getRank() != tensorType(q).getRank() ||
      tensorType(v).getRank() != tensorType(q).getRank())
    return n.error("its query, key and value differ in rank");
  if (n.has(4) != n.has(5))
    return n.error("past key and past value come together");
  if (n.has(6) && tensorType(n.input(6)).getRank() != 1)
    return n.error("its nonpad_kv_seqlen is no vector");
  AttentionForm form;
  if (flat) {
    int64_t heads = n.integer("q_num_heads", 0),
            kvHeads = n.integer("kv_num_heads", 0);
    if (heads <= 0 || kvHeads <= 0)
      return n.error("3-D inputs need q_num_heads and kv_num_heads");
    form.query = splitHeads(n, q, heads);
    form.key = n.b.transpose(splitHeads(n, k, kvHeads), swapMiddle);
    form.value = n.b.transpose(splitHeads(n, v, kvHeads), swapMiddle);
  } else {
    form.query = n.b.transpose(q, swapMiddle);
    form.key = k;
    form.value = v;
  }
  FailureOr<double> scale = scaleOf(n, form.query);
  if (failed(scale))
    return failure();
  form.scale = *scale;
  OpFoldResult past = n.b.sizes.number(0);
  if (n.has(4)) {
    past = n.b.size(n.input(4), 2);
    form.key = n.b.concat({n.input(4), form.key}, 2);
    form.value = n.b.concat({n.input(5), form.value}, 2);
  }
  n.output(1, form.key);
  n.output(2, form.value);
  if (n.has(3))
    form.mask = padMask(n, n.input(3), n.b.size(form.key, 2));
  checkAttention(n, form.query, form.key, form.value, form.mask);
  if (n.b.isWrong)
    return failure();
  restrictKeys(n, form, past);
  if (n.number("softcap", 0) == 0 && !n.isUsed(3)) {
    Value result = attention(n, form.query, form.key, form.value, form.mask,
                             form.scale, form.causal);
    n.output(0,
             flat ? joinHeads(n, result) : n.b.transpose(result, swapMiddle));
    return success();
  }
  FailureOr<Value> result = spelledAttention(n, form);
  if (failed(result))
    return failure();
  n.output(0,
           flat ? joinHeads(n, n.b.transpose(*result, swapMiddle)) : *result);
  return success();
}

/// com.microsoft GroupQueryAttention: (packed) projections, optional rotation,
/// appended cache, causal attention up to seqlens_k of each sequence.
static LogicalResult convertGroupQueryAttention(NodeContext &n) {
  int64_t heads = n.integer("num_heads", 0),
          kvHeads = n.integer("kv_num_heads", 0);
  if (heads <= 0 || kvHeads <= 0)
    return n.error("it needs num_heads and kv_num_heads");
  if (!n.has(5) || n.has(1) != n.has(2) || n.has(3) != n.has(4) ||
      (n.integer("do_rotary", 0) && !(n.has(7) && n.has(8))))
    return n.error("an input is missing: lengths, a key without its value, or "
                   "the tables of its rotation");
  if (tensorType(n.input(0)).getRank() != 3)
    return n.error("its query must have 3 dimensions");
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
  FailureOr<double> scale = scaleOf(n, query);
  if (failed(scale))
    return failure();
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
  n.output(0, joinHeads(n, attention(n, query, key, value, mask, *scale,
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
  if (n.has(6) != n.has(7) || tensorType(n.input(0)).getRank() != 3)
    return n.error("its query must have 3 dimensions, and a past key comes "
                   "with a past value");
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
  FailureOr<double> scale = scaleOf(n, query);
  if (failed(scale))
    return failure();
  bool causal = n.integer("unidirectional", 0) != 0;
  n.output(0, joinHeads(n, attention(n, query, key, value, n.input(5), *scale,
                                     causal)));
  return success();
}

ArrayRef<OpEntry> mlir::onnx::attentionOps() {
  static const OpEntry ops[] = {
      {"", "Attention", 23, newestOpset, 3, convertAttention},
      {"", "RotaryEmbedding", 23, newestOpset, 3, convertRotary<false>},
      {microsoft, "GroupQueryAttention", 1, 1, 1, convertGroupQueryAttention},
      {microsoft, "MultiHeadAttention", 1, 1, 1, convertMultiHeadAttention},
      {microsoft, "RotaryEmbedding", 1, 1, 4, convertRotary<true>},
  };
  return ops;
}
