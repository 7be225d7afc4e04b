//===- Decoder.cpp - an entry made ready to execute -----------------------===//
#include "tools/ptx-emulator/exec/Decoder.h"
#include "tools/ptx-emulator/exec/FunctionDecoder.h"
#include "tools/ptx-emulator/mem/DeviceMemory.h"
#include "tools/ptx-emulator/ptx/Opcodes.h"

#include <algorithm>

namespace ptx {

/// Bytes between variables of shared memory, each and in all: matrix
/// descriptors have no more than 2^18 bytes.
static constexpr uint64_t gapBytes = 128, mostGaps = 16 << 10;

namespace {

class Decoder {
public:
  Decoder(const Module &module, const Function &entry,
          std::span<const uint64_t> addresses)
      : kernel(std::make_unique<Kernel>()) {
    kernel->module = &module;
    kernel->entry = &entry;
    context.kernel = kernel.get();
    context.addresses.assign(addresses.begin(), addresses.end());
    context.addresses.resize(module.variables.size());
  }

  std::unique_ptr<Kernel> run() {
    placeParameters();
    collect(*kernel->entry);
    placeShared();
    for (Code &code : kernel->codes)
      FunctionDecoder(context, code).run();
    return std::move(kernel);
  }

private:
  void placeParameters() {
    uint64_t &end = kernel->parameterBytes;
    for (const Variable &each : kernel->entry->parameters) {
      kernel->parameterOffsets.push_back(alignedTo(end, each.alignment));
      end = kernel->parameterOffsets.back() + each.size();
    }
  }

  /// Gives numbers to `entry` and the functions that it reaches.
  void collect(const Function &entry) {
    std::vector<const Function *> left = {&entry};
    while (!left.empty()) {
      const Function &function = *left.back();
      left.pop_back();
      if (context.codes.contains(&function))
        continue;
      context.codes[&function] = uint32_t(kernel->codes.size());
      kernel->codes.emplace_back().function = &function;
      for (const Instruction &each : function.body)
        if (each.form->opcode == "call" &&
            each.operands[1].kind == OperandKind::Function) {
          const Function *callee =
              kernel->module->function(each.operands[1].symbol);
          if (callee->hasBody)
            left.push_back(callee);
        }
    }
  }

  /// Shared variables of the functions, and those of the module that they use:
  /// in that order, but for the dynamic ones, which all begin behind.
  void placeShared() {
    const Module &module = *kernel->module;
    std::vector<bool> isUsed(module.variables.size());
    auto use = [&](const Operand &operand) {
      auto visit = [&](auto &self, const Operand &each) -> void {
        if (each.kind == OperandKind::Variable && each.isOfModule)
          isUsed[each.index] = true;
        for (const Operand &part : each.parts)
          self(self, part);
      };
      visit(visit, operand);
    };
    uint64_t end = sharedBase, gaps = 0, dynamicAlignment = 16;
    bool hasDynamic = false;
    auto goBehind = [&](uint64_t alignment) {
      // The first one begins at the base.
      uint64_t gap = end > sharedBase && gaps < mostGaps ? gapBytes : 0;
      gaps += gap;
      return alignedTo(end + gap, alignment);
    };
    auto place = [&](const Variable &variable) {
      kernel->staticShared =
          alignedTo(kernel->staticShared, variable.alignment) + variable.size();
      uint64_t address = goBehind(variable.alignment);
      end = address + variable.size();
      kernel->shared.push_back({variable.name, address, variable.size()});
      return address;
    };
    for (const Code &code : kernel->codes) {
      const Function &function = *code.function;
      for (size_t i = 0; i < function.variables.size(); ++i)
        if (function.variables[i].space == Space::Shared)
          context.shared[{&function, uint32_t(i)}] =
              place(function.variables[i]);
      for (const Instruction &each : function.body)
        for (const Operand &operand : each.operands)
          use(operand);
    }
    for (size_t i = 0; i < isUsed.size(); ++i) {
      const Variable &variable = module.variables[i];
      if (!isUsed[i] || variable.space != Space::Shared)
        continue;
      if (variable.count) {
        context.addresses[i] = place(variable);
        continue;
      }
      hasDynamic = true;
      dynamicAlignment =
          std::max<uint64_t>(dynamicAlignment, variable.alignment);
    }
    kernel->staticShared = alignedTo(kernel->staticShared, dynamicAlignment);
    end = hasDynamic ? goBehind(dynamicAlignment)
                     : alignedTo(end, dynamicAlignment);
    kernel->dynamicBegin = end - sharedBase;
    for (size_t i = 0; i < isUsed.size(); ++i) {
      const Variable &variable = module.variables[i];
      if (!isUsed[i] || variable.space != Space::Shared || variable.count)
        continue;
      context.addresses[i] = end;
      kernel->shared.push_back({variable.name, end, 0});
    }
  }

  std::unique_ptr<Kernel> kernel;
  DecodeContext context;
};

} // namespace

std::unique_ptr<Kernel> decode(const Module &module, const Function &entry,
                               std::span<const uint64_t> addresses) {
  return Decoder(module, entry, addresses).run();
}

} // namespace ptx
