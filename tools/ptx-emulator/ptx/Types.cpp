//===- Types.cpp - element types and state spaces of PTX ------------------===//
#include "tools/ptx-emulator/ptx/Types.h"

#include <array>

namespace ptx {

namespace {
struct Entry {
  std::string_view name;
  unsigned bits;
};
constexpr Entry entries[] = {
#define PTX_TYPE(name, bits) {#name, bits},
#include "tools/ptx-emulator/ptx/types.def"
};
} // namespace

std::optional<Type> typeNamed(std::string_view name) {
  for (size_t i = 0; i < std::size(entries); ++i)
    if (entries[i].name == name)
      return Type(i);
  return std::nullopt;
}

std::string_view nameOf(Type type) { return entries[size_t(type)].name; }

unsigned bitsOf(Type type) { return entries[size_t(type)].bits; }

} // namespace ptx
