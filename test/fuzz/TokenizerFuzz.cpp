//===- TokenizerFuzz.cpp - any text as tokenizer.json ---------------------===//
//
// What loads must tokenise any text into ids it knows, whose bytes it gives
// back without a crash. The input is tokenizer.json, a line of NUL, a text.
//
//===----------------------------------------------------------------------===//
#include "runtime/tokenizer/Tokenizer.h"

#include <cstdlib>
#include <stdexcept>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string_view input(reinterpret_cast<const char *>(data), size);
  size_t cut = std::min(input.find('\0'), size);
  std::string_view text = input.substr(std::min(cut + 1, size));
  try {
    auto tokenizer = ds::Tokenizer::load(std::string(input.substr(0, cut)), "");
    std::vector<int32_t> ids = tokenizer->encode(text, true);
    for (int32_t id : tokenizer->encode(text, false))
      if (id < 0 || id >= tokenizer->size())
        std::abort();
    ds::StreamingDecoder decoder(*tokenizer, true);
    std::string part, streamed;
    for (int32_t id : ids) {
      decoder.next(id, part);
      streamed += part;
    }
    decoder.finish(part);
    if (streamed + part != tokenizer->decode(ids, true))
      std::abort();
  } catch (const std::runtime_error &) {
    return 0; // refused, with a reason
  }
  return 0;
}
