//===- ChatTemplate.h - messages as the prompt a model was trained on -----===//
#ifndef RUNTIME_TOKENIZER_CHATTEMPLATE_H
#define RUNTIME_TOKENIZER_CHATTEMPLATE_H

#include <string>
#include <vector>

namespace ds {

struct ChatMessage {
  std::string role, content; // system, user or assistant
};

/// The text of `messages` for template `name` (v1, v2, v3, r1); with
/// `forAnswer`, ready for the assistant's answer. Throws std::runtime_error for
/// another name or role.
std::string applyChatTemplate(const std::string &name,
                              const std::vector<ChatMessage> &messages,
                              const std::string &bos, const std::string &eos,
                              bool forAnswer = true);

} // namespace ds

#endif // RUNTIME_TOKENIZER_CHATTEMPLATE_H
