//===- Module.h - a PTX module as it was read -----------------*- C++ -*-===//
//
// Names are resolved: registers and variables are numbers, labels are indices
// of instructions. What instructions mean is not known here.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_PTX_EMULATOR_PTX_MODULE_H
#define TOOLS_PTX_EMULATOR_PTX_MODULE_H

#include "tools/ptx-emulator/ptx/Types.h"

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace ptx {

struct Form; // of Opcodes.h

enum class Linkage : uint8_t { Internal, Visible, Extern, Weak, Common };

/// Where a value is part of a variable's contents: the address of another
/// variable or function, plus `addend`.
struct Relocation {
  uint64_t offset; // bytes into the variable
  unsigned bytes;
  std::string symbol;
  int64_t addend;
  bool isGeneric; // generic(symbol)
};

/// A variable of a module or of a function, or a parameter.
struct Variable {
  std::string name;
  Space space;
  Type type; // of an element
  unsigned vectorSize = 1;
  /// Elements; 0: as many as the launch gives, of an extern shared array.
  uint64_t count = 1;
  unsigned alignment;
  Linkage linkage = Linkage::Internal;
  /// Contents; shorter than the variable where the rest is zero.
  std::vector<uint8_t> bytes;
  std::vector<Relocation> relocations;
  int line;

  uint64_t size() const { return count * vectorSize * bitsOf(type) / 8; }
};

struct Register {
  std::string name;
  Type type;
  unsigned vectorSize = 1;
};

enum class OperandKind : uint8_t {
  None,     // an operand left out of a call: no results
  Register, // `index`
  Special,  // %tid.x: `index` of Special, `symbol`
  Integer,  // `bits`
  Single,   // `bits`: 32 of a float
  Double,   // `bits`: 64 of a float
  Variable, // its address: `index` of the function's or module's, `bits` more
  Function, // `symbol`
  Label,    // `index` of an instruction
  List,     // label of a list of targets: `index` of Function::targetLists
  Address,  // [parts[0] + bits]; with coordinates [parts[0], {parts[1]...}]
  Vector,   // {parts}
  Sequence, // (parts), of a call
  Sink      // _
};

enum class Special : uint8_t {
#define PTX_SPECIAL(name, text, rows) name,
#include "tools/ptx-emulator/ptx/specials.def"
};

struct Operand {
  OperandKind kind = OperandKind::None;
  /// Of a predicate: !p.
  bool isNegated = false;
  /// Of a variable: one of the module, not of the function.
  bool isOfModule = false;
  uint32_t index = 0;
  uint64_t bits = 0;
  std::string symbol;
  std::vector<Operand> parts;
};

/// `.loc`: a place in the source that a compiler read.
struct SourcePlace {
  uint32_t file = 0, line = 0, column = 0; // file 0: not known
};

struct Instruction {
  const Form *form;
  /// Without their dots, in the order of the text.
  std::vector<std::string> modifiers;
  std::vector<Operand> operands;
  /// Of `d|p` operands: the second destination.
  Operand second;
  /// Register that guards it, or -1.
  int32_t guard = -1;
  bool isGuardNegated = false;
  int line;
  SourcePlace place;
};

struct Function {
  std::string name;
  bool isEntry = false, isNoReturn = false;
  Linkage linkage = Linkage::Internal;
  bool hasBody = false;
  std::vector<Variable> results, parameters;
  /// Of all scopes; names may occur twice.
  std::vector<Register> registers;
  std::vector<Variable> variables; // local, shared, param
  std::vector<Instruction> body;
  /// Of brx.idx: indices of instructions.
  std::vector<std::vector<uint32_t>> targetLists;
  /// Directives; 0 where they are not there.
  uint32_t maxThreads[3] = {}, requiredThreads[3] = {}, requiredCluster[3] = {};
  uint32_t minBlocks = 0, maxRegisters = 0, maxClusterRank = 0;
  bool isExplicitCluster = false;
  int line;
};

struct Module {
  unsigned major = 0, minor = 0;       // .version
  unsigned architecture = 0;           // 80: sm_80
  bool isArchitectureSpecific = false; // sm_90a
  std::vector<std::string> files;      // by the numbers of .file
  std::vector<Variable> variables;
  std::vector<Function> functions;
  /// What was read: reports show its lines.
  std::string source;

  /// Where in these a name stands; no name is in both.
  std::unordered_map<std::string, uint32_t> variableNumbers, functionNumbers;

  const Function *function(const std::string &name) const {
    auto found = functionNumbers.find(name);
    return found == functionNumbers.end() ? nullptr : &functions[found->second];
  }
  /// A line of the source, from 1, without blanks around it.
  std::string_view lineOfSource(int line) const;
  bool isDeclared(const std::string &name) const {
    return variableNumbers.contains(name) || functionNumbers.contains(name);
  }
};

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_PTX_MODULE_H
