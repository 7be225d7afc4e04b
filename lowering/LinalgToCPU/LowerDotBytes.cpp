//===- LowerDotBytes.cpp - ds.dot_bytes becomes instructions --------------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "lowering/LinalgToCPU/RowVectors.h"

namespace mlir::ds {
#define GEN_PASS_DEF_LOWERDOTBYTES
#include "lowering/LinalgToCPU/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

namespace {
struct LowerDotBytes : ds::impl::LowerDotBytesBase<LowerDotBytes> {
  using LowerDotBytesBase::LowerDotBytesBase;

  void runOnOperation() override {
    getOperation()->walk([&](DotBytesOp op) {
      OpBuilder b(op);
      op.replaceAllUsesWith(byteDot
                                ? call(b, op, "llvm.x86.avx512.vpdpbusd.512",
                                       op.getType(), op->getOperands())
                                : expand(b, op));
      op.erase();
    });
  }

private:
  static Value call(OpBuilder &b, DotBytesOp op, StringRef name, Type type,
                    ValueRange operands) {
    return LLVM::CallIntrinsicOp::create(b, op.getLoc(), type,
                                         b.getStringAttr(name), operands)
        .getResult(0);
  }

  /// Bytes as pairs of 16 bits, of even places and of odd ones; vpmaddwd adds
  /// the products of neighbours.
  Value expand(OpBuilder &b, DotBytesOp op) {
    Location loc = op.getLoc();
    RowVectors halves{b, loc, 32};
    auto asHalves = [&](Value bytes) -> Value {
      return vector::BitCastOp::create(b, loc, halves.vectorOf(b.getI16Type()),
                                       bytes);
    };
    Value unsignedBytes = asHalves(op.getUnsignedBytes()),
          signedBytes = asHalves(op.getSignedBytes()),
          eight = halves.splat(b.getI16IntegerAttr(8));
    Value evenUnsigned = arith::AndIOp::create(
              b, loc, unsignedBytes, halves.splat(b.getI16IntegerAttr(255))),
          oddUnsigned = arith::ShRUIOp::create(b, loc, unsignedBytes, eight),
          evenSigned = arith::ShRSIOp::create(
              b, loc, arith::ShLIOp::create(b, loc, signedBytes, eight), eight),
          oddSigned = arith::ShRSIOp::create(b, loc, signedBytes, eight);
    Value sum =
        arith::AddIOp::create(b, loc, op.getAccumulator(),
                              pairProducts(b, op, evenUnsigned, evenSigned));
    return arith::AddIOp::create(b, loc, sum,
                                 pairProducts(b, op, oddUnsigned, oddSigned));
  }

  Value pairProducts(OpBuilder &b, DotBytesOp op, Value x, Value y) {
    if (vectorLanes == 16)
      return call(b, op, "llvm.x86.avx512.pmaddw.d.512", op.getType(), {x, y});
    Location loc = op.getLoc();
    auto part = [&](Value vector, int64_t at) -> Value {
      return vector::ExtractStridedSliceOp::create(b, loc, vector, at, 16, 1);
    };
    Value parts[2];
    for (int64_t i = 0; i < 2; ++i)
      parts[i] = call(b, op, "llvm.x86.avx2.pmadd.wd",
                      VectorType::get({8}, b.getI32Type()),
                      {part(x, 16 * i), part(y, 16 * i)});
    return vector::ShuffleOp::create(b, loc, parts[0], parts[1],
                                     llvm::to_vector(llvm::seq<int64_t>(16)));
  }
};
} // namespace
