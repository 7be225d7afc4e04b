//===- ControlFlow.h - regions whose result types come out of them -------===//
//
// The results of an ONNX body have no types of their own: they are what its
// nodes give. So a body is converted first, into a block that belongs to
// nothing, and the scf op is made around it once its types are known. Where two
// ways to a result disagree in a size, the size becomes dynamic.
//
//===----------------------------------------------------------------------===//
#ifndef LOWERING_ONNXTODS_CONTROLFLOW_H
#define LOWERING_ONNXTODS_CONTROLFLOW_H

#include "lowering/OnnxToDs/GraphConverter.h"

namespace mlir::onnx {

/// Writes what a region computes where the builder stands.
using MakeRegion =
    llvm::function_ref<LogicalResult(SmallVectorImpl<Value> &results)>;

/// scf.if on a tensor of one i1; or one of its branches where it is constant.
FailureOr<SmallVector<Value>> branch(NodeContext &n, Value condition,
                                     MakeRegion whenTrue, MakeRegion whenFalse);

/// One region per number in `cases`; `selector` (index) picks. The last one is
/// taken where it is none of them.
FailureOr<SmallVector<Value>>
select(NodeContext &n, OpFoldResult selector, ArrayRef<int64_t> cases,
       llvm::function_ref<LogicalResult(int64_t value,
                                        SmallVectorImpl<Value> &results)>
           make);

/// The axes of a tensor of rank `rank` that attribute `name` (before ONNX moved
/// it to an input) or input `index` names. Where they are only known at run
/// time, `make` runs once for every set of as many axes that `isPossible` lets
/// through, and the input picks; another set is an index error of the call.
/// Axes are in [0, rank); sorted, but for constant ones, which come as they
/// are given.
using MakeForAxes = llvm::function_ref<LogicalResult(
    ArrayRef<int64_t> axes, SmallVectorImpl<Value> &results)>;
FailureOr<SmallVector<Value>>
withAxes(NodeContext &n, StringRef name, unsigned index, int64_t rank,
         MakeForAxes make,
         llvm::function_ref<bool(ArrayRef<int64_t> axes)> isPossible);

/// A loop that carries tensors and stacks others.
struct LoopRequest {
  /// Iterations at most; null: as long as the condition holds.
  OpFoldResult trip;
  /// Whether it starts at all, a tensor of one i1; null: it does.
  Value condition;
  /// Whether the body's first result says if it goes on.
  bool hasCondition = false;
  SmallVector<Value> carried;
  /// For each stacked result: whether the last iteration comes first.
  SmallVector<bool> reversed;
};
/// `body` gets the iteration (index) and the carried values; it returns the
/// condition (if any), the carried values and those that are stacked. The
/// results: carried values, then stacks along a new first dimension.
FailureOr<SmallVector<Value>>
loop(NodeContext &n, const LoopRequest &request,
     llvm::function_ref<LogicalResult(Value iteration, ValueRange carried,
                                      SmallVectorImpl<Value> &results)>
         body);

} // namespace mlir::onnx

#endif // LOWERING_ONNXTODS_CONTROLFLOW_H
