//===- FunctionDecoder.cpp - a function made ready to execute -------------===//
#include "tools/ptx-emulator/exec/FunctionDecoder.h"
#include "tools/ptx-emulator/exec/Specials.h"
#include "tools/ptx-emulator/exec/System.h"
#include "tools/ptx-emulator/exec/Warp.h"
#include "tools/ptx-emulator/mem/DeviceMemory.h"
#include "tools/ptx-emulator/ptx/Lexer.h"
#include "tools/ptx-emulator/ptx/Opcodes.h"

#include <algorithm>

namespace ptx {

/// Bytes between variables of local memory.
static constexpr uint64_t gapBytes = 16;
/// Functions have addresses, which nothing can do anything with.
static constexpr uint64_t functionBase = 7 * windows::size;

FunctionDecoder::FunctionDecoder(DecodeContext &context, Code &code)
    : context(context), kernel(*context.kernel), code(code),
      function(*code.function) {}

void FunctionDecoder::refuse(const std::string &what) const {
  throw Error(current->line, what);
}

void FunctionDecoder::run() {
  code.first = uint32_t(kernel.steps.size());
  placeVariables();
  placeRegisters();
  for (const Instruction &each : function.body)
    instruction(each);
  pcs.push_back(uint32_t(kernel.steps.size()));
  // Whoever runs over the end returns.
  Step end;
  end.handler = [](Warp &warp, const Step &) { warp.leave(); };
  end.isControl = true;
  end.line = function.body.empty() ? function.line : function.body.back().line;
  kernel.steps.push_back(end);
  // Labels are instructions, which may have become several steps.
  for (uint32_t pc = code.first; pc < kernel.steps.size(); ++pc)
    if (kernel.steps[pc].hasLabel)
      kernel.steps[pc].target = pcs[kernel.steps[pc].target];
  for (const std::vector<uint32_t> &list : function.targetLists) {
    std::vector<uint32_t> &targets = kernel.targets.emplace_back();
    for (uint32_t each : list)
      targets.push_back(pcs[each]);
  }
  code.localBytes = alignedTo(code.localBytes, 16);
}

void FunctionDecoder::placeVariables() {
  size_t parameters = function.results.size() + function.parameters.size();
  for (size_t i = 0; i < function.variables.size(); ++i) {
    const Variable &each = function.variables[i];
    if (each.space == Space::Shared) {
      places.push_back(
          {Space::Shared, context.shared.at({&function, uint32_t(i)})});
    } else if (function.isEntry && i < parameters) {
      places.push_back({Space::Parameter, kernel.parameterOffsets[i]});
    } else {
      places.push_back({Space::Local, placeLocal(each)});
    }
  }
}

/// The place of a variable of local memory behind others, which end at `end`.
static uint64_t placeBehind(uint64_t end, const Variable &variable) {
  return alignedTo(end ? end + gapBytes : 0, variable.alignment);
}

uint64_t FunctionDecoder::placeLocal(const Variable &variable) {
  uint64_t place = placeBehind(code.localBytes, variable);
  code.localBytes = place + variable.size();
  code.locals.push_back({place, variable.size()});
  return place;
}

void FunctionDecoder::placeRegisters() {
  code.predicateCount = firstPredicate;
  // Operands that are left out are the first rows, of 128 bits at most.
  code.rows = 4;
  for (const Register &each : function.registers) {
    if (each.type == Type::pred) {
      registers.push_back(code.predicateCount++);
    } else {
      registers.push_back(code.rows);
      code.rows += rowsOf(each.type) * each.vectorSize;
    }
  }
}

Ref FunctionDecoder::newRows(uint32_t count) {
  code.rows += count;
  return {Ref::Frame, code.rows - count};
}

/// Whether other blocks may see when it is executed (Kernel::ordersBlocks).
static bool isSeenByOthers(const Instruction &instruction) {
  Modifiers m(instruction.modifiers);
  std::string_view opcode = instruction.form->opcode;
  bool isShared = m.has("shared") || m.has("shared::cta") ||
                  m.has("shared::cluster") || m.has("cta");
  if (opcode == "atom" || opcode == "red")
    return !isShared;
  if (opcode == "ld" || opcode == "st")
    return !isShared &&
           !m.oneOf({"volatile", "relaxed", "acquire", "release", "mmio"})
                .empty();
  if (opcode == "fence" || opcode == "membar")
    return !m.oneOf({"gpu", "sys", "gl"}).empty();
  // Reductions of bulk copies are atomic.
  return opcode == "cp" && m.has("reduce") && m.has("global");
}

void FunctionDecoder::instruction(const Instruction &instruction) {
  current = &instruction;
  after.clear();
  kernel.ordersBlocks |= isSeenByOthers(instruction);
  pcs.push_back(uint32_t(kernel.steps.size()));
  prototype = {};
  prototype.line = instruction.line;
  prototype.source = &instruction;
  if (instruction.guard >= 0)
    prototype.guard = {registers[size_t(instruction.guard)],
                       instruction.isGuardNegated};
  Modifiers modifiers(instruction.modifiers, instruction.form->operands);
  if (instruction.form->opcode == "call")
    return decodeCall(instruction, prototype);
  Selection selection = selectorOf(*instruction.form)(modifiers);
  if (!selection.handler)
    refuse("'" + textOf(instruction) + "' is not executed by this emulator");
  Step step = prototype;
  step.handler = selection.handler;
  step.isControl = selection.isControl;
  step.usesMatrices = instruction.form->opcode == "wgmma";
  step.setting = selection.setting;
  step.bytes = uint8_t(selection.bytes);
  step.operandCount = uint8_t(instruction.operands.size());
  decodeOperands(instruction, selection, step);
  kernel.steps.push_back(step);
}

void FunctionDecoder::decodeOperands(const Instruction &instruction,
                                     const Selection &selection, Step &step) {
  Modifiers modifiers(instruction.modifiers);
  for (PredicateRef &each : step.predicates)
    each = {alwaysPredicate, 0};
  step.predicates[0] = step.predicates[1] = {sinkPredicate, 0};
  unsigned addresses = 0, numbers = 0, sources = 2;
  size_t types = 0;
  bool mayBeWider = selection.mayBeWider;
  std::string_view letters = instruction.form->operands;
  for (size_t i = 0; i < instruction.operands.size(); ++i) {
    // "D,A,[S]": a letter, perhaps in brackets, and a comma.
    char letter = letters[letters[0] == '['];
    letters.remove_prefix(std::min(letters.find(',') + 1, letters.size()));
    const Operand &operand = instruction.operands[i];
    auto nextType = [&] {
      return selection.types[std::min(types++, selection.types.size() - 1)];
    };
    bool isSecond = i == 0 && instruction.second.kind != OperandKind::None;
    switch (letter) {
    case 'D':
    case 'W':
    case 'S':
    case 'M':
    case 'V': {
      Type type = nextType();
      bool isDestination = letter == 'D' || letter == 'W';
      size_t number = types - 1;
      if (operand.kind == OperandKind::Vector && selection.vectorType)
        type = *selection.vectorType;
      Step::Vector vector =
          this->vector(operand, type, mayBeWider, isDestination);
      unsigned count =
          number < selection.counts.size() ? selection.counts[number] : 1;
      if (count != anyCount && vector.count != count &&
          instruction.form->opcode != "mov")
        refuse(std::to_string(vector.count) +
               (vector.count == 1 ? " register" : " registers") + " where " +
               std::to_string(count) + " are wanted");
      if (i < step.vectors.size())
        step.vectors[i] = vector;
      if (vector.count && i < step.operands.size())
        step.operands[i] = kernel.refs[vector.first];
      if (isDestination && i == 0) {
        step.hasDestination = true;
        const Operand &first =
            operand.kind == OperandKind::Vector ? operand.parts[0] : operand;
        if (first.kind == OperandKind::Register)
          step.rows = uint8_t(rowsOfRegister(first));
      }
      if (letter == 'W' && isSecond)
        step.predicates[0] = predicate(instruction.second);
      break;
    }
    case 'X': {
      bool isPredicate = operand.kind == OperandKind::Register &&
                         function.registers[operand.index].type == Type::pred;
      Type type = nextType();
      if (isPredicate) {
        step.predicates[2] = predicate(operand);
        step.setting |= sourceIsPredicate;
      } else {
        step.operands[i] = source(operand, type, mayBeWider);
      }
      break;
    }
    case 'P':
      step.predicates[0] = predicate(operand);
      if (isSecond)
        step.predicates[1] = predicate(instruction.second);
      break;
    case 'Q':
      step.predicates[sources++] = predicate(operand);
      break;
    case 'A':
      step.addresses[addresses] =
          address(operand, modifiers, selection.spaces, addresses);
      ++addresses;
      if (operand.parts.size() > 1) {
        Operand coordinates;
        coordinates.kind = OperandKind::Vector;
        coordinates.parts.assign(operand.parts.begin() + 1,
                                 operand.parts.end());
        step.coordinates = vector(coordinates, Type::s32, false, false);
      }
      break;
    case 'N':
      step.numbers[numbers++] = operand.bits;
      break;
    case 'L':
      step.target = operand.index;
      step.hasLabel = true;
      break;
    case 'T':
      // Lists of this function come behind those of the ones before it.
      step.target = uint32_t(kernel.targets.size()) + operand.index;
      break;
    default:
      break;
    }
  }
}

uint32_t FunctionDecoder::rowsOfRegister(const Operand &operand) const {
  return rowsOf(function.registers[operand.index].type);
}

PredicateRef FunctionDecoder::predicate(const Operand &operand) const {
  if (operand.kind == OperandKind::Sink)
    return {sinkPredicate, 0};
  if (operand.kind == OperandKind::Integer)
    return {operand.bits ? alwaysPredicate : neverPredicate, 0};
  const Register &found = function.registers[operand.index];
  if (found.type != Type::pred)
    refuse("register '" + found.name + "' is no predicate");
  return {registers[operand.index], operand.isNegated};
}

Ref FunctionDecoder::registerRows(const Operand &operand, Type type,
                                  bool mayBeWider) const {
  const Register &found = function.registers[operand.index];
  unsigned bits = bitsOf(found.type), wanted = bitsOf(type);
  if (found.vectorSize != 1)
    refuse("register '" + found.name + "' is a vector");
  // There are no registers of 8 bits: what has so few uses wider ones.
  bool isFine = found.type != Type::pred && type != Type::pred &&
                (mayBeWider || wanted < 16 ? bits >= wanted : bits == wanted);
  if (!isFine)
    refuse("register '" + found.name + "' of type ." +
           std::string(nameOf(found.type)) + " where ." +
           std::string(nameOf(type)) + " is wanted");
  return {Ref::Frame, registers[operand.index]};
}

Ref FunctionDecoder::destination(const Operand &operand, Type type,
                                 bool mayBeWider) {
  if (operand.kind == OperandKind::Sink)
    return newRows(rowsOf(type));
  return registerRows(operand, type, mayBeWider);
}

Ref FunctionDecoder::constant(uint64_t bits, uint32_t rows) {
  auto [found, isNew] = context.constants.try_emplace(
      {bits, rows}, uint32_t(kernel.constants.size()));
  if (isNew)
    for (uint32_t row = 0; row < rows; ++row) {
      std::array<uint32_t, warpSize> lanes;
      lanes.fill(row < 2 ? uint32_t(bits >> 32 * row) : 0);
      kernel.constants.push_back(lanes);
    }
  return {Ref::Constants, found->second};
}

Ref FunctionDecoder::special(Special special) {
  uint32_t row = 0;
  for (Special each : kernel.specials) {
    if (each == special)
      break;
    row += rowsOf(each);
  }
  if (row == kernel.specialRows) {
    kernel.specials.push_back(special);
    kernel.specialRows += rowsOf(special);
  }
  Ref result = {Ref::Specials, row};
  if (isClock(special)) {
    Step read = prototype;
    read.operands[0] = result;
    read.numbers[0] = uint64_t(special);
    read.handler = [](Warp &warp, const Step &step) {
      readSpecial(Special(step.numbers[0]), warp,
                  warp.destination(step.operands[0]));
    };
    kernel.steps.push_back(read);
  }
  return result;
}

Ref FunctionDecoder::variableAddress(const Operand &operand) {
  if (operand.isOfModule)
    return constant(context.addresses[operand.index] + operand.bits, 2);
  const Place &place = places[operand.index];
  if (place.space != Space::Local)
    return constant(place.offset + operand.bits, 2);
  // The frame is not in the same place in every call.
  Step step = prototype;
  step.operands[0] = newRows(2);
  step.addresses[0] = {
      {}, place.offset + operand.bits, AddressRef::Frame, Space::Local};
  step.handler = [](Warp &warp, const Step &step) {
    Row *to = warp.destination(step.operands[0]);
    uint64_t address = warp.address(step.addresses[0], 0);
    forLanes(warp.active, [&](unsigned lane) { put(to, lane, address); });
  };
  kernel.steps.push_back(step);
  return step.operands[0];
}

Ref FunctionDecoder::source(const Operand &operand, Type type,
                            bool mayBeWider) {
  switch (operand.kind) {
  case OperandKind::Register:
    return registerRows(operand, type, mayBeWider);
  case OperandKind::Special: {
    Special named = Special(operand.index);
    if (rowsOf(named) < rowsOf(type))
      refuse("'" + operand.symbol + "' has 32 bits, ." +
             std::string(nameOf(type)) + " is wanted");
    return special(named);
  }
  case OperandKind::Integer:
    return constant(operand.bits, rowsOf(type));
  case OperandKind::Single: {
    float value = std::bit_cast<float>(uint32_t(operand.bits));
    if (type == Type::f64)
      return constant(std::bit_cast<uint64_t>(double(value)), 2);
    return constant(operand.bits, rowsOf(type));
  }
  case OperandKind::Double: {
    double value = std::bit_cast<double>(operand.bits);
    if (type == Type::f32)
      return constant(std::bit_cast<uint32_t>(float(value)), 1);
    return constant(operand.bits, rowsOf(type));
  }
  case OperandKind::Variable:
    return variableAddress(operand);
  case OperandKind::Function:
    return constant(functionBase + context.codes.size(), 2);
  default:
    refuse("an operand that is no value");
  }
}

Step::Vector FunctionDecoder::vector(const Operand &operand, Type type,
                                     bool mayBeWider, bool isDestination) {
  std::vector<Ref> refs;
  auto add = [&](const Operand &each) {
    refs.push_back(isDestination ? destination(each, type, mayBeWider)
                                 : source(each, type, mayBeWider));
  };
  if (operand.kind != OperandKind::Vector) {
    add(operand);
  } else if (current->form->opcode == "mov") {
    // mov.b32 {a, b}: the parts are of equal width and together the type's.
    size_t bits = bitsOf(type) / operand.parts.size();
    constexpr Type parts[] = {Type::b8, Type::b16, Type::b32, Type::b64};
    auto part = std::ranges::find(parts, bits, bitsOf);
    if (part == std::end(parts) || operand.parts.size() == 1 ||
        bits * operand.parts.size() != bitsOf(type))
      refuse("." + std::string(nameOf(type)) + " is no " +
             std::to_string(operand.parts.size()) + " registers");
    type = *part;
    for (const Operand &each : operand.parts)
      add(each);
  } else {
    for (const Operand &each : operand.parts)
      add(each);
  }
  Step::Vector result = {uint32_t(kernel.refs.size()), uint32_t(refs.size())};
  kernel.refs.insert(kernel.refs.end(), refs.begin(), refs.end());
  return result;
}

AddressRef FunctionDecoder::address(const Operand &operand,
                                    const Modifiers &modifiers,
                                    const std::vector<Space> &given,
                                    unsigned number) const {
  AddressRef result;
  result.offset = operand.bits;
  // Where two spaces are named, they are those of the addresses in order.
  std::vector<Space> spaces;
  for (const std::string &each : modifiers.all()) {
    std::string_view name = each;
    name = name.substr(0, name.find("::"));
    constexpr std::pair<std::string_view, Space> known[] = {
        {"global", Space::Global},
        {"shared", Space::Shared},
        {"local", Space::Local},
        {"const", Space::Constant},
        {"param", Space::Parameter}};
    for (auto [text, space] : known)
      if (name == text)
        spaces.push_back(space);
  }
  if (number < given.size())
    result.space = given[number];
  else if (!spaces.empty())
    result.space = spaces[std::min<size_t>(number, spaces.size() - 1)];
  const Operand &base = operand.parts[0];
  if (base.kind == OperandKind::Integer) {
    result.offset += base.bits;
  } else if (base.kind == OperandKind::Register) {
    const Register &found = function.registers[base.index];
    unsigned bits = bitsOf(found.type);
    if (found.type == Type::pred || (bits != 32 && bits != 64))
      refuse("register '" + found.name + "' of type ." +
             std::string(nameOf(found.type)) + " is no address");
    result.kind = bits == 32 ? AddressRef::Short : AddressRef::Long;
    result.base = {Ref::Frame, registers[base.index]};
  } else if (base.isOfModule) {
    const Variable &variable = kernel.module->variables[base.index];
    if (result.space != Space::Generic && result.space != variable.space)
      refuse("variable '" + variable.name + "' is in another space");
    result.offset += context.addresses[base.index];
  } else {
    const Place &place = places[base.index];
    const Variable &variable = function.variables[base.index];
    if (result.space != Space::Generic && result.space != variable.space)
      refuse("variable '" + variable.name + "' is in another space");
    result.offset += place.offset;
    if (place.space == Space::Local)
      result.kind = AddressRef::Frame;
    result.space = place.space;
  }
  // What a function that is no entry calls parameters is in its frame.
  if (result.space == Space::Parameter && !function.isEntry)
    result.space = Space::Local;
  return result;
}

//===-- Calls -------------------------------------------------------------===//

static Selection selectionOf(std::string_view opcode,
                             const std::vector<std::string> &modifiers) {
  auto form = std::ranges::find(forms(), opcode, &Form::opcode);
  return selectorOf(*form)(Modifiers(modifiers));
}

uint64_t FunctionDecoder::argument(const Operand &operand,
                                   const Variable &parameter, bool isResult) {
  if (operand.kind == OperandKind::Variable && !operand.isOfModule &&
      places[operand.index].space == Space::Local) {
    if (function.variables[operand.index].size() != parameter.size())
      refuse("'" + function.variables[operand.index].name + "' has " +
             std::to_string(function.variables[operand.index].size()) +
             " bytes, '" + parameter.name + "' " +
             std::to_string(parameter.size()));
    return places[operand.index].offset;
  }
  // A register or a number: it goes through the frame, too.
  bool isOne = parameter.count == 1 && parameter.vectorSize == 1;
  if (!isOne || operand.kind == OperandKind::Variable)
    refuse("'" + parameter.name + "' takes a variable in .param");
  uint64_t place = placeLocal(parameter);
  Selection selection = selectionOf(
      isResult ? "ld" : "st", {"local", std::string(nameOf(parameter.type))});
  Step step = prototype;
  step.handler = selection.handler;
  step.bytes = uint8_t(selection.bytes);
  step.addresses[0] = {{}, place, AddressRef::Frame, Space::Local};
  Step::Vector value = vector(operand, parameter.type, true, isResult);
  step.vectors[isResult ? 0 : 1] = value;
  if (isResult && operand.kind == OperandKind::Register)
    step.rows = uint8_t(rowsOfRegister(operand));
  if (isResult)
    after.push_back(step);
  else
    kernel.steps.push_back(step);
  return place;
}

void FunctionDecoder::decodeCall(const Instruction &instruction, Step step) {
  const Operand &callee = instruction.operands[1];
  if (callee.kind != OperandKind::Function)
    refuse("a call through a register");
  const Function *called = kernel.module->function(callee.symbol);
  const Operand &results = instruction.operands[0],
                &arguments = instruction.operands[2];
  if (called->isEntry)
    refuse("'" + callee.symbol + "' is an entry, which cannot be called");
  if (results.parts.size() != called->results.size() ||
      arguments.parts.size() != called->parameters.size())
    refuse("'" + callee.symbol + "' takes " +
           std::to_string(called->parameters.size()) + " and returns " +
           std::to_string(called->results.size()) + " values");
  CallSite site;
  // In the callee's frame its results and parameters come first.
  uint64_t inCallee = 0;
  auto transfers = [&](const Operand &list,
                       const std::vector<Variable> &variables, bool isResult) {
    for (size_t i = 0; i < list.parts.size(); ++i) {
      const Variable &variable = variables[i];
      inCallee = placeBehind(inCallee, variable);
      uint64_t mine = argument(list.parts[i], variable, isResult);
      if (isResult)
        site.results.push_back({inCallee, mine, variable.size()});
      else
        site.arguments.push_back({mine, inCallee, variable.size()});
      inCallee += variable.size();
    }
  };
  transfers(results, called->results, true);
  transfers(arguments, called->parameters, false);
  if (called->hasBody) {
    site.callee = context.codes.at(called);
    step.handler = [](Warp &warp, const Step &step) { warp.call(step); };
    step.isControl = true;
  } else {
    kernel.ordersBlocks = true;
    step.handler = systemFunction(callee.symbol);
    if (!step.handler)
      refuse("function '" + callee.symbol + "' has no body");
  }
  step.target = uint32_t(kernel.calls.size());
  kernel.calls.push_back(std::move(site));
  kernel.steps.push_back(step);
  kernel.steps.insert(kernel.steps.end(), after.begin(), after.end());
}

} // namespace ptx
