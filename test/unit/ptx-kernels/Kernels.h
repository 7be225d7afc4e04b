//===- Kernels.h - kernels on a driver, and what they must give -*- C++ -*-===//
#ifndef TEST_UNIT_PTX_KERNELS_KERNELS_H
#define TEST_UNIT_PTX_KERNELS_KERNELS_H

#include "tools/ptx-emulator/api/Types.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace kernels {

using namespace cuda;

struct Shape {
  unsigned gridX = 1, blockX = 32, gridY = 1, blockY = 1;
  bool isCooperative = false;
  unsigned sharedBytes = 0;
};

/// Which of the orders that a GPU may choose the emulator takes: DS_EMU_SEED
/// and DS_EMU_ASYNC.
struct Order {
  unsigned seed;
  const char *asynchrony;
};
/// Seeds alone, for kernels without asynchronous copies, and with all modes.
std::vector<Order> seeds();
std::vector<Order> seedsAndModes();
std::ostream &operator<<(std::ostream &stream, const Order &order);
std::string nameOf(const ::testing::TestParamInfo<Order> &info);

/// Loads a file of test/ptx-emulator/kernels on the driver that
/// DS_CUDA_LIBRARY names, or the emulator, and runs entries of it.
class Kernels : public ::testing::TestWithParam<Order> {
protected:
  void open(const char *file);
  void TearDown() override;

  /// A buffer whose bytes are these.
  template <class T> CUdeviceptr buffer(const std::vector<T> &values) {
    return allocate(values.data(), values.size() * sizeof(T));
  }
  /// One that nobody wrote.
  template <class T> CUdeviceptr empty(size_t count) {
    return allocate(nullptr, count * sizeof(T));
  }
  template <class... P>
  void run(const char *entry, const Shape &shape, P... parameters) {
    void *list[] = {&parameters...};
    launch(entry, shape, list);
  }
  /// A map of a tensor at an address, innermost dimension first, whose rows
  /// lie one behind the other, in memory of the device.
  CUdeviceptr map(CUdeviceptr base, CUtensorMapDataType type,
                  unsigned elementBytes, std::vector<uint64_t> sizes,
                  std::vector<uint32_t> box, CUtensorMapSwizzle swizzle);
  template <class T> std::vector<T> read(CUdeviceptr from, size_t count) {
    std::vector<T> result(count);
    copyBack(result.data(), from, count * sizeof(T));
    return result;
  }

private:
  CUdeviceptr allocate(const void *bytes, size_t count);
  void launch(const char *entry, const Shape &shape, void **parameters);
  void copyBack(void *to, CUdeviceptr from, size_t count);

  CUmodule module = nullptr;
};

/// Numbers by chance, others in each order of a seed of its own: words, and
/// floats of both signs around 1.
std::vector<uint32_t> randomWords(size_t count, uint32_t seed);
std::vector<float> randomFloats(size_t count, uint32_t seed);

/// Bits, so that zeros and NaNs are told apart.
template <class T> auto bitsOf(const std::vector<T> &values) {
  using Bits = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
  std::vector<Bits> result;
  for (T each : values)
    result.push_back(std::bit_cast<Bits>(each));
  return result;
}

} // namespace kernels

#endif // TEST_UNIT_PTX_KERNELS_KERNELS_H
