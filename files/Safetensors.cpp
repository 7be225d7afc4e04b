//===- Safetensors.cpp - reading and writing safetensors ------------------===//

#include "Safetensors.h"
#include "Error.h"
#include "Json.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/stat.h>
#include <unistd.h>

namespace files {

using Json = nlohmann::json;

//===----------------------------------------------------------------------===//
// Reader
//===----------------------------------------------------------------------===//

const SafetensorsEntry *SafetensorsHeader::find(std::string_view name) const {
  for (const SafetensorsEntry &entry : entries)
    if (entry.name == name)
      return &entry;
  return nullptr;
}

namespace {

/// Parses one header; keeps what messages need.
class HeaderParser {
public:
  HeaderParser(std::span<const uint8_t> file, const std::string &where)
      : file(file), where(where) {}

  SafetensorsHeader parse() {
    readLength();
    Json json = readJson();
    for (const auto &[name, value] : json.items()) {
      if (name == "__metadata__")
        readMetadata(value);
      else
        readEntry(name, value);
    }
    checkRanges();
    return std::move(header);
  }

private:
  [[noreturn]] void fail(const std::string &what) const {
    throw Error(Fault::Format, where + ": " + what);
  }
  [[noreturn]] void failAt(const std::string &name,
                           const std::string &what) const {
    fail("tensor " + shown(name) + ": " + what);
  }

  void readLength() {
    if (file.size() < 8)
      fail("not a safetensors file: " + std::to_string(file.size()) +
           " bytes, the header's length alone takes 8");
    uint64_t length = 0;
    for (int i = 7; i >= 0; --i)
      length = length << 8 | file[i];
    if (length > maxSafetensorsHeader)
      fail("not a safetensors file: header length " + std::to_string(length) +
           " is above the format's limit of " +
           std::to_string(maxSafetensorsHeader));
    if (length > file.size() - 8)
      fail("truncated: the header takes " + std::to_string(length) +
           " bytes, the file has " + std::to_string(file.size() - 8) +
           " after its length");
    dataStart = 8 + length;
  }

  Json readJson() {
    std::span<const uint8_t> text = file.subspan(8, dataStart - 8);
    // Tensors, their facts, and the two lists among these.
    return parseJsonObject(
        {reinterpret_cast<const char *>(text.data()), text.size()},
        where + ": header", 3);
  }

  void readMetadata(const Json &value) {
    if (!value.is_object())
      fail("header: __metadata__ is not an object");
    for (const auto &[key, text] : value.items()) {
      if (!text.is_string())
        fail("header: __metadata__ holds a value that is not a string");
      header.metadata[key] = text.get<std::string>();
    }
  }

  /// A JSON integer in [0, 2^63).
  int64_t readSize(const std::string &name, const Json &value,
                   const char *what) const {
    if (!value.is_number_unsigned() || value.get<uint64_t>() > INT64_MAX)
      failAt(name, std::string(what) + " is not a size");
    return static_cast<int64_t>(value.get<uint64_t>());
  }

  void readEntry(const std::string &name, const Json &value) {
    if (!value.is_object())
      failAt(name, "not described by an object");
    auto type = value.find("dtype");
    auto shape = value.find("shape");
    auto range = value.find("data_offsets");
    if (type == value.end() || !type->is_string() || shape == value.end() ||
        !shape->is_array() || range == value.end() || !range->is_array() ||
        range->size() != 2)
      failAt(name, "needs dtype, shape and data_offsets [begin, end]");

    SafetensorsEntry entry;
    entry.name = name;
    std::optional<DsType> known = typeFromName(type->get<std::string>());
    if (!known)
      failAt(name, "unknown dtype " + shown(type->get<std::string>()));
    entry.type = *known;
    if (shape->size() > 64)
      failAt(name, "rank " + std::to_string(shape->size()) + " is above 64");
    for (const Json &dim : *shape)
      entry.dims.push_back(readSize(name, dim, "a dimension"));
    uint64_t begin = readSize(name, (*range)[0], "begin of data_offsets");
    uint64_t end = readSize(name, (*range)[1], "end of data_offsets");
    uint64_t dataBytes = file.size() - dataStart;
    if (begin > end || end > dataBytes)
      failAt(name, "range [" + std::to_string(begin) + ", " +
                       std::to_string(end) + ") leaves the file's " +
                       std::to_string(dataBytes) + " data bytes");
    entry.offset = dataStart + begin;
    entry.bytes = end - begin;
    std::optional<uint64_t> want = fileBytes(entry.type, entry.dims);
    if (!want || *want != entry.bytes)
      failAt(name, std::string(typeName(entry.type)) + " " +
                       shapeText(entry.dims) + " takes " +
                       (want ? std::to_string(*want) : "too many") +
                       " bytes, its range has " + std::to_string(entry.bytes));
    header.entries.push_back(std::move(entry));
  }

  /// Tensors lie side by side: no overlap, no hole beyond alignment, nothing
  /// behind the last.
  void checkRanges() {
    std::sort(header.entries.begin(), header.entries.end(),
              [](const SafetensorsEntry &a, const SafetensorsEntry &b) {
                return std::tie(a.offset, a.bytes, a.name) <
                       std::tie(b.offset, b.bytes, b.name);
              });
    uint64_t end = dataStart;
    for (const SafetensorsEntry &entry : header.entries) {
      if (entry.offset < end)
        failAt(entry.name, "overlaps the tensor before it");
      if (entry.offset - end >= 64)
        failAt(entry.name, "follows a hole of " +
                               std::to_string(entry.offset - end) + " bytes");
      end = entry.offset + entry.bytes;
    }
    if (file.size() - end >= 64)
      fail(std::to_string(file.size() - end) +
           " bytes behind the last tensor belong to none");
  }

  std::span<const uint8_t> file;
  const std::string &where;
  uint64_t dataStart = 0;
  SafetensorsHeader header;
};

} // namespace

SafetensorsHeader parseSafetensors(std::span<const uint8_t> file,
                                   const std::string &where) {
  return HeaderParser(file, where).parse();
}

SafetensorsFile::SafetensorsFile(const std::string &path)
    : file(path), parsed(parseSafetensors(file.bytes(), "'" + path + "'")) {}

//===----------------------------------------------------------------------===//
// Writer
//===----------------------------------------------------------------------===//

SafetensorsWriter::SafetensorsWriter(const std::string &path,
                                     const std::vector<Spec> &specs)
    : path(path) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const Spec &spec : specs) {
    std::optional<uint64_t> bytes = fileBytes(spec.type, spec.dims);
    if (!bytes || json.contains(spec.name))
      throw Error(Fault::Argument, "'" + path + "': tensor '" + spec.name +
                                       "' is named twice or has no size");
    json[spec.name] = {{"dtype", typeName(spec.type)},
                       {"shape", spec.dims},
                       {"data_offsets", {expected, expected + *bytes}}};
    expected += *bytes;
  }
  // Names of a graph may be any bytes; JSON must be UTF-8.
  std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  text.resize((text.size() + 8 + 63) / 64 * 64 - 8, ' ');

  struct stat info;
  bool direct = ::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode);
  if (!direct)
    temporary = path + ".tmp" + std::to_string(::getpid());
  const std::string &target = direct ? path : temporary;
  stream = std::fopen(target.c_str(), "wbe");
  if (!stream) {
    temporary.clear(); // not ours to remove
    fail(std::string("cannot write: ") + std::strerror(errno));
  }
  uint8_t length[8];
  for (int i = 0; i < 8; ++i)
    length[i] =
        static_cast<uint8_t>(static_cast<uint64_t>(text.size()) >> (8 * i));
  if (std::fwrite(length, 1, 8, stream) != 8 ||
      std::fwrite(text.data(), 1, text.size(), stream) != text.size())
    fail(std::string("cannot write: ") + std::strerror(errno));
}

SafetensorsWriter::~SafetensorsWriter() {
  if (stream)
    std::fclose(stream);
  if (!temporary.empty())
    ::unlink(temporary.c_str());
}

void SafetensorsWriter::fail(const std::string &what) {
  // A constructor that throws runs no destructor.
  if (stream)
    std::fclose(stream);
  stream = nullptr;
  if (!temporary.empty())
    ::unlink(temporary.c_str());
  temporary.clear();
  throw Error(Fault::File, "'" + path + "': " + what);
}

void SafetensorsWriter::write(const void *data, size_t bytes) {
  if (bytes > expected - written)
    fail("more data than its header announces");
  if (bytes && std::fwrite(data, 1, bytes, stream) != bytes)
    fail(std::string("cannot write: ") + std::strerror(errno));
  written += bytes;
}

void SafetensorsWriter::finish() {
  if (written != expected)
    fail("less data than its header announces");
  std::FILE *closing = stream;
  stream = nullptr;
  bool flushed = std::fflush(closing) == 0;
  int reason = errno;
  if (std::fclose(closing) != 0 && flushed) {
    flushed = false;
    reason = errno;
  }
  if (!flushed)
    fail(std::string("cannot write: ") + std::strerror(reason));
  if (!temporary.empty() && std::rename(temporary.c_str(), path.c_str()) != 0)
    fail(std::string("cannot write: ") + std::strerror(errno));
  temporary.clear();
}

} // namespace files
