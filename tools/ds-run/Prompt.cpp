//===- Prompt.cpp - what was asked, as token ids --------------------------===//
#include "tools/ds-run/Prompt.h"
#include "tools/ds-run/Support.h"

#include <nlohmann/json.hpp>

namespace tool {

std::vector<Message> readMessages(const nlohmann::json &list,
                                  const std::string &where) {
  std::vector<Message> messages;
  auto text = [](const nlohmann::json &message, const char *key) {
    return message.is_object() && message.contains(key) &&
           message[key].is_string();
  };
  if (!list.is_array() || list.empty())
    fail(where + ": a list of messages was expected");
  for (const nlohmann::json &message : list) {
    if (!text(message, "role") || !text(message, "content"))
      fail(where + ": message " + std::to_string(messages.size()) +
           " needs \"role\" and \"content\", both texts");
    messages.push_back({message["role"], message["content"]});
  }
  return messages;
}

static std::vector<int32_t> tokenize(const ds_model_t *model,
                                     const std::string &text, bool addSpecial) {
  int32_t *tokens = nullptr;
  int64_t count = 0;
  check(ds_tokenize(model, text.data(), text.size(), addSpecial, &tokens,
                    &count));
  std::unique_ptr<void, Freed> owner(tokens);
  return std::vector<int32_t>(tokens, tokens + count);
}

std::vector<int32_t> textIds(const ds_model_t *model, const std::string &text) {
  return tokenize(model, text, true);
}

std::vector<int32_t> chatIds(const ds_model_t *model,
                             const std::vector<Message> &messages,
                             const std::string &chatTemplate) {
  std::vector<ds_message> list;
  for (const Message &message : messages)
    list.push_back({message.role.c_str(), message.content.c_str()});
  char *text = nullptr;
  check(ds_chat_prompt(model,
                       chatTemplate.empty() ? nullptr : chatTemplate.c_str(),
                       list.data(), int64_t(list.size()), &text));
  std::unique_ptr<void, Freed> owner(text);
  return tokenize(model, text, false);
}

} // namespace tool
