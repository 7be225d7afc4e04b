//===- LowerDotBytes.cpp - ds.dot_bytes becomes its instruction -----------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsDialect.h"
#include "lowering/LinalgToCPU/Passes.h"

namespace mlir::ds {
#define GEN_PASS_DEF_LOWERDOTBYTES
#include "lowering/LinalgToCPU/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

namespace {
struct LowerDotBytes : ds::impl::LowerDotBytesBase<LowerDotBytes> {
  void runOnOperation() override {
    getOperation()->walk([](DotBytesOp op) {
      OpBuilder b(op);
      auto call = LLVM::CallIntrinsicOp::create(
          b, op.getLoc(), op.getType(),
          b.getStringAttr("llvm.x86.avx512.vpdpbusd.512"), op->getOperands());
      op.replaceAllUsesWith(call.getResult(0));
      op.erase();
    });
  }
};
} // namespace
