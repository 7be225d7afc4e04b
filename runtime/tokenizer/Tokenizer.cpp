//===- Tokenizer.cpp - text to token ids and back -------------------------===//
#include "runtime/tokenizer/Tokenizer.h"
#include "runtime/tokenizer/PreTokenizer.h"
#include "runtime/tokenizer/Utf8.h"
#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <queue>
#include <stdexcept>
#include <unordered_map>

using nlohmann::json;

namespace ds {
namespace {

/// GPT-2's alphabet: each byte as a printable character.
std::array<uint32_t, 256> byteAlphabet() {
  std::array<uint32_t, 256> result;
  uint32_t next = 256;
  for (uint32_t byte = 0; byte < 256; ++byte) {
    bool printable = (byte >= 33 && byte <= 126) ||
                     (byte >= 161 && byte <= 172) || byte >= 174;
    result[byte] = printable ? byte : next++;
  }
  return result;
}

/// The bytes a token's text stands for; its own UTF-8 if a character is not of
/// the alphabet.
std::string bytesOfToken(const std::string &token,
                         const std::unordered_map<uint32_t, char> &bytes) {
  std::string result;
  for (size_t at = 0; at < token.size();) {
    size_t length = utf8Length(std::string_view(token).substr(at));
    if (length == 0)
      return token;
    uint32_t c = uint8_t(token[at]);
    if (length > 1) {
      c &= 0xffu >> (length + 1);
      for (size_t i = 1; i < length; ++i)
        c = (c << 6) | (uint8_t(token[at + i]) & 0x3f);
    }
    auto byte = bytes.find(c);
    if (byte == bytes.end())
      return token;
    result += byte->second;
    at += length;
  }
  return result;
}

/// A token's id; anything but a whole number within reason is refused.
int32_t readId(const json &value, const std::string &token) {
  constexpr int64_t most = 1 << 24;
  if (!value.is_number_integer() || value.get<int64_t>() < 0 ||
      value.get<int64_t>() >= most)
    throw std::runtime_error("token '" + token.substr(0, 100) +
                             "' has the id " + value.dump().substr(0, 40));
  return value.get<int32_t>();
}

struct AddedToken {
  std::string text;
  int32_t id;
  bool isSpecial;
};

class BpeTokenizer : public Tokenizer {
public:
  explicit BpeTokenizer(const json &file) {
    const json &model = file.at("model");
    if (model.value("type", std::string("BPE")) != "BPE")
      throw std::runtime_error("tokenizer model '" +
                               model.at("type").get<std::string>() +
                               "' is not supported; BPE is");
    if (model.value("byte_fallback", false))
      throw std::runtime_error("BPE with byte_fallback is not supported");
    requireNoNormalizer(file);
    ignoreMerges = model.value("ignore_merges", false);

    std::array<uint32_t, 256> alphabet = byteAlphabet();
    std::unordered_map<uint32_t, char> bytes;
    for (unsigned byte = 0; byte < 256; ++byte)
      bytes[alphabet[byte]] = char(byte);
    for (auto &[token, id] : model.at("vocab").items())
      place(token, readId(id, token), bytes);
    byteIds.fill(-1);
    for (unsigned byte = 0; byte < 256; ++byte) {
      std::string text;
      appendUtf8(text, alphabet[byte]);
      auto id = ids.find(text);
      if (id != ids.end())
        byteIds[byte] = id->second;
    }
    readMerges(model);
    if (file.contains("added_tokens"))
      for (const json &token : file.at("added_tokens")) {
        std::string content = token.at("content");
        AddedToken added{content, readId(token.at("id"), content),
                         token.value("special", false)};
        if (added.text.empty())
          continue;
        place(added.text, added.id, bytes);
        special[size_t(added.id)] = added.isSpecial;
        addedByByte[uint8_t(added.text[0])].push_back(added);
      }
    for (auto &tokens : addedByByte) // the longest wins
      std::sort(tokens.begin(), tokens.end(),
                [](auto &a, auto &b) { return a.text.size() > b.text.size(); });
    preTokenizers = makePreTokenizers(
        file.contains("pre_tokenizer") ? file["pre_tokenizer"].dump() : "null");
    if (file.contains("post_processor"))
      readPostProcessor(file["post_processor"]);
  }

  /// Takes what is of interest from tokenizer_config.json.
  void readConfig(const json &config) {
    if (!config.is_object())
      return;
    auto text = [&](const char *name) -> std::string {
      if (!config.contains(name) || config[name].is_null())
        return "";
      const json &value = config[name];
      return value.is_object() ? value.value("content", std::string())
                               : value.get<std::string>();
    };
    if (config.contains("chat_template") && config["chat_template"].is_string())
      opensThought = config["chat_template"].get<std::string>().find(
                         "<\xef\xbd\x9c"
                         "Assistant\xef\xbd\x9c><think>") != std::string::npos;
    bos = text("bos_token");
    eos = text("eos_token");
    if (config.contains("add_bos_token") &&
        config["add_bos_token"].is_boolean())
      addBos = config["add_bos_token"].get<bool>();
  }

  std::vector<int32_t> encode(std::string_view text,
                              bool addSpecial) const override {
    std::string valid;
    if (!isValid(text)) {
      valid = lossyUtf8(text);
      text = valid;
    }
    std::vector<int32_t> result;
    if (addSpecial)
      result = before;
    // Added tokens first: they are never cut.
    size_t start = 0, at = 0;
    while (at < text.size()) {
      const AddedToken *found = nullptr;
      for (const AddedToken &token : addedByByte[uint8_t(text[at])])
        if (text.substr(at, token.text.size()) == token.text) {
          found = &token;
          break;
        }
      if (!found) {
        ++at;
        continue;
      }
      encodePlain(text.substr(start, at - start), result);
      result.push_back(found->id);
      at += found->text.size();
      start = at;
    }
    encodePlain(text.substr(start), result);
    if (addSpecial)
      result.insert(result.end(), after.begin(), after.end());
    return result;
  }

  std::vector<int32_t> encodePrompt(std::string_view text) const override {
    std::vector<int32_t> result = encode(text, !addBos.has_value());
    std::optional<int32_t> id = idOf(bos);
    if (addBos.value_or(false) && id && (result.empty() || result[0] != *id))
      result.insert(result.begin(), *id);
    return result;
  }

  std::string_view bytesOf(int32_t id, bool skipSpecial) const override {
    if (id < 0 || size_t(id) >= tokenBytes.size() ||
        (skipSpecial && special[size_t(id)]))
      return {};
    return tokenBytes[size_t(id)];
  }

  int32_t size() const override { return int32_t(tokenBytes.size()); }
  std::optional<int32_t> idOf(std::string_view token) const override {
    auto it = ids.find(std::string(token));
    if (it == ids.end())
      return std::nullopt;
    return it->second;
  }
  std::string bosText() const override { return bos; }
  std::string eosText() const override { return eos; }
  std::string chatTemplate() const override {
    // DeepSeek's first tokenizer has no tags for the speakers; R1's template
    // opens the answer with a thought.
    if (!idOf("<\xef\xbd\x9cUser\xef\xbd\x9c>"))
      return "v1";
    return opensThought ? "r1" : "v3";
  }

private:
  static bool isValid(std::string_view text) {
    while (!text.empty()) {
      size_t length = utf8Length(text);
      if (length == 0)
        return false;
      text.remove_prefix(length);
    }
    return true;
  }

  static void requireNoNormalizer(const json &file) {
    if (!file.contains("normalizer") || file["normalizer"].is_null())
      return;
    const json &normalizer = file["normalizer"];
    if (normalizer.value("type", "") == "Sequence" &&
        normalizer.value("normalizers", json::array()).empty())
      return;
    throw std::runtime_error("normalizer '" +
                             normalizer.value("type", std::string("?")) +
                             "' is not supported");
  }

  void place(const std::string &token, int32_t id,
             const std::unordered_map<uint32_t, char> &bytes) {
    if (size_t(id) >= tokenBytes.size()) {
      tokenBytes.resize(size_t(id) + 1);
      special.resize(size_t(id) + 1);
    }
    tokenBytes[size_t(id)] = bytesOfToken(token, bytes);
    ids[token] = id;
  }

  static uint64_t pairKey(int32_t a, int32_t b) {
    return uint64_t(uint32_t(a)) << 32 | uint32_t(b);
  }

  void readMerges(const json &model) {
    int32_t rank = 0;
    for (const json &merge : model.at("merges")) {
      std::string left, right;
      if (merge.is_array()) {
        left = merge.at(0);
        right = merge.at(1);
      } else {
        std::string text = merge;
        size_t space = text.find(' ');
        if (space == std::string::npos)
          throw std::runtime_error("merge '" + text + "' is no pair");
        left = text.substr(0, space);
        right = text.substr(space + 1);
      }
      auto a = ids.find(left), b = ids.find(right), c = ids.find(left + right);
      if (a == ids.end() || b == ids.end() || c == ids.end())
        throw std::runtime_error("merge '" + left + " " + right +
                                 "' is about a token that is not in the "
                                 "vocabulary");
      merges.try_emplace(pairKey(a->second, b->second),
                         Merge{rank++, c->second});
    }
  }

  void readPostProcessor(const json &processor) {
    if (processor.is_null())
      return;
    std::string type = processor.at("type");
    if (type == "Sequence") {
      for (const json &inner : processor.at("processors"))
        readPostProcessor(inner);
    } else if (type == "TemplateProcessing") {
      bool seen = false;
      for (const json &part : processor.at("single")) {
        if (part.contains("Sequence")) {
          seen = true;
          continue;
        }
        std::string name = part.at("SpecialToken").at("id");
        for (const json &id : processor.at("special_tokens").at(name).at("ids"))
          (seen ? after : before).push_back(readId(id, name));
      }
    } else if (type != "ByteLevel") {
      throw std::runtime_error("post-processor '" + type +
                               "' is not supported");
    }
  }

  void encodePlain(std::string_view text, std::vector<int32_t> &out) const {
    if (text.empty())
      return;
    thread_local std::vector<Piece> pieces, next;
    pieces.assign(1, {0, text.size()});
    for (const auto &stage : preTokenizers) {
      next.clear();
      for (Piece piece : pieces)
        stage->cut(text, piece, next);
      pieces.swap(next);
    }
    for (Piece piece : pieces)
      encodePiece(text.substr(piece.begin, piece.end - piece.begin), out);
  }

  void encodePiece(std::string_view piece, std::vector<int32_t> &out) const {
    // Words repeat: remember what they became. Bounded, so that hostile text
    // does not fill memory; per thread, so that nothing needs a lock.
    struct Memory {
      const BpeTokenizer *owner = nullptr;
      std::unordered_map<std::string, std::vector<int32_t>> pieces;
    };
    constexpr size_t longest = 64, most = 1 << 16;
    thread_local Memory memory;
    if (memory.owner != this || memory.pieces.size() > most) {
      memory.owner = this;
      memory.pieces.clear();
    }
    if (piece.size() > longest)
      return merge(piece, out);
    auto [it, isNew] = memory.pieces.try_emplace(std::string(piece));
    if (isNew)
      merge(piece, it->second);
    out.insert(out.end(), it->second.begin(), it->second.end());
  }

  /// BPE of one piece: always the pair of lowest rank, the leftmost of equals.
  void merge(std::string_view piece, std::vector<int32_t> &out) const {
    struct Symbol {
      int32_t id, previous, next;
    };
    std::vector<Symbol> symbols;
    for (char byte : piece)
      if (int32_t id = byteIds[uint8_t(byte)]; id >= 0)
        symbols.push_back(
            {id, int32_t(symbols.size()) - 1, int32_t(symbols.size()) + 1});
    if (symbols.empty())
      return;
    symbols.back().next = -1;
    if (ignoreMerges) {
      std::string text;
      for (char byte : piece)
        appendUtf8(text, byteAlphabet()[uint8_t(byte)]);
      if (auto whole = ids.find(text); whole != ids.end()) {
        out.push_back(whole->second);
        return;
      }
    }
    struct Candidate {
      int32_t rank, left, leftId, rightId, result;
      bool operator>(const Candidate &other) const {
        return std::tie(rank, left) > std::tie(other.rank, other.left);
      }
    };
    std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>>
        queue;
    auto consider = [&](int32_t left) {
      if (left < 0 || symbols[size_t(left)].next < 0)
        return;
      int32_t a = symbols[size_t(left)].id,
              b = symbols[size_t(symbols[size_t(left)].next)].id;
      auto found = merges.find(pairKey(a, b));
      if (found != merges.end())
        queue.push({found->second.rank, left, a, b, found->second.result});
    };
    for (int32_t i = 0; i < int32_t(symbols.size()); ++i)
      consider(i);
    while (!queue.empty()) {
      Candidate best = queue.top();
      queue.pop();
      Symbol &left = symbols[size_t(best.left)];
      // Gone or changed since it was queued.
      if (left.id != best.leftId || left.next < 0 ||
          symbols[size_t(left.next)].id != best.rightId)
        continue;
      Symbol &right = symbols[size_t(left.next)];
      left.id = best.result;
      right.id = -1;
      left.next = right.next;
      if (left.next >= 0)
        symbols[size_t(left.next)].previous = best.left;
      consider(best.left);
      consider(left.previous);
    }
    for (int32_t i = 0; i >= 0; i = symbols[size_t(i)].next)
      out.push_back(symbols[size_t(i)].id);
  }

  struct Merge {
    int32_t rank, result;
  };
  std::unordered_map<std::string, int32_t> ids;
  std::vector<std::string> tokenBytes;
  std::vector<bool> special;
  std::array<int32_t, 256> byteIds;
  std::unordered_map<uint64_t, Merge> merges;
  std::array<std::vector<AddedToken>, 256> addedByByte;
  std::vector<std::unique_ptr<PreTokenizer>> preTokenizers;
  std::vector<int32_t> before, after;
  std::string bos, eos;
  std::optional<bool> addBos;
  bool ignoreMerges = false, opensThought = false;
};

} // namespace

/// What `read` returns; what it finds amiss names the file.
template <typename Read> static auto readFile(const char *name, Read read) {
  try {
    return read();
  } catch (const json::exception &error) {
    throw std::runtime_error(
        std::string(name) +
        " is damaged or not what it should be: " + error.what());
  }
}

std::unique_ptr<Tokenizer> Tokenizer::load(const std::string &tokenizer,
                                           const std::string &config) {
  auto result = readFile("tokenizer.json", [&] {
    return std::make_unique<BpeTokenizer>(json::parse(tokenizer));
  });
  if (!config.empty())
    readFile("tokenizer_config.json",
             [&] { result->readConfig(json::parse(config)); });
  return result;
}

std::string Tokenizer::decode(const std::vector<int32_t> &ids,
                              bool skipSpecial) const {
  std::string bytes;
  for (int32_t id : ids)
    bytes += bytesOf(id, skipSpecial);
  return lossyUtf8(bytes);
}

void StreamingDecoder::next(int32_t id, std::string &text) {
  pending += tokenizer.bytesOf(id, skipSpecial);
  text.clear();
  appendLossyUtf8(text, pending, &pending);
}

void StreamingDecoder::finish(std::string &text) {
  text.clear();
  appendLossyUtf8(text, pending, nullptr);
  pending.clear();
}

} // namespace ds
