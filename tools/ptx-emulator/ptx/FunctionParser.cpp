//===- FunctionParser.cpp - the body of a function ------------------------===//
#include "tools/ptx-emulator/ptx/FunctionParser.h"
#include "tools/ptx-emulator/ptx/Opcodes.h"

#include <algorithm>

namespace ptx {

/// Deeper than any compiler nests; guards the stack of whoever walks scopes.
static constexpr size_t deepest = 256;
static constexpr uint64_t mostRegisters = 1 << 20;

FunctionParser::FunctionParser(TokenStream &tokens, const Module &module,
                               Function &function)
    : tokens(tokens), module(module), function(function) {}

void FunctionParser::parse() {
  // Parameters are variables of the function, in front of those of its body.
  open();
  for (const std::vector<Variable> *list :
       {&function.results, &function.parameters})
    for (const Variable &each : *list) {
      scopes.back().variables[each.name] = uint32_t(function.variables.size());
      function.variables.push_back(each);
    }
  tokens.expect('{');
  open();
  while (scopes.size() > 1) {
    if (tokens.takeIf('}'))
      close();
    else if (tokens.takeIf('{'))
      open();
    else
      statement();
  }
  close();
}

void FunctionParser::open() {
  if (scopes.size() == deepest)
    throw Error(tokens.line(), "more than 255 blocks in each other");
  scopes.emplace_back();
}

void FunctionParser::close() {
  Scope scope = std::move(scopes.back());
  scopes.pop_back();
  for (Pending &each : scope.pending) {
    // brx takes a list of labels alone, everything else a label.
    Operand *operand = each.isInList
                           ? nullptr
                           : &function.body[each.owner].operands[each.place];
    bool isList = operand && operand->kind == OperandKind::List;
    const auto &declared = isList ? scope.lists : scope.labels;
    if (auto found = declared.find(each.name); found != declared.end())
      (operand ? operand->index
               : function.targetLists[each.owner][each.place]) = found->second;
    else if (scopes.empty())
      throw Error(each.line, (isList ? "list of labels '" : "label '") +
                                 each.name + "' is not declared");
    else
      scopes.back().pending.push_back(std::move(each));
  }
}

void FunctionParser::statement() {
  const Token &token = tokens.peek();
  if (token.is('@') || (token.kind == TokenKind::Name && token.text[0] != '.'))
    return instruction();
  if (token.kind == TokenKind::Name)
    return directive();
  if (!tokens.takeIf(';'))
    tokens.unexpected("an instruction");
}

void FunctionParser::directive() {
  Token token = tokens.take();
  if (token.isName(".reg"))
    return declareRegisters();
  if (token.isName(".local"))
    return declareVariables(Space::Local);
  if (token.isName(".shared"))
    return declareVariables(Space::Shared);
  if (token.isName(".param"))
    return declareVariables(Space::Parameter);
  if (token.isName(".loc"))
    return parsePlace();
  if (token.isName(".pragma"))
    return skipPragma(tokens);
  throw Error(token.line,
              "'" + std::string(token.text) + "' is not known in a function");
}

void FunctionParser::declareRegisters() {
  Declaration declaration = parseDeclaration(tokens);
  do {
    int line = tokens.line();
    std::string name = tokens.name("the name of a register");
    uint32_t first = uint32_t(function.registers.size());
    uint64_t count = 1;
    bool isRange = tokens.takeIf('<');
    if (isRange) {
      count = tokens.integer("a number of registers", 0, mostRegisters);
      tokens.expect('>');
    }
    if (function.registers.size() + count > mostRegisters)
      throw Error(line,
                  "more than " + std::to_string(mostRegisters) + " registers");
    Scope &scope = scopes.back();
    bool isNew =
        isRange ? scope.ranges.try_emplace(name, Range{first, uint32_t(count)})
                      .second
                : scope.registers.try_emplace(name, first).second;
    if (!isNew || scope.variables.contains(name))
      throw Error(line, "'" + name + "' is declared twice");
    for (uint64_t i = 0; i < count; ++i)
      function.registers.push_back({isRange ? name + std::to_string(i) : name,
                                    declaration.type, declaration.vectorSize});
  } while (tokens.takeIf(','));
  tokens.expect(';');
}

void FunctionParser::declareVariables(Space space) {
  Declaration declaration = parseDeclaration(tokens);
  do {
    Variable variable = parseVariable(tokens, space, declaration);
    Scope &scope = scopes.back();
    if (!scope.variables
             .try_emplace(variable.name, uint32_t(function.variables.size()))
             .second ||
        scope.registers.contains(variable.name))
      throw Error(variable.line, "'" + variable.name + "' is declared twice");
    if (variable.count == 0)
      throw Error(variable.line, "variable '" + variable.name +
                                     "' of a "
                                     "function has no size");
    function.variables.push_back(std::move(variable));
  } while (tokens.takeIf(','));
  tokens.expect(';');
}

/// file line column[, function_name label[+offset], inlined_at file line
/// column]
void FunctionParser::parsePlace() {
  constexpr uint64_t most = UINT32_MAX;
  place.file = uint32_t(tokens.integer("the number of a file", 0, most));
  place.line = uint32_t(tokens.integer("a line", 0, most));
  place.column = uint32_t(tokens.integer("a column", 0, most));
  while (tokens.takeIf(',')) {
    if (tokens.takeIf("function_name")) {
      tokens.name("a label");
      if (tokens.takeIf('+'))
        tokens.integer("an offset");
    } else if (tokens.takeIf("inlined_at")) {
      for (int i = 0; i < 3; ++i)
        tokens.integer("a place", 0, most);
    } else {
      tokens.unexpected("function_name or inlined_at");
    }
  }
}

void FunctionParser::declareLabel(const std::string &name, int line) {
  // A list of targets is a label, too.
  if (tokens.takeIf(".branchtargets")) {
    Scope &scope = scopes.back();
    uint32_t list = uint32_t(function.targetLists.size());
    function.targetLists.emplace_back();
    do {
      int at = tokens.line();
      std::string target = tokens.name("a label");
      scope.pending.push_back({std::move(target), at, list,
                               function.targetLists[list].size(),
                               /*isInList=*/true});
      function.targetLists[list].push_back(0);
    } while (tokens.takeIf(','));
    tokens.expect(';');
    if (scope.labels.contains(name) ||
        !scope.lists.try_emplace(name, list).second)
      throw Error(line, "label '" + name + "' is declared twice");
    return;
  }
  Scope &scope = scopes.back();
  if (!scope.labels.try_emplace(name, uint32_t(function.body.size())).second ||
      scope.lists.contains(name))
    throw Error(line, "label '" + name + "' is declared twice");
}

int64_t FunctionParser::findRegister(const std::string &name) const {
  size_t end = name.size();
  while (end > 0 && name[end - 1] >= '0' && name[end - 1] <= '9')
    --end;
  // %r012 is not %r12.
  bool isNumbered = end < name.size() && name.size() - end < 8 &&
                    (name[end] != '0' || end + 1 == name.size());
  std::string prefix = isNumbered ? name.substr(0, end) : "";
  uint32_t number = isNumbered ? uint32_t(std::stoul(name.substr(end))) : 0;
  for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope) {
    if (auto found = scope->registers.find(name);
        found != scope->registers.end())
      return found->second;
    if (scope->variables.contains(name))
      return -1;
    if (!isNumbered)
      continue;
    auto range = scope->ranges.find(prefix);
    if (range != scope->ranges.end() && number < range->second.count)
      return range->second.first + number;
  }
  return -1;
}

uint32_t FunctionParser::predicate() {
  int line = tokens.line();
  std::string name = tokens.name("a predicate");
  int64_t found = findRegister(name);
  if (found < 0)
    throw Error(line, "register '" + name + "' is not declared");
  if (function.registers[size_t(found)].type != Type::pred)
    throw Error(line, "register '" + name + "' is no predicate");
  return uint32_t(found);
}

void FunctionParser::instruction() {
  Instruction result = {};
  if (tokens.takeIf('@')) {
    result.isGuardNegated = tokens.takeIf('!');
    result.guard = int32_t(predicate());
  }
  result.line = tokens.line();
  result.place = place;
  std::string text = tokens.name("an instruction");
  if (result.guard < 0 && tokens.takeIf(':'))
    return declareLabel(text, result.line);
  std::string opcode = text.substr(0, text.find('.'));
  for (size_t at = opcode.size(); at < text.size();) {
    size_t end = std::min(text.find('.', at + 1), text.size());
    result.modifiers.push_back(text.substr(at + 1, end - at - 1));
    at = end;
  }
  bool takesLabel = opcode == "bra" || opcode == "brx";
  if (opcode == "call") {
    parseCall(result);
  } else if (!tokens.peek().is(';')) {
    do {
      bool isLabel =
          takesLabel && (opcode == "bra" || !result.operands.empty());
      result.operands.push_back(isLabel ? labelOperand(result.operands.size())
                                        : operand());
      if (tokens.takeIf('|')) {
        if (result.operands.size() != 1)
          throw Error(tokens.line(),
                      "'|' stands behind the first operand alone");
        result.second = operand();
      }
    } while (tokens.takeIf(','));
  }
  tokens.expect(';');
  result.form = &formOf(module, opcode, result, result.line);
  function.body.push_back(std::move(result));
}

Operand FunctionParser::labelOperand(size_t operandPlace) {
  Operand result;
  result.kind = OperandKind::Label;
  int line = tokens.line();
  result.symbol = tokens.name("a label");
  scopes.back().pending.push_back({result.symbol, line, function.body.size(),
                                   operandPlace, /*isInList=*/false});
  if (operandPlace == 1)
    result.kind = OperandKind::List;
  return result;
}

/// [(result, …),] function or register, [(argument, …)] [, prototype]
void FunctionParser::parseCall(Instruction &result) {
  Operand results;
  results.kind = OperandKind::Sequence;
  if (tokens.peek().is('(')) {
    results = sequence();
    tokens.expect(',');
  }
  result.operands.push_back(std::move(results));
  int line = tokens.line();
  Operand callee = named();
  if (callee.kind != OperandKind::Function &&
      callee.kind != OperandKind::Register)
    throw Error(line, "a call of what is no function");
  result.operands.push_back(std::move(callee));
  Operand arguments;
  arguments.kind = OperandKind::Sequence;
  if (tokens.takeIf(',')) {
    if (!tokens.peek().is('('))
      throw Error(tokens.line(), "a call through a register with a prototype "
                                 "is not known");
    arguments = sequence();
  }
  result.operands.push_back(std::move(arguments));
}

Operand FunctionParser::sequence() {
  Operand result;
  result.kind = OperandKind::Sequence;
  tokens.expect('(');
  if (tokens.takeIf(')'))
    return result;
  do
    result.parts.push_back(scalar());
  while (tokens.takeIf(','));
  tokens.expect(')');
  return result;
}

Operand FunctionParser::operand() {
  if (tokens.peek().is('['))
    return address();
  if (tokens.takeIf('!')) {
    Operand result;
    result.kind = OperandKind::Register;
    result.isNegated = true;
    result.index = predicate();
    return result;
  }
  if (!tokens.takeIf('{'))
    return scalar();
  Operand result;
  result.kind = OperandKind::Vector;
  do
    result.parts.push_back(scalar());
  while (tokens.takeIf(','));
  tokens.expect('}');
  return result;
}

Operand FunctionParser::scalar() {
  Operand result;
  const Token &token = tokens.peek();
  if (token.kind == TokenKind::Name)
    return named();
  bool isNegative = tokens.takeIf('-');
  if (tokens.peek().kind == TokenKind::Integer) {
    result.kind = OperandKind::Integer;
    result.bits = tokens.take().bits;
    if (isNegative)
      result.bits = 0 - result.bits;
    return result;
  }
  if (tokens.peek().kind != TokenKind::Float)
    tokens.unexpected("an operand");
  Token number = tokens.take();
  result.kind = number.isSingle ? OperandKind::Single : OperandKind::Double;
  result.bits = number.bits;
  if (isNegative)
    result.bits ^= uint64_t(1) << (number.isSingle ? 31 : 63);
  return result;
}

/// "%tid.x" → TidX.
static std::optional<Special> specialNamed(std::string_view name) {
  constexpr std::string_view known[] = {
#define PTX_SPECIAL(name, text, rows) text,
#include "tools/ptx-emulator/ptx/specials.def"
  };
  auto found = std::ranges::find(known, name);
  if (found == std::end(known))
    return std::nullopt;
  return Special(found - std::begin(known));
}

Operand FunctionParser::named() {
  Operand result;
  int line = tokens.line();
  std::string name = tokens.name("an operand");
  auto isVariable = [&](uint32_t index, bool isOfModule) {
    result.kind = OperandKind::Variable;
    result.index = index;
    result.isOfModule = isOfModule;
    // The address of an element: a + 16.
    if (tokens.takeIf('+'))
      result.bits = uint64_t(tokens.integer("an offset"));
    return result;
  };
  if (name == "_") {
    result.kind = OperandKind::Sink;
    return result;
  }
  if (int64_t found = findRegister(name); found >= 0) {
    result.kind = OperandKind::Register;
    result.index = uint32_t(found);
    return result;
  }
  if (name == "WARP_SZ") {
    result.kind = OperandKind::Integer;
    result.bits = 32;
    return result;
  }
  if (std::optional<Special> special = specialNamed(name)) {
    result.kind = OperandKind::Special;
    result.index = uint32_t(*special);
    result.symbol = name;
    return result;
  }
  for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope)
    if (auto found = scope->variables.find(name);
        found != scope->variables.end())
      return isVariable(found->second, /*isOfModule=*/false);
  auto variable = module.variableNumbers.find(name);
  if (variable != module.variableNumbers.end())
    return isVariable(variable->second, /*isOfModule=*/true);
  if (name == function.name || module.function(name)) {
    result.kind = OperandKind::Function;
    result.symbol = name;
    return result;
  }
  throw Error(line, "'" + name + "' is not declared");
}

/// [base], [base + offset], [map, {coordinates}]
Operand FunctionParser::address() {
  Operand result;
  result.kind = OperandKind::Address;
  tokens.expect('[');
  int line = tokens.line();
  result.parts.push_back(scalar());
  Operand &base = result.parts[0];
  if (base.kind == OperandKind::Variable) {
    // Its offset is the address's.
    result.bits = base.bits;
    base.bits = 0;
  } else if (base.kind != OperandKind::Register &&
             base.kind != OperandKind::Integer) {
    throw Error(line, "an address is a register, a variable or a number");
  }
  if (tokens.takeIf('+'))
    result.bits += uint64_t(tokens.integer("an offset"));
  else if (tokens.takeIf(',')) {
    int at = tokens.line();
    Operand coordinates = operand();
    if (coordinates.kind != OperandKind::Vector || coordinates.parts.size() > 5)
      throw Error(at, "coordinates are 1 to 5 numbers in { }");
    std::ranges::move(coordinates.parts, std::back_inserter(result.parts));
  }
  tokens.expect(']');
  return result;
}

} // namespace ptx
