//===- Cpu.cpp - what this processor can run ------------------------------===//
//
// By cpuid (and xgetbv, inside __builtin_cpu_supports: a feature counts only if
// the operating system saves its registers), not by /proc/cpuinfo, which a
// sandbox may hide.
//
//===----------------------------------------------------------------------===//

#include "Cpu.h"

#include <cpuid.h>

namespace dsrt {

namespace {

/// Features __builtin_cpu_supports has no name for in every compiler.
bool extendedBit(unsigned leaf, unsigned bit) {
  unsigned a, b, c, d;
  return __get_cpuid(leaf, &a, &b, &c, &d) && (c >> bit & 1);
}

bool hasFeature(std::string_view name) {
#define DS_FEATURE(spelling, builtin)                                          \
  if (name == spelling)                                                        \
    return __builtin_cpu_supports(builtin);
  DS_FEATURE("sse3", "sse3")
  DS_FEATURE("pni", "sse3")
  DS_FEATURE("ssse3", "ssse3")
  DS_FEATURE("sse4_1", "sse4.1")
  DS_FEATURE("sse4_2", "sse4.2")
  DS_FEATURE("popcnt", "popcnt")
  DS_FEATURE("avx", "avx")
  DS_FEATURE("avx2", "avx2")
  DS_FEATURE("fma", "fma")
  DS_FEATURE("bmi1", "bmi")
  DS_FEATURE("bmi2", "bmi2")
  DS_FEATURE("avx512f", "avx512f")
  DS_FEATURE("avx512bw", "avx512bw")
  DS_FEATURE("avx512dq", "avx512dq")
  DS_FEATURE("avx512vl", "avx512vl")
  DS_FEATURE("avx512cd", "avx512cd")
  DS_FEATURE("avx512ifma", "avx512ifma")
  DS_FEATURE("avx512vbmi", "avx512vbmi")
  DS_FEATURE("avx512_vbmi2", "avx512vbmi2")
  DS_FEATURE("avx512_vnni", "avx512vnni")
  DS_FEATURE("avx512_bitalg", "avx512bitalg")
  DS_FEATURE("avx512_vpopcntdq", "avx512vpopcntdq")
  DS_FEATURE("avx512_bf16", "avx512bf16")
#undef DS_FEATURE
  // f16c uses the registers of AVX.
  if (name == "f16c")
    return __builtin_cpu_supports("avx") && extendedBit(1, 29);
  if (name == "movbe")
    return extendedBit(1, 22);
  if (name == "abm" || name == "lzcnt")
    return extendedBit(0x80000001u, 5);
  return false;
}

} // namespace

std::string missingCpuFeatures(std::string_view features) {
  __builtin_cpu_init();
  std::string missing;
  while (!features.empty()) {
    size_t comma = features.find(',');
    std::string_view name = features.substr(0, comma);
    features.remove_prefix(comma == std::string_view::npos ? features.size()
                                                           : comma + 1);
    if (!name.empty() && !hasFeature(name)) {
      if (!missing.empty())
        missing += ',';
      missing += name;
    }
  }
  return missing;
}

} // namespace dsrt
