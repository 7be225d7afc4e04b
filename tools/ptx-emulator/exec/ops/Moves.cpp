//===- Moves.cpp - mov, and addresses between spaces ----------------------===//
#include "tools/ptx-emulator/exec/ops/Compute.h"
#include "tools/ptx-emulator/mem/DeviceMemory.h"

namespace ptx {

//===-- mov ---------------------------------------------------------------===//

/// Copies the rows of the type; `setting` is how many.
static void copyRows(Warp &warp, const Step &step) {
  Row *to = warp.destination(step.operands[0]);
  const Row *from = warp.source(step.operands[1]);
  for (uint32_t row = 0; row < step.setting; ++row)
    forLanes(warp.active,
             [&](unsigned lane) { to[row][lane] = from[row][lane]; });
}

/// d = a, where either may be a vector of equal parts, the first in the low
/// bits.
static void move(Warp &warp, const Step &step) {
  const Step::Vector &to = step.vectors[0], &from = step.vectors[1];
  if (to.count == 1 && from.count == 1)
    return copyRows(warp, step);
  const std::vector<Ref> &refs = warp.kernel.refs;
  bool isPacking = from.count > 1;
  uint32_t count = isPacking ? from.count : to.count;
  uint32_t bits = 32 * step.setting / count; // of a part
  if (step.bytes == 2)
    bits = 16 / count;
  uint64_t mask = bits == 64 ? ~uint64_t(0) : (uint64_t(1) << bits) - 1;
  // Parts may be the registers of the whole: all are read before one is
  // written.
  forLanes(warp.active, [&](unsigned lane) {
    uint64_t words[2] = {0, 0};
    auto read = [&](const Row *rows, uint32_t width) {
      return width > 32 ? get<uint64_t>(rows, lane)
                        : uint64_t(get<uint32_t>(rows, lane));
    };
    if (isPacking) {
      for (uint32_t i = 0; i < count; ++i)
        words[i * bits / 64] |=
            (read(warp.source(refs[from.first + i]), bits) & mask)
            << i * bits % 64;
    } else {
      const Row *rows = warp.source(step.operands[1]);
      words[0] = read(rows, 32 * step.setting);
      if (step.setting == 4)
        words[1] = read(rows + 2, 64);
    }
    auto write = [&](Row *rows, uint32_t width, uint64_t value) {
      if (width > 32)
        put(rows, lane, value);
      else
        put(rows, lane, uint32_t(value));
    };
    if (!isPacking) {
      for (uint32_t i = 0; i < count; ++i)
        write(warp.destination(refs[to.first + i]), bits,
              words[i * bits / 64] >> i * bits % 64 & mask);
      return;
    }
    Row *rows = warp.destination(step.operands[0]);
    write(rows, 32 * step.setting, words[0]);
    if (step.setting == 4)
      write(rows + 2, 64, words[1]);
  });
}

Selection select_mov(const Modifiers &m) {
  Type type = m.type();
  if (type == Type::pred)
    return {[](Warp &warp, const Step &step) {
              warp.setPredicate(step.predicates[0],
                                warp.predicate(step.predicates[2]));
            },
            {type}};
  return Selection{&move, {type}}
      .withBytes(bitsOf(type) / 8)
      .withSetting(rowsOf(type));
}

//===-- Spaces ------------------------------------------------------------===//

struct Window {
  std::string_view name;
  uint64_t base;
};
/// Of global memory the addresses are the generic ones.
static constexpr Window known[] = {{"global", 0},
                                   {"shared", windows::shared},
                                   {"shared::cta", windows::shared},
                                   {"shared::cluster", windows::shared},
                                   {"local", windows::local},
                                   {"const", windows::constant},
                                   {"param", windows::parameter},
                                   {"param::entry", windows::parameter}};

static const Window &windowOf(const Modifiers &m) {
  for (const Window &each : known)
    if (m.has(each.name))
      return each;
  return known[0];
}

static bool isInWindow(const Window &window, uint64_t address) {
  if (window.base)
    return address / windows::size == window.base / windows::size;
  // What no other window has is global; a null pointer is in no space, but
  // counts as global on hardware, too.
  for (const Window &each : known)
    if (each.base && address / windows::size == each.base / windows::size)
      return false;
  return true;
}

/// An address of a space as a generic one, or back.
template <class T> static void convertAddresses(Warp &warp, const Step &step) {
  Row *to = warp.destination(step.operands[0]);
  const Row *from = warp.source(step.operands[1]);
  const Window &window = known[step.setting >> 1];
  bool isToSpace = step.setting & 1;
  forLanes(warp.active, [&](unsigned lane) {
    uint64_t address = get<T>(from, lane);
    if (isToSpace)
      address -= window.base;
    else
      address += window.base;
    put(to, lane, T(address));
  });
}

Selection select_cvta(const Modifiers &m) {
  uint32_t window = uint32_t(&windowOf(m) - known);
  return Selection{m.type() == Type::u64 ? &convertAddresses<uint64_t>
                                         : &convertAddresses<uint32_t>,
                   {m.type()}}
      .withSetting(window << 1 | m.has("to"));
}

Selection select_isspacep(const Modifiers &m) {
  return Selection{[](Warp &warp, const Step &step) {
                     const Row *from = warp.source(step.operands[1]);
                     uint32_t result = 0;
                     forLanes(warp.active, [&](unsigned lane) {
                       bool isInside = isInWindow(known[step.setting],
                                                  get<uint64_t>(from, lane));
                       result |= uint32_t(isInside) << lane;
                     });
                     warp.setPredicate(step.predicates[0], result);
                   },
                   {Type::u64}}
      .withSetting(uint32_t(&windowOf(m) - known));
}

} // namespace ptx
