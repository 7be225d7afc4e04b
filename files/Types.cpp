//===- Types.cpp - element types of the model ABI -------------------------===//

#include "Types.h"

namespace files {

namespace {
struct TypeRow {
  DsType type;
  std::string_view name;
  unsigned bits;
};
constexpr TypeRow typeTable[] = {
    {DS_TYPE_F32, "F32", 32},        {DS_TYPE_F64, "F64", 64},
    {DS_TYPE_F16, "F16", 16},        {DS_TYPE_BF16, "BF16", 16},
    {DS_TYPE_I8, "I8", 8},           {DS_TYPE_I16, "I16", 16},
    {DS_TYPE_I32, "I32", 32},        {DS_TYPE_I64, "I64", 64},
    {DS_TYPE_U8, "U8", 8},           {DS_TYPE_U16, "U16", 16},
    {DS_TYPE_U32, "U32", 32},        {DS_TYPE_U64, "U64", 64},
    {DS_TYPE_BOOL, "BOOL", 8},       {DS_TYPE_F8_E4M3, "F8_E4M3", 8},
    {DS_TYPE_F8_E5M2, "F8_E5M2", 8}, {DS_TYPE_I4, "I4", 4},
    {DS_TYPE_U4, "U4", 4},
};

const TypeRow *findType(uint32_t type) {
  for (const TypeRow &row : typeTable)
    if (row.type == static_cast<DsType>(type))
      return &row;
  return nullptr;
}
} // namespace

std::string_view typeName(uint32_t type) {
  const TypeRow *row = findType(type);
  return row ? row->name : "?";
}

std::optional<DsType> typeFromName(std::string_view name) {
  for (const TypeRow &row : typeTable)
    if (row.name == name)
      return row.type;
  return std::nullopt;
}

unsigned typeBits(uint32_t type) {
  const TypeRow *row = findType(type);
  return row ? row->bits : 0;
}

unsigned typeBytesInMemory(uint32_t type) { return (typeBits(type) + 7) / 8; }

std::optional<uint64_t> elementCount(std::span<const int64_t> dims) {
  uint64_t count = 1;
  bool empty = false;
  for (int64_t dim : dims) {
    if (dim < 0)
      return std::nullopt;
    // A zero makes the tensor empty but must not excuse absurd neighbours.
    if (dim == 0) {
      empty = true;
      continue;
    }
    if (__builtin_mul_overflow(count, static_cast<uint64_t>(dim), &count) ||
        count > INT64_MAX)
      return std::nullopt;
  }
  return empty ? 0 : count;
}

std::optional<uint64_t> fileBytes(uint32_t type,
                                  std::span<const int64_t> dims) {
  std::optional<uint64_t> count = elementCount(dims);
  unsigned bits = typeBits(type);
  uint64_t total;
  if (!count || !bits || __builtin_mul_overflow(*count, bits, &total) ||
      total > INT64_MAX)
    return std::nullopt;
  return (total + 7) / 8;
}

std::optional<uint64_t> memoryBytes(uint32_t type,
                                    std::span<const int64_t> dims) {
  std::optional<uint64_t> count = elementCount(dims);
  unsigned bytes = typeBytesInMemory(type);
  uint64_t total;
  if (!count || !bytes || __builtin_mul_overflow(*count, bytes, &total) ||
      total > INT64_MAX)
    return std::nullopt;
  return total;
}

std::string shapeText(std::span<const int64_t> dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i) {
    if (i)
      text += ", ";
    text += dims[i] < 0 ? "?" : std::to_string(dims[i]);
  }
  return text + "]";
}

} // namespace files
