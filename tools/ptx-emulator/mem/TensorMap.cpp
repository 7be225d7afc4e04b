//===- TensorMap.cpp - where boxes of a tensor lie in memory --------------===//
#include "tools/ptx-emulator/mem/TensorMap.h"

#include <cstring>

namespace ptx {

uint64_t TensorMap::sumOfWords() const {
  uint64_t words[sizeof(TensorMap) / 8], sum = 0;
  std::memcpy(words, this, sizeof words);
  for (size_t i = 0; i + 1 < sizeof words / 8; ++i)
    sum ^= words[i];
  return sum;
}

namespace {
struct ElementType {
  uint8_t bytes;
  bool isFloat;
};
} // namespace

static constexpr ElementType elementTypes[] = {
    {1, false}, {2, false}, {4, false}, {4, false}, {8, false},
    {8, false}, {2, true},  {4, true},  {8, true},  {2, true},
    {4, true},  {4, true},  {4, true}};
/// Types of elements of less than a byte, of sm_100 on.
static constexpr unsigned lastPackedType = 15;

unsigned tensorElementBytes(unsigned type) {
  return type < std::size(elementTypes) ? elementTypes[type].bytes : 0;
}

unsigned swizzleSpan(unsigned swizzle) { return swizzle ? 16u << swizzle : 0; }

static std::string numbered(const char *name, unsigned index, uint64_t value,
                            const char *rest) {
  return std::string(name) + "[" + std::to_string(index) +
         "] = " + std::to_string(value) + rest;
}

/// What is wrong with one dimension of the request; empty: nothing.
static std::string checkDimension(const TensorMapRequest &request, unsigned i) {
  constexpr uint64_t largestSize = uint64_t(1) << 32, strideEnd = uint64_t(1)
                                                                  << 40;
  if (request.sizes[i] == 0 || request.sizes[i] > largestSize)
    return numbered("globalDim", i, request.sizes[i], " is not 1 to 2^32");
  if (i + 1 < request.rank &&
      (request.strides[i] % 16 || request.strides[i] >= strideEnd))
    return numbered("globalStrides", i, request.strides[i],
                    " is no multiple of 16 below 2^40");
  if (request.box[i] == 0 || request.box[i] > 256)
    return numbered("boxDim", i, request.box[i], " is not 1 to 256");
  // That of the innermost dimension is ignored.
  if (i > 0 &&
      (request.elementStrides[i] == 0 || request.elementStrides[i] > 8))
    return numbered("elementStrides", i, request.elementStrides[i],
                    " is not 1 to 8");
  return "";
}

TensorMapRefusal encodeTensorMap(const TensorMapRequest &request,
                                 TensorMap &map) {
  unsigned bytes = tensorElementBytes(request.type);
  if (!bytes)
    return {"there is no data type " + std::to_string(request.type) +
                " before sm_100",
            request.type <= lastPackedType};
  if (request.rank == 0 || request.rank > mostTensorRank)
    return {"a rank of " + std::to_string(request.rank) + ", not of 1 to 5"};
  if (request.interleave != 0)
    return {"interleaved layouts are not emulated", request.interleave <= 2};
  if (request.swizzle > 3)
    return {"there is no swizzle " + std::to_string(request.swizzle) +
                " before sm_100",
            request.swizzle <= 6};
  if (request.promotion > 3)
    return {"there is no L2 promotion " + std::to_string(request.promotion)};
  if (request.fill > 1 ||
      (request.fill == 1 && !elementTypes[request.type].isFloat))
    return {"elements of type " + std::to_string(request.type) +
            " cannot be filled by kind " + std::to_string(request.fill)};
  if (!request.sizes || !request.box || !request.elementStrides ||
      (request.rank > 1 && !request.strides))
    return {"globalDim, globalStrides, boxDim or elementStrides is null"};
  if (request.base == 0 || request.base % 16)
    return {"the global address is null or not aligned to 16 bytes"};
  for (unsigned i = 0; i < request.rank; ++i)
    if (std::string why = checkDimension(request, i); !why.empty())
      return {why};
  uint64_t row = uint64_t(request.box[0]) * bytes;
  if (row % 16)
    return {"boxDim[0] x element size = " + std::to_string(row) +
            " bytes is no multiple of 16"};
  unsigned span = swizzleSpan(request.swizzle);
  if (span && row > span)
    return {"boxDim[0] x element size = " + std::to_string(row) +
            " bytes is more than the swizzle's " + std::to_string(span)};

  map = {};
  map.magic = TensorMap::rightMagic;
  map.base = request.base;
  for (unsigned i = 0; i < request.rank; ++i) {
    map.sizes[i] = request.sizes[i];
    unsigned step = i ? request.elementStrides[i] : 1;
    map.box[i] = uint16_t((request.box[i] + step - 1) / step);
    map.elementStrides[i] = uint8_t(step);
    if (i + 1 < request.rank)
      map.strides[i] = request.strides[i];
  }
  map.rank = uint8_t(request.rank);
  map.type = uint8_t(request.type);
  map.swizzle = uint8_t(request.swizzle);
  map.fillsWithNaN = uint8_t(request.fill);
  map.promotion = uint8_t(request.promotion);
  map.checksum = map.sumOfWords();
  return {};
}

} // namespace ptx
