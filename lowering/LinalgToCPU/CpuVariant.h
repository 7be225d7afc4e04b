//===- CpuVariant.h - the processors code is generated for ----*- C++ -*-===//
//
// A library carries one copy of the model's code per variant; the runtime takes
// the first that the machine can run. Passes read here what a variant has, so
// that the choice of an instruction is made once, by the compiler.
//
//===----------------------------------------------------------------------===//
#ifndef LOWERING_LINALGTOCPU_CPUVARIANT_H
#define LOWERING_LINALGTOCPU_CPUVARIANT_H

#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <vector>

namespace mlir::ds {

/// A set of CPU features that code is generated for.
struct CpuVariant {
  /// Name in the descriptor, and for DS_CPU.
  const char *name;
  /// LLVM's processor and additional features.
  const char *cpu, *features;
  /// As /proc/cpuinfo spells what the code needs, comma separated.
  const char *required;
  /// f32 lanes of a vector register: 16 (AVX-512) or 8 (AVX2).
  int64_t lanes;
  /// vdpbf16ps: products of bf16 pairs summed in f32.
  bool hasBf16Dot;
  /// vpdpbusd: products of four unsigned and signed bytes summed in i32.
  bool hasByteDot;
  /// vpermi2b: lookups in a table of 128 bytes.
  bool hasByteLookup;
};

/// The variants of `--cpu` ("fat", "native", "x86-64-v3", "x86-64-v4"), best
/// first.
std::vector<CpuVariant> variantsFor(llvm::StringRef cpu);

} // namespace mlir::ds

#endif // LOWERING_LINALGTOCPU_CPUVARIANT_H
