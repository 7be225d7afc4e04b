//===- LoadedModule.cpp - a module on a device ----------------------------===//
#include "tools/ptx-emulator/exec/LoadedModule.h"
#include "tools/ptx-emulator/exec/Decoder.h"
#include "tools/ptx-emulator/ptx/Parser.h"

#include <algorithm>
#include <cstring>

namespace ptx {

LoadedModule::LoadedModule(std::string_view source, DeviceMemory &memory)
    : parsed(parseModule(source)), memory(memory),
      addresses(parsed.variables.size()), allocations(parsed.variables.size()) {
  for (size_t i = 0; i < parsed.variables.size(); ++i) {
    const Variable &each = parsed.variables[i];
    bool isConstant = each.space == Space::Constant;
    if ((!isConstant && each.space != Space::Global) || each.size() == 0)
      continue;
    std::string origin = "variable " + each.name;
    Allocation &allocation =
        isConstant ? memory.allocateConstant(each.size(), std::move(origin),
                                             each.alignment)
                   : memory.allocate(each.size(), std::move(origin),
                                     std::max(each.alignment, 256u));
    allocations[i] = &allocation;
    addresses[i] = allocation.base - (isConstant ? windows::constant : 0);
    // What has no initial value is zero.
    std::memset(allocation.data, 0, each.size());
    std::memset(allocation.defined, written, each.size());
    std::ranges::copy(each.bytes, allocation.data);
  }
  for (size_t i = 0; i < parsed.variables.size(); ++i)
    for (const Relocation &each : parsed.variables[i].relocations) {
      uint64_t address = addressOf(each);
      if (allocations[i])
        std::memcpy(allocations[i]->data + each.offset, &address, each.bytes);
    }
}

LoadedModule::~LoadedModule() {
  for (const Allocation *each : allocations)
    if (each)
      memory.free(each->base);
}

uint64_t LoadedModule::addressOf(const Relocation &relocation) const {
  auto found = parsed.variableNumbers.find(relocation.symbol);
  if (found == parsed.variableNumbers.end())
    return uint64_t(relocation.addend); // of a function
  const Allocation *allocation = allocations[found->second];
  uint64_t address = relocation.isGeneric && allocation
                         ? allocation->base
                         : addresses[found->second];
  return address + uint64_t(relocation.addend);
}

const Kernel *LoadedModule::kernel(const std::string &name) {
  const Function *entry = parsed.function(name);
  if (!entry || !entry->isEntry || !entry->hasBody)
    return nullptr;
  std::unique_ptr<Kernel> &kernel = kernels[name];
  if (!kernel)
    kernel = decode(parsed, *entry, addresses);
  return kernel.get();
}

const Allocation *LoadedModule::variable(const std::string &name) const {
  auto found = parsed.variableNumbers.find(name);
  return found == parsed.variableNumbers.end() ? nullptr
                                               : allocations[found->second];
}

} // namespace ptx
