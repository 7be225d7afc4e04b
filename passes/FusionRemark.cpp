//===- FusionRemark.cpp - what fusions save -------------------------------===//
#include "passes/FusionRemark.h"
#include "passes/Match.h"

using namespace mlir;
using namespace mlir::ds;

int64_t mlir::ds::bytesOf(Value value, int64_t count) {
  return count * int64_t(tensorType(value).getElementTypeBitWidth()) / 8;
}

int64_t mlir::ds::rowsPerToken(Value tiles) {
  auto group = tiles ? tiles.getDefiningOp<GroupTokensOp>() : GroupTokensOp();
  return group ? tensorType(group.getExperts()).getDimSize(1) : 1;
}

std::string mlir::ds::numberOfProducts(size_t count) {
  return std::to_string(count) + (count == 1 ? " product" : " products");
}

void mlir::ds::reportFusion(func::FuncOp function, const Twine &what,
                            int64_t bytes) {
  emitRemark(function.getLoc()) << "@" << function.getName() << ": " << what
                                << "; a token moves " << bytes << " bytes less";
}
