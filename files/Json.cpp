//===- Json.cpp - JSON that nobody vouches for ----------------------------===//

#include "Json.h"
#include "Error.h"

#include <set>

namespace files {

using Json = nlohmann::json;

Json parseJsonObject(std::string_view text, const std::string &where,
                     int maxDepth) {
  auto fail = [&](const std::string &what) {
    throw Error(Fault::Format, where + ": " + what);
  };
  std::set<std::string> seen;
  std::string twice;
  bool tooDeep = false;
  Json::parser_callback_t callback = [&](int depth, Json::parse_event_t event,
                                         Json &value) {
    if (depth > maxDepth)
      tooDeep = true;
    if (event == Json::parse_event_t::key && depth == 1 && twice.empty() &&
        !seen.insert(value.get_ref<const std::string &>()).second)
      twice = value.get_ref<const std::string &>();
    return !tooDeep;
  };
  Json json;
  try {
    json = Json::parse(text, callback);
  } catch (const Json::exception &e) {
    fail(std::string("bad JSON: ") + e.what());
  }
  if (tooDeep)
    fail("nested more than " + std::to_string(maxDepth) + " deep");
  if (!json.is_object())
    fail("a JSON object was expected");
  if (!twice.empty())
    fail(shown(twice) + " is named twice");
  return json;
}

} // namespace files
