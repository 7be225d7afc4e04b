//===- TensorMap.h - where boxes of a tensor lie in memory ----*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_MEM_TENSORMAP_H
#define TOOLS_PTX_EMULATOR_MEM_TENSORMAP_H

#include <cstdint>
#include <string>

namespace ptx {

constexpr unsigned mostTensorRank = 5;

/// The 128 bytes that a kernel names a tensor by. What the hardware puts there
/// is its own affair, as this is ours; dimension 0 is the innermost one.
struct TensorMap {
  static constexpr uint64_t rightMagic = 0x70614d7265736e54; // "TnserMap"

  uint64_t magic;
  uint64_t base; // address
  uint64_t sizes[mostTensorRank];
  uint64_t strides[mostTensorRank - 1]; // bytes, of dimension 1 on
  /// Elements that are moved: every elementStrides-th of boxDim.
  uint16_t box[mostTensorRank];
  uint8_t elementStrides[mostTensorRank];
  uint8_t rank, type, swizzle, fillsWithNaN, promotion;
  uint8_t unused[12];
  uint64_t checksum; // exclusive or of all words before

  uint64_t sumOfWords() const;
  /// False: these bytes were never encoded, or were changed since.
  bool isIntact() const {
    return magic == rightMagic && checksum == sumOfWords();
  }
};
static_assert(sizeof(TensorMap) == 128);

/// Bytes of an element of CUtensorMapDataType; 0: no such type.
unsigned tensorElementBytes(unsigned type);
/// Bytes within which a CUtensorMapSwizzle moves 16-byte pieces; 0: none.
unsigned swizzleSpan(unsigned swizzle);

/// What cuTensorMapEncodeTiled is asked for.
struct TensorMapRequest {
  unsigned type, rank;
  uint64_t base;
  const uint64_t *sizes, *strides;
  const uint32_t *box, *elementStrides;
  unsigned interleave, swizzle, promotion, fill;
};

struct TensorMapRefusal {
  std::string why; // empty: the map is fine
  /// It is right, but the emulator has no such maps.
  bool isUnsupported = false;
};

/// Writes `map`, unless something is wrong with the request.
TensorMapRefusal encodeTensorMap(const TensorMapRequest &request,
                                 TensorMap &map);

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_MEM_TENSORMAP_H
