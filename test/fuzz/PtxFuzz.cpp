//===- PtxFuzz.cpp - any bytes as a PTX module ----------------------------===//
//
// An accepted module must hold what the parser promises: registers, variables
// and labels that exist, contents no longer than their variables.
//
//===----------------------------------------------------------------------===//
#include "tools/ptx-emulator/ptx/Lexer.h"
#include "tools/ptx-emulator/ptx/Parser.h"

#include <cstdlib>

namespace {

void require(bool holds) {
  if (!holds)
    std::abort();
}

void check(const ptx::Module &module, const ptx::Function &function,
           const ptx::Operand &operand) {
  using enum ptx::OperandKind;
  switch (operand.kind) {
  case Register:
    return require(operand.index < function.registers.size());
  case Variable:
    return require(operand.index < (operand.isOfModule
                                        ? module.variables.size()
                                        : function.variables.size()));
  case Label:
    return require(operand.index <= function.body.size());
  case List:
    return require(operand.index < function.targetLists.size());
  case Function:
    return require(module.function(operand.symbol));
  default:
    for (const ptx::Operand &part : operand.parts)
      check(module, function, part);
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ptx::Module module;
  try {
    module = ptx::parseModule({reinterpret_cast<const char *>(data), size});
  } catch (const ptx::Error &) {
    return 0; // refused, with a reason
  }
  for (const ptx::Variable &variable : module.variables)
    require(variable.bytes.size() <= variable.size());
  for (const ptx::Function &function : module.functions) {
    for (const ptx::Instruction &instruction : function.body) {
      require(instruction.form);
      require(instruction.guard < int64_t(function.registers.size()));
      check(module, function, instruction.second);
      for (const ptx::Operand &operand : instruction.operands)
        check(module, function, operand);
    }
    for (const std::vector<uint32_t> &list : function.targetLists)
      for (uint32_t target : list)
        require(target <= function.body.size());
  }
  return 0;
}
