//===- Routers.h - what a session knows of a model's routers --*- C++ -*-===//
//
// How many tokens the routers gave each expert, added up from call to call.
//
//===----------------------------------------------------------------------===//
#ifndef DS_RUNTIME_SRC_ROUTERS_H
#define DS_RUNTIME_SRC_ROUTERS_H

#include "Model.h"
#include "ds/ds_runtime.h"

namespace dsrt {

/// The routers of the model and, behind them, those of its layers for drafts.
class Routers {
public:
  explicit Routers(const Model &model);

  /// Routers of one entry: a range of all.
  struct Range {
    size_t begin, end;
  };
  Range ofModel() const { return {0, modelCount}; }
  /// Those of a layer for drafts.
  Range ofDrafts(size_t layer) const;

  /// DsStepCall.expert_loads of an entry with these routers.
  int32_t *const *forCall(Range range) const {
    return pointers.data() + range.begin;
  }
  /// Adds the loads that the last call of the entry gave.
  void count(Range range);

  /// Keeps what was counted so far, for restore().
  void save() { saved = counted; }
  void restore() { counted = saved; }
  void reset();

  size_t size() const { return all.size(); }
  /// As ds_session_expert_load(); throws INDEX.
  ds_expert_load load(int64_t router) const;

private:
  struct Router {
    const DsRouter *described;
    size_t first; // of its experts' loads
  };

  std::vector<Router> all;
  size_t modelCount;
  int64_t modelLayers;
  std::vector<int32_t> lastCall; // loads, router by router
  std::vector<int32_t *> pointers;
  /// The sums of loads, and behind them steps and distinct experts of each
  /// router.
  std::vector<int64_t> counted, saved;
};

} // namespace dsrt

#endif // DS_RUNTIME_SRC_ROUTERS_H
