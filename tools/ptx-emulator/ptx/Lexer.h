//===- Lexer.h - PTX text as tokens ---------------------------*- C++ -*-===//
//
// Names hold their dots: ".param", "ld.global.v2.f32" and "%tid.x" are one
// token each, "::" included, so that an instruction is a name and operands.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_PTX_EMULATOR_PTX_LEXER_H
#define TOOLS_PTX_EMULATOR_PTX_LEXER_H

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace ptx {

/// Whether a text is no PTX that is known, or is PTX of a version or for a
/// target that is not.
enum class ErrorKind : uint8_t { Invalid, Version, Target };

/// What is wrong with a text, and in which of its lines (from 1).
class Error : public std::runtime_error {
public:
  Error(int line, const std::string &what, ErrorKind kind = ErrorKind::Invalid)
      : std::runtime_error("line " + std::to_string(line) + ": " + what),
        line(line), kind(kind) {}
  int line;
  ErrorKind kind;
};

enum class TokenKind : uint8_t {
  Name,    // identifier or directive, dots inside
  Integer, // decimal, 0x, 0b, octal; perhaps with U
  Float,   // 0f and 8 digits (32 bits), 0d and 16 (64), or decimal
  String,  // without its quotes
  Mark,    // one character: , ; : ( ) { } [ ] < > = + - @ ! | ~ *
  End
};

struct Token {
  TokenKind kind = TokenKind::End;
  std::string_view text; // of the source
  int line = 1;
  /// Of an Integer its value; of a Float its bits.
  uint64_t bits = 0;
  /// Whether a Float was written with 0f: 32 bits.
  bool isSingle = false;

  bool is(char mark) const {
    return kind == TokenKind::Mark && text[0] == mark;
  }
  bool isName(std::string_view name) const {
    return kind == TokenKind::Name && text == name;
  }
};

/// Walks a text, whose bytes outlive the tokens.
class Lexer {
public:
  explicit Lexer(std::string_view source) : rest(source) {}
  /// The next token; throws Error for what begins none.
  Token next();

private:
  void skipBlanks();
  Token number();

  std::string_view rest;
  int line = 1;
};

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_PTX_LEXER_H
