//===- Utf8.cpp - code points and bytes -----------------------------------===//
#include "runtime/tokenizer/Utf8.h"

size_t ds::utf8Length(std::string_view bytes, bool *isPrefix) {
  if (isPrefix)
    *isPrefix = false;
  if (bytes.empty())
    return 0;
  uint8_t first = uint8_t(bytes[0]);
  if (first < 0x80)
    return 1;
  size_t length;
  // The second byte's range excludes overlong forms, surrogates and code
  // points above U+10FFFF.
  uint8_t low = 0x80, high = 0xbf;
  if (first >= 0xc2 && first <= 0xdf) {
    length = 2;
  } else if (first >= 0xe0 && first <= 0xef) {
    length = 3;
    if (first == 0xe0)
      low = 0xa0;
    if (first == 0xed)
      high = 0x9f;
  } else if (first >= 0xf0 && first <= 0xf4) {
    length = 4;
    if (first == 0xf0)
      low = 0x90;
    if (first == 0xf4)
      high = 0x8f;
  } else {
    return 0;
  }
  for (size_t i = 1; i < length; ++i) {
    if (i == bytes.size()) {
      if (isPrefix)
        *isPrefix = true;
      return 0;
    }
    uint8_t byte = uint8_t(bytes[i]);
    if (byte < low || byte > high)
      return 0;
    low = 0x80;
    high = 0xbf;
  }
  return length;
}

void ds::appendUtf8(std::string &out, uint32_t c) {
  if (c < 0x80) {
    out += char(c);
  } else if (c < 0x800) {
    out += char(0xc0 | (c >> 6));
    out += char(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    out += char(0xe0 | (c >> 12));
    out += char(0x80 | ((c >> 6) & 0x3f));
    out += char(0x80 | (c & 0x3f));
  } else {
    out += char(0xf0 | (c >> 18));
    out += char(0x80 | ((c >> 12) & 0x3f));
    out += char(0x80 | ((c >> 6) & 0x3f));
    out += char(0x80 | (c & 0x3f));
  }
}

std::string ds::lossyUtf8(std::string_view bytes) {
  std::string out;
  appendLossyUtf8(out, bytes, nullptr);
  return out;
}

void ds::appendLossyUtf8(std::string &out, std::string_view bytes,
                         std::string *rest) {
  while (!bytes.empty()) {
    bool isPrefix;
    size_t length = utf8Length(bytes, &isPrefix);
    if (length > 0) {
      out += bytes.substr(0, length);
      bytes.remove_prefix(length);
      continue;
    }
    if (isPrefix && rest)
      break;
    // The longest part that begins a sequence counts as one error.
    size_t bad = 1;
    while (bad < bytes.size() && bad < 4) {
      bool more;
      utf8Length(bytes.substr(0, bad + 1), &more);
      bool begins;
      utf8Length(bytes.substr(0, bad), &begins);
      if (!begins || !more)
        break;
      ++bad;
    }
    out += "\xef\xbf\xbd";
    bytes.remove_prefix(bad);
  }
  if (rest) {
    char unfinished[4]; // at most three bytes
    size_t count = bytes.copy(unfinished, sizeof unfinished);
    rest->assign(unfinished, count);
  }
}
