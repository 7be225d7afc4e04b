//===- EntryMemory.h - C structs and raw memory in IR ---------*- C++ -*-===//
//
// Private to lowering/LinalgToCPU. Fields are found by offsetof of
// model_abi.h itself, so the IR cannot disagree with the header.
//
//===----------------------------------------------------------------------===//
#ifndef LOWERING_LINALGTOCPU_ENTRYMEMORY_H
#define LOWERING_LINALGTOCPU_ENTRYMEMORY_H

#include "lowering/LinalgToCPU/Passes.h"

namespace mlir::ds {

/// A dense row-major buffer for a tensor.
MemRefType bufferOf(RankedTensorType type);

struct EntryMemory {
  OpBuilder &b;
  Location loc;

  /// The type of addresses.
  Type pointer() const { return LLVM::LLVMPointerType::get(b.getContext()); }
  Value i64(int64_t value);
  Value i32(int64_t value);
  /// Address of byte `offset` behind `pointer`.
  Value at(Value pointer, int64_t offset);
  Value at(Value pointer, Value offset);
  Value loadPointer(Value pointer, int64_t offset);
  Value loadI64(Value pointer, int64_t offset);
  Value loadI32(Value pointer, int64_t offset);
  void store(Value value, Value pointer, int64_t offset);

  /// A dense row-major memref over `pointer`; `sizes` (i64) has one value per
  /// dimension.
  Value memref(Value pointer, ValueRange sizes, MemRefType type);
  /// The same for a tensor of static shape.
  Value memref(Value pointer, RankedTensorType type);
  /// The bytes of a memref: what `memref` was given, or an allocation.
  Value pointerOf(Value memref);

  Value toI64(Value index);
  Value toIndex(Value i64);
};

} // namespace mlir::ds

#endif // LOWERING_LINALGTOCPU_ENTRYMEMORY_H
