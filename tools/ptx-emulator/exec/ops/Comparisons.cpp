//===- Comparisons.cpp - comparisons, and choices by them -----------------===//
#include "tools/ptx-emulator/exec/ops/Compute.h"
#include "tools/ptx-emulator/num/Formats.h"

#include <algorithm>
#include <cmath>

namespace ptx {

/// What two numbers can be; a comparison is the set of those that it holds for.
enum : uint32_t { isLess = 1, isEqual = 2, isGreater = 4, isUnordered = 8 };

static uint32_t outcomes(std::string_view name) {
  constexpr std::pair<std::string_view, uint32_t> known[] = {
      {"eq", isEqual},
      {"ne", isLess | isGreater},
      {"lt", isLess},
      {"le", isLess | isEqual},
      {"gt", isGreater},
      {"ge", isGreater | isEqual},
      {"lo", isLess},
      {"ls", isLess | isEqual},
      {"hi", isGreater},
      {"hs", isGreater | isEqual},
      {"equ", isEqual | isUnordered},
      {"neu", isLess | isGreater | isUnordered},
      {"ltu", isLess | isUnordered},
      {"leu", isLess | isEqual | isUnordered},
      {"gtu", isGreater | isUnordered},
      {"geu", isGreater | isEqual | isUnordered},
      {"num", isLess | isEqual | isGreater},
      {"nan", isUnordered}};
  auto found = std::ranges::find(known, name,
                                 &std::pair<std::string_view, uint32_t>::first);
  return found == std::end(known) ? 0 : found->second;
}

/// Of setp and set: outcomes in bits 0 to 3, then these.
enum : uint32_t {
  withAnd = 1 << 4,
  withOr = 1 << 5,
  withXor = 1 << 6,
  flushes = 1 << 7
};

static uint32_t comparison(const Modifiers &m) {
  uint32_t result = 0;
  for (const std::string &each : m.all())
    result |= outcomes(each);
  if (m.has("and"))
    result |= withAnd;
  if (m.has("or"))
    result |= withOr;
  if (m.has("xor"))
    result |= withXor;
  if (m.has("ftz"))
    result |= flushes;
  return result;
}

template <class T> static uint32_t outcome(T a, T b) {
  return a < b ? isLess : a == b ? isEqual : a > b ? isGreater : isUnordered;
}

/// How operands become numbers that can be compared: those of a lane, or the
/// high or low half of one.
template <class T> struct Whole {
  static T read(const Row *rows, unsigned lane) { return get<T>(rows, lane); }
};
template <const Format &format, unsigned shift> struct Half {
  static double read(const Row *rows, unsigned lane) {
    return widen(format, rows[0][lane] >> shift & 0xffff);
  }
};

/// Below this f32 and f16 are subnormal.
template <class Read> static constexpr double leastNormal() {
  if constexpr (std::is_same_v<Read, Whole<float>>)
    return 0x1p-126;
  else
    return 0x1p-14;
}

/// Lanes for which the comparison holds.
template <class Read>
static uint32_t compare(Warp &warp, const Step &step, Ref left, Ref right) {
  const Row *a = warp.source(left), *b = warp.source(right);
  uint32_t result = 0;
  forLanes(warp.active, [&](unsigned lane) {
    auto x = Read::read(a, lane), y = Read::read(b, lane);
    if constexpr (std::is_floating_point_v<decltype(x)>) {
      if (step.setting & flushes) {
        x = std::fabs(x) < leastNormal<Read>() ? 0 : x;
        y = std::fabs(y) < leastNormal<Read>() ? 0 : y;
      }
    }
    result |= uint32_t((outcome(x, y) & step.setting) != 0) << lane;
  });
  return result;
}

static uint32_t combined(const Step &step, uint32_t result, uint32_t other) {
  if (step.setting & withAnd)
    return result & other;
  if (step.setting & withOr)
    return result | other;
  if (step.setting & withXor)
    return result ^ other;
  return result;
}

/// p = (a op b) and c, q = not (a op b) and c.
template <class Read> static void setPredicates(Warp &warp, const Step &step) {
  uint32_t result =
      compare<Read>(warp, step, step.operands[1], step.operands[2]);
  // Read first: p may be c.
  uint32_t other = warp.predicate(step.predicates[2]);
  warp.setPredicate(step.predicates[0], combined(step, result, other));
  warp.setPredicate(step.predicates[1], combined(step, ~result, other));
}

/// Of pairs: p of the low halves, q of the high ones.
template <class Low, class High>
static void setPredicatesOfHalves(Warp &warp, const Step &step) {
  uint32_t low = compare<Low>(warp, step, step.operands[1], step.operands[2]);
  uint32_t high = compare<High>(warp, step, step.operands[1], step.operands[2]);
  uint32_t other = warp.predicate(step.predicates[2]);
  warp.setPredicate(step.predicates[0], combined(step, low, other));
  warp.setPredicate(step.predicates[1], combined(step, high, other));
}

using namespace formats;

/// visit<Read>() of a type that is not packed.
template <class Visit> static Handler withType(Type type, Visit visit) {
  switch (type) {
  case Type::b16:
  case Type::u16:
    return visit.template operator()<Whole<uint16_t>>();
  case Type::s16:
    return visit.template operator()<Whole<int16_t>>();
  case Type::b32:
  case Type::u32:
    return visit.template operator()<Whole<uint32_t>>();
  case Type::s32:
    return visit.template operator()<Whole<int32_t>>();
  case Type::b64:
  case Type::u64:
    return visit.template operator()<Whole<uint64_t>>();
  case Type::s64:
    return visit.template operator()<Whole<int64_t>>();
  case Type::f16:
    return visit.template operator()<Half<f16, 0>>();
  case Type::bf16:
    return visit.template operator()<Half<bf16, 0>>();
  case Type::f32:
    return visit.template operator()<Whole<float>>();
  default:
    return visit.template operator()<Whole<double>>();
  }
}

Selection select_setp(const Modifiers &m) {
  Type type = m.type();
  Handler handler;
  if (type == Type::f16x2)
    handler = &setPredicatesOfHalves<Half<f16, 0>, Half<f16, 16>>;
  else if (type == Type::bf16x2)
    handler = &setPredicatesOfHalves<Half<bf16, 0>, Half<bf16, 16>>;
  else
    handler = withType(
        type, []<class Read>() -> Handler { return &setPredicates<Read>; });
  return Selection{handler, {type}}.withSetting(comparison(m));
}

//===-- set ---------------------------------------------------------------===//

/// What true is in the type of the result.
static uint32_t truth(Type type) {
  switch (type) {
  case Type::f32:
    return 0x3f800000;
  case Type::f16:
    return 0x3c00;
  case Type::bf16:
    return 0x3f80;
  case Type::u16:
  case Type::s16:
    return 0xffff;
  default:
    return ~uint32_t(0);
  }
}

/// In bits 8 and on of the setting: the type of the result.
static void putTruth(Warp &warp, const Step &step, uint32_t lanes) {
  Row *to = warp.destination(step.operands[0]);
  uint32_t value = truth(Type(step.setting >> 8));
  forLanes(warp.active, [&](unsigned lane) {
    put(to, lane, lanes >> lane & 1 ? value : 0);
  });
}

template <class Read> static void setNumber(Warp &warp, const Step &step) {
  uint32_t result =
      compare<Read>(warp, step, step.operands[1], step.operands[2]);
  putTruth(warp, step,
           combined(step, result, warp.predicate(step.predicates[2])));
}

template <class Low, class High>
static void setHalves(Warp &warp, const Step &step) {
  uint32_t other = warp.predicate(step.predicates[2]);
  uint32_t low = combined(
      step, compare<Low>(warp, step, step.operands[1], step.operands[2]),
      other);
  uint32_t high = combined(
      step, compare<High>(warp, step, step.operands[1], step.operands[2]),
      other);
  Row *to = warp.destination(step.operands[0]);
  uint32_t value = truth(Type(step.setting >> 8));
  forLanes(warp.active, [&](unsigned lane) {
    put(to, lane,
        (low >> lane & 1 ? value : 0) | (high >> lane & 1 ? value << 16 : 0));
  });
}

Selection select_set(const Modifiers &m) {
  std::vector<Type> types = m.types();
  Type to = types[0], from = types[1];
  Handler handler;
  Type each = to; // of the halves, if it is packed
  if (from == Type::f16x2) {
    handler = &setHalves<Half<f16, 0>, Half<f16, 16>>;
    each = Type::f16;
  } else if (from == Type::bf16x2) {
    handler = &setHalves<Half<bf16, 0>, Half<bf16, 16>>;
    each = Type::bf16;
  } else {
    handler = withType(
        from, []<class Read>() -> Handler { return &setNumber<Read>; });
  }
  return Selection{handler, {to, from}}.withSetting(comparison(m) |
                                                    uint32_t(each) << 8);
}

//===-- Choices -----------------------------------------------------------===//

/// d = p ? a : b; `setting` is the rows of the type.
static void choose(Warp &warp, const Step &step) {
  Row *to = warp.destination(step.operands[0]);
  const Row *a = warp.source(step.operands[1]);
  const Row *b = warp.source(step.operands[2]);
  uint32_t which = warp.predicate(step.predicates[2]);
  for (uint32_t row = 0; row < step.setting; ++row)
    forLanes(warp.active, [&](unsigned lane) {
      to[row][lane] = which >> lane & 1 ? a[row][lane] : b[row][lane];
    });
}

Selection select_selp(const Modifiers &m) {
  return Selection{&choose, {m.type()}}.withSetting(rowsOf(m.type()));
}

/// d = c >= 0 ? a : b. A NaN takes b; -0 and what is flushed to it take a.
template <class T> static void chooseBySign(Warp &warp, const Step &step) {
  Row *to = warp.destination(step.operands[0]);
  const Row *a = warp.source(step.operands[1]);
  const Row *b = warp.source(step.operands[2]);
  const Row *c = warp.source(step.operands[3]);
  uint32_t rows = step.setting & 3;
  bool flushes = step.setting & 4;
  uint32_t which = 0;
  forLanes(warp.active, [&](unsigned lane) {
    T value = get<T>(c, lane);
    bool isZero = flushes && std::fabs(value) < T(0x1p-126);
    which |= uint32_t(value >= 0 || isZero) << lane;
  });
  for (uint32_t row = 0; row < rows; ++row)
    forLanes(warp.active, [&](unsigned lane) {
      to[row][lane] = which >> lane & 1 ? a[row][lane] : b[row][lane];
    });
}

Selection select_slct(const Modifiers &m) {
  std::vector<Type> types = m.types();
  Type type = types[0];
  bool isInteger = types[1] == Type::s32;
  return Selection{isInteger ? &chooseBySign<int32_t> : &chooseBySign<float>,
                   {type, type, type, types[1]}}
      .withSetting(rowsOf(type) | (m.has("ftz") ? 4u : 0u));
}

//===-- testp -------------------------------------------------------------===//

/// The classes that a number can be of.
template <class T> static void test(Warp &warp, const Step &step) {
  const Row *a = warp.source(step.operands[1]);
  uint32_t result = 0;
  forLanes(warp.active, [&](unsigned lane) {
    T value = get<T>(a, lane);
    uint32_t classes = std::isnan(value)                                  ? 1u
                       : std::isinf(value)                                ? 2u
                       : value == 0                                       ? 4u
                       : std::fabs(value) < std::numeric_limits<T>::min() ? 8u
                                                                          : 16u;
    result |= uint32_t((classes & step.setting) != 0) << lane;
  });
  warp.setPredicate(step.predicates[0], result);
}

Selection select_testp(const Modifiers &m) {
  constexpr std::pair<std::string_view, uint32_t> known[] = {
      {"notanumber", 1},
      {"infinite", 2},
      {"finite", 4 | 8 | 16},
      {"number", 2 | 4 | 8 | 16},
      {"subnormal", 8},
      // Zeros count as normal (PTX ISA, testp).
      {"normal", 4 | 16}};
  uint32_t setting = 0;
  for (auto [name, classes] : known)
    if (m.has(name))
      setting = classes;
  return Selection{m.type() == Type::f32 ? &test<float> : &test<double>,
                   {m.type()}}
      .withSetting(setting);
}

} // namespace ptx
