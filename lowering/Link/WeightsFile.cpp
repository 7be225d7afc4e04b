//===- WeightsFile.cpp - parameters to NAME.weights.safetensors -----------===//
//
// Ranges are copied from mapped source files in pieces: memory does not grow
// with the model. Tensors start at multiples of 64 bytes of the file.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsDialect.h"
#include "lowering/Link/Link.h"
#include "mlir/IR/Diagnostics.h"
#include "runtime/include/ds/model_abi.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"
#include <xxhash.h>

using namespace mlir;

static const char *typeName(uint32_t type) {
  switch (type) {
  case DS_TYPE_F32:
    return "F32";
  case DS_TYPE_F64:
    return "F64";
  case DS_TYPE_F16:
    return "F16";
  case DS_TYPE_BF16:
    return "BF16";
  case DS_TYPE_I16:
    return "I16";
  case DS_TYPE_I32:
    return "I32";
  case DS_TYPE_I64:
    return "I64";
  case DS_TYPE_U16:
    return "U16";
  case DS_TYPE_U32:
    return "U32";
  case DS_TYPE_U64:
    return "U64";
  case DS_TYPE_BOOL:
    return "BOOL";
  case DS_TYPE_F8_E4M3:
    return "F8_E4M3";
  case DS_TYPE_F8_E5M2:
    return "F8_E5M2";
  case DS_TYPE_I8:
    return "I8";
  default:
    return "U8";
  }
}

namespace {
/// Appends the bytes of one parameter, 4-bit elements one a byte.
class ParameterWriter {
public:
  ParameterWriter(llvm::raw_fd_ostream &out, uint32_t type)
      : out(out), type(type), hash(XXH3_createState()) {
    XXH3_64bits_reset(hash);
  }
  ~ParameterWriter() { XXH3_freeState(hash); }

  void append(StringRef bytes) {
    if (type != DS_TYPE_I4 && type != DS_TYPE_U4)
      return put(bytes);
    constexpr size_t piece = 1 << 16;
    std::string wide;
    for (size_t start = 0; start < bytes.size(); start += piece) {
      wide.clear();
      for (char packed : bytes.substr(start, piece))
        for (unsigned shift : {0u, 4u}) {
          // Upper bits zero, signed or not: what LLVM assumes of an i4.
          wide += char((uint8_t(packed) >> shift) & 15);
        }
      put(wide);
    }
  }
  uint64_t checksum() const { return XXH3_64bits_digest(hash); }

private:
  void put(StringRef bytes) {
    out << bytes;
    XXH3_64bits_update(hash, bytes.data(), bytes.size());
  }

  llvm::raw_fd_ostream &out;
  uint32_t type;
  XXH3_state_t *hash;
};
} // namespace

LogicalResult mlir::ds::writeWeights(Location loc,
                                     ModelDescription &description,
                                     StringRef path, uint64_t &fileBytes) {
  auto nameOf = [](const EntryParameter &parameter) {
    return parameter.value.name;
  };
  // The header's length depends on offsets; offsets count from its end.
  llvm::json::Object header;
  uint64_t offset = 0;
  for (EntryParameter &parameter : description.parameters) {
    offset = llvm::alignTo(offset, 64);
    parameter.offset = offset;
    llvm::json::Array shape;
    for (int64_t size : parameter.value.dims)
      shape.push_back(size);
    header[nameOf(parameter)] = llvm::json::Object{
        {"dtype", typeName(parameter.value.type)},
        {"shape", std::move(shape)},
        {"data_offsets", llvm::json::Array{int64_t(offset),
                                           int64_t(offset + parameter.bytes)}}};
    offset += parameter.bytes;
  }
  std::string text;
  llvm::raw_string_ostream(text) << llvm::json::Value(std::move(header));
  // Padded with spaces so that the data starts at a multiple of 64.
  text.resize(llvm::alignTo(text.size() + 8, 64) - 8, ' ');
  uint64_t start = text.size() + 8;

  std::error_code code;
  llvm::raw_fd_ostream out(path, code, llvm::sys::fs::CD_CreateAlways);
  if (code)
    return emitError(loc) << "cannot write '" << path
                          << "': " << code.message();
  uint64_t length = text.size();
  out.write(reinterpret_cast<const char *>(&length), 8);
  out << text;
  for (EntryParameter &parameter : description.parameters) {
    parameter.offset += start;
    out.write_zeros(parameter.offset - out.tell());
    ParameterWriter writer(out, parameter.value.type);
    auto ranges = dyn_cast<ArrayAttr>(parameter.source);
    if (!ranges) {
      out.close();
      return emitError(loc) << "parameter '" << nameOf(parameter)
                            << "' has no bytes in a file";
    }
    for (auto range : ranges.getAsRange<FileRangeAttr>()) {
      auto file = llvm::MemoryBuffer::getFileSlice(
          range.getFile(), range.getLength(), range.getOffset());
      if (!file || (*file)->getBufferSize() != range.getLength()) {
        out.close();
        return emitError(loc)
               << "cannot read " << range.getLength() << " bytes at "
               << range.getOffset() << " of '" << range.getFile() << "'";
      }
      writer.append((*file)->getBuffer());
    }
    if (uint64_t(out.tell()) - parameter.offset < parameter.bytes) {
      out.close();
      return emitError(loc) << "parameter '" << nameOf(parameter)
                            << "' has fewer bytes than its type needs";
    }
    parameter.checksum = writer.checksum();
  }
  fileBytes = out.tell();
  out.close();
  if (out.has_error()) {
    std::error_code failure = out.error();
    out.clear_error();
    return emitError(loc) << "cannot write '" << path
                          << "': " << failure.message();
  }
  return success();
}
