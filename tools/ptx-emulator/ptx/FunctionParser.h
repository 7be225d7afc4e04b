//===- FunctionParser.h - the body of a function --------------*- C++ -*-===//
//
// Private to the parser.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_PTX_EMULATOR_PTX_FUNCTIONPARSER_H
#define TOOLS_PTX_EMULATOR_PTX_FUNCTIONPARSER_H

#include "tools/ptx-emulator/ptx/TokenStream.h"

#include <string>
#include <unordered_map>
#include <vector>

namespace ptx {

class FunctionParser {
public:
  /// `function` has its parameters already.
  FunctionParser(TokenStream &tokens, const Module &module, Function &function);
  /// From { to the } that ends the function.
  void parse();

private:
  struct Range { // %r<5>: five registers from `first` on
    uint32_t first, count;
  };
  /// A name of a label that may stand further down.
  struct Pending {
    std::string name;
    int line;
    /// Index of an instruction and its operand, or of a list and its place.
    size_t owner, place;
    bool isInList;
  };
  struct Scope {
    std::unordered_map<std::string, uint32_t> registers, variables, labels,
        lists;
    std::unordered_map<std::string, Range> ranges;
    std::vector<Pending> pending;
  };

  void open();
  void close();
  void statement();
  void directive();
  void declareRegisters();
  void declareVariables(Space space);
  void declareLabel(const std::string &name, int line);
  void parsePlace();
  void instruction();
  void parseCall(Instruction &result);
  Operand sequence();
  Operand operand();
  Operand scalar();
  Operand named();
  Operand address();
  Operand labelOperand(size_t place);
  /// The number of a register; -1: there is none of that name.
  int64_t findRegister(const std::string &name) const;
  uint32_t predicate();

  TokenStream &tokens;
  const Module &module;
  Function &function;
  std::vector<Scope> scopes;
  SourcePlace place;
};

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_PTX_FUNCTIONPARSER_H
