//===- EmulatedMachine.cpp - the emulator that is built in ----------------===//
#include "tools/ptx-emulator/exec/LoadedModule.h"
#include "tools/ptx-emulator/run/Machine.h"

#include <chrono>
#include <cstdio>
#include <cstring>

namespace ptx {

namespace {
class EmulatedMachine : public Machine {
public:
  EmulatedMachine(const std::string &source, const std::string &entry,
                  const Options &options, bool printsSpeed)
      : options(options), printsSpeed(printsSpeed), memory(options.seed),
        module(source, memory), kernel(*module.kernel(entry)) {}

  uint64_t allocate(uint64_t bytes, const std::string &origin) override {
    return memory.allocate(bytes, origin).base;
  }

  void write(uint64_t address, const std::vector<uint8_t> &bytes) override {
    Allocation &buffer = *memory.find(address, bytes.size());
    std::memcpy(buffer.data, bytes.data(), bytes.size());
    std::memset(buffer.defined, written, bytes.size());
  }

  Contents read(uint64_t address, uint64_t bytes) override {
    Allocation &buffer = *memory.find(address, bytes);
    return {{buffer.data, buffer.data + bytes},
            {buffer.defined, buffer.defined + bytes}};
  }

  std::vector<uint8_t> encode(const TensorMapRequest &request) override {
    TensorMap map;
    TensorMapRefusal refusal = encodeTensorMap(request, map);
    if (!refusal.why.empty())
      throw std::runtime_error(refusal.why);
    std::vector<uint8_t> bytes(sizeof map);
    std::memcpy(bytes.data(), &map, sizeof map);
    return bytes;
  }

  void launch(const LaunchShape &shape,
              const std::vector<std::vector<uint8_t>> &values) override {
    std::vector<uint8_t> bytes(kernel.parameterBytes);
    for (size_t i = 0; i < values.size(); ++i)
      std::memcpy(&bytes[kernel.parameterOffsets[i]], values[i].data(),
                  values[i].size());
    DeviceLimits limits = limitsOf(kernel.module->architecture >= 90 ? 90 : 80);
    if (Refusal refusal = refusalOf(kernel, shape, limits))
      throw std::runtime_error(refusal.why);
    Grid grid(kernel, shape, bytes, memory, limits, options);
    auto start = std::chrono::steady_clock::now();
    grid.run();
    std::chrono::duration<double> seconds =
        std::chrono::steady_clock::now() - start;
    if (printsSpeed)
      std::fprintf(
          stderr,
          "%.3f million instructions of warps, %.1f million of lanes in "
          "%.3f s: %.1f million of lanes a second\n",
          double(grid.executed) / 1e6, double(grid.lanesExecuted) / 1e6,
          seconds.count(), double(grid.lanesExecuted) / 1e6 / seconds.count());
  }

private:
  const Options options;
  const bool printsSpeed;
  DeviceMemory memory;
  LoadedModule module;
  const Kernel &kernel;
};
} // namespace

std::unique_ptr<Machine> emulate(const std::string &source,
                                 const std::string &entry,
                                 const Options &options, bool printsSpeed) {
  return std::make_unique<EmulatedMachine>(source, entry, options, printsSpeed);
}

} // namespace ptx
