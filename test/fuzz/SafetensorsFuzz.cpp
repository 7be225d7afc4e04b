//===- SafetensorsFuzz.cpp - any bytes as a safetensors file --------------===//
//
// An accepted file must hold what the reader promises its callers: every range
// inside the file, as long as its type and shape say, none over another.
//
//===----------------------------------------------------------------------===//
#include "files/Error.h"
#include "files/Safetensors.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  files::SafetensorsHeader header;
  try {
    header = files::parseSafetensors({data, size}, "input");
  } catch (const files::Error &) {
    return 0; // refused, with a reason
  }
  uint64_t end = 8;
  for (const files::SafetensorsEntry &entry : header.entries) {
    if (entry.offset < end || entry.bytes > size ||
        entry.offset > size - entry.bytes ||
        files::fileBytes(entry.type, entry.dims) != entry.bytes)
      std::abort();
    end = entry.offset + entry.bytes;
    if (header.find(entry.name) == nullptr)
      std::abort();
  }
  return 0;
}
