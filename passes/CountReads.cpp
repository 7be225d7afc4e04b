//===- CountReads.cpp - bytes of weights that a token reads ---------------===//
//
// See Passes.td.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/Match.h"
#include "passes/Passes.h"
#include "llvm/ADT/MapVector.h"

namespace mlir::ds {
#define GEN_PASS_DEF_COUNTREADS
#include "passes/Passes.h.inc"
} // namespace mlir::ds

using namespace mlir;
using namespace mlir::ds;

/// Bytes in memory: bits and 4-bit numbers take a byte each.
static int64_t bytesOf(RankedTensorType type) {
  return type.getNumElements() *
         (std::max(type.getElementTypeBitWidth(), 8u) / 8);
}

/// Bytes of the parameter `read` that `user` reads for one token: a row of a
/// table, the experts that the token chose, or all.
static int64_t bytesFor(Value read, Operation *user) {
  RankedTensorType type = tensorType(read);
  int64_t bytes = bytesOf(type);
  if (type.getRank() == 0 || bytes == 0)
    return bytes;
  int64_t rows = type.getDimSize(0);
  auto gather = dyn_cast<GatherOp>(user);
  if (auto embedding = dyn_cast<EmbeddingOp>(user);
      (embedding && embedding.getTable() == read) ||
      (gather && gather.getInput() == read && gather.getAxis() == 0))
    return bytes / rows;
  for (Value operand : user->getOperands())
    if (auto group = operand.getDefiningOp<GroupTokensOp>();
        group && int64_t(group.getNumExperts()) == rows)
      return bytes / rows * tensorType(group.getExperts()).getDimSize(1);
  return bytes;
}

namespace {
struct CountReads : ds::impl::CountReadsBase<CountReads> {
  void runOnOperation() override {
    auto facts = getOperation()->getAttrOfType<DictionaryAttr>("ds.model");
    auto step = getOperation().lookupSymbol<func::FuncOp>("step");
    if (!facts || !step)
      return;
    // What is read twice lies in a cache the second time.
    llvm::MapVector<StringAttr, int64_t> bytes;
    step.walk([&](LoadParameterOp load) {
      int64_t &most = bytes[load.getParameterAttr().getAttr()];
      for (Operation *user : load->getUsers())
        most = std::max(most, bytesFor(load.getResult(), user));
    });
    int64_t total = 0;
    for (auto &[name, count] : bytes)
      total += count;
    NamedAttrList list(facts);
    list.set("weight_bytes_per_token",
             Builder(&getContext()).getI64IntegerAttr(total));
    getOperation()->setAttr("ds.model", list.getDictionary(&getContext()));
  }
};
} // namespace
