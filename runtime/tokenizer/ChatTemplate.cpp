//===- ChatTemplate.cpp - messages as the prompt a model was trained on ---===//
#include "runtime/tokenizer/ChatTemplate.h"
#include <stdexcept>

std::string ds::applyChatTemplate(const std::string &name,
                                  const std::vector<ChatMessage> &messages,
                                  const std::string &bos,
                                  const std::string &eos, bool forAnswer) {
  bool tags = name == "v3" || name == "r1";
  if (!tags && name != "v1" && name != "v2")
    throw std::runtime_error("chat template '" + name +
                             "' is not known; v1, v2, v3 and r1 are");
  const std::string userTag = "<\xef\xbd\x9cUser\xef\xbd\x9c>",
                    assistantTag = "<\xef\xbd\x9c"
                                   "Assistant\xef\xbd\x9c>";
  std::string result = bos;
  if (tags)
    for (const ChatMessage &message : messages)
      if (message.role == "system")
        result += message.content;
  for (const ChatMessage &message : messages) {
    if (message.role == "system") {
      if (!tags)
        result += message.content + "\n\n";
    } else if (message.role == "user") {
      result += tags ? userTag + message.content
                     : "User: " + message.content + "\n\n";
    } else if (message.role == "assistant") {
      std::string text = message.content;
      // Earlier thoughts are not repeated to the model.
      if (name == "r1")
        if (size_t end = text.rfind("</think>"); end != std::string::npos)
          text = text.substr(end + 8);
      result += (tags ? assistantTag : "Assistant: ") + text + eos;
    } else {
      throw std::runtime_error("a message has the role '" + message.role +
                               "'; system, user and assistant are known");
    }
  }
  if (forAnswer) {
    result += tags ? assistantTag : "Assistant:";
    if (name == "r1")
      result += "<think>\n";
  }
  return result;
}
