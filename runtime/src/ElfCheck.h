//===- ElfCheck.h - is this file a whole shared library? ------------------===//
#ifndef DS_RUNTIME_SRC_ELFCHECK_H
#define DS_RUNTIME_SRC_ELFCHECK_H

#include <string>

namespace dsrt {

/// Throws Error(DS_ERROR_FORMAT) unless the file is an x86-64 shared library
/// whose segments all lie inside it. The system's loader maps segments without
/// comparing them with the size of the file: a truncated library would end the
/// process with SIGBUS.
void checkElfFile(const std::string &path);

} // namespace dsrt

#endif // DS_RUNTIME_SRC_ELFCHECK_H
