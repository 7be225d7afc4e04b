//===- Routers.h - what a session knows of a model's routers --*- C++ -*-===//
//
// How many tokens the routers gave each expert, added up from call to call, and
// what they chose for every token of every slot.
//
//===----------------------------------------------------------------------===//
#ifndef DS_RUNTIME_SRC_ROUTERS_H
#define DS_RUNTIME_SRC_ROUTERS_H

#include "Model.h"
#include "StepBatch.h"
#include "ds/ds_runtime.h"

namespace dsrt {

/// The routers of the model and, behind them, those of its layers for drafts.
class Routers {
public:
  explicit Routers(const Model &model);
  /// Makes room for the choices of calls of at most `rows` tokens.
  void reserve(int64_t rows);
  /// From now on keep() has an effect: makes room for the choices of the
  /// model's routers, for `slots` texts of at most `length` tokens.
  void keepRoutes(int64_t slots, int64_t length);

  /// Routers of one entry: a range of all.
  struct Range {
    size_t begin, end;
  };
  Range ofModel() const { return {0, modelCount}; }
  /// Those of a layer for drafts.
  Range ofDrafts(size_t layer) const;

  /// DsStepCall.routes of an entry with these routers.
  const DsRoute *forCall(Range range) const {
    return lastCall.data() + range.begin;
  }
  /// Adds the loads that the last call of the entry gave.
  void count(Range range);
  /// Keeps what the last call of the model chose, that of `batch`.
  void keep(const StepBatch &batch);

  /// Keeps what was counted so far, for restore().
  void save() { saved = counted; }
  void restore() { counted = saved; }
  void reset();

  size_t size() const { return all.size(); }
  /// As ds_session_expert_load(); throws INDEX.
  ds_expert_load load(int64_t router) const;
  /// As ds_session_read_route(), for the first `count` tokens of a slot; throws
  /// INDEX, ARGUMENT and, without keepRoutes(), UNSUPPORTED.
  void read(int64_t slot, int64_t router, int64_t count,
            std::span<int32_t> experts, std::span<float> weights) const;

private:
  struct Router {
    const DsRouter *described;
    size_t first; // of its experts' loads
    /// Of each position of each slot, experts_per_token of them; empty unless
    /// they are kept.
    std::vector<int32_t> experts = {};
    std::vector<float> weights = {};
  };
  const Router &find(int64_t router) const;

  std::vector<Router> all;
  size_t modelCount;
  int64_t modelLayers;
  /// What the last calls gave, and the memory for it. Choices of drafts go
  /// where those of the model go: nobody reads them after the call.
  std::vector<DsRoute> lastCall;
  std::vector<int32_t> loads, experts; // router by router
  std::vector<float> weights;
  int64_t keptLength = 0; // of a slot; 0: none is kept
  /// The sums of loads, and behind them steps and distinct experts of each
  /// router.
  std::vector<int64_t> counted, saved;
};

} // namespace dsrt

#endif // DS_RUNTIME_SRC_ROUTERS_H
