//===- TokenStream.h - what both parsers do with tokens -------*- C++ -*-===//
//
// Private to the parser of modules and that of functions.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_PTX_EMULATOR_PTX_TOKENSTREAM_H
#define TOOLS_PTX_EMULATOR_PTX_TOKENSTREAM_H

#include "tools/ptx-emulator/ptx/Lexer.h"
#include "tools/ptx-emulator/ptx/Module.h"

namespace ptx {

class TokenStream {
public:
  explicit TokenStream(std::string_view source)
      : lexer(source), current(lexer.next()) {}

  const Token &peek() const { return current; }
  int line() const { return current.line; }
  Token take() {
    Token token = current;
    current = lexer.next();
    return token;
  }
  bool takeIf(char mark) {
    if (!current.is(mark))
      return false;
    take();
    return true;
  }
  bool takeIf(std::string_view name) {
    if (!current.isName(name))
      return false;
    take();
    return true;
  }
  void expect(char mark);
  /// A name that begins with no dot.
  std::string name(const char *what);
  /// A whole number, perhaps with a sign.
  int64_t integer(const char *what);
  /// One from `least` to `most`.
  uint64_t integer(const char *what, uint64_t least, uint64_t most);
  std::string_view string(const char *what);
  [[noreturn]] void unexpected(const char *expected) const;

private:
  Lexer lexer;
  Token current;
};

/// Reads what follows .pragma; none changes what a program means.
void skipPragma(TokenStream &tokens);

/// Reads what may follow a state space up to the type of a variable or
/// parameter: .align, .v2, .v4, .ptr with its space and alignment, the type.
struct Declaration {
  Type type;
  unsigned vectorSize, alignment;
};
Declaration parseDeclaration(TokenStream &tokens);

/// Reads the name of a variable and its dimensions.
Variable parseVariable(TokenStream &tokens, Space space,
                       const Declaration &declaration);

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_PTX_TOKENSTREAM_H
