//===- TensorMaps.cpp - descriptors of tensors for kernels ----------------===//
#include "tools/ptx-emulator/api/Driver.h"
#include "tools/ptx-emulator/mem/TensorMap.h"

#include <cstring>

namespace cuda {

CUresult cuTensorMapEncodeTiled(
    CUtensorMap *map, CUtensorMapDataType type, cuuint32_t rank, void *base,
    const cuuint64_t *sizes, const cuuint64_t *strides, const cuuint32_t *box,
    const cuuint32_t *elementStrides, CUtensorMapInterleave interleave,
    CUtensorMapSwizzle swizzle, CUtensorMapL2promotion promotion,
    CUtensorMapFloatOOBfill fill) {
  return perform(__func__, [&](Driver &driver) {
    if (!driver.hasClusters())
      throw Failure{CUDA_ERROR_NOT_SUPPORTED,
                    "tensor maps need a device of sm_90 (DS_EMU_ARCH)"};
    if (reinterpret_cast<uintptr_t>(notNull(map, "the map")) % 64)
      throw Failure{CUDA_ERROR_INVALID_VALUE,
                    "the map is not aligned to 64 bytes"};
    ptx::TensorMapRequest request = {unsigned(type),
                                     rank,
                                     reinterpret_cast<uintptr_t>(base),
                                     sizes,
                                     strides,
                                     box,
                                     elementStrides,
                                     unsigned(interleave),
                                     unsigned(swizzle),
                                     unsigned(promotion),
                                     unsigned(fill)};
    ptx::TensorMap encoded;
    if (ptx::TensorMapRefusal refusal = ptx::encodeTensorMap(request, encoded);
        !refusal.why.empty())
      throw Failure{refusal.isUnsupported ? CUDA_ERROR_NOT_SUPPORTED
                                          : CUDA_ERROR_INVALID_VALUE,
                    refusal.why};
    std::memcpy(map, &encoded, sizeof encoded);
  });
}

} // namespace cuda
