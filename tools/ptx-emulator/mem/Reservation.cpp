//===- Reservation.cpp - addresses that the host has not ------------------===//
#include "tools/ptx-emulator/mem/Reservation.h"

#include <cerrno>
#include <sys/mman.h>
#include <system_error>

namespace ptx {

Reservation::Reservation(uint64_t base, uint64_t size)
    : start(reinterpret_cast<void *>(uintptr_t(base))), size(size) {
  void *got = ::mmap(
      start, size, PROT_NONE,
      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
  if (got == MAP_FAILED)
    throw std::system_error(errno, std::generic_category(),
                            "the addresses of device memory cannot be kept");
  if (got != start) {
    // A kernel that does not know the flag takes the address for a wish.
    ::munmap(got, size);
    throw std::system_error(EEXIST, std::generic_category(),
                            "the addresses of device memory are in use");
  }
}

Reservation::~Reservation() { ::munmap(start, size); }

} // namespace ptx
