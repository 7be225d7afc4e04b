//===- Arguments.cpp - a kernel's arguments as text -----------------------===//
#include "tools/ptx-emulator/run/Arguments.h"
#include "tools/ptx-emulator/num/Formats.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <stdexcept>

namespace ptx {

/// More is a mistake.
static constexpr uint64_t mostBytes = uint64_t(1) << 32;

static const Format *formatOf(Type type) {
  switch (type) {
  case Type::f16:
    return &formats::f16;
  case Type::bf16:
    return &formats::bf16;
  case Type::e4m3:
    return &formats::e4m3;
  case Type::e5m2:
    return &formats::e5m2;
  case Type::f32:
    return &formats::f32;
  case Type::f64:
    return &formats::f64;
  default:
    return nullptr;
  }
}

static bool isSigned(Type type) {
  return type == Type::s8 || type == Type::s16 || type == Type::s32 ||
         type == Type::s64;
}

/// Bits of a number of the type.
static uint64_t parseNumber(Type type, std::string_view text) {
  auto wrong = [&](const std::string &what) {
    return std::runtime_error("'" + std::string(text) + "' " + what + " ." +
                              std::string(nameOf(type)));
  };
  const Format *format = formatOf(type);
  bool isHexadecimal = text.starts_with("0x");
  if (format && !isHexadecimal) {
    double value;
    auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
      throw wrong("is no");
    return narrow(*format, value, Rounding::Nearest);
  }
  bool isNegative = text.starts_with('-');
  std::string_view digits = text.substr(isNegative ? 1 : isHexadecimal ? 2 : 0);
  uint64_t value;
  auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value,
                      isHexadecimal ? 16 : 10);
  if (error != std::errc() || end != digits.data() + digits.size())
    throw wrong("is no");
  unsigned bits = bitsOf(type);
  uint64_t most = bits == 64 ? ~uint64_t(0) : (uint64_t(1) << bits) - 1;
  // Bits of a signed number may be written as well.
  if (isNegative ? !isSigned(type) || value > most / 2 + 1 : value > most)
    throw wrong("does not fit a");
  return (isNegative ? 0 - value : value) & most;
}

static std::vector<uint8_t> readFile(const std::string &path, uint64_t bytes) {
  std::ifstream file(path, std::ios::binary);
  std::vector<uint8_t> result(bytes);
  file.read(reinterpret_cast<char *>(result.data()),
            std::streamsize(result.size()));
  if (!file)
    throw std::runtime_error("'" + path +
                             "' cannot be read, or has less than " +
                             std::to_string(bytes) + " bytes");
  return result;
}

static void fill(Argument &argument, std::string_view text) {
  unsigned width = bitsOf(argument.type) / 8;
  if (text.starts_with('@')) {
    argument.bytes =
        readFile(std::string(text.substr(1)), argument.count * width);
    return;
  }
  argument.bytes.resize(argument.count * width);
  auto set = [&](uint64_t i, uint64_t bits) {
    std::memcpy(&argument.bytes[i * width], &bits, width);
  };
  if (text == "iota") {
    const Format *format = formatOf(argument.type);
    for (uint64_t i = 0; i < argument.count; ++i)
      set(i, format ? narrow(*format, double(i), Rounding::Nearest) : i);
    return;
  }
  std::vector<uint64_t> values;
  for (bool isLast = false; !isLast;) {
    size_t end = text.find(',');
    isLast = end == std::string_view::npos;
    values.push_back(parseNumber(argument.type, text.substr(0, end)));
    text.remove_prefix(isLast ? text.size() : end + 1);
  }
  if (values.size() != 1 && values.size() != argument.count)
    throw std::runtime_error(std::to_string(values.size()) + " values for " +
                             std::to_string(argument.count) + " elements");
  for (uint64_t i = 0; i < argument.count; ++i)
    set(i, values[values.size() == 1 ? 0 : i]);
}

/// "64,32".
template <class T> static std::vector<T> parseList(std::string_view text) {
  std::vector<T> list;
  for (bool isLast = false; !isLast;) {
    size_t end = text.find(',');
    isLast = end == std::string_view::npos;
    list.push_back(T(parseNumber(Type::u64, text.substr(0, end))));
    text.remove_prefix(isLast ? text.size() : end + 1);
  }
  return list;
}

/// What is between "tma(" and ")".
static Argument parseTensor(std::string_view text) {
  TensorArgument tensor;
  bool hasType = false;
  for (bool isFirst = true; !text.empty(); isFirst = false) {
    size_t end = std::min(text.find(';'), text.size());
    std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (part.starts_with(' '))
      part.remove_prefix(1);
    size_t equals = std::min(part.find('='), part.size());
    std::string_view name = part.substr(0, equals);
    std::string_view value = part.substr(std::min(equals + 1, part.size()));
    constexpr std::string_view types[] = {"u8",  "u16", "u32", "s32", "u64",
                                          "s64", "f16", "f32", "f64", "bf16"};
    auto type = std::find(std::begin(types), std::end(types), part);
    if (isFirst) {
      tensor.isExtra = part.starts_with('b');
      tensor.buffer = parseNumber(Type::u64, part.substr(tensor.isExtra));
    } else if (type != std::end(types)) {
      tensor.type = unsigned(type - types);
      hasType = true;
    } else if (name == "dims") {
      tensor.dims = parseList<uint64_t>(value);
    } else if (name == "strides") {
      tensor.strides = parseList<uint64_t>(value);
    } else if (name == "box") {
      tensor.box = parseList<uint32_t>(value);
    } else if (name == "steps") {
      tensor.elementStrides = parseList<uint32_t>(value);
    } else if (name == "swizzle") {
      constexpr std::string_view widths[] = {"0", "32", "64", "128"};
      auto width = std::find(std::begin(widths), std::end(widths), value);
      if (width == std::end(widths))
        throw std::runtime_error("swizzle is 0, 32, 64 or 128");
      tensor.swizzle = unsigned(width - widths);
    } else if (part == "nan") {
      tensor.fill = 1;
    } else {
      throw std::runtime_error("'" + std::string(part) +
                               "' says nothing about a tensor");
    }
  }
  size_t rank = tensor.dims.size();
  if (!hasType || rank == 0 || tensor.box.size() != rank ||
      (!tensor.strides.empty() && tensor.strides.size() + 1 != rank) ||
      (!tensor.elementStrides.empty() && tensor.elementStrides.size() != rank))
    throw std::runtime_error("a tensor has a type, and dims and box of one "
                             "length");
  tensor.elementStrides.resize(rank, 1);
  return {Type::b8, false, tensor, 1, {}};
}

Argument parseArgument(const std::string &text) {
  if (text.starts_with("tma(") && text.ends_with(')'))
    return parseTensor(std::string_view(text).substr(4, text.size() - 5));
  std::string_view rest = text;
  size_t nameEnd = rest.find_first_of("[=");
  std::optional<Type> type = typeNamed(rest.substr(0, nameEnd));
  if (!type || bitsOf(*type) % 8 || bitsOf(*type) > 64)
    throw std::runtime_error("expected a type, as in u32=7 or f32[64]=iota");
  Argument argument = {*type, false, {}, 1, {}};
  rest.remove_prefix(std::min(nameEnd, rest.size()));
  if (rest.starts_with('[')) {
    argument.isBuffer = true;
    size_t end = rest.find(']');
    auto [at, error] = std::from_chars(rest.data() + 1,
                                       rest.data() + std::min(end, rest.size()),
                                       argument.count);
    if (end == std::string_view::npos || error != std::errc() ||
        at != rest.data() + end || argument.count == 0)
      throw std::runtime_error("expected a number of elements in [ ]");
    if (argument.count > mostBytes / (bitsOf(*type) / 8))
      throw std::runtime_error("a buffer of more than 4 GiB");
    rest.remove_prefix(end + 1);
  }
  if (rest.starts_with('='))
    fill(argument, rest.substr(1));
  else if (!rest.empty() || !argument.isBuffer)
    throw std::runtime_error("expected '=' and a value");
  return argument;
}

std::string elementText(Type type, const uint8_t *bytes) {
  uint64_t bits = 0;
  std::memcpy(&bits, bytes, bitsOf(type) / 8);
  char text[64];
  if (const Format *format = formatOf(type)) {
    double value = widen(*format, bits);
    // The shortest decimal that gives the same number, as f32 or as f64.
    auto [end, error] = type == Type::f64
                            ? std::to_chars(text, std::end(text), value)
                            : std::to_chars(text, std::end(text), float(value));
    return std::string(text, end);
  }
  if (isSigned(type)) {
    unsigned unused = 64 - bitsOf(type);
    return std::to_string(int64_t(bits << unused) >> unused);
  }
  if (nameOf(type)[0] == 'u')
    return std::to_string(bits);
  std::snprintf(text, sizeof text, "0x%0*llx", int(bitsOf(type) / 4),
                static_cast<unsigned long long>(bits));
  return text;
}

} // namespace ptx
