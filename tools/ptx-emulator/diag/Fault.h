//===- Fault.h - what stops a kernel --------------------------*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_DIAG_FAULT_H
#define TOOLS_PTX_EMULATOR_DIAG_FAULT_H

#include <stdexcept>
#include <string>
#include <vector>

namespace ptx {

/// What a driver would return for it, as numbers of CUresult.
enum class FaultKind : int {
  IllegalAddress = 700,
  LaunchTimeout = 702,
  Assertion = 710,
  IllegalInstruction = 715,
  MisalignedAddress = 716,
  InvalidAddressSpace = 717,
  LaunchFailure = 719,
};

/// Thrown by what executes an instruction, which does not know where it is.
class Fault : public std::runtime_error {
public:
  Fault(FaultKind kind, const std::string &what, int lane = -1)
      : std::runtime_error(what), kind(kind), lane(lane) {}

  FaultKind kind;
  int lane; // -1: the whole warp
  /// More of it, a line each: the address by symbol, the other party.
  std::vector<std::string> details;

  Fault &&with(std::string detail) && {
    details.push_back(std::move(detail));
    return std::move(*this);
  }
};

/// A fault with its place: one block of text, the same every time.
class Report : public std::runtime_error {
public:
  Report(FaultKind kind, const std::string &text)
      : std::runtime_error(text), kind(kind) {}
  FaultKind kind;
};

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_DIAG_FAULT_H
