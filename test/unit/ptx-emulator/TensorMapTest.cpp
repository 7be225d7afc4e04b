//===- TensorMapTest.cpp - descriptors of tensors -------------------------===//
#include "tools/ptx-emulator/mem/TensorMap.h"
#include "test/unit/ptx-emulator/Emulator.h"

#include <cstring>

using namespace test;

namespace {

/// Of cuTensorMapEncodeTiled, right as it is.
struct Arguments {
  CUtensorMap map = {};
  CUtensorMapDataType type = CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
  unsigned rank = 3;
  uint64_t base = 0x200000001000;
  uint64_t sizes[6] = {100, 200, 3, 1, 1, 1};
  uint64_t strides[5] = {256, 51200, 16, 16, 16};
  uint32_t box[6] = {64, 16, 1, 1, 1, 1};
  uint32_t elementStrides[6] = {1, 1, 2, 1, 1, 1};
  CUtensorMapInterleave interleave = CU_TENSOR_MAP_INTERLEAVE_NONE;
  CUtensorMapSwizzle swizzle = CU_TENSOR_MAP_SWIZZLE_128B;
  CUtensorMapL2promotion promotion = CU_TENSOR_MAP_L2_PROMOTION_L2_128B;
  CUtensorMapFloatOOBfill fill = CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE;

  CUresult encode() {
    return calls().cuTensorMapEncodeTiled(
        &map, type, rank, reinterpret_cast<void *>(uintptr_t(base)), sizes,
        strides, box, elementStrides, interleave, swizzle, promotion, fill);
  }
};

using TensorMapTest = Emulator;

TEST_F(TensorMapTest, HoldsWhatWasAskedFor) {
  Arguments of;
  of.fill = CU_TENSOR_MAP_FLOAT_OOB_FILL_NAN_REQUEST_ZERO_FMA;
  EXPECT_OK(of.encode());
  ptx::TensorMap map;
  std::memcpy(&map, &of.map, sizeof map);
  EXPECT_TRUE(map.isIntact());
  EXPECT_EQ(map.base, of.base);
  EXPECT_EQ(map.rank, 3);
  EXPECT_EQ(map.sizes[1], 200u);
  EXPECT_EQ(map.strides[1], 51200u);
  EXPECT_EQ(map.box[0], 64);
  EXPECT_EQ(map.elementStrides[2], 2);
  EXPECT_EQ(map.type, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16);
  EXPECT_EQ(ptx::tensorElementBytes(map.type), 2u);
  EXPECT_EQ(ptx::swizzleSpan(map.swizzle), 128u);
  EXPECT_EQ(map.fillsWithNaN, 1);
  // Any byte that changes is seen.
  for (size_t i = 0; i < sizeof map; ++i) {
    ptx::TensorMap changed = map;
    reinterpret_cast<uint8_t *>(&changed)[i] ^= 0x40;
    EXPECT_FALSE(changed.isIntact()) << i;
  }
  EXPECT_FALSE(ptx::TensorMap{}.isIntact());
}

TEST_F(TensorMapTest, TakesTheEndsOfRanges) {
  for (void (*change)(Arguments &) : {
           +[](Arguments &of) { of.rank = 1; },
           +[](Arguments &of) { of.rank = 5; },
           +[](Arguments &of) { of.sizes[0] = uint64_t(1) << 32; },
           +[](Arguments &of) { of.strides[0] = (uint64_t(1) << 40) - 16; },
           +[](Arguments &of) { of.box[1] = 256; },
           +[](Arguments &of) { of.elementStrides[1] = 8; },
           +[](Arguments &of) { of.elementStrides[0] = 99; }, // ignored
           +[](Arguments &of) { of.box[0] = 8; },
           +[](Arguments &of) {
             of.swizzle = CU_TENSOR_MAP_SWIZZLE_NONE;
             of.box[0] = 256;
           },
       }) {
    Arguments of;
    change(of);
    EXPECT_OK(of.encode()) << report();
  }
}

TEST_F(TensorMapTest, RefusesTheRest) {
  for (void (*change)(Arguments &) : {
           +[](Arguments &of) { of.rank = 0; },
           +[](Arguments &of) { of.rank = 6; },
           +[](Arguments &of) { of.base = 0; },
           +[](Arguments &of) { of.base += 8; },
           +[](Arguments &of) { of.sizes[2] = 0; },
           +[](Arguments &of) { of.sizes[0] = (uint64_t(1) << 32) + 1; },
           +[](Arguments &of) { of.strides[0] = 264; },
           +[](Arguments &of) { of.strides[1] = uint64_t(1) << 40; },
           +[](Arguments &of) { of.box[1] = 0; },
           +[](Arguments &of) { of.box[1] = 257; },
           +[](Arguments &of) { of.box[0] = 4; },   // 8 bytes
           +[](Arguments &of) { of.box[0] = 128; }, // 256 bytes
           +[](Arguments &of) { of.elementStrides[1] = 0; },
           +[](Arguments &of) { of.elementStrides[1] = 9; },
           +[](Arguments &of) {
             of.swizzle = CU_TENSOR_MAP_SWIZZLE_64B; // of 128 bytes
           },
           +[](Arguments &of) { of.swizzle = CUtensorMapSwizzle(7); },
           +[](Arguments &of) { of.promotion = CUtensorMapL2promotion(4); },
           +[](Arguments &of) { of.interleave = CUtensorMapInterleave(3); },
           +[](Arguments &of) { of.type = CUtensorMapDataType(16); },
           +[](Arguments &of) { of.fill = CUtensorMapFloatOOBfill(2); },
           +[](Arguments &of) {
             of.type = CU_TENSOR_MAP_DATA_TYPE_INT32;
             of.box[0] = 32;
             of.fill = CU_TENSOR_MAP_FLOAT_OOB_FILL_NAN_REQUEST_ZERO_FMA;
           },
       }) {
    Arguments of;
    change(of);
    EXPECT_EQ(of.encode(), CUDA_ERROR_INVALID_VALUE);
    EXPECT_NE(report().find("cuTensorMapEncodeTiled"), std::string::npos);
  }
  for (void (*change)(Arguments &) : {
           +[](Arguments &of) { of.type = CUtensorMapDataType(13); },
           +[](Arguments &of) { of.swizzle = CUtensorMapSwizzle(4); },
           +[](Arguments &of) { of.interleave = CUtensorMapInterleave(1); },
       }) {
    Arguments of;
    change(of);
    EXPECT_EQ(of.encode(), CUDA_ERROR_NOT_SUPPORTED);
  }
  Arguments of;
  EXPECT_EQ(cu.cuTensorMapEncodeTiled(nullptr, of.type, of.rank,
                                      reinterpret_cast<void *>(uintptr_t(16)),
                                      of.sizes, of.strides, of.box,
                                      of.elementStrides, of.interleave,
                                      of.swizzle, of.promotion, of.fill),
            CUDA_ERROR_INVALID_VALUE);
  alignas(128) char room[256];
  EXPECT_EQ(cu.cuTensorMapEncodeTiled(
                reinterpret_cast<CUtensorMap *>(room + 32), of.type, of.rank,
                reinterpret_cast<void *>(uintptr_t(16)), of.sizes, of.strides,
                of.box, of.elementStrides, of.interleave, of.swizzle,
                of.promotion, of.fill),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cu.cuTensorMapEncodeTiled(&of.map, of.type, of.rank,
                                      reinterpret_cast<void *>(uintptr_t(16)),
                                      nullptr, of.strides, of.box,
                                      of.elementStrides, of.interleave,
                                      of.swizzle, of.promotion, of.fill),
            CUDA_ERROR_INVALID_VALUE);
  set({"DS_EMU_ARCH=sm_80"});
  start();
  EXPECT_EQ(of.encode(), CUDA_ERROR_NOT_SUPPORTED);
}

} // namespace
