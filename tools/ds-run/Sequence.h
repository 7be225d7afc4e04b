//===- Sequence.h - one text that is being made ---------------*- C++ -*-===//
#ifndef TOOLS_DS_RUN_SEQUENCE_H
#define TOOLS_DS_RUN_SEQUENCE_H

#include "tools/ds-run/CommandLine.h"
#include "tools/ds-run/Support.h"

#include <span>

namespace tool {

/// Prompt, tokens chosen so far, and the text that is certain: held back where
/// a character is unfinished or a stop text may be beginning.
class Sequence {
public:
  /// `limit`: most tokens to generate; −1: no limit.
  Sequence(const ds_model_t *model, const RunCommand &command,
           std::vector<int32_t> prompt, int64_t limit);

  /// Chooses the next token from f32 logits[vocabulary]. False: the text has
  /// ended, see `finish`; the end-of-text token is not part of it.
  bool choose(const float *logits);
  /// Chooses a draft from f32 logits[vocabulary], to stand behind the text and
  /// the drafts before.
  void draft(const float *logits);
  /// How many drafts held, and how many tokens the text grew by.
  struct Settled {
    size_t held, added;
  };
  /// Takes the drafts that hold into the text, and one token more, as long as
  /// it has at most `most` tokens: by the model's rows behind the last token of
  /// the text and each draft, f32 [drafts + 1, vocabulary]. Forgets the drafts.
  Settled settle(const float *rows, size_t most);
  /// Ends the text.
  void end(const char *why);
  /// Text that became certain since the last call.
  std::string takeText();

  std::span<const int32_t> generated() const {
    return std::span(ids).subspan(promptCount);
  }
  bool done() const { return finish != nullptr; }

  std::vector<int32_t> ids; // prompt and what follows
  size_t promptCount;
  size_t fed = 0;                 // of ids, those in the cache
  int64_t limit;                  // of generated tokens, −1: none
  const char *finish = nullptr;   // "eos", "stop", "length" or "interrupted"
  std::vector<int32_t> drafts;    // behind ids, not checked yet
  std::vector<float> logits;      // rows that are to be written
  std::vector<float> draftLogits; // rows of drafts that are to be written
  std::vector<int32_t> draftPositions;     // places of these drafts in the text
  std::vector<std::vector<int32_t>> loads; // of the prompt's tokens, by router
  std::vector<float> hidden; // rows of the prompt that are to be written

private:
  bool isEnd(int32_t id) const;
  int32_t sample(const float *row);
  /// Adds a token to the text. False: it has ended.
  bool add(int32_t id);
  bool addText(const char *text, size_t bytes);

  const DsModel &facts;
  const RunCommand &command;
  Sampler sampler;
  Detokenizer detokenizer;      // null: the model carries no tokenizer
  std::vector<float> draftRows; // what chose the drafts
  std::string held, certain;
};

} // namespace tool

#endif // TOOLS_DS_RUN_SEQUENCE_H
