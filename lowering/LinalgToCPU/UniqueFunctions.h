//===- UniqueFunctions.h - equal functions stand in a module once *- C++
//-*-===//
#ifndef LOWERING_LINALGTOCPU_UNIQUEFUNCTIONS_H
#define LOWERING_LINALGTOCPU_UNIQUEFUNCTIONS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include <map>

namespace mlir::ds {

/// Functions that a pass makes, by what they do: layers of a model that do the
/// same share one function, so that compile time grows with what is different.
class UniqueFunctions {
public:
  /// New functions go to the end of `module` as `@PREFIX_0`, `@PREFIX_1`, …
  UniqueFunctions(ModuleOp module, StringRef prefix)
      : module(module), prefix(prefix) {}

  /// Takes a private function that stands in no module. Gives the one in the
  /// module that equals it but for names and locations (`fresh` is then gone),
  /// or puts `fresh` there.
  func::FuncOp unify(func::FuncOp fresh);

private:
  ModuleOp module;
  StringRef prefix;
  /// By a hash of their bodies; equal hashes are compared.
  std::multimap<size_t, func::FuncOp> known;
};

} // namespace mlir::ds
#endif
