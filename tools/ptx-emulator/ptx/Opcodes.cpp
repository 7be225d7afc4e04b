//===- Opcodes.cpp - which instructions there are -------------------------===//
#include "tools/ptx-emulator/ptx/Opcodes.h"
#include "tools/ptx-emulator/ptx/Lexer.h"

#include <algorithm>
#include <cctype>

namespace ptx {

static constexpr Form table[] = {
#define PTX_FORM(opcode, modifiers, operands, target, version)                 \
  {#opcode, modifiers, operands, target, version},
#include "tools/ptx-emulator/ptx/opcodes.def"
};

std::span<const Form> forms() { return table; }

std::string textOf(const Instruction &instruction) {
  std::string text(instruction.form->opcode);
  for (const std::string &each : instruction.modifiers)
    text += "." + each;
  return text;
}

/// Cuts the part up to `separator` off `text`.
static std::string_view cut(std::string_view &text, char separator) {
  size_t end = text.find(separator);
  std::string_view part = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return part;
}

/// m16n8k8: three letters, each with a number.
static bool isShape(std::string_view text) {
  for (char letter : {'m', 'n', 'k'}) {
    if (text.empty() || text[0] != letter)
      return false;
    text.remove_prefix(1);
    size_t digits = 0;
    while (digits < text.size() && std::isdigit(uint8_t(text[digits])))
      ++digits;
    if (digits == 0)
      return false;
    text.remove_prefix(digits);
  }
  return text.empty();
}

static bool isMember(std::string_view group, std::string_view modifier) {
  if (group == "@shape")
    return isShape(modifier);
  while (!group.empty())
    if (cut(group, '|') == modifier)
      return true;
  return false;
}

bool haveModifiers(const Form &form,
                   const std::vector<std::string> &modifiers) {
  std::vector<bool> taken(modifiers.size());
  for (std::string_view groups = form.modifiers; !groups.empty();) {
    std::string_view group = cut(groups, ' ');
    bool isOptional = group.starts_with('?');
    if (isOptional)
      group.remove_prefix(1);
    size_t i = 0;
    while (i < modifiers.size() && (taken[i] || !isMember(group, modifiers[i])))
      ++i;
    if (i < modifiers.size())
      taken[i] = true;
    else if (!isOptional)
      return false;
  }
  return std::ranges::find(taken, false) == taken.end();
}

static bool isKind(const Operand &operand,
                   std::initializer_list<OperandKind> kinds) {
  return std::ranges::find(kinds, operand.kind) != kinds.end();
}

static bool isSource(const Operand &operand) {
  using enum OperandKind;
  return isKind(operand,
                {Register, Special, Integer, Single, Double, Variable}) &&
         !operand.isNegated;
}

/// Whether `operand` is what the letter says (opcodes.def); `second` is behind
/// its |.
static bool isOperand(char letter, const Operand &operand,
                      const Operand *second) {
  using enum OperandKind;
  auto isDestination = [](const Operand &each) {
    return isKind(each, {Register, Sink}) && !each.isNegated;
  };
  bool isSingle = !second || second->kind == None;
  switch (letter) {
  case 'D':
    return isSingle && (isDestination(operand) ||
                        (operand.kind == Vector &&
                         std::ranges::all_of(operand.parts, isDestination)));
  case 'W':
  case 'P':
    return isDestination(operand) && (isSingle || isDestination(*second));
  case 'S':
    return isSource(operand);
  case 'M':
    return isSource(operand) || operand.kind == Function ||
           (operand.kind == Vector &&
            std::ranges::all_of(operand.parts, isSource));
  case 'V':
    return isSource(operand) || (operand.kind == Vector &&
                                 std::ranges::all_of(operand.parts, isSource));
  case 'Q':
    return isKind(operand, {Register, Integer});
  case 'X':
    return isSource(operand) || isKind(operand, {Register});
  case 'N':
    return operand.kind == Integer;
  case 'A':
    return operand.kind == Address;
  case 'L':
    return operand.kind == Label;
  case 'T':
    return operand.kind == List;
  case 'C':
    return true; // a call's: the parser knows them
  default:
    return false;
  }
}

static bool haveOperands(const Form &form, const Instruction &instruction) {
  size_t i = 0;
  for (std::string_view letters = form.operands; !letters.empty();) {
    std::string_view part = cut(letters, ',');
    bool isOptional = part.starts_with('[');
    char letter = isOptional ? part[1] : part[0];
    if (letter == 'C')
      return true;
    if (i == instruction.operands.size()) {
      if (isOptional)
        return true;
      return false;
    }
    if (!isOperand(letter, instruction.operands[i],
                   i == 0 ? &instruction.second : nullptr))
      return false;
    ++i;
  }
  return i == instruction.operands.size();
}

static std::string described(std::string_view operands) {
  if (operands.empty())
    return "none";
  std::string result;
  while (!operands.empty()) {
    std::string_view part = cut(operands, ',');
    if (!result.empty())
      result += ", ";
    bool isOptional = part.starts_with('[');
    const char *name = "";
    switch (isOptional ? part[1] : part[0]) {
    case 'D':
      name = "destination";
      break;
    case 'W':
      name = "destination|predicate";
      break;
    case 'P':
      name = "predicate";
      break;
    case 'S':
      name = "source";
      break;
    case 'M':
      name = "source";
      break;
    case 'V':
      name = "source or vector";
      break;
    case 'Q':
      name = "predicate to read";
      break;
    case 'X':
      name = "source or predicate";
      break;
    case 'N':
      name = "number";
      break;
    case 'A':
      name = "[address]";
      break;
    case 'L':
      name = "label";
      break;
    case 'T':
      name = "list of labels";
      break;
    default:
      break;
    }
    result += isOptional ? std::string("perhaps ") + name : name;
  }
  return result;
}

const Form &formOf(const Module &module, std::string_view opcode,
                   const Instruction &instruction, int line) {
  std::string text(opcode);
  for (const std::string &modifier : instruction.modifiers)
    text += "." + modifier;
  bool isKnown = false;
  std::string expected;
  std::vector<bool> known(instruction.modifiers.size());
  const Form *newer = nullptr;
  for (const Form &form : table) {
    if (form.opcode != opcode)
      continue;
    isKnown = true;
    for (size_t i = 0; i < known.size(); ++i)
      for (std::string_view groups = form.modifiers; !groups.empty();) {
        std::string_view group = cut(groups, ' ');
        group.remove_prefix(group.starts_with('?'));
        known[i] = known[i] || isMember(group, instruction.modifiers[i]);
      }
    if (!haveModifiers(form, instruction.modifiers))
      continue;
    if (!haveOperands(form, instruction)) {
      expected += (expected.empty() ? "" : "; or ") + described(form.operands);
      continue;
    }
    unsigned target = module.architecture * 10 + module.isArchitectureSpecific;
    if (form.target > target ||
        form.version > module.major * 10 + module.minor) {
      newer = &form;
      continue;
    }
    return form;
  }
  if (!isKnown)
    throw Error(line,
                "opcode '" + text.substr(0, text.find('.')) + "' is not known");
  if (newer)
    throw Error(line, "'" + text + "' needs .target sm_" +
                          std::to_string(newer->target / 10) +
                          (newer->target % 10 ? "a" : "") + " and .version " +
                          std::to_string(newer->version / 10) + "." +
                          std::to_string(newer->version % 10) + " at least");
  if (!expected.empty())
    throw Error(line,
                "'" + text + "' has other operands; expected: " + expected);
  for (size_t i = 0; i < known.size(); ++i)
    if (!known[i])
      throw Error(line, "modifier '." + instruction.modifiers[i] + "' of '" +
                            text + "' is not known");
  throw Error(line, "'" + text +
                        "': these modifiers do not go together, or one is "
                        "missing");
}

} // namespace ptx
