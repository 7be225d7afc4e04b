//===- Warps.cpp - shfl, vote, match, redux and their like ----------------===//
#include "tools/ptx-emulator/exec/Exchange.h"
#include "tools/ptx-emulator/exec/ops/Compute.h"

#include <algorithm>

namespace ptx {

/// The handler of an exchange whose mask is operands[i].
template <const Exchange &kind, size_t maskOperand>
static void exchangeOf(Warp &warp, const Step &step) {
  warp.exchange(step, warp.source(step.operands[maskOperand]), kind);
}

template <const Exchange &kind, size_t maskOperand>
static Selection selectionOf(std::vector<Type> types) {
  Selection result = {&exchangeOf<kind, maskOperand>, std::move(types)};
  result.isControl = true;
  return result;
}

/// Brings the sources after the destination: `count` of them.
template <unsigned count, unsigned first = 1>
static void bringSources(Warp &warp, const Step &step, ExchangeValues &values) {
  for (unsigned i = 0; i < count; ++i) {
    const Row *from = warp.source(step.operands[first + i]);
    forLanes(warp.active,
             [&](unsigned lane) { values.in[i][lane] = from[0][lane]; });
  }
}

static void bringPredicate(Warp &warp, const Step &step,
                           ExchangeValues &values) {
  values.predicateIn |= warp.predicate(step.predicates[2]) & warp.active;
}

static void takeValue(Warp &warp, const Step &step,
                      const ExchangeValues &values) {
  Row *to = warp.destination(step.operands[0]);
  forLanes(warp.active,
           [&](unsigned lane) { to[0][lane] = values.out[0][lane]; });
}

static void takePredicate(Warp &warp, const Step &step,
                          const ExchangeValues &values) {
  warp.setPredicate(step.predicates[0], values.predicateOut);
}

static void takeBoth(Warp &warp, const Step &step,
                     const ExchangeValues &values) {
  takeValue(warp, step, values);
  takePredicate(warp, step, values);
}

/// Every lane that takes part gets the same.
static void giveAll(ExchangeValues &values, uint32_t value) {
  forLanes(values.lanes, [&](unsigned lane) { values.out[0][lane] = value; });
}

//===-- shfl --------------------------------------------------------------===//

enum class Shuffle { Up, Down, Butterfly, Index };

/// in: value, lane or distance, clamp and segments. PTX ISA, shfl.sync.
template <Shuffle mode> static void shuffle(ExchangeValues &values) {
  forLanes(values.lanes, [&](unsigned lane) {
    uint32_t by = values.in[1][lane] & 31, clamp = values.in[2][lane] & 31;
    uint32_t segment = values.in[2][lane] >> 8 & 31;
    uint32_t last = (lane & segment) | (clamp & ~segment);
    uint32_t first = lane & segment;
    int from = int(lane);
    bool isInside = false;
    switch (mode) {
    case Shuffle::Up:
      from = int(lane) - int(by);
      isInside = from >= int(last);
      break;
    case Shuffle::Down:
      from = int(lane + by);
      isInside = from <= int(last);
      break;
    case Shuffle::Butterfly:
      from = int(lane ^ by);
      isInside = from <= int(last);
      break;
    case Shuffle::Index:
      from = int(first | (by & ~segment));
      isInside = from <= int(last);
      break;
    }
    if (!isInside)
      from = int(lane);
    if (!(values.lanes >> from & 1))
      throw Fault(FaultKind::LaunchFailure,
                  "shfl reads lane " + std::to_string(from) +
                      ", which takes no part",
                  int(lane));
    values.out[0][lane] = values.in[0][from];
    values.predicateOut |= uint32_t(isInside) << lane;
  });
}

template <Shuffle mode>
static constexpr Exchange shuffling = {&bringSources<3>, &shuffle<mode>,
                                       &takeBoth};

Selection select_shfl(const Modifiers &m) {
  if (m.has("up"))
    return selectionOf<shuffling<Shuffle::Up>, 4>({Type::b32});
  if (m.has("down"))
    return selectionOf<shuffling<Shuffle::Down>, 4>({Type::b32});
  if (m.has("bfly"))
    return selectionOf<shuffling<Shuffle::Butterfly>, 4>({Type::b32});
  return selectionOf<shuffling<Shuffle::Index>, 4>({Type::b32});
}

//===-- vote --------------------------------------------------------------===//

template <auto holds>
static constexpr Exchange voting = {
    &bringPredicate,
    [](ExchangeValues &values) {
      values.predicateOut =
          holds(values.predicateIn, values.lanes) ? allLanes : 0;
    },
    &takePredicate};

static constexpr auto all = [](uint32_t trues, uint32_t lanes) {
  return trues == lanes;
};
static constexpr auto any = [](uint32_t trues, uint32_t) { return trues != 0; };
static constexpr auto uniform = [](uint32_t trues, uint32_t lanes) {
  return trues == 0 || trues == lanes;
};

static constexpr Exchange ballot = {
    &bringPredicate,
    [](ExchangeValues &values) { giveAll(values, values.predicateIn); },
    &takeValue};

Selection select_vote(const Modifiers &m) {
  if (m.has("ballot"))
    return selectionOf<ballot, 2>({Type::b32});
  if (m.has("all"))
    return selectionOf<voting<all>, 2>({Type::b32});
  if (m.has("any"))
    return selectionOf<voting<any>, 2>({Type::b32});
  return selectionOf<voting<uniform>, 2>({Type::b32});
}

//===-- match -------------------------------------------------------------===//

/// One or both words of a value.
template <unsigned words>
static void bringWords(Warp &warp, const Step &step, ExchangeValues &values) {
  const Row *from = warp.source(step.operands[1]);
  for (unsigned i = 0; i < 2; ++i)
    forLanes(warp.active, [&](unsigned lane) {
      values.in[i][lane] = i < words ? from[i][lane] : 0;
    });
}

static void matchAny(ExchangeValues &values) {
  forLanes(values.lanes, [&](unsigned lane) {
    uint32_t equal = 0;
    forLanes(values.lanes, [&](unsigned other) {
      bool isEqual = values.in[0][lane] == values.in[0][other] &&
                     values.in[1][lane] == values.in[1][other];
      equal |= uint32_t(isEqual) << other;
    });
    values.out[0][lane] = equal;
  });
}

static void matchAll(ExchangeValues &values) {
  unsigned first = unsigned(std::countr_zero(values.lanes));
  bool areEqual = true;
  forLanes(values.lanes, [&](unsigned lane) {
    areEqual &= values.in[0][lane] == values.in[0][first] &&
                values.in[1][lane] == values.in[1][first];
  });
  giveAll(values, areEqual ? values.lanes : 0);
  values.predicateOut = areEqual ? allLanes : 0;
}

template <unsigned words, auto compute>
static constexpr Exchange matching = {&bringWords<words>, compute, &takeBoth};

Selection select_match(const Modifiers &m) {
  std::vector<Type> types = {Type::b32, m.type(), Type::b32};
  if (m.type() == Type::b64)
    return m.has("any") ? selectionOf<matching<2, &matchAny>, 2>(types)
                        : selectionOf<matching<2, &matchAll>, 2>(types);
  return m.has("any") ? selectionOf<matching<1, &matchAny>, 2>(types)
                      : selectionOf<matching<1, &matchAll>, 2>(types);
}

//===-- redux, elect, activemask ------------------------------------------===//

template <class T, auto apply>
static constexpr Exchange reducing = {
    &bringSources<1>,
    [](ExchangeValues &values) {
      uint32_t lanes = values.lanes;
      T result = T(values.in[0][std::countr_zero(lanes)]);
      forLanes(lanes & (lanes - 1), [&](unsigned lane) {
        result = apply(result, T(values.in[0][lane]));
      });
      giveAll(values, uint32_t(result));
    },
    &takeValue};

static constexpr auto plus = [](auto a, auto b) { return a + b; };
static constexpr auto least = [](auto a, auto b) { return std::min(a, b); };
static constexpr auto greatest = [](auto a, auto b) { return std::max(a, b); };
static constexpr auto bitAnd = [](auto a, auto b) { return a & b; };
static constexpr auto bitOr = [](auto a, auto b) { return a | b; };
static constexpr auto bitXor = [](auto a, auto b) { return a ^ b; };

Selection select_redux(const Modifiers &m) {
  std::vector<Type> types = {Type::b32};
  if (m.has("add"))
    return selectionOf<reducing<uint32_t, plus>, 2>(types);
  if (m.has("and"))
    return selectionOf<reducing<uint32_t, bitAnd>, 2>(types);
  if (m.has("or"))
    return selectionOf<reducing<uint32_t, bitOr>, 2>(types);
  if (m.has("xor"))
    return selectionOf<reducing<uint32_t, bitXor>, 2>(types);
  bool isSigned = m.type() == Type::s32;
  if (m.has("min"))
    return isSigned ? selectionOf<reducing<int32_t, least>, 2>(types)
                    : selectionOf<reducing<uint32_t, least>, 2>(types);
  return isSigned ? selectionOf<reducing<int32_t, greatest>, 2>(types)
                  : selectionOf<reducing<uint32_t, greatest>, 2>(types);
}

/// One lane leads, of one mask always the same.
static constexpr Exchange electing = {
    [](Warp &, const Step &, ExchangeValues &) {},
    [](ExchangeValues &values) {
      unsigned leader = unsigned(std::countr_zero(values.lanes));
      giveAll(values, leader);
      values.predicateOut = uint32_t(1) << leader;
    },
    &takeBoth};

Selection select_elect(const Modifiers &) {
  return selectionOf<electing, 1>({Type::b32});
}

/// bar.warp.sync.
static constexpr Exchange meeting = {
    [](Warp &, const Step &, ExchangeValues &) {}, [](ExchangeValues &) {},
    [](Warp &, const Step &, const ExchangeValues &) {},
    /*ordersMemory=*/true};

Selection warpBarrierSelection() {
  return selectionOf<meeting, 0>({Type::b32});
}

Selection select_activemask(const Modifiers &) {
  return {[](Warp &warp, const Step &step) {
            Row *to = warp.destination(step.operands[0]);
            forLanes(warp.active,
                     [&](unsigned lane) { put(to, lane, warp.active); });
          },
          {Type::b32}};
}

} // namespace ptx
