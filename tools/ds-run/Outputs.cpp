//===- Outputs.cpp - logits and states as safetensors ---------------------===//
#include "tools/ds-run/Outputs.h"
#include "files/Safetensors.h"

#include <algorithm>

namespace tool {

void writeLogits(const ds_model_t *model, const RunCommand &command,
                 std::span<const Sequence> sequences) {
  if (command.logitsOut.empty())
    return;
  size_t vocabulary = size_t(ds_model_descriptor(model)->vocabulary);
  std::vector<int64_t> starts{0};
  for (const Sequence &sequence : sequences) {
    size_t rows = sequence.logits.size() / vocabulary;
    // What chose the end of the text has no token to go with.
    if (command.allLogits)
      rows = std::min(rows,
                      sequence.promptCount +
                          std::max<size_t>(sequence.generated().size(), 1) - 1);
    starts.push_back(starts.back() + int64_t(rows));
  }
  std::vector<files::SafetensorsWriter::Spec> specs{
      {"logits", DS_TYPE_F32, {starts.back(), int64_t(vocabulary)}}};
  std::vector<int64_t> draftStarts{0};
  for (const Sequence &sequence : sequences)
    draftStarts.push_back(draftStarts.back() +
                          int64_t(sequence.draftPositions.size()));
  bool isBatch = !command.batch.empty(), hasDrafts = command.drafts > 0;
  if (isBatch)
    specs.push_back({"row_start", DS_TYPE_I64, {int64_t(starts.size())}});
  if (hasDrafts) {
    specs.push_back({"draft_logits",
                     DS_TYPE_F32,
                     {draftStarts.back(), int64_t(vocabulary)}});
    specs.push_back({"draft_position", DS_TYPE_I32, {draftStarts.back()}});
  }
  if (hasDrafts && isBatch)
    specs.push_back(
        {"draft_start", DS_TYPE_I64, {int64_t(draftStarts.size())}});
  files::SafetensorsWriter writer(command.logitsOut, specs);
  for (size_t i = 0; i < sequences.size(); ++i)
    writer.write(sequences[i].logits.data(), size_t(starts[i + 1] - starts[i]) *
                                                 vocabulary * sizeof(float));
  if (isBatch)
    writer.write(starts.data(), starts.size() * sizeof(int64_t));
  if (hasDrafts) {
    for (const Sequence &sequence : sequences)
      writer.write(sequence.draftLogits.data(),
                   sequence.draftLogits.size() * sizeof(float));
    for (const Sequence &sequence : sequences)
      writer.write(sequence.draftPositions.data(),
                   sequence.draftPositions.size() * sizeof(int32_t));
  }
  if (hasDrafts && isBatch)
    writer.write(draftStarts.data(), draftStarts.size() * sizeof(int64_t));
  writer.finish();
}

void writeStates(const ds_model_t *model, const RunCommand &command,
                 const Sequence &sequence, const ds_session_t *session) {
  if (command.statesOut.empty())
    return;
  const DsModel &facts = *ds_model_descriptor(model);
  // Ctrl-C may have ended it within the prompt.
  int64_t rows = int64_t(std::min(sequence.fed, sequence.promptCount));
  std::vector<files::SafetensorsWriter::Spec> specs{
      {"single.hidden", DS_TYPE_F32, {rows, facts.hidden_size}}};
  for (uint32_t i = 0; i < facts.cache_count; ++i)
    specs.push_back({facts.caches[i].name,
                     DS_TYPE_F32,
                     {rows, facts.caches[i].heads, facts.caches[i].width}});
  for (uint32_t i = 0; i < facts.router_count; ++i) {
    std::string layer = std::to_string(facts.routers[i].layer);
    int64_t k = facts.routers[i].experts_per_token;
    specs.push_back(
        {"single.load." + layer, DS_TYPE_I32, {facts.routers[i].expert_count}});
    specs.push_back(
        {"single.route." + layer + ".experts", DS_TYPE_I32, {rows, k}});
    specs.push_back(
        {"single.route." + layer + ".weight", DS_TYPE_F32, {rows, k}});
  }
  files::SafetensorsWriter writer(command.statesOut, specs);
  writer.write(sequence.hidden.data(), sequence.hidden.size() * sizeof(float));
  std::vector<float> values;
  for (uint32_t i = 0; i < facts.cache_count; ++i) {
    size_t row = size_t(facts.caches[i].heads * facts.caches[i].width);
    values.resize(size_t(ds_session_length(session, 0)) * row);
    check(ds_session_read_cache(session, 0, i, values.data(),
                                int64_t(values.size())));
    writer.write(values.data(), size_t(rows) * row * sizeof(float));
  }
  std::vector<int32_t> experts;
  for (uint32_t i = 0; i < facts.router_count; ++i) {
    size_t k = size_t(facts.routers[i].experts_per_token),
           all = size_t(ds_session_length(session, 0)) * k,
           kept = size_t(rows) * k;
    experts.resize(all);
    values.resize(all);
    check(ds_session_read_route(session, 0, i, experts.data(), values.data(),
                                int64_t(all)));
    std::vector<int32_t> loads(size_t(facts.routers[i].expert_count));
    if (!sequence.loads.empty()) // Otherwise nothing of the prompt was fed.
      loads = sequence.loads[i];
    writer.write(loads.data(), loads.size() * sizeof(int32_t));
    writer.write(experts.data(), kept * sizeof(int32_t));
    writer.write(values.data(), kept * sizeof(float));
  }
  writer.finish();
}

} // namespace tool
