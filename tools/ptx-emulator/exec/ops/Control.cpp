//===- Control.cpp - branches, calls, ends --------------------------------===//
#include "tools/ptx-emulator/exec/Block.h"
#include "tools/ptx-emulator/exec/ops/Compute.h"

namespace ptx {

Selection select_bra(const Modifiers &) {
  return Selection{
      [](Warp &warp, const Step &step) { warp.branch(step.target); },
      {Type::b32}}
      .control();
}

Selection select_brx(const Modifiers &) {
  return Selection{[](Warp &warp, const Step &step) {
                     warp.branch(warp.kernel.targets[step.target],
                                 warp.source(step.operands[0]));
                   },
                   {Type::u32}}
      .control();
}

/// The decoder knows calls itself.
Selection select_call(const Modifiers &) { return {}; }

Selection select_ret(const Modifiers &) {
  return Selection{[](Warp &warp, const Step &) { warp.leave(); }, {Type::b32}}
      .control();
}

Selection select_exit(const Modifiers &) {
  return Selection{[](Warp &warp, const Step &) { warp.exit(); }, {Type::b32}}
      .control();
}

Selection select_trap(const Modifiers &) {
  return {[](Warp &, const Step &) {
            throw Fault(FaultKind::LaunchFailure, "trap");
          },
          {Type::b32}};
}

Selection select_brkpt(const Modifiers &) {
  return {[](Warp &, const Step &) {
            throw Fault(FaultKind::LaunchFailure, "breakpoint");
          },
          {Type::b32}};
}

/// Counts events for profilers.
Selection select_pmevent(const Modifiers &) {
  return {[](Warp &, const Step &) {}, {Type::b32}};
}

/// Lets others run.
Selection select_nanosleep(const Modifiers &) {
  return {[](Warp &warp, const Step &) { warp.yield(); }, {Type::u32}};
}

} // namespace ptx
