//===- Tokenizer.h - text to token ids and back ---------------*- C++ -*-===//
//
// Byte-level BPE as a Hugging Face tokenizer.json describes it.
//
//===----------------------------------------------------------------------===//
#ifndef RUNTIME_TOKENIZER_TOKENIZER_H
#define RUNTIME_TOKENIZER_TOKENIZER_H

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ds {

/// Thread safety: all const functions may be called from several threads.
class Tokenizer {
public:
  /// From the texts of tokenizer.json and tokenizer_config.json (may be empty).
  /// Throws std::runtime_error that names what is missing or not supported.
  static std::unique_ptr<Tokenizer> load(const std::string &tokenizer,
                                         const std::string &config);
  virtual ~Tokenizer() = default;

  /// Ids of `text`, which may hold special tokens. With `addSpecial`, also what
  /// the post-processor puts around it. Invalid UTF-8 counts as U+FFFD.
  virtual std::vector<int32_t> encode(std::string_view text,
                                      bool addSpecial) const = 0;
  /// The prompt of a text: with BOS once, as `add_bos_token` of the
  /// configuration says, else as the post-processor does.
  virtual std::vector<int32_t> encodePrompt(std::string_view text) const = 0;

  /// Bytes of one token; empty for a special one if `skipSpecial`, and for an
  /// id that there is none for. Lives as long as the tokenizer.
  virtual std::string_view bytesOf(int32_t id, bool skipSpecial) const = 0;
  /// Text of `ids`; bytes that are no UTF-8 become U+FFFD.
  std::string decode(const std::vector<int32_t> &ids, bool skipSpecial) const;

  /// One more than the largest id: ids from here on must never be chosen.
  virtual int32_t size() const = 0;
  /// The id of a token by its text.
  virtual std::optional<int32_t> idOf(std::string_view token) const = 0;
  /// Text of the BOS and EOS tokens; empty if the configuration names none.
  virtual std::string bosText() const = 0;
  virtual std::string eosText() const = 0;
  /// The chat template that the special tokens and the configuration speak:
  /// v1, v3 or r1 (v2 writes what v1 does).
  virtual std::string chatTemplate() const = 0;
};

/// Decodes ids as they come; holds back bytes until a character is whole.
class StreamingDecoder {
public:
  StreamingDecoder(const Tokenizer &tokenizer, bool skipSpecial)
      : tokenizer(tokenizer), skipSpecial(skipSpecial) {}
  /// Sets `text` to what `id` completes.
  void next(int32_t id, std::string &text);
  /// Sets `text` to what is left at the end: an unfinished character becomes
  /// U+FFFD.
  void finish(std::string &text);

private:
  const Tokenizer &tokenizer;
  bool skipSpecial;
  std::string pending;
};

} // namespace ds

#endif // RUNTIME_TOKENIZER_TOKENIZER_H
