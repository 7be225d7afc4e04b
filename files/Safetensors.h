//===- Safetensors.h - reading and writing safetensors --------------------===//
//
// The one file format of the project: weights, inputs and outputs of graph
// mode, logits and states of ds-run. A file is
//
//     u64 n (little endian) | n bytes of JSON | data
//
// and the JSON maps names to {dtype, shape, data_offsets: [begin, end)} counted
// from the start of the data, plus an optional "__metadata__" of strings.
//
// The reader trusts nothing: it is a fuzz target (test/fuzz). Beyond the
// format's own rules it accepts gaps of fewer than 64 bytes between tensors,
// because weights are aligned to cache lines.
//
//===----------------------------------------------------------------------===//
#ifndef FILES_SAFETENSORS_H
#define FILES_SAFETENSORS_H

#include "MappedFile.h"
#include "Types.h"

#include <cstdio>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace files {

/// Longest JSON header that is read, as in the format's own implementation.
inline constexpr uint64_t maxSafetensorsHeader = 100'000'000;

struct SafetensorsEntry {
  std::string name;
  DsType type;
  std::vector<int64_t> dims;
  uint64_t offset; // from the first byte of the file
  uint64_t bytes;
};

/// The checked header of a file.
struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries; // by offset
  std::map<std::string, std::string> metadata;

  /// Null if there is none of this name.
  const SafetensorsEntry *find(std::string_view name) const;
};

/// Checks and reads the header of a whole file in memory. `where` is put in
/// front of messages. Throws Error(Fault::Format): header length past the end
/// or too long, bad JSON, a name twice, unknown type, sizes that overflow or do
/// not match their range, ranges that overlap, leave holes or end beyond the
/// file.
SafetensorsHeader parseSafetensors(std::span<const uint8_t> file,
                                   const std::string &where);

/// A mapped file with its header.
class SafetensorsFile {
public:
  /// Throws Error(Fault::File) or what parseSafetensors() throws.
  explicit SafetensorsFile(const std::string &path);

  const SafetensorsHeader &header() const { return parsed; }
  const void *data(const SafetensorsEntry &entry) const {
    return file.bytes().data() + entry.offset;
  }

private:
  MappedFile file;
  SafetensorsHeader parsed;
};

/// Writes a file tensor by tensor, so that memory does not grow with it. The
/// file appears under its name only when finish() has succeeded; before, and
/// for ever after a failure, nothing is left behind. (A path that exists and is
/// not a regular file, such as /dev/full, is written to directly.)
class SafetensorsWriter {
public:
  struct Spec {
    std::string name;
    DsType type;
    std::vector<int64_t> dims;
  };

  /// Writes the header. `specs` in the order in which data will come. Throws
  /// Error(Fault::File) as all others.
  SafetensorsWriter(const std::string &path, const std::vector<Spec> &specs);
  SafetensorsWriter(const SafetensorsWriter &) = delete;
  SafetensorsWriter &operator=(const SafetensorsWriter &) = delete;
  ~SafetensorsWriter();

  /// The next bytes of the data; pieces need not coincide with tensors.
  void write(const void *data, size_t bytes);
  /// Checks that all announced bytes came, closes and gives the file its name.
  void finish();

private:
  [[noreturn]] void fail(const std::string &what);
  std::string path;
  std::string temporary; // empty: written to directly
  std::FILE *stream = nullptr;
  uint64_t expected = 0;
  uint64_t written = 0;
};

} // namespace files

#endif // FILES_SAFETENSORS_H
