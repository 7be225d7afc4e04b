//===- Reservation.h - addresses that the host has not --------*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_MEM_RESERVATION_H
#define TOOLS_PTX_EMULATOR_MEM_RESERVATION_H

#include <cstdint>

namespace ptx {

/// Keeps the addresses of device memory away from the host's own memory: a host
/// that follows a pointer of the device faults.
class Reservation {
public:
  /// Throws std::system_error.
  Reservation(uint64_t base, uint64_t size);
  ~Reservation();
  Reservation(const Reservation &) = delete;

private:
  void *const start;
  const uint64_t size;
};

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_MEM_RESERVATION_H
