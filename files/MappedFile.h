//===- MappedFile.h - a file mapped for reading ---------------------------===//
#ifndef FILES_MAPPEDFILE_H
#define FILES_MAPPEDFILE_H

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace files {

/// A regular file mapped read-only. Movable; unmapped by the destructor.
class MappedFile {
public:
  MappedFile() = default;
  /// Throws Error(Fault::File) naming the path and the system's reason.
  explicit MappedFile(const std::string &path);
  MappedFile(MappedFile &&other) noexcept { swap(other); }
  MappedFile &operator=(MappedFile &&other) noexcept {
    swap(other);
    return *this;
  }
  ~MappedFile();

  std::span<const uint8_t> bytes() const { return {data, size}; }

private:
  void swap(MappedFile &other) {
    std::swap(data, other.data);
    std::swap(size, other.size);
  }
  const uint8_t *data = nullptr;
  size_t size = 0;
};

} // namespace files

#endif // FILES_MAPPEDFILE_H
