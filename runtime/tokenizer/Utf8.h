//===- Utf8.h - code points and bytes -------------------------*- C++ -*-===//
#ifndef RUNTIME_TOKENIZER_UTF8_H
#define RUNTIME_TOKENIZER_UTF8_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ds {

/// Length of the valid UTF-8 sequence at the start of `bytes`; 0 if there is
/// none. With `isPrefix`, says whether more bytes could make it one.
size_t utf8Length(std::string_view bytes, bool *isPrefix = nullptr);

/// Appends code point `c` (valid) to `out`.
void appendUtf8(std::string &out, uint32_t c);

/// `bytes` with every maximal invalid part replaced by U+FFFD.
std::string lossyUtf8(std::string_view bytes);

/// The same appended to `out`. With `rest`, which may hold `bytes`, an
/// unfinished sequence at the end is left there instead.
void appendLossyUtf8(std::string &out, std::string_view bytes,
                     std::string *rest);

} // namespace ds

#endif // RUNTIME_TOKENIZER_UTF8_H
