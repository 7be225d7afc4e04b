//===- LowerCopies.cpp - copies between strided buffers become loops ------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "lowering/LinalgToCPU/Passes.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mlir::ds {
#define GEN_PASS_DEF_LOWERCOPIES
#include "lowering/LinalgToCPU/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;

namespace {
struct LowerCopies : ds::impl::LowerCopiesBase<LowerCopies> {
  void runOnOperation() override {
    getOperation()->walk([](memref::CopyOp op) {
      auto from = cast<MemRefType>(op.getSource().getType()),
           to = cast<MemRefType>(op.getTarget().getType());
      if (from.getLayout().isIdentity() && to.getLayout().isIdentity())
        return; // one memcpy
      OpBuilder builder(op);
      linalg::CopyOp::create(builder, op.getLoc(), op.getSource(),
                             op.getTarget());
      op.erase();
    });
  }
};
} // namespace
