//===- CpuVariant.cpp - the processors code is generated for --------------===//
#include "lowering/LinalgToCPU/CpuVariant.h"
#include "llvm/TargetParser/Host.h"

using namespace mlir;
using llvm::StringRef;

std::vector<ds::CpuVariant> mlir::ds::variantsFor(StringRef cpu) {
  // Of the processors with avx512_bf16 only Cooper Lake lacks avx512vbmi: it
  // runs the next variant.
  static const CpuVariant v4bf16 = {
      "x86-64-v4-bf16",
      "x86-64-v4",
      "+avx512bf16,+avx512vnni,+avx512vbmi",
      "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512_bf16,avx512_vnni,"
      "avx512vbmi",
      16,
      true,
      true,
      true};
  static const CpuVariant v4 = {
      "x86-64-v4", "x86-64-v4",
      "",          "avx512f,avx512bw,avx512cd,avx512dq,avx512vl",
      16,          false,
      false,       false};
  static const CpuVariant v3 = {
      "x86-64-v3", "x86-64-v3", "",    "avx,avx2,bmi1,bmi2,f16c,fma,movbe",
      8,           false,       false, false};
  if (cpu == "x86-64-v3")
    return {v3};
  if (cpu == "x86-64-v4")
    return {v4};
  if (cpu == "native") {
    llvm::StringMap<bool> features = llvm::sys::getHostCPUFeatures();
    if (features.lookup("avx512bf16") && features.lookup("avx512vnni") &&
        features.lookup("avx512vbmi"))
      return {v4bf16};
    if (features.lookup("avx512vl") && features.lookup("avx512dq"))
      return {v4};
    return {v3};
  }
  // Best first: the runtime takes the first that the machine can run.
  return {v4bf16, v4, v3};
}
