//===- Modes.h - the things ds-run can do ---------------------*- C++ -*-===//
#ifndef TOOLS_DS_RUN_MODES_H
#define TOOLS_DS_RUN_MODES_H

#include "tools/ds-run/Generator.h"

namespace tool {

/// For the line of --stats.
struct Stats {
  int64_t promptTokens = 0, generatedTokens = 0;
  Timing timing;
  Drafting drafting;
  Routing routing;
};

/// One prompt.
Stats runPrompt(const ds_model_t *model, const RunCommand &command);
/// --batch.
Stats runBatch(const ds_model_t *model, const RunCommand &command);
/// --chat.
Stats runChat(const ds_model_t *model, const RunCommand &command);
/// --inputs, --outputs.
Stats runGraph(const ds_model_t *model, const RunCommand &command);

} // namespace tool

#endif // TOOLS_DS_RUN_MODES_H
