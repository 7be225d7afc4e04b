//===- LowerLookupBytes.cpp - ds.lookup_bytes becomes an instruction ------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsDialect.h"
#include "lowering/LinalgToCPU/Passes.h"

namespace mlir::ds {
#define GEN_PASS_DEF_LOWERLOOKUPBYTES
#include "lowering/LinalgToCPU/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

namespace {
struct LowerLookupBytes : ds::impl::LowerLookupBytesBase<LowerLookupBytes> {
  void runOnOperation() override {
    getOperation()->walk([](LookupBytesOp op) {
      OpBuilder b(op);
      op.replaceAllUsesWith(
          LLVM::CallIntrinsicOp::create(
              b, op.getLoc(), op.getType(),
              b.getStringAttr("llvm.x86.avx512.vpermi2var.qi.512"),
              ValueRange{op.getLow(), op.getIndices(), op.getHigh()})
              .getResult(0));
      op.erase();
    });
  }
};
} // namespace
