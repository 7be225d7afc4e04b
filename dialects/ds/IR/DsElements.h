//===- DsElements.h - element types and what they are good for -*- C++ -*-===//
//
// What the importer checks before it makes an op, the verifier after, and every
// lowering of unsigned integers, which are signless below ds: said once.
//
//===----------------------------------------------------------------------===//
#ifndef DIALECTS_DS_IR_DSELEMENTS_H
#define DIALECTS_DS_IR_DSELEMENTS_H

#include "dialects/ds/IR/DsDialect.h"

namespace mlir::ds {

/// Whether `kind` gives i1, whatever it is given.
bool givesBool(ElementwiseKind kind);
/// Whether `kind` is defined on floats, on integers (bools are integers).
bool takesFloats(ElementwiseKind kind);
bool takesIntegers(ElementwiseKind kind);

/// An element type as memory holds it: without its sign.
Type signless(Type type);

/// Notes in `ds.type` of arguments, results and parameters what a signless type
/// forgets ("ui8" and the like: the descriptor says it to callers), and makes
/// the parameters signless.
void recordUnsigned(ModuleOp module);

} // namespace mlir::ds

#endif // DIALECTS_DS_IR_DSELEMENTS_H
