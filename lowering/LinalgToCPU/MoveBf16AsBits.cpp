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

/// Whether `op` puts values elsewhere, with no regard to what they mean.
static bool onlyMoves(Operation *op) {
  return isa<LLVM::LoadOp, LLVM::StoreOp, LLVM::MaskedLoadOp,
             LLVM::MaskedStoreOp, LLVM::masked_gather, LLVM::masked_scatter,
             LLVM::masked_expandload, LLVM::masked_compressstore,
             LLVM::SelectOp, LLVM::FreezeOp, LLVM::ExtractElementOp,
             LLVM::InsertElementOp, LLVM::ShuffleVectorOp, LLVM::vector_extract,
             LLVM::vector_insert, LLVM::CallOp, LLVM::ReturnOp>(op);
}

/// `operand` becomes bits where it is bf16.
static void useBits(OpBuilder &b, OpOperand &operand) {
  if (Type bits = asBits(operand.get().getType()))
    operand.set(LLVM::BitcastOp::create(b, operand.getOwner()->getLoc(), bits,
                                        operand.get()));
}

/// `value` becomes bits where it is bf16; its users get bf16 back at `b`.
static void defineBits(OpBuilder &b, Value value) {
  Type type = value.getType(), bits = asBits(type);
  if (!bits)
    return;
  value.setType(bits);
  auto back = LLVM::BitcastOp::create(b, value.getLoc(), type, value);
  value.replaceAllUsesExcept(back, back);
}

static void moveBits(Operation *op) {
  OpBuilder b(op);
  for (OpOperand &operand : op->getOpOperands())
    useBits(b, operand);
  b.setInsertionPointAfter(op);
  for (Value result : op->getResults())
    defineBits(b, result);
}

/// What branches pass to `block`.
static void passBits(Block *block) {
  OpBuilder b = OpBuilder::atBlockBegin(block);
  for (BlockArgument argument : block->getArguments()) {
    if (!asBits(argument.getType()))
      continue;
    for (auto from = block->pred_begin(); from != block->pred_end(); ++from) {
      auto branch = cast<BranchOpInterface>((*from)->getTerminator());
      OpBuilder before(branch);
      SuccessorOperands passed =
          branch.getSuccessorOperands(from.getSuccessorIndex());
      useBits(
          before,
          passed
              .getMutableForwardedOperands()[argument.getArgNumber() -
                                             passed.getProducedOperandCount()]);
    }
    defineBits(b, argument);
  }
}

/// What callers pass to `function` and get from it.
static void exchangeBits(LLVM::LLVMFuncOp function) {
  auto bitsOr = [](Type type) {
    Type bits = asBits(type);
    return bits ? bits : type;
  };
  LLVM::LLVMFunctionType type = function.getFunctionType();
  function.setFunctionType(LLVM::LLVMFunctionType::get(
      bitsOr(type.getReturnType()),
      llvm::map_to_vector(type.getParams(), bitsOr), type.isVarArg()));
  if (function.isExternal())
    return;
  Block &entry = function.getBody().front();
  OpBuilder b = OpBuilder::atBlockBegin(&entry);
  for (BlockArgument argument : entry.getArguments())
    defineBits(b, argument);
}

/// The bits of a bf16 are the upper half of those of an f32.
static void extendBits(LLVM::FPExtOp op) {
  OpBuilder b(op);
  Location loc = op.getLoc();
  Type bits = asBits(op.getArg().getType());
  if (!bits)
    return;
  auto like = [&](Type element) -> Type {
    auto vector = dyn_cast<VectorType>(bits);
    return vector ? vector.clone(element) : element;
  };
  Type wide = like(b.getI32Type());
  TypedAttr sixteen = b.getI32IntegerAttr(16);
  if (auto vector = dyn_cast<VectorType>(wide))
    sixteen = DenseElementsAttr::get(vector, Attribute(sixteen));
  Value x = LLVM::BitcastOp::create(b, loc, bits, op.getArg());
  x = LLVM::ZExtOp::create(b, loc, wide, x);
  x = LLVM::ShlOp::create(b, loc, x,
                          LLVM::ConstantOp::create(b, loc, wide, sixteen));
  x = LLVM::BitcastOp::create(b, loc, like(b.getF32Type()), x);
  if (x.getType() != op.getType())
    x = LLVM::FPExtOp::create(b, loc, op.getType(), x);
  op.replaceAllUsesWith(x);
  op.erase();
}

namespace {
struct MoveBf16AsBits : ds::impl::MoveBf16AsBitsBase<MoveBf16AsBits> {
  void runOnOperation() override {
    SmallVector<Operation *> moves;
    SmallVector<Block *> blocks;
    SmallVector<LLVM::LLVMFuncOp> functions;
    SmallVector<LLVM::FPExtOp> extensions;
    getOperation()->walk([&](Operation *op) {
      if (onlyMoves(op))
        moves.push_back(op);
      if (auto function = dyn_cast<LLVM::LLVMFuncOp>(op))
        functions.push_back(function);
      if (auto extension = dyn_cast<LLVM::FPExtOp>(op))
        extensions.push_back(extension);
      // No branch leads to the first block of a region.
      for (Region &region : op->getRegions())
        for (Block &block : region)
          if (!block.isEntryBlock())
            blocks.push_back(&block);
    });
    llvm::for_each(moves, moveBits);
    llvm::for_each(blocks, passBits);
    llvm::for_each(functions, exchangeBits);
    llvm::for_each(extensions, extendBits);
  }
};
} // namespace
