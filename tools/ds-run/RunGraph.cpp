//===- RunGraph.cpp - ds-run --inputs: a graph as a function --------------===//
#include "files/Safetensors.h"
#include "tools/ds-run/Modes.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace tool {

namespace {
struct FreeMemory {
  void operator()(void *memory) const { std::free(memory); }
};
using Memory = std::unique_ptr<void, FreeMemory>;
} // namespace

static bool isPacked(uint32_t type) {
  return type == DS_TYPE_I4 || type == DS_TYPE_U4;
}

/// The tensor as an entry takes it: aligned, 4-bit elements one a byte.
static DsTensor toTensor(const files::SafetensorsFile &file,
                         const files::SafetensorsEntry &entry, Memory &memory) {
  if (entry.dims.size() > DS_MAX_RANK)
    fail("input '" + entry.name + "' has rank " +
         std::to_string(entry.dims.size()) + ", more than " +
         std::to_string(DS_MAX_RANK));
  DsTensor tensor = {};
  tensor.type = entry.type;
  tensor.rank = uint32_t(entry.dims.size());
  std::copy(entry.dims.begin(), entry.dims.end(), tensor.dims);
  const uint8_t *bytes = static_cast<const uint8_t *>(file.data(entry));
  size_t count = size_t(files::memoryBytes(entry.type, entry.dims).value_or(0));
  memory.reset(std::aligned_alloc(64, (count + 64) / 64 * 64));
  if (!memory)
    fail("no memory for input '" + entry.name + "'");
  uint8_t *out = static_cast<uint8_t *>(memory.get());
  if (isPacked(entry.type))
    for (size_t i = 0; i < count; ++i)
      out[i] = bytes[i / 2] >> (4 * (i % 2)) & 15;
  else
    std::memcpy(out, bytes, count);
  tensor.data = memory.get();
  return tensor;
}

static void write(const std::string &path, const DsModel &facts,
                  const std::vector<DsTensor> &outputs) {
  std::vector<files::SafetensorsWriter::Spec> specs;
  for (size_t i = 0; i < outputs.size(); ++i)
    specs.push_back({facts.outputs[i].name, DsType(outputs[i].type),
                     std::vector<int64_t>(outputs[i].dims,
                                          outputs[i].dims + outputs[i].rank)});
  files::SafetensorsWriter writer(path, specs);
  for (size_t i = 0; i < outputs.size(); ++i) {
    size_t count =
        size_t(files::memoryBytes(outputs[i].type, specs[i].dims).value_or(0));
    const uint8_t *bytes = static_cast<const uint8_t *>(outputs[i].data);
    if (!isPacked(outputs[i].type)) {
      writer.write(bytes, count);
      continue;
    }
    std::vector<uint8_t> packed((count + 1) / 2);
    for (size_t at = 0; at < count; ++at)
      packed[at / 2] |= uint8_t((bytes[at] & 15) << (4 * (at % 2)));
    writer.write(packed.data(), packed.size());
  }
  writer.finish();
}

Stats runGraph(const ds_model_t *model, const RunCommand &command) {
  requireWritable(command.outputs);
  const DsModel &facts = *ds_model_descriptor(model);
  if (facts.mode != DS_MODE_GRAPH)
    fail("'" + command.model +
         "' was compiled as a language model; give it a prompt, or compile it "
         "with --mode=graph");
  files::SafetensorsFile file(command.inputs);
  std::vector<DsTensor> inputs;
  std::vector<Memory> memories(facts.input_count);
  for (uint32_t i = 0; i < facts.input_count; ++i) {
    const files::SafetensorsEntry *entry =
        file.header().find(facts.inputs[i].name);
    if (!entry)
      fail("'" + command.inputs + "' has no tensor '" + facts.inputs[i].name +
           "', an input of the graph");
    inputs.push_back(toTensor(file, *entry, memories[i]));
  }
  for (const files::SafetensorsEntry &entry : file.header().entries)
    if (std::none_of(
            facts.inputs, facts.inputs + facts.input_count,
            [&](const DsValueInfo &input) { return entry.name == input.name; }))
      fail("'" + command.inputs + "': the graph has no input '" + entry.name +
           "'");
  std::vector<DsTensor> outputs(facts.output_count);
  double start = now();
  check(ds_model_call(model, inputs.data(), outputs.data(), command.threads));
  std::vector<std::unique_ptr<void, Freed>> owners;
  for (DsTensor &output : outputs)
    owners.emplace_back(output.data);
  Stats stats;
  stats.timing.prefill = now() - start;
  write(command.outputs, facts, outputs);
  return stats;
}

} // namespace tool
