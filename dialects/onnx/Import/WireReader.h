//===- WireReader.h - walks protobuf's wire format in place ---*- C++ -*-===//
//
// ONNX files are protobuf messages, of any size. Generated classes copy all of
// a message and stop at 2 GB; this reader walks the mapped bytes, so a weight
// of 10 GB costs nothing to step over. Every length is checked against the
// enclosing message before it is believed.
//
//===----------------------------------------------------------------------===//
#ifndef DIALECTS_ONNX_IMPORT_WIREREADER_H
#define DIALECTS_ONNX_IMPORT_WIREREADER_H

#include "llvm/ADT/StringRef.h"
#include <bit>
#include <cstdint>
#include <cstring>

namespace mlir::onnx {

/// One message; fields come one at a time.
class WireReader {
public:
  explicit WireReader(StringRef message)
      : at(message.data()), end(message.data() + message.size()) {}

  enum WireType { Varint = 0, Fixed64 = 1, Bytes = 2, Fixed32 = 5 };

  /// Steps to the next field. False at the end of the message or, with
  /// isBroken(), where the bytes are no protobuf.
  bool next() {
    if (broken || at == end)
      return false;
    uint64_t tag;
    if (!readVarint(tag) || tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
      return fail();
    field = unsigned(tag >> 3);
    wireType = unsigned(tag & 7);
    switch (wireType) {
    case Varint:
      return readVarint(value) || fail();
    case Fixed64:
      return readFixed<uint64_t>() || fail();
    case Fixed32:
      return readFixed<uint32_t>() || fail();
    case Bytes: {
      uint64_t length;
      if (!readVarint(length) || length > uint64_t(end - at))
        return fail();
      bytes = StringRef(at, length);
      at += length;
      return true;
    }
    default: // groups are not part of ONNX
      return fail();
    }
  }

  unsigned getField() const { return field; }
  bool isBytes() const { return wireType == Bytes; }
  bool isVarint() const { return wireType == Varint; }
  StringRef getBytes() const { return isBytes() ? bytes : StringRef(); }
  uint64_t getUnsigned() const { return isBytes() ? 0 : value; }
  int64_t getSigned() const { return int64_t(getUnsigned()); }
  float getFloat() const { return std::bit_cast<float>(uint32_t(value)); }
  bool isBroken() const { return broken; }
  const char *getPosition() const { return at; }

  /// Calls `fn(uint64_t)` for each number of a repeated varint field, packed or
  /// not. False if the packed bytes are broken.
  template <typename Fn> bool forEachVarint(Fn fn) {
    if (!isBytes()) {
      fn(value);
      return true;
    }
    WireReader packed(bytes);
    uint64_t number;
    while (packed.at != packed.end) {
      if (!packed.readVarint(number))
        return fail();
      fn(number);
    }
    return true;
  }

private:
  bool fail() {
    broken = true;
    return false;
  }

  bool readVarint(uint64_t &result) {
    result = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (at == end)
        return false;
      uint8_t byte = uint8_t(*at++);
      result |= uint64_t(byte & 0x7f) << shift;
      if (!(byte & 0x80))
        return true;
    }
    return false;
  }

  template <typename T> bool readFixed() {
    if (size_t(end - at) < sizeof(T))
      return false;
    T number;
    std::memcpy(&number, at, sizeof(T));
    at += sizeof(T);
    value = number;
    return true;
  }

  const char *at, *end;
  StringRef bytes;
  uint64_t value = 0;
  unsigned field = 0, wireType = 0;
  bool broken = false;
};

} // namespace mlir::onnx

#endif // DIALECTS_ONNX_IMPORT_WIREREADER_H
