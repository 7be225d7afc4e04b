//===- PreTokenizer.h - where text may be cut before BPE ------*- C++ -*-===//
#ifndef RUNTIME_TOKENIZER_PRETOKENIZER_H
#define RUNTIME_TOKENIZER_PRETOKENIZER_H

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ds {

/// A part of a text: [begin, end) in bytes.
struct Piece {
  size_t begin, end;
};

/// One stage of the `pre_tokenizer` of a tokenizer.json.
class PreTokenizer {
public:
  virtual ~PreTokenizer() = default;
  /// Cuts `piece` of `text` and appends the parts to `out`.
  virtual void cut(std::string_view text, Piece piece,
                   std::vector<Piece> &out) const = 0;
};

/// The stages described by `json` (the text of the `pre_tokenizer` member; null
/// gives none), in order. Throws std::runtime_error naming what is not
/// supported.
std::vector<std::unique_ptr<PreTokenizer>>
makePreTokenizers(const std::string &json);

} // namespace ds

#endif // RUNTIME_TOKENIZER_PRETOKENIZER_H
