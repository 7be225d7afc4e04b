//===- Prompt.h - what was asked, as token ids ----------------*- C++ -*-===//
#ifndef TOOLS_DS_RUN_PROMPT_H
#define TOOLS_DS_RUN_PROMPT_H

#include "ds/ds_runtime.h"

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace tool {

struct Message {
  std::string role, content;
};

/// A list of {"role", "content"}. Throws std::runtime_error; `where` begins the
/// message.
std::vector<Message> readMessages(const nlohmann::json &list,
                                  const std::string &where);

/// Ids of a text as a prompt (with BOS, where the tokenizer wants it).
std::vector<int32_t> textIds(const ds_model_t *model, const std::string &text);
/// Ids of a conversation, ready for the answer. `chatTemplate` empty: the
/// model's.
std::vector<int32_t> chatIds(const ds_model_t *model,
                             const std::vector<Message> &messages,
                             const std::string &chatTemplate);

} // namespace tool

#endif // TOOLS_DS_RUN_PROMPT_H
