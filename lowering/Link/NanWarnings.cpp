//===- NanWarnings.cpp - weights that are no numbers ----------------------===//
//
// A damaged or badly converted file still has the right shapes; what a model
// computes with a NaN tells nobody where it came from.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsDialect.h"
#include "lowering/LinalgToCPU/TypeCode.h"
#include "lowering/Link/ParameterBytes.h"
#include "mlir/IR/Diagnostics.h"
#include "runtime/include/ds/model_abi.h"
#include "llvm/Support/Endian.h"

using namespace mlir;
using namespace mlir::ds;

namespace {
struct Found {
  uint64_t count = 0, first = 0;
};
} // namespace

/// The elements whose bits, the sign taken away, are above those of every
/// number.
template <typename Bits> static Found findAbove(StringRef bytes, Bits largest) {
  constexpr Bits mask = std::numeric_limits<Bits>::max() >> 1;
  size_t count = bytes.size() / sizeof(Bits);
  auto at = [&](size_t i) {
    return llvm::support::endian::read<Bits, llvm::endianness::little>(
        bytes.data() + i * sizeof(Bits));
  };
  Found found;
  for (size_t i = 0; i < count; ++i)
    found.count += (at(i) & mask) > largest;
  while (found.count > 0 && (at(found.first) & mask) <= largest)
    ++found.first;
  return found;
}

static Found findNan(StringRef bytes, uint32_t type) {
  switch (type) {
  case DS_TYPE_F64:
    return findAbove<uint64_t>(bytes, 0x7ff0000000000000);
  case DS_TYPE_F32:
    return findAbove<uint32_t>(bytes, 0x7f800000);
  case DS_TYPE_F16:
    return findAbove<uint16_t>(bytes, 0x7c00);
  case DS_TYPE_BF16:
    return findAbove<uint16_t>(bytes, 0x7f80);
  case DS_TYPE_F8_E4M3:
    return findAbove<uint8_t>(bytes, 0x7e);
  case DS_TYPE_F8_E5M2:
    return findAbove<uint8_t>(bytes, 0x7c);
  default:
    return {};
  }
}

/// The tensor of the model file that is range `i` of `parameter`: one that is
/// made of several has a location for each.
static std::string tensorName(ParameterOp parameter, size_t i) {
  Location loc = parameter.getLoc();
  if (auto all = dyn_cast<FusedLoc>(loc); all && i < all.getLocations().size())
    loc = all.getLocations()[i];
  auto name = dyn_cast<NameLoc>(loc);
  return name ? name.getName().str() : parameter.getSymName().str();
}

LogicalResult mlir::ds::warnOfNan(ModuleOp module) {
  for (auto parameter : module.getOps<ParameterOp>()) {
    auto ranges = dyn_cast<ArrayAttr>(parameter.getSource());
    auto type = cast<RankedTensorType>(parameter.getType());
    if (!ranges || !isa<FloatType>(type.getElementType()))
      continue;
    uint32_t code = typeCode(type.getElementType(), "");
    for (auto [i, range] :
         llvm::enumerate(ranges.getAsRange<FileRangeAttr>())) {
      auto bytes = mapRange(module.getLoc(), parameter.getSymName(), range);
      if (failed(bytes))
        return failure();
      Found found = findNan((*bytes)->getBuffer(), code);
      if (found.count == 0)
        continue;
      emitWarning(
          FileLineColLoc::get(module.getContext(), range.getFile(), 0, 0))
          << "tensor '" << tensorName(parameter, i) << "': " << found.count
          << (found.count == 1 ? " element is" : " elements are")
          << " no number (NaN), the first at " << found.first
          << "; what is computed with them will be none either. The file may "
             "be damaged";
    }
  }
  return success();
}
