//===- PanelProduct.cpp - loops around a product with panels --------------===//
#include "lowering/LinalgToCPU/PanelProduct.h"
#include "lowering/LinalgToCPU/RowVectors.h"
#include "lowering/LinalgToCPU/VectorMath.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::ds;

/// Input rows that stay in the second-level cache while panels pass by.
static constexpr int64_t chunkRows = 64;

Value PanelProduct::index(int64_t value) {
  return arith::ConstantIndexOp::create(b, loc, value);
}

Value PanelProduct::add(Value a, Value x) {
  return arith::AddIOp::create(b, loc, a, x);
}

Value PanelProduct::add(Value a, int64_t x) {
  return x == 0 ? a : add(a, index(x));
}

Value PanelProduct::mul(Value a, int64_t x) {
  return arith::MulIOp::create(b, loc, a, index(x));
}

Value PanelProduct::panelsOf(Value packed) {
  if (cast<RankedTensorType>(packed.getType()).getRank() == 3)
    return packed;
  return tensor::CollapseShapeOp::create(
      b, loc, packed, SmallVector<ReassociationIndices>{{0, 1}, {2}, {3}});
}

Value PanelProduct::broadcastPair(Value input, Value row, Value k,
                                  int64_t count) {
  Type bf16 = b.getBF16Type();
  auto pair = VectorType::get({2}, bf16),
       word = VectorType::get({1}, b.getI32Type()),
       words = VectorType::get({lanes}, b.getI32Type()),
       pairs = VectorType::get({2 * lanes}, bf16);
  Value x;
  if (count == 2) {
    Value padding =
        arith::ConstantOp::create(b, loc, bf16, b.getZeroAttr(bf16));
    x = vector::TransferReadOp::create(b, loc, pair, input, ValueRange{row, k},
                                       padding, ArrayRef<bool>{true});
  } else {
    Value last = tensor::ExtractOp::create(b, loc, input, ValueRange{row, k});
    Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(pair));
    x = vector::InsertOp::create(b, loc, last, zero, int64_t(0));
  }
  Value bits = vector::BitCastOp::create(b, loc, word, x);
  Value scalar = vector::ExtractOp::create(b, loc, bits, int64_t(0));
  Value all = vector::BroadcastOp::create(b, loc, words, scalar);
  return vector::BitCastOp::create(b, loc, pairs, all);
}

Value PanelProduct::number(Value tensor, ValueRange at) {
  Value value = tensor::ExtractOp::create(b, loc, tensor, at);
  return arith::IndexCastUIOp::create(b, loc, b.getIndexType(), value);
}

Value PanelProduct::inputRow(Value row) {
  return groups.rows ? number(groups.rows, row) : row;
}

Value PanelProduct::emit(Value rows) {
  Value chunks =
      groups.tiles ? number(groups.count, {})
                   : arith::CeilDivUIOp::create(b, loc, rows, index(chunkRows));
  int64_t panels = (n + width - 1) / width;
  SmallVector<int64_t> shape{ShapedType::kDynamic};
  if (epilogue.cos)
    shape.append({n / lanes, lanes});
  else
    shape.push_back(n);
  Value init = tensor::EmptyOp::create(
      b, loc, RankedTensorType::get(shape, epilogue.result.getElementType()),
      ValueRange{rows});
  auto loop = scf::ForallOp::create(
      b, loc, ArrayRef<OpFoldResult>{chunks, b.getIndexAttr(panels)}, init,
      std::nullopt, [&](OpBuilder &inner, Location, ValueRange args) {
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPoint(inner.getInsertionBlock(),
                            inner.getInsertionPoint());
        emitPanel(args[0], args[1], args[2], rows);
      });
  Value result = loop.getResult(0);
  if (epilogue.cos)
    result = tensor::CollapseShapeOp::create(
        b, loc, result, SmallVector<ReassociationIndices>{{0}, {1, 2}});
  return result;
}

Value PanelProduct::Window::extract(OpBuilder &b, Location loc,
                                    Value tensor) const {
  return tensor::ExtractSliceOp::create(b, loc, tensor, offsets, sizes,
                                        strides);
}

PanelProduct::Window PanelProduct::windowOf(Value panel, Value first,
                                            Value count) {
  Value column = mul(panel, width);
  OpFoldResult columns = b.getIndexAttr(width);
  if (!isWhole())
    columns = arith::MinUIOp::create(
                  b, loc, arith::SubIOp::create(b, loc, index(n), column),
                  index(width))
                  .getResult();
  return {{first, column},
          {count, columns},
          SmallVector<OpFoldResult>(2, b.getIndexAttr(1))};
}

PanelProduct::Window PanelProduct::rotatedWindowOf(Value panel, Value first,
                                                   Value count) {
  OpFoldResult one = b.getIndexAttr(1), stride = one;
  Value group = mul(panel, parts);
  if (epilogue.ropeLayout == RopeLayout::Halves) {
    // First members and second members of a head, `half` vectors each, of
    // which a panel has one and one.
    int64_t half =
        cast<RankedTensorType>(epilogue.cos.getType()).getDimSize(1) / lanes;
    Value within = arith::RemUIOp::create(b, loc, panel, index(half));
    Value isTurned = isRotated(panel);
    group = arith::SelectOp::create(
        b, loc, isTurned, arith::SubIOp::create(b, loc, group, within), group);
    stride = arith::SelectOp::create(b, loc, isTurned, index(half), index(1))
                 .getResult();
  }
  return {{first, group, b.getIndexAttr(0)},
          {count, b.getIndexAttr(parts), b.getIndexAttr(lanes)},
          {one, stride, one}};
}

Value PanelProduct::isRotated(Value panel) {
  return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, panel,
                               index(epilogue.ropeColumns / width));
}

SmallVector<Value> PanelProduct::placeOf(Value row, int64_t part) {
  if (epilogue.cos)
    return {row, index(part), index(0)};
  return {row, index(part * lanes)};
}

PanelProduct::Panel PanelProduct::panelOf(Value chunk, Value panel,
                                          Value rows) {
  Panel result;
  if (groups.tiles) {
    auto fact = [&](int64_t i) {
      return number(groups.tiles, {chunk, index(i)});
    };
    int64_t panels = (n + width - 1) / width;
    result.number = add(mul(fact(0), panels), panel);
    result.first = fact(1);
    result.count = fact(2);
    return result;
  }
  result.number = panel;
  result.first = mul(chunk, chunkRows);
  result.count = arith::MinUIOp::create(
      b, loc, arith::SubIOp::create(b, loc, rows, result.first),
      index(chunkRows));
  return result;
}

void PanelProduct::emitPanel(Value chunk, Value panel, Value out, Value rows) {
  Panel here = panelOf(chunk, panel, rows);
  Window window = epilogue.cos ? rotatedWindowOf(panel, here.first, here.count)
                               : windowOf(panel, here.first, here.count);
  Value tile = window.extract(b, loc, out);
  here.biases = loadBias(panel);
  if (epilogue.residual)
    here.residual = window.extract(b, loc, epilogue.residual);
  if (epilogue.cos) {
    here.isRotated = isRotated(panel);
    int64_t half = cast<RankedTensorType>(epilogue.cos.getType()).getDimSize(1);
    here.angle =
        mul(arith::RemUIOp::create(b, loc, panel, index(half / lanes)), lanes);
  }
  // Tiles as high as they go, then the rest by halves.
  Value done = index(0);
  for (int64_t height = maxRows; height >= 1; height /= 2) {
    Value end = here.count;
    if (height > 1)
      end = mul(arith::DivUIOp::create(b, loc, end, index(height)), height);
    auto loop = scf::ForOp::create(b, loc, done, end, index(height), tile);
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      Value row = loop.getInductionVar();
      SmallVector<Value> inputs;
      for (int64_t r = 0; r < height; ++r)
        inputs.push_back(inputRow(add(here.first, add(row, r))));
      SmallVector<Value> sums = emitTile(inputs, here.number);
      RowVectors vectors{b, loc, lanes};
      Value written = loop.getRegionIterArg(0);
      for (int64_t r = 0; r < height; ++r) {
        Value at = add(row, r);
        SmallVector<Value> values =
            finish(ArrayRef<Value>(sums).slice(r * parts, parts), here, at);
        for (auto [part, value] : llvm::enumerate(values))
          written = vectors.write(value, written, placeOf(at, part),
                                  /*partial=*/!isWhole());
      }
      scf::YieldOp::create(b, loc, written);
    }
    tile = loop.getResult(0);
    done = end;
  }
  auto terminator = scf::InParallelOp::create(b, loc);
  b.setInsertionPointToStart(terminator.getBody());
  tensor::ParallelInsertSliceOp::create(b, loc, tile, out, window.offsets,
                                        window.sizes, window.strides);
}

SmallVector<Value> PanelProduct::finish(ArrayRef<Value> sums,
                                        const Panel &panel, Value row) {
  SmallVector<Value> values(sums);
  for (auto [value, bias] : llvm::zip(values, panel.biases))
    value = arith::AddFOp::create(b, loc, value, bias);
  if (epilogue.swiglu)
    values = gate(values);
  if (epilogue.cos)
    values = rotate(values, panel, row);
  if (panel.residual)
    for (auto [part, value] : llvm::enumerate(values)) {
      Value x = RowVectors{b, loc, lanes}.read(
          panel.residual, placeOf(row, part), /*partial=*/!isWhole());
      value = arith::AddFOp::create(b, loc, x, value);
    }
  return values;
}

/// As ds.swiglu is lowered: the same operations in the same order.
SmallVector<Value> PanelProduct::gate(ArrayRef<Value> values) {
  Value gate = values[0], up = values[1];
  Value small =
      math::ExpOp::create(b, loc, arith::NegFOp::create(b, loc, gate));
  Value one = RowVectors{b, loc, lanes}.splat(1);
  Value sigmoid = arith::DivFOp::create(
      b, loc, one, arith::AddFOp::create(b, loc, one, small));
  return {arith::MulFOp::create(
      b, loc, arith::MulFOp::create(b, loc, gate, sigmoid), up)};
}

SmallVector<Value> PanelProduct::rotate(ArrayRef<Value> values,
                                        const Panel &panel, Value row) {
  RowVectors vectors{b, loc, lanes};
  SmallVector<Value> at{add(panel.first, row), panel.angle};
  auto [first, second] =
      rotated(b, loc, values[0], values[1], vectors.read(epilogue.cos, at),
              vectors.read(epilogue.sin, at));
  if (epilogue.ropeLayout == RopeLayout::Pairs) {
    SmallVector<int64_t> order;
    for (int64_t i = 0; i < lanes; ++i)
      order.append({i, lanes + i});
    Value a = first, c = second;
    first = vector::ShuffleOp::create(b, loc, a, c,
                                      ArrayRef(order).take_front(lanes));
    second = vector::ShuffleOp::create(b, loc, a, c,
                                       ArrayRef(order).take_back(lanes));
  }
  return {arith::SelectOp::create(b, loc, panel.isRotated, first, values[0]),
          arith::SelectOp::create(b, loc, panel.isRotated, second, values[1])};
}

/// One vector per vector of sums. Outputs that the weight has not are zero.
SmallVector<Value> PanelProduct::loadBias(Value panel) {
  SmallVector<Value> result;
  if (!epilogue.bias)
    return result;
  auto type = cast<RankedTensorType>(epilogue.bias.getType());
  RowVectors vectors{b, loc, lanes};
  for (int64_t part = 0; part < parts; ++part)
    result.push_back(vectors.read(
        epilogue.bias, {add(mul(panel, PackOp::panelRows), part * lanes)},
        /*partial=*/type.getDimSize(0) % PackOp::panelRows != 0));
  return result;
}
