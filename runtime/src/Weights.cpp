//===- Weights.cpp - the parameters of a model in memory ------------------===//

#include "Weights.h"
#include "Error.h"
#include "files/Safetensors.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cinttypes>
#include <cstring>
#include <unordered_map>

namespace dsrt {

Weights::Weights(const DsModel &model, const std::string &folder) {
  if (model.parameter_count == 0)
    return;
  std::span<const uint8_t> bytes;
  if (model.embedded_weights) {
    where = "embedded weights";
    bytes = {static_cast<const uint8_t *>(model.embedded_weights),
             model.weights_bytes};
  } else {
    // A name only: a descriptor cannot make us read elsewhere.
    std::string name = model.weights_file ? model.weights_file : "";
    if (name.empty() || name == "." || name == ".." ||
        name.find('/') != std::string::npos)
      throw Error(DS_ERROR_ABI,
                  "the descriptor's weights file '" + name +
                      "' is not the plain name of a file beside the library");
    std::string path = folder + "/" + name;
    where = "weights '" + path + "'";
    file = files::MappedFile(path);
    bytes = file.bytes();
    if (bytes.size() != model.weights_bytes)
      throw Error(DS_ERROR_FORMAT, where + ": " + std::to_string(bytes.size()) +
                                       " bytes, the model was compiled with " +
                                       std::to_string(model.weights_bytes) +
                                       "; copy both files of one compilation");
  }

  files::SafetensorsHeader header = files::parseSafetensors(bytes, where);
  std::unordered_map<std::string_view, const files::SafetensorsEntry *> byName;
  for (const files::SafetensorsEntry &entry : header.entries)
    byName[entry.name] = &entry;
  data.reserve(model.parameter_count);
  for (uint32_t i = 0; i < model.parameter_count; ++i) {
    const DsParameter &parameter = model.parameters[i];
    auto found = byName.find(parameter.name);
    auto fail = [&](const std::string &what) {
      throw Error(DS_ERROR_FORMAT, where + ": parameter '" + parameter.name +
                                       "' " + what +
                                       "; copy both files of one compilation");
    };
    if (found == byName.end())
      fail("is missing");
    const files::SafetensorsEntry &entry = *found->second;
    if (entry.offset != parameter.offset || entry.bytes != parameter.bytes)
      fail("has bytes [" + std::to_string(entry.offset) + ", +" +
           std::to_string(entry.bytes) + "), the model expects [" +
           std::to_string(parameter.offset) + ", +" +
           std::to_string(parameter.bytes) + ")");
    std::span<const int64_t> dims(parameter.dims, parameter.rank);
    // Packed 4-bit data may stand in the file as the bytes it is.
    bool packed =
        files::typeBits(parameter.type) < 8 && entry.type == DS_TYPE_U8;
    if (!packed && (static_cast<uint32_t>(entry.type) != parameter.type ||
                    !std::equal(dims.begin(), dims.end(), entry.dims.begin(),
                                entry.dims.end())))
      fail("is " + std::string(files::typeName(entry.type)) + " " +
           files::shapeText(entry.dims) + ", the model expects " +
           std::string(files::typeName(parameter.type)) + " " +
           files::shapeText(dims));
    data.push_back(bytes.data() + parameter.offset);
  }
}

void Weights::verify(const DsModel &model) const {
  for (uint32_t i = 0; i < model.parameter_count; ++i) {
    const DsParameter &parameter = model.parameters[i];
    uint64_t sum = XXH3_64bits(data[i], parameter.bytes);
    if (sum == parameter.checksum)
      continue;
    char text[80];
    std::snprintf(text, sizeof text,
                  "%016" PRIx64 ", the model was compiled with %016" PRIx64,
                  sum, parameter.checksum);
    throw Error(DS_ERROR_FORMAT, where + ": parameter '" + parameter.name +
                                     "' has checksum " + text);
  }
}

} // namespace dsrt
