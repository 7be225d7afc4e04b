//===- FileRanges.h - values that are bytes of files ------------*- C++ -*-===//
//
// Some expressions of parameters only name bytes that already lie in files in
// the right order: rows of a weight, rows of several weights one below the
// other, another shape of either. They need no program to be computed.
//
//===----------------------------------------------------------------------===//
#ifndef PASSES_FILERANGES_H
#define PASSES_FILERANGES_H

#include "dialects/ds/IR/DsDialect.h"
#include <optional>

namespace mlir::ds {

/// The ranges whose bytes, one after the other, are `value`; nothing if there
/// are none. `value` depends on parameters and constants alone.
std::optional<SmallVector<FileRangeAttr>> fileRangesOf(Value value,
                                                       SymbolTable &symbols);

} // namespace mlir::ds

#endif // PASSES_FILERANGES_H
