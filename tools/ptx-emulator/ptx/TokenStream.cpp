//===- TokenStream.cpp - what both parsers do with tokens -----------------===//
#include "tools/ptx-emulator/ptx/TokenStream.h"

#include <algorithm>

namespace ptx {

/// More bytes than any state space has: an array of so many is a mistake.
static constexpr uint64_t mostBytes = uint64_t(1) << 40;

void TokenStream::unexpected(const char *expected) const {
  std::string found = current.kind == TokenKind::End
                          ? "the end of the text"
                          : "'" + std::string(current.text) + "'";
  throw Error(current.line,
              std::string("expected ") + expected + ", found " + found);
}

void TokenStream::expect(char mark) {
  if (!takeIf(mark))
    unexpected((std::string("'") + mark + "'").c_str());
}

std::string TokenStream::name(const char *what) {
  if (current.kind != TokenKind::Name || current.text[0] == '.')
    unexpected(what);
  return std::string(take().text);
}

int64_t TokenStream::integer(const char *what) {
  bool isNegative = takeIf('-');
  if (current.kind != TokenKind::Integer)
    unexpected(what);
  uint64_t bits = take().bits;
  return int64_t(isNegative ? 0 - bits : bits);
}

uint64_t TokenStream::integer(const char *what, uint64_t least, uint64_t most) {
  int at = line();
  if (current.kind != TokenKind::Integer)
    unexpected(what);
  uint64_t value = take().bits;
  if (value < least || value > most)
    throw Error(at, std::string(what) + " is " + std::to_string(value) +
                        ", expected " + std::to_string(least) + " to " +
                        std::to_string(most));
  return value;
}

std::string_view TokenStream::string(const char *what) {
  if (current.kind != TokenKind::String)
    unexpected(what);
  return take().text;
}

void skipPragma(TokenStream &tokens) {
  do
    tokens.string("a pragma in quotes");
  while (tokens.takeIf(','));
  tokens.expect(';');
}

static unsigned parseAlignment(TokenStream &tokens) {
  int line = tokens.line();
  uint64_t value = tokens.integer("an alignment", 1, 1 << 20);
  if (value & (value - 1))
    throw Error(line,
                "alignment " + std::to_string(value) + " is no power of two");
  return unsigned(value);
}

Declaration parseDeclaration(TokenStream &tokens) {
  Declaration result = {Type::b8, 1, 0};
  bool hasType = false;
  while (tokens.peek().kind == TokenKind::Name &&
         tokens.peek().text[0] == '.') {
    int line = tokens.line();
    std::string_view text = tokens.take().text;
    std::optional<Type> type = typeNamed(text.substr(1));
    if (text == ".align") {
      result.alignment = parseAlignment(tokens);
    } else if (text == ".v2" || text == ".v4") {
      result.vectorSize = unsigned(text[2] - '0');
    } else if (text == ".ptr") {
      // What a parameter points to; the address says it again.
      for (const char *space : {".global", ".const", ".shared", ".local"})
        if (tokens.takeIf(space))
          break;
      if (tokens.takeIf(".align"))
        parseAlignment(tokens);
    } else if (type && !hasType) {
      result.type = *type;
      hasType = true;
    } else {
      throw Error(line,
                  "'" + std::string(text) + "' is not known in a declaration");
    }
  }
  if (!hasType)
    tokens.unexpected("a type");
  if (!result.alignment)
    result.alignment =
        std::max(1u, bitsOf(result.type) / 8 * result.vectorSize);
  return result;
}

Variable parseVariable(TokenStream &tokens, Space space,
                       const Declaration &declaration) {
  Variable result;
  result.line = tokens.line();
  result.space = space;
  result.type = declaration.type;
  result.vectorSize = declaration.vectorSize;
  result.alignment = declaration.alignment;
  result.name = tokens.name("the name of a variable");
  if (bitsOf(result.type) < 8)
    throw Error(result.line,
                "a variable of type ." + std::string(nameOf(result.type)));
  uint64_t least = bitsOf(result.type) / 8 * result.vectorSize;
  while (tokens.takeIf('[')) {
    if (tokens.takeIf(']')) {
      result.count = 0;
      continue;
    }
    uint64_t size = tokens.integer("the size of an array", 0, mostBytes);
    if (size && result.count > mostBytes / least / size)
      throw Error(result.line, "variable '" + result.name + "' is too large");
    result.count *= size;
    tokens.expect(']');
  }
  return result;
}

} // namespace ptx
