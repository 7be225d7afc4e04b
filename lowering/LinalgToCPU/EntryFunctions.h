//===- EntryFunctions.h - what entries of graphs and steps share -*- C++
//-*-===//
//
// Private to lowering/LinalgToCPU. An entry is the C function of model_abi.h;
// around @graph, @step or a draft, it checks what it is given and makes buffers
// of it.
//
//===----------------------------------------------------------------------===//
#ifndef LOWERING_LINALGTOCPU_ENTRYFUNCTIONS_H
#define LOWERING_LINALGTOCPU_ENTRYFUNCTIONS_H

#include "lowering/LinalgToCPU/EntryMemory.h"
#include "runtime/include/ds/model_abi.h"

namespace mlir::ds {

/// What @graph, @step and drafts get of the call behind their own arguments:
/// the parameters, where to store the status, and the number of threads.
constexpr unsigned callArguments = 3;

/// Makes the entry around @graph; its body becomes one on buffers.
void buildGraphEntry(func::FuncOp graph);
/// Makes the entry `entryName` around @step or a draft, and the one that says
/// how large its workspace is; its body becomes one on buffers. `hasStates`: an
/// argument behind `logit_rows` holds states that go with the tokens.
void buildStepEntry(func::FuncOp step, StringRef entryName, bool hasStates);

/// Makes the entry around the function that moves routing biases; its body
/// becomes one on buffers.
void buildRouteBiasEntry(func::FuncOp update);

/// Appends a function, `(pointer) -> i32` unless `type` is given, and goes to
/// its start.
func::FuncOp makeEntry(ModuleOp module, StringRef name, OpBuilder &builder,
                       FunctionType type = {});

/// Memory of the entry itself for the status of one call.
Value newStatus(EntryMemory &m);
/// As many threads as `wanted` says, as many as there are processors where it
/// is 0.
Value threadCount(EntryMemory &m, ModuleOp module, Value wanted);

/// Tensor arguments become buffers; `writable` says which may be written.
void bufferArguments(func::FuncOp function,
                     llvm::function_ref<bool(unsigned)> writable);
/// Writes a tensor into a buffer that nothing else refers to.
void writeInto(OpBuilder &builder, Value tensor, Value buffer);
/// Ends a body that works on buffers: it returns `words`, and the function is
/// no entry any more.
void finishBody(func::FuncOp function, ValueRange words);

/// `status` unless it is still OK and `isFine` does not hold.
Value require(EntryMemory &m, Value status, Value isFine, DsStatus otherwise);
/// Runs `body` where `status` is OK; returns its status or the old one.
Value ifFine(EntryMemory &m, Value status,
             llvm::function_ref<Value(EntryMemory &)> body);

} // namespace mlir::ds

#endif // LOWERING_LINALGTOCPU_ENTRYFUNCTIONS_H
