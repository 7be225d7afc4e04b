//===- Types.h - element types of the model ABI ---------------------------===//
//
// Names, sizes and checked byte counts of DsType. Sizes come from files that
// nobody vouches for, so every product is checked for overflow.
//
//===----------------------------------------------------------------------===//
#ifndef FILES_TYPES_H
#define FILES_TYPES_H

#include "ds/model_abi.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace files {

/// The safetensors spelling ("F32", "BF16", …); "?" for a value that is no
/// DsType.
std::string_view typeName(uint32_t type);

/// The type of a safetensors spelling; nothing for an unknown one.
std::optional<DsType> typeFromName(std::string_view name);

/// Bits of one element in a file: 4 for I4 and U4. 0 for no type.
unsigned typeBits(uint32_t type);

/// Bytes of one element at an entry: as in a file, but one byte for I4 and U4.
unsigned typeBytesInMemory(uint32_t type);

/// Number of elements; nothing if a dimension is negative or the product does
/// not fit 63 bits.
std::optional<uint64_t> elementCount(std::span<const int64_t> dims);

/// Bytes in a file; nothing where elementCount() gives nothing, the type is
/// none, or the count does not fit 63 bits. 4-bit elements are packed, the
/// last byte filled up.
std::optional<uint64_t> fileBytes(uint32_t type, std::span<const int64_t> dims);

/// Bytes at an entry (one byte per 4-bit element); nothing as fileBytes().
std::optional<uint64_t> memoryBytes(uint32_t type,
                                    std::span<const int64_t> dims);

/// "[2, 3]"; a dimension of -1 prints as "?".
std::string shapeText(std::span<const int64_t> dims);

} // namespace files

#endif // FILES_TYPES_H
