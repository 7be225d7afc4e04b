//===- Json.h - JSON that nobody vouches for ------------------------------===//
#ifndef FILES_JSON_H
#define FILES_JSON_H

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

namespace files {

/// Parses one JSON object. `where` is put in front of messages. Throws
/// Error(Fault::Format) for bad JSON, for anything but an object, for one
/// nested more than `maxDepth` deep, and for two keys of one name in it.
nlohmann::json parseJsonObject(std::string_view text, const std::string &where,
                               int maxDepth);

} // namespace files

#endif // FILES_JSON_H
