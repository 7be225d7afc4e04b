//===- Machine.h - what a kernel is launched on ---------------*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_RUN_MACHINE_H
#define TOOLS_PTX_EMULATOR_RUN_MACHINE_H

#include "tools/ptx-emulator/exec/Grid.h"
#include "tools/ptx-emulator/mem/TensorMap.h"

namespace ptx {

/// Bytes of a buffer and, where it is known, the Definedness of each.
struct Contents {
  std::vector<uint8_t> bytes, defined;
};

/// A device with one module, of which it runs one entry. What fails throws
/// std::runtime_error.
class Machine {
public:
  virtual ~Machine() = default;
  /// Address of memory that nobody wrote.
  virtual uint64_t allocate(uint64_t bytes, const std::string &origin) = 0;
  virtual void write(uint64_t address, const std::vector<uint8_t> &bytes) = 0;
  virtual Contents read(uint64_t address, uint64_t bytes) = 0;
  /// The map of a tensor.
  virtual std::vector<uint8_t> encode(const TensorMapRequest &request) = 0;
  /// Runs the entry to its end. `values`: the bytes of each parameter.
  virtual void launch(const LaunchShape &shape,
                      const std::vector<std::vector<uint8_t>> &values) = 0;
};

/// The emulator that is built in, which can say how many instructions there
/// were, and how fast, on the error output. Throws Error for the module; launch
/// throws Report.
std::unique_ptr<Machine> emulate(const std::string &source,
                                 const std::string &entry,
                                 const Options &options, bool printsSpeed);

/// The driver of a library: one of a GPU, or the emulator's, which is told the
/// options by its environment variables.
std::unique_ptr<Machine> openDriver(const std::string &library,
                                    const std::string &source,
                                    const Module &module,
                                    const std::string &entry,
                                    const Options &options);

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_RUN_MACHINE_H
