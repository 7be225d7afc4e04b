//===- Outputs.h - logits and states as safetensors -----------*- C++ -*-===//
#ifndef TOOLS_DS_RUN_OUTPUTS_H
#define TOOLS_DS_RUN_OUTPUTS_H

#include "tools/ds-run/Generator.h"

namespace tool {

/// Writes command.logitsOut, if it is not empty: "logits" f32 [rows,
/// vocabulary] of all sequences in order; with more than one also "row_start"
/// i64 [sequences + 1]. Of drafts their rows and places, "draft_start"
/// likewise.
void writeLogits(const ds_model_t *model, const RunCommand &command,
                 std::span<const Sequence> sequences);

/// Writes command.statesOut, if it is not empty, over the tokens of the prompt:
/// "single.hidden" f32 [prompt, hidden size], each cache f32 [prompt, heads,
/// width], and of each router "single.load.{layer}" i32 [experts],
/// "single.route.{layer}.experts" i32 [prompt, k], ascending, and
/// "single.route.{layer}.weight" f32 [prompt, k].
void writeStates(const ds_model_t *model, const RunCommand &command,
                 const Sequence &sequence, const ds_session_t *session);

} // namespace tool

#endif // TOOLS_DS_RUN_OUTPUTS_H
