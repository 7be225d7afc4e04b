//===- PanelProduct.cpp - loops around a product with panels --------------===//
#include "lowering/LinalgToCPU/PanelProduct.h"
#include "lowering/LinalgToCPU/RowVectors.h"
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

Value PanelProduct::emit(Value rows) {
  Value chunks = arith::CeilDivUIOp::create(b, loc, rows, index(chunkRows));
  int64_t panels = (n + width - 1) / width;
  Value init = tensor::EmptyOp::create(
      b, loc,
      RankedTensorType::get({ShapedType::kDynamic, n},
                            epilogue.result.getElementType()),
      ValueRange{rows});
  auto loop = scf::ForallOp::create(
      b, loc, ArrayRef<OpFoldResult>{chunks, b.getIndexAttr(panels)}, init,
      std::nullopt, [&](OpBuilder &inner, Location, ValueRange args) {
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPoint(inner.getInsertionBlock(),
                            inner.getInsertionPoint());
        emitPanel(args[0], args[1], args[2], rows);
      });
  return loop.getResult(0);
}

/// Body of the parallel loop: rows [64·chunk, …) of one panel.
void PanelProduct::emitPanel(Value chunk, Value panel, Value out, Value rows) {
  Value first = mul(chunk, chunkRows), column = mul(panel, width);
  Value count = arith::MinUIOp::create(
      b, loc, arith::SubIOp::create(b, loc, rows, first), index(chunkRows));
  OpFoldResult columns = b.getIndexAttr(width);
  if (!isWhole())
    columns = arith::MinUIOp::create(
                  b, loc, arith::SubIOp::create(b, loc, index(n), column),
                  index(width))
                  .getResult();
  SmallVector<OpFoldResult> offsets{first, column}, sizes{count, columns},
      strides(2, b.getIndexAttr(1));
  Value tile =
      tensor::ExtractSliceOp::create(b, loc, out, offsets, sizes, strides);
  Value residual;
  if (epilogue.residual)
    residual = tensor::ExtractSliceOp::create(b, loc, epilogue.residual,
                                              offsets, sizes, strides);
  SmallVector<Value> biases = loadBias(panel);
  // Tiles as high as they go, then the rest by halves.
  Value done = index(0);
  for (int64_t height = maxRows; height >= 1; height /= 2) {
    Value end = count;
    if (height > 1)
      end = mul(arith::DivUIOp::create(b, loc, count, index(height)), height);
    auto loop = scf::ForOp::create(b, loc, done, end, index(height), tile);
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      Value row = loop.getInductionVar();
      SmallVector<Value> sums = emitTile(add(first, row), panel, height);
      RowVectors vectors{b, loc, lanes};
      Value written = loop.getRegionIterArg(0);
      for (int64_t r = 0; r < height; ++r) {
        Value at = add(row, r);
        SmallVector<Value> values =
            finish(ArrayRef<Value>(sums).slice(r * parts, parts), biases,
                   residual, at);
        for (auto [part, value] : llvm::enumerate(values))
          written =
              vectors.write(value, written, {at, index(int64_t(part) * lanes)},
                            /*partial=*/!isWhole());
      }
      scf::YieldOp::create(b, loc, written);
    }
    tile = loop.getResult(0);
    done = end;
  }
  auto terminator = scf::InParallelOp::create(b, loc);
  b.setInsertionPointToStart(terminator.getBody());
  tensor::ParallelInsertSliceOp::create(b, loc, tile, out, offsets, sizes,
                                        strides);
}

SmallVector<Value> PanelProduct::finish(ArrayRef<Value> sums,
                                        ArrayRef<Value> biases, Value residual,
                                        Value row) {
  RowVectors vectors{b, loc, lanes};
  SmallVector<Value> values(sums);
  for (auto [value, bias] : llvm::zip(values, biases))
    value = arith::AddFOp::create(b, loc, value, bias);
  if (epilogue.swiglu) {
    // As ds.swiglu is lowered: the same operations in the same order.
    Value gate = values[0], up = values[1];
    Value small =
        math::ExpOp::create(b, loc, arith::NegFOp::create(b, loc, gate));
    Value one = vectors.splat(1);
    Value sigmoid = arith::DivFOp::create(
        b, loc, one, arith::AddFOp::create(b, loc, one, small));
    values = {arith::MulFOp::create(
        b, loc, arith::MulFOp::create(b, loc, gate, sigmoid), up)};
  }
  if (residual)
    for (auto [part, value] : llvm::enumerate(values)) {
      Value x = vectors.read(residual, {row, index(int64_t(part) * lanes)},
                             /*partial=*/!isWhole());
      value = arith::AddFOp::create(b, loc, x, value);
    }
  return values;
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
