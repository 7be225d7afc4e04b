//===- TokenizerCheck.cpp - can the runtime read this tokenizer? ----------===//
#include "tools/ds-compile/TokenizerCheck.h"
#include "runtime/tokenizer/Tokenizer.h"
#include <exception>

std::string tool::findTokenizerProblem(const std::string &tokenizer,
                                       const std::string &config) {
  try {
    ds::Tokenizer::load(tokenizer, config);
    return "";
  } catch (const std::exception &error) {
    return error.what();
  }
}
