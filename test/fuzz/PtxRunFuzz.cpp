//===- PtxRunFuzz.cpp - any bytes as a PTX module, executed ---------------===//
//
// Each entry of an accepted module runs, with buffers where it takes addresses:
// whatever it does, it ends by itself, or with a report.
//
//===----------------------------------------------------------------------===//
#include "tools/ptx-emulator/exec/Grid.h"
#include "tools/ptx-emulator/exec/LoadedModule.h"
#include "tools/ptx-emulator/ptx/Lexer.h"

#include <algorithm>
#include <cstring>

namespace {

/// Every parameter of 64 bits is the address of a buffer, others are small
/// numbers, so that kernels do what they are for.
std::vector<uint8_t> parametersFor(const ptx::Kernel &kernel,
                                   ptx::DeviceMemory &memory) {
  constexpr uint64_t bytes = 1 << 14;
  std::vector<uint8_t> result(kernel.parameterBytes);
  for (size_t i = 0; i < kernel.entry->parameters.size(); ++i) {
    uint64_t size = kernel.entry->parameters[i].size(), value = 16;
    if (size == sizeof value) {
      ptx::Allocation &buffer = memory.allocate(bytes, "buffer");
      std::memset(buffer.data, 1, bytes);
      std::memset(buffer.defined, ptx::written, bytes);
      value = buffer.base;
    }
    std::memcpy(&result[kernel.parameterOffsets[i]], &value,
                std::min<uint64_t>(size, sizeof value));
  }
  return result;
}

void run(const ptx::Kernel &kernel, ptx::DeviceMemory &memory, uint64_t seed) {
  ptx::DeviceLimits limits =
      ptx::limitsOf(kernel.module->architecture >= 90 ? 90 : 80);
  ptx::LaunchShape shape;
  shape.cluster = ptx::clusterOf(*kernel.entry, shape);
  shape.grid = {2 * shape.cluster.x, shape.cluster.y, shape.cluster.z};
  shape.block = {40, 1, 1};
  if (const uint32_t *required = kernel.entry->requiredThreads; required[0])
    shape.block = {required[0], required[1], required[2]};
  shape.dynamicShared = 4096;
  // Of more rows calls that call themselves take more memory than the fuzzer's.
  auto hasManyRows = [](const ptx::Code &each) { return each.rows > 500; };
  if (ptx::refusalOf(kernel, shape, limits) ||
      std::ranges::any_of(kernel.codes, hasManyRows))
    return;
  ptx::Options options;
  options.seed = seed;
  options.asynchrony = ptx::Asynchrony(seed % 3);
  options.limit = 2000;
  options.mostExecuted = 20000;
  options.threads = 1;
  options.print = [](std::string_view) {};
  ptx::Grid grid(kernel, shape, parametersFor(kernel, memory), memory, limits,
                 options);
  try {
    grid.run();
  } catch (const ptx::Report &) {
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string source(reinterpret_cast<const char *>(data), size);
  uint64_t seed = size % 4;
  try {
    ptx::DeviceMemory memory(seed);
    ptx::LoadedModule module(source, memory);
    for (const ptx::Function &each : module.module().functions)
      if (each.isEntry && each.hasBody)
        run(*module.kernel(each.name), memory, seed);
  } catch (const ptx::Error &) {
    // Refused, with a reason.
  } catch (const std::bad_alloc &) {
    // It asks for more memory than there is.
  }
  return 0;
}
