//===- UniqueFunctions.cpp - equal functions stand in a module once -------===//
#include "lowering/LinalgToCPU/UniqueFunctions.h"

using namespace mlir;
using namespace mlir::ds;

static size_t hashOf(func::FuncOp function) {
  llvm::hash_code hash = hash_value(function.getFunctionType());
  function.getBody().walk([&](Operation *op) {
    hash = llvm::hash_combine(hash, op->getName().getAsOpaquePointer(),
                              op->hashProperties(),
                              op->getDiscardableAttrDictionary());
  });
  return size_t(hash);
}

func::FuncOp UniqueFunctions::unify(func::FuncOp fresh) {
  size_t hash = hashOf(fresh);
  auto [begin, end] = known.equal_range(hash);
  for (auto it = begin; it != end; ++it) {
    func::FuncOp other = it->second;
    if (other.getFunctionType() == fresh.getFunctionType() &&
        other->getDiscardableAttrDictionary() ==
            fresh->getDiscardableAttrDictionary() &&
        OperationEquivalence::isRegionEquivalentTo(
            &other.getBody(), &fresh.getBody(),
            OperationEquivalence::IgnoreLocations)) {
      fresh.erase();
      return other;
    }
  }
  fresh.setName((prefix + "_" + Twine(known.size())).str());
  module.getBody()->push_back(fresh);
  known.insert({hash, fresh});
  return fresh;
}
