//===- PreTokenizer.cpp - where text may be cut before BPE ----------------===//
#define PCRE2_CODE_UNIT_WIDTH 8
#include "runtime/tokenizer/PreTokenizer.h"
#include <nlohmann/json.hpp>
#include <pcre2.h>
#include <stdexcept>

using nlohmann::json;

namespace ds {
namespace {

enum class Behaviour {
  Removed,
  Isolated,
  MergedWithPrevious,
  MergedWithNext,
  Contiguous
};

std::string errorText(int code) {
  PCRE2_UCHAR text[256];
  pcre2_get_error_message(code, text, sizeof(text));
  return reinterpret_cast<const char *>(text);
}

/// Cuts at the matches of a regular expression.
class Split : public PreTokenizer {
public:
  Split(const std::string &pattern, Behaviour behaviour, bool invert)
      : behaviour(behaviour), invert(invert) {
    int code;
    PCRE2_SIZE at;
    // Multi-line, as in the engine that tokenizer.json was written for: $ is
    // the end of any line.
    expression = pcre2_compile(PCRE2_SPTR(pattern.data()), pattern.size(),
                               PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE |
                                   PCRE2_NO_UTF_CHECK,
                               &code, &at, nullptr);
    if (!expression)
      throw std::runtime_error(
          "the pattern '" + pattern +
          "' of a pre-tokenizer cannot be used: " + errorText(code));
    // Without JIT support matching still works, slower.
    pcre2_jit_compile(expression, PCRE2_JIT_COMPLETE);
  }
  Split(const Split &) = delete;
  ~Split() override { pcre2_code_free(expression); }

  void cut(std::string_view text, Piece piece,
           std::vector<Piece> &out) const override {
    struct FreeMatch {
      void operator()(pcre2_match_data *data) const {
        pcre2_match_data_free(data);
      }
    };
    // One per thread: tokenizers are shared between threads.
    thread_local std::unique_ptr<pcre2_match_data, FreeMatch> match(
        pcre2_match_data_create(1, nullptr));
    // Look-behind must not see the neighbours of the piece.
    PCRE2_SPTR subject = PCRE2_SPTR(text.data() + piece.begin);
    size_t length = piece.end - piece.begin, at = 0, gap = 0;
    size_t first = out.size();
    std::vector<bool> &isMatch = flags();
    isMatch.clear();
    auto add = [&](size_t begin, size_t end, bool matched) {
      if (begin == end)
        return;
      out.push_back({piece.begin + begin, piece.begin + end});
      isMatch.push_back(matched != invert);
    };
    while (at <= length) {
      int found = pcre2_match(expression, subject, length, at,
                              PCRE2_NO_UTF_CHECK, match.get(), nullptr);
      // Compiled patterns have a small stack, interpreted ones the heap.
      if (found == PCRE2_ERROR_JIT_STACKLIMIT)
        found = pcre2_match(expression, subject, length, at,
                            PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, match.get(),
                            nullptr);
      if (found == PCRE2_ERROR_NOMATCH)
        break;
      if (found < 0)
        throw std::runtime_error("the text is too much for a pattern of the "
                                 "pre-tokenizer: " +
                                 errorText(found));
      PCRE2_SIZE *bounds = pcre2_get_ovector_pointer(match.get());
      if (bounds[1] == bounds[0]) {
        // An empty match cuts nothing; go on behind the next character.
        at = bounds[1] + 1;
        while (at < length && (uint8_t(subject[at]) & 0xc0) == 0x80)
          ++at;
        continue;
      }
      add(gap, bounds[0], false);
      add(bounds[0], bounds[1], true);
      at = gap = bounds[1];
    }
    add(gap, length, false);
    merge(out, first, isMatch);
  }

private:
  static std::vector<bool> &flags() {
    thread_local std::vector<bool> result;
    return result;
  }

  void merge(std::vector<Piece> &out, size_t first,
             const std::vector<bool> &isMatch) const {
    if (behaviour == Behaviour::Isolated)
      return;
    std::vector<Piece> parts(out.begin() + first, out.end());
    out.resize(first);
    for (size_t i = 0; i < parts.size(); ++i) {
      bool joins = false;
      switch (behaviour) {
      case Behaviour::Removed:
        if (isMatch[i])
          continue;
        break;
      case Behaviour::MergedWithPrevious:
        joins = i > 0 && isMatch[i] && !isMatch[i - 1];
        break;
      case Behaviour::MergedWithNext:
        joins = i > 0 && !isMatch[i] && isMatch[i - 1];
        break;
      case Behaviour::Contiguous:
        joins = i > 0 && isMatch[i] == isMatch[i - 1];
        break;
      case Behaviour::Isolated:
        break;
      }
      if (joins && out.size() > first)
        out.back().end = parts[i].end;
      else
        out.push_back(parts[i]);
    }
  }

  Behaviour behaviour;
  bool invert;
  pcre2_code *expression;
};

std::string escaped(const std::string &text) { return "\\Q" + text + "\\E"; }

void append(const json &stage,
            std::vector<std::unique_ptr<PreTokenizer>> &out) {
  if (stage.is_null())
    return;
  std::string type = stage.at("type");
  if (type == "Sequence") {
    for (const json &inner : stage.at("pretokenizers"))
      append(inner, out);
  } else if (type == "Split") {
    static const std::map<std::string, Behaviour> behaviours = {
        {"Removed", Behaviour::Removed},
        {"Isolated", Behaviour::Isolated},
        {"MergedWithPrevious", Behaviour::MergedWithPrevious},
        {"MergedWithNext", Behaviour::MergedWithNext},
        {"Contiguous", Behaviour::Contiguous}};
    std::string behaviour = stage.at("behavior");
    auto known = behaviours.find(behaviour);
    if (known == behaviours.end())
      throw std::runtime_error("Split behaviour '" + behaviour +
                               "' is not known");
    const json &pattern = stage.at("pattern");
    std::string regex = pattern.contains("Regex")
                            ? pattern.at("Regex").get<std::string>()
                            : escaped(pattern.at("String"));
    out.push_back(std::make_unique<Split>(regex, known->second,
                                          stage.value("invert", false)));
  } else if (type == "Digits") {
    bool each = stage.value("individual_digits", false);
    out.push_back(std::make_unique<Split>(each ? "\\p{N}" : "\\p{N}+",
                                          Behaviour::Isolated, false));
  } else if (type == "ByteLevel") {
    if (stage.value("add_prefix_space", true))
      throw std::runtime_error(
          "ByteLevel with add_prefix_space is not supported");
    if (stage.value("use_regex", true))
      out.push_back(std::make_unique<Split>(
          "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|"
          "\\s+(?!\\S)|\\s+",
          Behaviour::Isolated, false));
  } else {
    throw std::runtime_error("pre-tokenizer '" + type +
                             "' is not supported; Sequence, Split, Digits and "
                             "ByteLevel are");
  }
}

} // namespace

std::vector<std::unique_ptr<PreTokenizer>>
makePreTokenizers(const std::string &text) {
  std::vector<std::unique_ptr<PreTokenizer>> result;
  append(json::parse(text), result);
  return result;
}

} // namespace ds
