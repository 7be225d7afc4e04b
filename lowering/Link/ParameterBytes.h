//===- ParameterBytes.h - bytes of parameters that files hold ---*- C++ -*-===//
//
// Reads what importing left where it was. Big ranges are mapped, so memory
// does not grow with the model: a buffer's pages go when it goes.
//
//===----------------------------------------------------------------------===//
#ifndef LOWERING_LINK_PARAMETERBYTES_H
#define LOWERING_LINK_PARAMETERBYTES_H

#include "dialects/ds/IR/DsDialect.h"
#include "lowering/Link/Link.h"
#include "llvm/Support/MemoryBuffer.h"

namespace mlir::ds {

/// A view of `range`, whose bytes are of parameter `name`.
FailureOr<std::unique_ptr<llvm::MemoryBuffer>>
mapRange(Location loc, StringRef name, FileRangeAttr range);

/// Copies `parameter`, whose source is a list of file ranges or an
/// ElementsAttr, to the `parameter.bytes` bytes at `to`. 4-bit elements get a
/// byte each, its upper half zero.
LogicalResult copyParameter(Location loc, const EntryParameter &parameter,
                            char *to);

/// The same bytes at an address of this function's choice, aligned for the
/// element type: a view of the file where it can be one.
FailureOr<std::unique_ptr<llvm::MemoryBuffer>>
mapParameter(Location loc, const EntryParameter &parameter);

} // namespace mlir::ds

#endif // LOWERING_LINK_PARAMETERBYTES_H
