//===- ElfCheck.cpp - is this file a whole shared library? ----------------===//

#include "ElfCheck.h"
#include "Error.h"
#include "files/MappedFile.h"

#include <cstring>
#include <elf.h>

namespace dsrt {

void checkElfFile(const std::string &path) {
  files::MappedFile file(path);
  std::span<const uint8_t> bytes = file.bytes();
  auto require = [&](bool holds, const char *what) {
    if (!holds)
      throw Error(DS_ERROR_FORMAT, "'" + path + "': " + what);
  };
  Elf64_Ehdr header;
  require(bytes.size() >= sizeof header &&
              std::memcmp(bytes.data(), ELFMAG, SELFMAG) == 0,
          "not a shared library");
  std::memcpy(&header, bytes.data(), sizeof header);
  require(header.e_ident[EI_CLASS] == ELFCLASS64 &&
              header.e_ident[EI_DATA] == ELFDATA2LSB &&
              header.e_machine == EM_X86_64 && header.e_type == ET_DYN,
          "not a shared library for x86-64");
  require(header.e_phentsize == sizeof(Elf64_Phdr) &&
              header.e_phoff <= bytes.size() &&
              header.e_phnum * sizeof(Elf64_Phdr) <=
                  bytes.size() - header.e_phoff,
          "truncated or damaged shared library");
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    std::memcpy(&segment, bytes.data() + header.e_phoff + i * sizeof segment,
                sizeof segment);
    require(segment.p_offset <= bytes.size() &&
                segment.p_filesz <= bytes.size() - segment.p_offset,
            "truncated or damaged shared library");
  }
}

} // namespace dsrt
