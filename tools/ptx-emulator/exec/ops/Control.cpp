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

Selection select_setmaxnreg(const Modifiers &m) {
  return Selection{[](Warp &warp, const Step &step) {
                     if (warp.gather())
                       warp.block.setRegisters(warp, uint32_t(step.numbers[0]),
                                               step.setting);
                   },
                   {Type::u32}}
      .withSetting(m.has("inc"))
      .control();
}

/// Grids run after each other here; what another order would do is found by
/// what they touch.
Selection select_griddepcontrol(const Modifiers &m) {
  return {
      m.has("wait")
          ? [](Warp &warp,
               const Step &) { warp.block.grid.dependencies->wait(warp); }
          : [](Warp &warp,
               const Step
                   &) { warp.block.grid.dependencies->launchDependents(warp); },
      {Type::b32}};
}

/// Lets others run.
Selection select_nanosleep(const Modifiers &) {
  return {[](Warp &warp, const Step &) { warp.yield(); }, {Type::u32}};
}

} // namespace ptx
