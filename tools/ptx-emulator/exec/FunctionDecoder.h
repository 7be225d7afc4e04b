//===- FunctionDecoder.h - a function made ready to execute ---*- C++ -*-===//
//
// Private to the decoder.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_PTX_EMULATOR_EXEC_FUNCTIONDECODER_H
#define TOOLS_PTX_EMULATOR_EXEC_FUNCTIONDECODER_H

#include "tools/ptx-emulator/exec/Selection.h"

#include <map>

namespace ptx {

/// What functions of one kernel share while they are decoded.
struct DecodeContext {
  Kernel *kernel;
  std::vector<uint64_t> addresses; // of the module's variables
  std::map<std::pair<const Function *, uint32_t>, uint64_t> shared;
  std::map<const Function *, uint32_t> codes; // numbers in Kernel::codes
  /// Rows of constants by their bits and how many they are.
  std::map<std::pair<uint64_t, uint32_t>, uint32_t> constants;
};

class FunctionDecoder {
public:
  FunctionDecoder(DecodeContext &context, Code &code);
  void run();

private:
  /// Where a variable of the function is: in the parameters of the entry, in
  /// shared memory, in the frame.
  struct Place {
    Space space;
    uint64_t offset;
  };

  void placeVariables();
  uint64_t placeLocal(const Variable &variable);
  void placeRegisters();
  void instruction(const Instruction &instruction);
  void decodeOperands(const Instruction &instruction,
                      const Selection &selection, Step &step);
  void decodeCall(const Instruction &instruction, Step step);
  AddressRef address(const Operand &operand, const Modifiers &modifiers,
                     const std::vector<Space> &given, unsigned number) const;
  Ref source(const Operand &operand, Type type, bool mayBeWider);
  Ref destination(const Operand &operand, Type type, bool mayBeWider);
  Ref registerRows(const Operand &operand, Type type, bool mayBeWider) const;
  PredicateRef predicate(const Operand &operand) const;
  Step::Vector vector(const Operand &operand, Type type, bool mayBeWider,
                      bool isDestination);
  Ref constant(uint64_t bits, uint32_t rows);
  Ref special(Special special);
  Ref variableAddress(const Operand &operand);
  Ref newRows(uint32_t count);
  /// Place of an argument or result of a call in the frame.
  uint64_t argument(const Operand &operand, const Variable &parameter,
                    bool isResult);
  [[noreturn]] void refuse(const std::string &what) const;
  uint32_t rowsOfRegister(const Operand &operand) const;

  DecodeContext &context;
  Kernel &kernel;
  Code &code;
  const Function &function;
  /// Of the instruction at hand.
  const Instruction *current = nullptr;
  Step prototype; // guard, line and place of its steps
  std::vector<Step> after;

  std::vector<Place> places;       // of variables
  std::vector<uint32_t> registers; // first row, or index of a predicate
  std::vector<uint32_t> pcs;       // of instructions
};

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_EXEC_FUNCTIONDECODER_H
