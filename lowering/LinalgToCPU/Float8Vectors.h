//===- Float8Vectors.h - FP8 weights widened in registers -----*- C++ -*-===//
//
// Private to lowering/LinalgToCPU. e4m3 has 3 bits of mantissa, so that bf16
// and f32 hold every one of its numbers.
//
//===----------------------------------------------------------------------===//
#ifndef LOWERING_LINALGTOCPU_FLOAT8VECTORS_H
#define LOWERING_LINALGTOCPU_FLOAT8VECTORS_H

#include "mlir/IR/Builders.h"

namespace mlir::ds {

struct Float8Vectors {
  OpBuilder &b;
  Location loc;

  /// 64 e4m3 bytes as two vectors of 32 bf16, by ds.lookup_bytes: of every 16
  /// bytes the first has 8 and the second the other 8, as the instructions that
  /// join bytes leave them.
  std::pair<Value, Value> bf16(Value bytes);
  /// The e4m3 number in byte `s` of each of `words` (i32) as f32.
  Value f32(Value words, int64_t s);

private:
  Value splat(VectorType type, int64_t value);
};

} // namespace mlir::ds

#endif // LOWERING_LINALGTOCPU_FLOAT8VECTORS_H
