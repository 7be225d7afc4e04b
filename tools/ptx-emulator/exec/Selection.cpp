//===- Selection.cpp - what executes an instruction -----------------------===//
#include "tools/ptx-emulator/exec/Selection.h"
#include "tools/ptx-emulator/ptx/Opcodes.h"

#include <algorithm>

namespace ptx {

bool Modifiers::has(std::string_view name) const {
  return std::ranges::find(names, name) != names.end();
}

std::string_view
Modifiers::oneOf(std::initializer_list<std::string_view> list) const {
  for (std::string_view each : list)
    if (has(each))
      return each;
  return {};
}

std::vector<Type> Modifiers::types() const {
  std::vector<Type> result;
  for (const std::string &each : names)
    if (std::optional<Type> type = typeNamed(each))
      result.push_back(*type);
  return result;
}

Rounding Modifiers::rounding() const {
  constexpr std::pair<std::string_view, Rounding> known[] = {
      {"rz", Rounding::Zero},        {"rzi", Rounding::Zero},
      {"rm", Rounding::Down},        {"rmi", Rounding::Down},
      {"rp", Rounding::Up},          {"rpi", Rounding::Up},
      {"rna", Rounding::NearestAway}};
  for (auto [name, rounding] : known)
    if (has(name))
      return rounding;
  return Rounding::Nearest;
}

bool Modifiers::roundsToInteger() const {
  return !oneOf({"rni", "rzi", "rmi", "rpi"}).empty();
}

unsigned Modifiers::vectorSize() const {
  return has("v2") ? 2 : has("v4") ? 4 : has("v8") ? 8 : 1;
}

// One selector for each opcode: select_add knows add.
#define PTX_FORM(opcode, modifiers, operands, target, version)                 \
  Selection select_##opcode(const Modifiers &);
#include "tools/ptx-emulator/ptx/opcodes.def"

static constexpr Selector selectors[] = {
#define PTX_FORM(opcode, modifiers, operands, target, version) &select_##opcode,
#include "tools/ptx-emulator/ptx/opcodes.def"
};

Selector selectorOf(const Form &form) {
  return selectors[&form - forms().data()];
}

} // namespace ptx
