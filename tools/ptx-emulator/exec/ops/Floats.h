//===- Floats.h - selectors of float arithmetic ---------------*- C++ -*-===//
//
// Opcodes that whole numbers have too: their selectors ask here for floats.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_PTX_EMULATOR_EXEC_OPS_FLOATS_H
#define TOOLS_PTX_EMULATOR_EXEC_OPS_FLOATS_H

#include "tools/ptx-emulator/exec/Selection.h"

namespace ptx {

enum class FloatOp : uint8_t { Add, Sub, Mul, Fma, Div, Abs, Neg, Min, Max };

/// Of f32, f64, f16 and bf16, the latter packed in twos, too.
Selection floatSelection(FloatOp op, const Modifiers &modifiers);

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_EXEC_OPS_FLOATS_H
