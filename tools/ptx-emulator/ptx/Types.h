//===- Types.h - element types and state spaces of PTX --------*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_PTX_TYPES_H
#define TOOLS_PTX_EMULATOR_PTX_TYPES_H

#include <cstdint>
#include <optional>
#include <string_view>

namespace ptx {

/// Fundamental types, and those that instructions alone have.
enum class Type : uint8_t {
#define PTX_TYPE(name, bits) name,
#include "tools/ptx-emulator/ptx/types.def"
};

/// "s32" → S32.
std::optional<Type> typeNamed(std::string_view name);
std::string_view nameOf(Type type);
/// Bits in memory; 1 for predicates.
unsigned bitsOf(Type type);

enum class Space : uint8_t {
  Register,
  Global,
  Constant,
  Shared,
  Local,
  Parameter,
  Generic
};

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_PTX_TYPES_H
