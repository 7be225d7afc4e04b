//===- EntryMemory.cpp - C structs and raw memory in IR -------------------===//
#include "lowering/LinalgToCPU/EntryMemory.h"

using namespace mlir;
using namespace mlir::ds;

MemRefType mlir::ds::bufferOf(RankedTensorType type) {
  return MemRefType::get(type.getShape(), type.getElementType());
}

Value EntryMemory::i64(int64_t value) {
  return arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(value));
}

Value EntryMemory::i32(int64_t value) {
  return arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(int32_t(value)));
}

Value EntryMemory::at(Value pointer, int64_t offset) {
  return offset == 0 ? pointer : at(pointer, i64(offset));
}

Value EntryMemory::at(Value pointer, Value offset) {
  return LLVM::GEPOp::create(b, loc, pointer.getType(), b.getI8Type(), pointer,
                             ArrayRef<LLVM::GEPArg>{offset});
}

Value EntryMemory::loadPointer(Value pointer, int64_t offset) {
  return LLVM::LoadOp::create(b, loc, pointer.getType(), at(pointer, offset));
}

Value EntryMemory::loadI64(Value pointer, int64_t offset) {
  return LLVM::LoadOp::create(b, loc, b.getI64Type(), at(pointer, offset));
}

Value EntryMemory::loadI32(Value pointer, int64_t offset) {
  return LLVM::LoadOp::create(b, loc, b.getI32Type(), at(pointer, offset));
}

void EntryMemory::store(Value value, Value pointer, int64_t offset) {
  LLVM::StoreOp::create(b, loc, value, at(pointer, offset));
}

Value EntryMemory::toI64(Value index) {
  return arith::IndexCastOp::create(b, loc, b.getI64Type(), index);
}

Value EntryMemory::toIndex(Value value) {
  return arith::IndexCastOp::create(b, loc, b.getIndexType(), value);
}

Value EntryMemory::memref(Value pointer, ValueRange sizes, MemRefType type) {
  int64_t rank = type.getRank();
  Type i64Type = b.getI64Type(), pointerType = pointer.getType();
  SmallVector<Type> fields{pointerType, pointerType, i64Type};
  if (rank > 0) {
    auto array = LLVM::LLVMArrayType::get(i64Type, rank);
    fields.append({array, array});
  }
  auto structType = LLVM::LLVMStructType::getLiteral(b.getContext(), fields);
  Value result = LLVM::UndefOp::create(b, loc, structType);
  auto insert = [&](Value value, ArrayRef<int64_t> position) {
    result = LLVM::InsertValueOp::create(b, loc, result, value, position);
  };
  insert(pointer, 0);
  insert(pointer, 1);
  insert(i64(0), 2);
  Value stride = i64(1);
  for (int64_t d = rank; d-- > 0;) {
    insert(sizes[d], {3, d});
    insert(stride, {4, d});
    if (d > 0)
      stride = arith::MulIOp::create(b, loc, stride, sizes[d]);
  }
  return UnrealizedConversionCastOp::create(b, loc, type, result).getResult(0);
}

Value EntryMemory::memref(Value pointer, RankedTensorType type) {
  SmallVector<Value> sizes;
  for (int64_t size : type.getShape())
    sizes.push_back(i64(size));
  return memref(pointer, sizes, bufferOf(type));
}

Value EntryMemory::pointerOf(Value memref) {
  Value index = memref::ExtractAlignedPointerAsIndexOp::create(b, loc, memref);
  return LLVM::IntToPtrOp::create(b, loc, this->pointer(), toI64(index));
}
