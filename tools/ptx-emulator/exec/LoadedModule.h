//===- LoadedModule.h - a module on a device ------------------*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_EXEC_LOADEDMODULE_H
#define TOOLS_PTX_EMULATOR_EXEC_LOADEDMODULE_H

#include "tools/ptx-emulator/exec/Grid.h"

#include <map>

namespace ptx {

/// A module whose variables are in the memory of a device.
class LoadedModule {
public:
  /// Throws Error, as parseModule does, and std::bad_alloc.
  LoadedModule(std::string_view source, DeviceMemory &memory);
  ~LoadedModule();
  LoadedModule(const LoadedModule &) = delete;

  const Module &module() const { return parsed; }
  /// An entry, decoded when it is asked for first; null: there is none of that
  /// name. Throws Error (Decoder.h).
  const Kernel *kernel(const std::string &name);
  /// The allocation of a variable in global or constant memory; null: there is
  /// none of that name.
  const Allocation *variable(const std::string &name) const;

private:
  uint64_t addressOf(const Relocation &relocation) const;

  Module parsed;
  DeviceMemory &memory;
  /// By the number of a variable: its address in its space, and where it is.
  std::vector<uint64_t> addresses;
  std::vector<Allocation *> allocations;
  std::map<std::string, std::unique_ptr<Kernel>> kernels;
};

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_EXEC_LOADEDMODULE_H
