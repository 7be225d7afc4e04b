//===- Copies.cpp - copies and fills --------------------------------------===//
#include "tools/ptx-emulator/api/Launches.h"

namespace cuda {

static Place device(CUdeviceptr address) { return {address, false}; }

static Place host(const void *bytes) {
  return {reinterpret_cast<uintptr_t>(bytes), true};
}

/// Within the call.
static CUresult perform(const char *call, const Operation &operation) {
  return performInContext(call, [&](Driver &driver, Context &context) {
    driver.submitAndWait(context, operation);
  });
}

static CUresult performOn(const char *call, CUstream stream,
                          const Operation &operation) {
  return performInContext(call, [&](Driver &driver, Context &context) {
    driver.submit(*driver.stream(context, stream), operation);
  });
}

CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t bytes) {
  return perform(__func__, Copy{device(to), host(from), bytes});
}

CUresult cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t bytes) {
  return perform(__func__, Copy{host(to), device(from), bytes});
}

CUresult cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
  return perform(__func__, Copy{device(to), device(from), bytes});
}

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes,
                              CUstream stream) {
  return performOn(__func__, stream, Copy{device(to), host(from), bytes});
}

CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes,
                              CUstream stream) {
  return performOn(__func__, stream, Copy{host(to), device(from), bytes});
}

CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes,
                              CUstream stream) {
  return performOn(__func__, stream, Copy{device(to), device(from), bytes});
}

Place placeOf(CUmemorytype type, const void *onHost, CUdeviceptr onDevice,
              uint64_t offset, uint64_t pitch, uint64_t slicePitch) {
  switch (type) {
  case CU_MEMORYTYPE_HOST:
    return {reinterpret_cast<uintptr_t>(onHost) + offset, true, pitch,
            slicePitch};
  case CU_MEMORYTYPE_DEVICE:
  case CU_MEMORYTYPE_UNIFIED:
    return {onDevice + offset, false, pitch, slicePitch};
  case CU_MEMORYTYPE_ARRAY:
    throw Failure{CUDA_ERROR_NOT_SUPPORTED, "arrays are not emulated"};
  }
  throw Failure{CUDA_ERROR_INVALID_VALUE,
                "there is no kind of memory " + std::to_string(int(type))};
}

CUresult cuMemcpy2D_v2(const CUDA_MEMCPY2D *copy) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    const CUDA_MEMCPY2D &of = *notNull(copy, "the copy");
    Place to = placeOf(of.dstMemoryType, of.dstHost, of.dstDevice,
                       of.dstY * of.dstPitch + of.dstXInBytes, of.dstPitch, 0);
    Place from =
        placeOf(of.srcMemoryType, of.srcHost, of.srcDevice,
                of.srcY * of.srcPitch + of.srcXInBytes, of.srcPitch, 0);
    driver.submitAndWait(context, Copy{to, from, of.WidthInBytes, of.Height});
  });
}

CUresult cuMemsetD8_v2(CUdeviceptr to, unsigned char value, size_t count) {
  return perform(__func__, Fill{to, value, 1, count});
}

CUresult cuMemsetD16_v2(CUdeviceptr to, unsigned short value, size_t count) {
  return perform(__func__, Fill{to, value, 2, count});
}

CUresult cuMemsetD32_v2(CUdeviceptr to, unsigned value, size_t count) {
  return perform(__func__, Fill{to, value, 4, count});
}

CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count,
                         CUstream stream) {
  return performOn(__func__, stream, Fill{to, value, 1, count});
}

CUresult cuMemsetD16Async(CUdeviceptr to, unsigned short value, size_t count,
                          CUstream stream) {
  return performOn(__func__, stream, Fill{to, value, 2, count});
}

CUresult cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t count,
                          CUstream stream) {
  return performOn(__func__, stream, Fill{to, value, 4, count});
}

} // namespace cuda
