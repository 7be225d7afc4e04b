//===- TokenizerCheck.h - can the runtime read this tokenizer? -*- C++ -*-===//
//
// Asked of the runtime's own reader when the model is compiled, not when the
// first text is given to it.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_DS_COMPILE_TOKENIZERCHECK_H
#define TOOLS_DS_COMPILE_TOKENIZERCHECK_H

#include <string>

namespace tool {

/// What the runtime has against the texts of a tokenizer.json and its
/// tokenizer_config.json (may be empty); empty where it reads them.
std::string findTokenizerProblem(const std::string &tokenizer,
                                 const std::string &config);

} // namespace tool

#endif // TOOLS_DS_COMPILE_TOKENIZERCHECK_H
