//===- Selection.h - what executes an instruction -------------*- C++ -*-===//
//
// A selector knows the instructions of one opcode: from their modifiers it
// chooses the handler, and says of which type each operand is. The decoder
// places the operands in a Step; where, the letters of opcodes.def say:
//
//   D, S, M   operands[i] of the i-th operand; also as vectors[i], of one
//   V         vectors[i]
//   W, P      the destination of d|p operands[0] and its predicate
//             predicates[0]; of p|q predicates[0] and [1]
//   Q         predicates[2], the next predicates[3]
//   A         addresses[0], the next addresses[1]
//             coordinates of a tensor in coordinates
//   N         numbers[0], the next numbers[1]
//   X         operands[i], or, of a predicate, predicates[2], which the setting
//             says by sourceIsPredicate
//   L, T, C   target
//
// What is left out is a predicate that is true, or a sink.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_PTX_EMULATOR_EXEC_SELECTION_H
#define TOOLS_PTX_EMULATOR_EXEC_SELECTION_H

#include "tools/ptx-emulator/exec/Kernel.h"
#include "tools/ptx-emulator/num/Formats.h"

#include <initializer_list>
#include <optional>
#include <string_view>

namespace ptx {

/// The modifiers of an instruction, asked by name.
class Modifiers {
public:
  explicit Modifiers(const std::vector<std::string> &names,
                     std::string_view operands = {})
      : names(names), letters(operands) {}

  bool has(std::string_view name) const;
  /// The first of these that is there; empty: none.
  std::string_view oneOf(std::initializer_list<std::string_view> list) const;
  /// The types among them, in order.
  std::vector<Type> types() const;
  /// The last of the types.
  Type type() const { return types().back(); }
  /// .rn without one of them.
  Rounding rounding() const;
  /// .rni, .rzi, .rmi or .rpi: to a whole number.
  bool roundsToInteger() const;
  /// Of .v2, .v4 and .v8; 1 without.
  unsigned vectorSize() const;
  const std::vector<std::string> &all() const { return names; }
  /// The letters of the form's operands, for opcodes whose forms differ by
  /// them.
  std::string_view operands() const { return letters; }

private:
  const std::vector<std::string> &names;
  std::string_view letters;
};

/// A bit of Step::setting that the decoder sets.
constexpr uint32_t sourceIsPredicate = uint32_t(1) << 31;

/// As many registers as there are.
constexpr unsigned anyCount = 0;

struct Selection {
  /// Null: not executed yet.
  Handler handler = nullptr;
  /// Of the operands that are registers or numbers, in the order of the text;
  /// operands beyond have the last one's.
  std::vector<Type> types = {};
  /// Registers that those operands are of, in the same order: 1 where it is not
  /// said.
  std::vector<unsigned> counts = {};
  /// Of the elements of vectors, where a single register has another type.
  std::optional<Type> vectorType = {};
  /// Of the addresses, where their modifiers do not say it.
  std::vector<Space> spaces = {};
  /// Registers may be wider than their types: ld, st and cvt.
  bool mayBeWider = false;
  /// Bytes of an element in memory.
  unsigned bytes = 0;
  /// What the handler finds in Step::setting: meaning is the family's.
  uint32_t setting = 0;
  /// Moves groups itself: branches, calls, what waits.
  bool isControl = false;

  Selection &&withSetting(uint32_t value) && {
    setting = value;
    return std::move(*this);
  }
  Selection &&withBytes(unsigned count) && {
    bytes = count;
    return std::move(*this);
  }
  Selection &&withCounts(std::vector<unsigned> list) && {
    counts = std::move(list);
    return std::move(*this);
  }
  Selection &&withVectorsOf(Type type) && {
    vectorType = type;
    return std::move(*this);
  }
  Selection &&withSpaces(std::vector<Space> list) && {
    spaces = std::move(list);
    return std::move(*this);
  }
  Selection &&wider() && {
    mayBeWider = true;
    return std::move(*this);
  }
  Selection &&control() && {
    isControl = true;
    return std::move(*this);
  }
};

using Selector = Selection (*)(const Modifiers &);

/// The selector of `form`, out of opcodes.def.
Selector selectorOf(const Form &form);

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_EXEC_SELECTION_H
