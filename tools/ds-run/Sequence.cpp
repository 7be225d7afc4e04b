//===- Sequence.cpp - one text that is being made -------------------------===//
#include "tools/ds-run/Sequence.h"

#include <algorithm>
#include <utility>

namespace tool {

Sequence::Sequence(const ds_model_t *model, const RunCommand &command,
                   std::vector<int32_t> prompt, int64_t limit)
    : ids(std::move(prompt)), promptCount(ids.size()), limit(limit),
      facts(*ds_model_descriptor(model)), command(command) {
  ds_sampler_options options = {};
  options.temperature = command.temperature;
  options.top_k = command.topK;
  options.top_p = command.topP;
  options.min_p = command.minP;
  options.repeat_penalty = command.repeatPenalty;
  options.seed = command.seed;
  options.vocabulary = int32_t(ds_tokenizer_vocabulary(model));
  ds_sampler_t *created = nullptr;
  check(ds_sampler_create(&options, &created));
  sampler.reset(created);
  ds_detokenizer_t *text = nullptr;
  ds_result result = ds_detokenizer_create(model, true, &text);
  if (result != DS_ERROR_UNSUPPORTED)
    check(result);
  detokenizer.reset(text);
}

bool Sequence::isEnd(int32_t id) const {
  return !command.ignoreEos &&
         std::find(facts.eos_ids, facts.eos_ids + facts.eos_count, id) !=
             facts.eos_ids + facts.eos_count;
}

int32_t Sequence::sample(const float *row) {
  int32_t id;
  check(ds_sampler_sample(sampler.get(), row, facts.vocabulary, ids.data(),
                          int64_t(ids.size()), &id));
  return id;
}

bool Sequence::choose(const float *row) { return add(sample(row)); }

void Sequence::draft(const float *row) {
  size_t length = ids.size();
  ids.insert(ids.end(), drafts.begin(), drafts.end());
  drafts.push_back(sample(row));
  ids.resize(length);
  draftRows.insert(draftRows.end(), row, row + facts.vocabulary);
  if (command.logitsOut.empty())
    return;
  draftLogits.insert(draftLogits.end(), row, row + facts.vocabulary);
  draftPositions.push_back(int32_t(length + drafts.size() - 1));
}

Sequence::Settled Sequence::settle(const float *rows, size_t most) {
  size_t length = ids.size(), vocabulary = size_t(facts.vocabulary), held = 0;
  bool goesOn = true;
  while (goesOn) {
    const float *row = rows + held * vocabulary;
    int32_t holds = 0;
    if (held < drafts.size()) {
      int32_t id = drafts[held];
      check(ds_sampler_check_draft(
          sampler.get(), row, draftRows.data() + held * vocabulary,
          facts.vocabulary, ids.data(), int64_t(ids.size()), &id, &holds));
      ids.push_back(id);
    } else {
      ids.push_back(sample(row));
    }
    held += size_t(holds);
    goesOn = holds && !isEnd(ids.back());
  }
  std::vector<int32_t> chosen(ids.begin() + long(length), ids.end());
  ids.resize(length);
  drafts.clear();
  draftRows.clear();
  for (int32_t id : chosen) {
    if (!add(id))
      break;
    if (ids.size() == most) {
      end("length");
      break;
    }
  }
  return {held, ids.size() - length};
}

bool Sequence::add(int32_t id) {
  if (isEnd(id)) {
    end("eos");
    return false;
  }
  ids.push_back(id);
  if (detokenizer) {
    const char *text;
    size_t bytes;
    check(ds_detokenizer_next(detokenizer.get(), id, &text, &bytes));
    if (!addText(text, bytes)) {
      finish = "stop";
      return false;
    }
  }
  if (int64_t(generated().size()) == limit) {
    end("length");
    return false;
  }
  return true;
}

void Sequence::end(const char *why) {
  finish = why;
  if (detokenizer) {
    const char *text;
    size_t bytes;
    check(ds_detokenizer_finish(detokenizer.get(), &text, &bytes));
    if (!addText(text, bytes))
      finish = "stop";
  }
  certain += held;
  held.clear();
}

/// False once a stop text was seen; nothing of it or behind it is certain.
bool Sequence::addText(const char *text, size_t bytes) {
  held.append(text, bytes);
  size_t first = std::string::npos;
  for (const std::string &stop : command.stops)
    if (!stop.empty())
      first = std::min(first, held.find(stop));
  if (first != std::string::npos) {
    certain.append(held, 0, first);
    held.clear();
    return false;
  }
  // The longest end that could begin a stop text stays.
  size_t keep = 0;
  for (const std::string &stop : command.stops)
    for (size_t n = std::min(stop.size(), held.size()); n > keep; --n)
      if (held.compare(held.size() - n, n, stop, 0, n) == 0)
        keep = n;
  certain.append(held, 0, held.size() - keep);
  held.erase(0, held.size() - keep);
  return true;
}

std::string Sequence::takeText() { return std::exchange(certain, {}); }

} // namespace tool
