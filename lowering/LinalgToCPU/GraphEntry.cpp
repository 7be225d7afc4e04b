//===- GraphEntry.cpp - the entry around @graph ---------------------------===//
//
// Outputs are allocated here and freed by the caller: their sizes may depend on
// the values of the inputs.
//
//===----------------------------------------------------------------------===//
#include "lowering/LinalgToCPU/EntryFunctions.h"
#include "lowering/LinalgToCPU/TypeCode.h"
#include "mlir/Dialect/LLVMIR/FunctionCallUtils.h"
#include <cstddef>
#include <map>

using namespace mlir;
using namespace mlir::ds;
using P = arith::CmpIPredicate;

/// After an error no output is left allocated.
static void freeOnError(EntryMemory &n, ModuleOp module, Value code,
                        Value outputArray, size_t count) {
  Value failed =
      arith::CmpIOp::create(n.b, n.loc, P::ne, code, n.i32(DS_STATUS_OK));
  auto branch = scf::IfOp::create(n.b, n.loc, failed,
                                  /*withElseRegion=*/false);
  OpBuilder inner = branch.getThenBodyBuilder();
  EntryMemory e{inner, n.loc};
  auto release = LLVM::lookupOrCreateFreeFn(inner, module);
  for (size_t i = 0; i < count; ++i) {
    Value data = e.loadPointer(outputArray,
                               i * sizeof(DsTensor) + offsetof(DsTensor, data));
    LLVM::CallOp::create(inner, e.loc, *release, data);
    e.store(LLVM::ZeroOp::create(inner, e.loc, e.pointer()), outputArray,
            i * sizeof(DsTensor) + offsetof(DsTensor, data));
  }
}

void mlir::ds::buildGraphEntry(func::FuncOp graph) {
  auto module = graph->getParentOfType<ModuleOp>();
  OpBuilder builder(graph.getContext());
  unsigned inputs = graph.getNumArguments() - callArguments;
  SmallVector<Type> results;
  SmallVector<StringRef> resultTypes;
  for (unsigned i = 0; i < graph.getNumResults(); ++i) {
    auto attr = graph.getResultAttrOfType<StringAttr>(i, "ds.type");
    resultTypes.push_back(attr ? attr.getValue() : "");
  }
  bufferArguments(graph, [](unsigned) { return false; });
  auto returnOp = cast<func::ReturnOp>(graph.getBody().front().getTerminator());
  builder.setInsertionPoint(returnOp);
  // Each output is a buffer of its own that the caller frees: never an
  // argument, a parameter or another output.
  SmallVector<Value> buffers;
  for (Value result : returnOp.getOperands()) {
    auto type = cast<RankedTensorType>(result.getType());
    SmallVector<Value> dims;
    for (int64_t d = 0; d < type.getRank(); ++d)
      if (type.isDynamicDim(d))
        dims.push_back(
            tensor::DimOp::create(builder, result.getLoc(), result, d));
    Value buffer =
        memref::AllocOp::create(builder, result.getLoc(), bufferOf(type), dims);
    // The deallocation pass must leave it to the caller.
    buffer.getDefiningOp()->setAttr("bufferization.manual_deallocation",
                                    builder.getUnitAttr());
    writeInto(builder, result, buffer);
    buffers.push_back(buffer);
    results.push_back(buffer.getType());
  }
  // Returned as addresses and sizes: memref results would be cloned.
  EntryMemory m{builder, returnOp.getLoc()};
  SmallVector<Value> words;
  for (Value buffer : buffers) {
    words.push_back(m.toI64(memref::ExtractAlignedPointerAsIndexOp::create(
        builder, m.loc, buffer)));
    auto type = cast<MemRefType>(buffer.getType());
    for (int64_t d = 0; d < type.getRank(); ++d)
      words.push_back(
          m.toI64(memref::DimOp::create(builder, m.loc, buffer, d)));
  }
  finishBody(graph, words);

  auto entry = makeEntry(module, graphEntryName, builder);
  Value call = entry.getArgument(0);
  EntryMemory e{builder, module.getLoc()};
  Value status = e.i32(DS_STATUS_OK);
  Value inputArray = e.loadPointer(call, offsetof(DsGraphCall, inputs));
  std::map<std::string, Value> named;
  SmallVector<Value> data;
  SmallVector<SmallVector<Value>> shapes;
  for (unsigned i = 0; i < inputs; ++i) {
    auto type = cast<MemRefType>(graph.getArgument(i).getType());
    auto unsignedName = graph.getArgAttrOfType<StringAttr>(i, "ds.type");
    int64_t base = i * sizeof(DsTensor);
    auto same = [&](Value a, Value x) -> Value {
      return arith::CmpIOp::create(builder, e.loc, P::eq, a, x);
    };
    status = require(
        e, status,
        same(e.loadI32(inputArray, base + offsetof(DsTensor, type)),
             e.i32(typeCode(type.getElementType(),
                            unsignedName ? unsignedName.getValue() : ""))),
        DS_STATUS_SHAPE);
    status =
        require(e, status,
                same(e.loadI32(inputArray, base + offsetof(DsTensor, rank)),
                     e.i32(type.getRank())),
                DS_STATUS_SHAPE);
    data.push_back(e.loadPointer(inputArray, base + offsetof(DsTensor, data)));
    auto names = graph.getArgAttrOfType<ArrayAttr>(i, "ds.dims");
    shapes.emplace_back();
    for (int64_t d = 0; d < type.getRank(); ++d) {
      Value size = e.loadI64(inputArray, base + offsetof(DsTensor, dims) +
                                             d * sizeof(int64_t));
      shapes.back().push_back(size);
      Value fine;
      if (!type.isDynamicDim(d)) {
        fine = same(size, e.i64(type.getDimSize(d)));
      } else {
        fine = arith::CmpIOp::create(builder, e.loc, P::sge, size, e.i64(0));
        StringRef name =
            names ? cast<StringAttr>(names[d]).getValue() : StringRef();
        if (!name.empty()) {
          Value &first = named[name.str()];
          if (!first)
            first = size;
          fine = arith::AndIOp::create(builder, e.loc, fine, same(size, first));
        }
      }
      status = require(e, status, fine, DS_STATUS_SHAPE);
    }
  }
  Value graphStatus = newStatus(e);
  Value threads =
      threadCount(e, module, e.loadI32(call, offsetof(DsGraphCall, threads)));
  status = ifFine(e, status, [&](EntryMemory &n) {
    SmallVector<Value> args;
    for (unsigned i = 0; i < inputs; ++i)
      args.push_back(
          n.memref(data[i], shapes[i],
                   cast<MemRefType>(graph.getArgument(i).getType())));
    args.push_back(n.loadPointer(call, offsetof(DsGraphCall, parameters)));
    args.push_back(graphStatus);
    args.push_back(threads);
    auto result = func::CallOp::create(n.b, n.loc, graph, args);
    Value outputArray = n.loadPointer(call, offsetof(DsGraphCall, outputs));
    Value code = n.loadI32(graphStatus, 0);
    unsigned word = 0;
    for (unsigned i = 0; i < results.size(); ++i) {
      auto type = cast<MemRefType>(results[i]);
      int64_t base = i * sizeof(DsTensor);
      n.store(result.getResult(word++), outputArray,
              base + offsetof(DsTensor, data));
      n.store(n.i32(typeCode(type.getElementType(), resultTypes[i])),
              outputArray, base + offsetof(DsTensor, type));
      n.store(n.i32(type.getRank()), outputArray,
              base + offsetof(DsTensor, rank));
      for (int64_t d = 0; d < type.getRank(); ++d)
        n.store(result.getResult(word++), outputArray,
                base + offsetof(DsTensor, dims) + d * sizeof(int64_t));
    }
    freeOnError(n, module, code, outputArray, results.size());
    return code;
  });
  func::ReturnOp::create(builder, e.loc, status);
}
