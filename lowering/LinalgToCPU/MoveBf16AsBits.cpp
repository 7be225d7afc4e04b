//===- MoveBf16AsBits.cpp - bf16 that only moves is an integer ------------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "lowering/LinalgToCPU/Passes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace mlir::ds {
#define GEN_PASS_DEF_MOVEBF16ASBITS
#include "lowering/LinalgToCPU/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

/// `type` with i16 for bf16; null for other types.
static Type asBits(Type type) {
  if (!getElementTypeOrSelf(type).isBF16())
    return nullptr;
  Type bits = IntegerType::get(type.getContext(), 16);
  if (auto vector = dyn_cast<VectorType>(type))
    return vector.clone(bits);
  return bits;
}

/// Stores write `value`'s bits.
static void storeBits(LLVM::MaskedStoreOp op) {
  Type bits = asBits(op.getValue().getType());
  if (!bits)
    return;
  OpBuilder b(op);
  op.getValueMutable().assign(
      LLVM::BitcastOp::create(b, op.getLoc(), bits, op.getValue()));
}

static void loadBits(LLVM::MaskedLoadOp op) {
  Type type = op.getType(), bits = asBits(type);
  if (!bits)
    return;
  OpBuilder b(op);
  for (OpOperand &other : op.getPassThruMutable())
    other.set(LLVM::BitcastOp::create(b, op.getLoc(), bits, other.get()));
  op->getResult(0).setType(bits);
  b.setInsertionPointAfter(op);
  auto back = LLVM::BitcastOp::create(b, op.getLoc(), type, op.getResult());
  op.getResult().replaceAllUsesExcept(back, back);
}

/// A load of which every use is to be stored somewhere.
static void copyBits(LLVM::LoadOp op) {
  Type bits = asBits(op.getType());
  if (bits && llvm::all_of(op->getUses(), [](OpOperand &use) {
        auto store = dyn_cast<LLVM::StoreOp>(use.getOwner());
        return store && store.getValue() == use.get();
      }))
    op.getResult().setType(bits);
}

namespace {
struct MoveBf16AsBits : ds::impl::MoveBf16AsBitsBase<MoveBf16AsBits> {
  void runOnOperation() override {
    getOperation()->walk([](Operation *op) {
      if (auto store = dyn_cast<LLVM::MaskedStoreOp>(op))
        storeBits(store);
      else if (auto load = dyn_cast<LLVM::MaskedLoadOp>(op))
        loadBits(load);
      else if (auto load = dyn_cast<LLVM::LoadOp>(op))
        copyBits(load);
    });
  }
};
} // namespace
