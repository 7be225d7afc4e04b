//===- Compute.h - handlers that compute lane by lane ---------*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_EXEC_OPS_COMPUTE_H
#define TOOLS_PTX_EMULATOR_EXEC_OPS_COMPUTE_H

#include "tools/ptx-emulator/exec/Selection.h"
#include "tools/ptx-emulator/exec/Warp.h"

#include <utility>

namespace ptx {

namespace detail {
template <auto apply, class... In, size_t... i>
void compute(Warp &warp, const Step &step, std::index_sequence<i...>) {
  Row *to = warp.destination(step.operands[0]);
  const Row *from[] = {warp.source(step.operands[i + 1])...};
  forLanes(warp.active, [&](unsigned lane) {
    if constexpr (requires { apply(step, get<In>(from[i], lane)...); })
      put(to, lane, apply(step, get<In>(from[i], lane)...));
    else
      put(to, lane, apply(get<In>(from[i], lane)...));
  });
}
} // namespace detail

/// operands[0] = apply(operands[1], ...), the sources of types In. What `apply`
/// returns has the destination's width. It may take the step first.
template <auto apply, class... In> void compute(Warp &warp, const Step &step) {
  detail::compute<apply, In...>(warp, step, std::index_sequence_for<In...>{});
}

/// Of one type and `count` sources.
template <auto apply, unsigned count, class T> constexpr Handler computeSame() {
  if constexpr (count == 1)
    return &compute<apply, T>;
  else if constexpr (count == 2)
    return &compute<apply, T, T>;
  else
    return &compute<apply, T, T, T>;
}

/// Of a whole-number type: bits count as unsigned ones.
template <auto apply, unsigned count> Handler computeIntegers(Type type) {
  switch (type) {
  case Type::u16:
  case Type::b16:
    return computeSame<apply, count, uint16_t>();
  case Type::s16:
    return computeSame<apply, count, int16_t>();
  case Type::u32:
  case Type::b32:
    return computeSame<apply, count, uint32_t>();
  case Type::s32:
    return computeSame<apply, count, int32_t>();
  case Type::u64:
  case Type::b64:
    return computeSame<apply, count, uint64_t>();
  case Type::s64:
    return computeSame<apply, count, int64_t>();
  default:
    return nullptr;
  }
}

/// As an unsigned number that is not widened by sign: of its own width, but of
/// 32 bits at least, so that products of 16 bits do not overflow an int.
template <class T> constexpr auto wrapping(T value) {
  return std::common_type_t<std::make_unsigned_t<T>, uint32_t>(
      std::make_unsigned_t<T>(value));
}

inline bool isFloat(Type type) {
  switch (type) {
  case Type::f16:
  case Type::f16x2:
  case Type::bf16:
  case Type::bf16x2:
  case Type::f32:
  case Type::f64:
    return true;
  default:
    return false;
  }
}

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_EXEC_OPS_COMPUTE_H
