//===- MappedFile.cpp - a file mapped for reading -------------------------===//

#include "MappedFile.h"
#include "Error.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace files {

MappedFile::MappedFile(const std::string &path) {
  auto fail = [&](const std::string &what) {
    throw Error(Fault::File, "'" + path + "': " + what);
  };
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    fail(std::string("cannot open: ") + std::strerror(errno));
  struct stat info;
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(fd);
    fail("not a regular file");
  }
  size = static_cast<size_t>(info.st_size);
  if (size) {
    void *mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    int reason = errno;
    ::close(fd);
    if (mapped == MAP_FAILED) {
      size = 0;
      fail(std::string("cannot map: ") + std::strerror(reason));
    }
    data = static_cast<const uint8_t *>(mapped);
  } else {
    ::close(fd);
  }
}

MappedFile::~MappedFile() {
  if (data)
    ::munmap(const_cast<uint8_t *>(data), size);
}

} // namespace files
