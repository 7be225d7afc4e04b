//===- Launches.h - launches as they are asked for ------------*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_API_LAUNCHES_H
#define TOOLS_PTX_EMULATOR_API_LAUNCHES_H

#include "tools/ptx-emulator/api/Driver.h"

namespace cuda {

/// A launch, checked and with its own copy of the parameters. Throws Failure.
Launch makeLaunch(Driver &driver, Context &context, CUfunction function,
                  const ptx::LaunchShape &shape, void **parameters,
                  void **extra);
/// The same of a node of a graph.
Launch makeLaunch(Driver &driver, Context &context,
                  const CUDA_KERNEL_NODE_PARAMS &of, bool isCooperative);

/// One side of a copy as the driver's structures have it. Throws Failure.
Place placeOf(CUmemorytype type, const void *onHost, CUdeviceptr onDevice,
              uint64_t offset, uint64_t pitch, uint64_t slicePitch);

} // namespace cuda

#endif // TOOLS_PTX_EMULATOR_API_LAUNCHES_H
