//===- PanelProduct.cpp - loops around a product with panels --------------===//
#include "lowering/LinalgToCPU/PanelProduct.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

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
  int64_t panels = (n + PackOp::panelRows - 1) / PackOp::panelRows;
  Value init = tensor::EmptyOp::create(
      b, loc, RankedTensorType::get({ShapedType::kDynamic, n}, b.getF32Type()),
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

/// Body of the parallel loop: rows [64·chunk, …) of outputs [32·panel, …).
void PanelProduct::emitPanel(Value chunk, Value panel, Value out, Value rows) {
  Value first = mul(chunk, chunkRows), column = mul(panel, PackOp::panelRows);
  Value count = arith::MinUIOp::create(
      b, loc, arith::SubIOp::create(b, loc, rows, first), index(chunkRows));
  OpFoldResult width = b.getIndexAttr(PackOp::panelRows);
  if (n % PackOp::panelRows != 0)
    width = arith::MinUIOp::create(
                b, loc, arith::SubIOp::create(b, loc, index(n), column),
                index(PackOp::panelRows))
                .getResult();
  SmallVector<OpFoldResult> offsets{first, column}, sizes{count, width},
      strides(2, b.getIndexAttr(1));
  Value tile =
      tensor::ExtractSliceOp::create(b, loc, out, offsets, sizes, strides);
  SmallVector<Value> biases = loadBias(column);
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
      Value written = loop.getRegionIterArg(0);
      for (int64_t r = 0; r < height; ++r)
        for (int64_t part = 0; part < parts; ++part) {
          Value value = sums[r * parts + part];
          if (bias)
            value = arith::AddFOp::create(b, loc, value, biases[part]);
          written = vector::TransferWriteOp::create(
                        b, loc, value, written,
                        ValueRange{add(row, r), index(part * lanes)},
                        ArrayRef<bool>{n % PackOp::panelRows == 0})
                        .getResult();
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

SmallVector<Value> PanelProduct::loadBias(Value column) {
  SmallVector<Value> result;
  Value zero = arith::ConstantOp::create(b, loc, b.getF32FloatAttr(0));
  for (int64_t part = 0; bias && part < parts; ++part)
    result.push_back(vector::TransferReadOp::create(
        b, loc, sum, bias, ValueRange{add(column, part * lanes)}, zero,
        ArrayRef<bool>{n % PackOp::panelRows == 0}));
  return result;
}
