//===- ParameterBytes.cpp - bytes of parameters that files hold -----------===//
//
// See ParameterBytes.h.
//
//===----------------------------------------------------------------------===//
#include "lowering/Link/ParameterBytes.h"
#include "mlir/IR/Diagnostics.h"
#include "runtime/include/ds/model_abi.h"
#include "llvm/Support/FileSystem.h"

using namespace mlir;
using namespace mlir::ds;

static bool isFourBit(const EntryParameter &parameter) {
  return parameter.value.type == DS_TYPE_I4 ||
         parameter.value.type == DS_TYPE_U4;
}

/// Bytes in files: 4-bit elements two a byte.
static uint64_t packedBytes(const EntryParameter &parameter) {
  return isFourBit(parameter) ? llvm::divideCeil(parameter.bytes, 2)
                              : parameter.bytes;
}

FailureOr<std::unique_ptr<llvm::MemoryBuffer>>
mlir::ds::mapRange(Location loc, StringRef name, FileRangeAttr range) {
  auto fail = [&](const Twine &why) {
    return emitError(loc) << "cannot read parameter '" << name << "', "
                          << range.getLength() << " bytes at "
                          << range.getOffset() << " of '" << range.getFile()
                          << "': " << why;
  };
  // A mapping beyond the file's end would end in a signal.
  uint64_t size = 0;
  if (std::error_code code = llvm::sys::fs::file_size(range.getFile(), size))
    return fail(code.message());
  if (range.getOffset() > size || range.getLength() > size - range.getOffset())
    return fail("the file has " + Twine(size) + " bytes");
  auto buffer = llvm::MemoryBuffer::getFileSlice(
      range.getFile(), range.getLength(), range.getOffset());
  if (!buffer)
    return fail(buffer.getError().message());
  return std::move(*buffer);
}

/// Writes elements one by one, for attributes that do not hold them densely.
static void copyElements(DenseElementsAttr elements, char *to) {
  size_t width =
      llvm::divideCeil(elements.getElementType().getIntOrFloatBitWidth(), 8);
  auto put = [&](const APInt &bits) {
    std::memcpy(to, bits.getRawData(), width);
    to += width;
  };
  if (isa<FloatType>(elements.getElementType()))
    for (const APFloat &value : elements.getValues<APFloat>())
      put(value.bitcastToAPInt());
  else
    for (const APInt &value : elements.getValues<APInt>())
      put(value);
}

LogicalResult mlir::ds::copyParameter(Location loc,
                                      const EntryParameter &parameter,
                                      char *to) {
  if (auto elements = dyn_cast<DenseElementsAttr>(parameter.source)) {
    copyElements(elements, to);
    return success();
  }
  auto ranges = dyn_cast<ArrayAttr>(parameter.source);
  if (!ranges)
    return emitError(loc) << "parameter '" << parameter.value.name
                          << "' has no bytes in a file";
  uint64_t missing = packedBytes(parameter), left = parameter.bytes;
  for (auto range : ranges.getAsRange<FileRangeAttr>()) {
    auto buffer = mapRange(loc, parameter.value.name, range);
    if (failed(buffer))
      return failure();
    StringRef bytes = (*buffer)->getBuffer().take_front(missing);
    missing -= bytes.size();
    if (!isFourBit(parameter)) {
      std::memcpy(to, bytes.data(), bytes.size());
      to += bytes.size();
      continue;
    }
    for (uint8_t pair : bytes.bytes())
      // Upper bits zero, signed or not: what LLVM assumes of an i4.
      for (unsigned shift : {0u, 4u})
        if (left > 0) {
          *to++ = char(pair >> shift & 15);
          --left;
        }
  }
  if (missing > 0)
    return emitError(loc) << "parameter '" << parameter.value.name << "' has "
                          << missing << " bytes fewer than its type needs";
  return success();
}

FailureOr<std::unique_ptr<llvm::MemoryBuffer>>
mlir::ds::mapParameter(Location loc, const EntryParameter &parameter) {
  auto ranges = dyn_cast<ArrayAttr>(parameter.source);
  if (ranges && ranges.size() == 1 && !isFourBit(parameter)) {
    auto range = cast<FileRangeAttr>(ranges[0]);
    if (range.getLength() >= parameter.bytes) {
      auto buffer = mapRange(loc, parameter.value.name, range);
      if (failed(buffer))
        return failure();
      // No element is wider than 8 bytes.
      if (reinterpret_cast<uintptr_t>((*buffer)->getBufferStart()) % 8 == 0)
        return buffer;
    }
  }
  std::unique_ptr<llvm::WritableMemoryBuffer> copy =
      llvm::WritableMemoryBuffer::getNewUninitMemBuffer(
          parameter.bytes, parameter.value.name, llvm::Align(64));
  if (!copy)
    return emitError(loc) << "no memory for the " << parameter.bytes
                          << " bytes of parameter '" << parameter.value.name
                          << "'";
  if (failed(copyParameter(loc, parameter, copy->getBufferStart())))
    return failure();
  return std::unique_ptr<llvm::MemoryBuffer>(std::move(copy));
}
