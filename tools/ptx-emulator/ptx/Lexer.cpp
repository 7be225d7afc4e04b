//===- Lexer.cpp - PTX text as tokens -------------------------------------===//
#include "tools/ptx-emulator/ptx/Lexer.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>

namespace ptx {

static bool isDigit(char c) { return c >= '0' && c <= '9'; }
static bool isLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static bool beginsName(char c) {
  return isLetter(c) || c == '_' || c == '$' || c == '%' || c == '.';
}
static bool continuesName(char c) {
  return isLetter(c) || isDigit(c) || c == '_' || c == '$' || c == '.';
}

void Lexer::skipBlanks() {
  auto skip = [&](size_t count) {
    line += int(std::count(rest.begin(), rest.begin() + count, '\n'));
    rest.remove_prefix(count);
  };
  while (!rest.empty()) {
    if (rest[0] == ' ' || rest[0] == '\t' || rest[0] == '\r' ||
        rest[0] == '\n' || rest[0] == '\f' || rest[0] == '\v') {
      skip(1);
    } else if (rest.starts_with("//")) {
      skip(std::min(rest.find('\n'), rest.size()));
    } else if (rest.starts_with("/*")) {
      size_t end = rest.find("*/", 2);
      if (end == std::string_view::npos)
        throw Error(line, "a comment without its end");
      skip(end + 2);
    } else {
      return;
    }
  }
}

Token Lexer::number() {
  Token token;
  token.line = line;
  size_t length = 1;
  auto take = [&](auto is) {
    while (length < rest.size() && is(rest[length]))
      ++length;
  };
  auto isHex = [](char c) {
    return isDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  };
  char second = rest.size() > 1 ? rest[1] : ' ';
  auto fail = [&](const char *what) {
    throw Error(line, std::string(what) + " '" +
                          std::string(rest.substr(0, length)) + "'");
  };
  auto parse = [&](std::string_view digits, int base) {
    auto [end, error] = std::from_chars(
        digits.data(), digits.data() + digits.size(), token.bits, base);
    if (digits.empty() || error != std::errc() ||
        end != digits.data() + digits.size())
      fail("a number that is none or needs more than 64 bits:");
  };
  if (rest[0] == '0' &&
      (second == 'f' || second == 'F' || second == 'd' || second == 'D')) {
    token.kind = TokenKind::Float;
    token.isSingle = second == 'f' || second == 'F';
    length = 2;
    take(isHex);
    if (length != (token.isSingle ? 10u : 18u))
      fail("a float that has not 8 digits behind 0f or 16 behind 0d:");
    parse(rest.substr(2, length - 2), 16);
  } else if (rest[0] == '0' && (second == 'x' || second == 'X')) {
    token.kind = TokenKind::Integer;
    length = 2;
    take(isHex);
    parse(rest.substr(2, length - 2), 16);
  } else if (rest[0] == '0' && (second == 'b' || second == 'B')) {
    token.kind = TokenKind::Integer;
    length = 2;
    take(isDigit);
    parse(rest.substr(2, length - 2), 2);
  } else {
    take(isDigit);
    bool isDecimalFloat =
        length < rest.size() &&
        (rest[length] == '.' || rest[length] == 'e' || rest[length] == 'E');
    if (isDecimalFloat) {
      token.kind = TokenKind::Float;
      double value = 0;
      auto [end, error] =
          std::from_chars(rest.data(), rest.data() + rest.size(), value);
      length = size_t(end - rest.data());
      if (error != std::errc())
        fail("a float out of range:");
      token.bits = std::bit_cast<uint64_t>(value);
    } else {
      token.kind = TokenKind::Integer;
      bool isOctal = rest[0] == '0' && length > 1;
      parse(rest.substr(0, length), isOctal ? 8 : 10);
    }
  }
  if (token.kind == TokenKind::Integer && length < rest.size() &&
      rest[length] == 'U')
    ++length;
  if (length < rest.size() && continuesName(rest[length])) {
    take(continuesName);
    fail("a number with other characters behind it:");
  }
  token.text = rest.substr(0, length);
  rest.remove_prefix(length);
  return token;
}

Token Lexer::next() {
  skipBlanks();
  Token token;
  token.line = line;
  if (rest.empty())
    return token;
  char first = rest[0];
  if (isDigit(first))
    return number();
  if (first == '"') {
    size_t end = rest.find_first_of("\"\n", 1);
    if (end == std::string_view::npos || rest[end] == '\n')
      throw Error(line, "a string without its end");
    token.kind = TokenKind::String;
    token.text = rest.substr(1, end - 1);
    rest.remove_prefix(end + 1);
    return token;
  }
  size_t length = 1;
  if (beginsName(first)) {
    // "a::b" is one modifier; "label:" is a name and a mark.
    while (length < rest.size()) {
      if (continuesName(rest[length]))
        ++length;
      else if (rest.substr(length).starts_with("::"))
        length += 2;
      else
        break;
    }
    token.kind = TokenKind::Name;
  } else if (std::string_view(",;:(){}[]<>=+-@!|~*").find(first) !=
             std::string_view::npos) {
    token.kind = TokenKind::Mark;
  } else {
    std::string shown = first >= ' ' && first <= '~'
                            ? std::string(1, first)
                            : "byte " + std::to_string(uint8_t(first));
    throw Error(line, "'" + shown + "' begins nothing in PTX");
  }
  token.text = rest.substr(0, length);
  rest.remove_prefix(length);
  return token;
}

} // namespace ptx
