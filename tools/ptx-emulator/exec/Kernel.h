//===- Kernel.h - an entry, decoded ---------------------------*- C++ -*-===//
//
// An entry and the functions it reaches, their instructions in one list: a pc
// is an index in it. Operands are places of rows, addresses of variables are
// numbers. Shared by all warps that run it; nothing in it changes.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_PTX_EMULATOR_EXEC_KERNEL_H
#define TOOLS_PTX_EMULATOR_EXEC_KERNEL_H

#include "tools/ptx-emulator/exec/Rows.h"
#include "tools/ptx-emulator/ptx/Module.h"

#include <array>
#include <memory>

namespace ptx {

class Warp;

/// Of a register (Rows.h).
inline uint32_t rowsOf(Type type) { return (bitsOf(type) + 31) / 32; }

/// Where the rows of an operand begin.
struct Ref {
  enum Base : uint32_t { Frame, Constants, Specials };
  uint32_t base : 2 = Frame;
  uint32_t row : 30 = 0;
};

/// A predicate of the frame, or its opposite.
struct PredicateRef {
  uint32_t index : 31 = 0;
  uint32_t isNegated : 1 = 0;
};
/// Predicates that every frame has: always false, always true, and one that
/// takes what nobody reads.
enum : uint32_t {
  neverPredicate,
  alwaysPredicate,
  sinkPredicate,
  firstPredicate
};

/// [base + offset] in a space.
struct AddressRef {
  Ref base;
  uint64_t offset = 0;
  /// What the base is: nothing, so that the offset is the address; a register
  /// of 32 or 64 bits; the frame of a function in local memory.
  enum Kind : uint8_t { None, Short, Long, Frame } kind = None;
  Space space = Space::Generic;
};

struct Step;
using Handler = void (*)(Warp &, const Step &);

/// One instruction. What a handler finds in it is said where the handler is
/// chosen (Selection.h).
struct Step {
  Handler handler = nullptr;
  /// Lanes where it is false do nothing.
  PredicateRef guard = {alwaysPredicate, 0};
  std::array<Ref, 5> operands;
  std::array<PredicateRef, 4> predicates;
  std::array<AddressRef, 3> addresses;
  /// Where in Kernel::refs a vector begins, and of how many registers it is.
  struct Vector {
    uint32_t first = 0, count = 0;
  };
  std::array<Vector, 4> vectors;
  /// Of a tensor's address.
  Vector coordinates;
  std::array<uint64_t, 4> numbers = {};
  /// pc of a branch; of a call the number in Kernel::calls; of brx.idx the
  /// number in Kernel::targets.
  uint32_t target = 0;
  /// What the selector left for its handler.
  uint32_t setting = 0;
  /// How many operands the text has.
  uint8_t operandCount = 0;
  /// Of memory: bytes of an element.
  uint8_t bytes = 0;
  /// Of ld and cvt: rows of the destination, all of which a narrower value
  /// fills.
  uint8_t rows = 1;
  /// operands[0] or vectors[0] is written.
  bool hasDestination = false;
  /// wgmma, which keeps track of registers itself.
  bool usesMatrices = false;
  /// Branches, calls, returns, what waits: they move the group themselves.
  bool isControl = false;
  /// While it is decoded: target is the index of an instruction.
  bool hasLabel = false;
  int line = 0;
  /// Null: the end of a function.
  const Instruction *source = nullptr;
};

/// A decoded function.
struct Code {
  const Function *function;
  uint32_t first = 0; // pc
  /// Of its frame; localBytes are multiples of 16.
  uint32_t rows = 0, predicateCount = 0;
  uint64_t localBytes = 0;
  /// Where variables are in the frame's local memory: with bytes of none
  /// between them, as in shared memory.
  struct LocalVariable {
    uint64_t place, size;
  };
  std::vector<LocalVariable> locals;
};

/// Bytes of the caller's frame that go to the callee's, or come back.
struct Transfer {
  uint64_t from, to, bytes;
};

struct CallSite {
  uint32_t callee = 0; // number of a Code; not of a function of the system
  std::vector<Transfer> arguments, results;
};

struct Kernel {
  const Module *module;
  const Function *entry;
  std::vector<Step> steps;
  std::vector<Code> codes; // [0]: of the entry
  std::vector<CallSite> calls;
  std::vector<std::vector<uint32_t>> targets;
  std::vector<Ref> refs;
  std::vector<std::array<uint32_t, warpSize>> constants;
  /// What a warp's special rows hold, one after the other.
  std::vector<Special> specials;
  uint32_t specialRows = 0;

  /// Where variables are in shared memory; dynamic ones, of size 0, end with
  /// it. Between two of them are bytes of none, so that what runs over one hits
  /// none.
  struct SharedVariable {
    std::string name;
    uint64_t address, size;
  };
  std::vector<SharedVariable> shared;
  /// Bytes of shared memory but for the dynamic part on a device, and here,
  /// where the dynamic part begins there.
  uint64_t staticShared = 0, dynamicBegin = 0;
  /// Blocks may see what others do, so that their order matters: there are
  /// atomic operations on global memory, strong loads, fences between blocks,
  /// or texts that are printed.
  bool ordersBlocks = false;
  /// Of the entry's parameters, and of all together.
  std::vector<uint64_t> parameterOffsets;
  uint64_t parameterBytes = 0;

  /// For reports: "PTX line 141: ld.shared.b32 %r15, [%rd9+132];".
  std::string lineAt(uint32_t pc) const {
    int line = steps[pc].line;
    return "PTX line " + std::to_string(line) + ": " +
           std::string(module->lineOfSource(line));
  }
};

/// Address of the first byte of shared memory: sm_90 keeps the first KiB, and
/// zero is no valid address.
constexpr uint64_t sharedBase = 1024;
/// An address of shared::cluster names the block by its rank; without a rank it
/// is one of the own block.
constexpr unsigned rankShift = 24;
constexpr uint64_t clusterAddress(uint32_t rank, uint64_t address) {
  return (uint64_t(rank) + 1) << rankShift |
         (address & ((uint64_t(1) << rankShift) - 1));
}
/// Of the first byte of a thread's local memory.
constexpr uint64_t localBase = 1024;

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_EXEC_KERNEL_H
