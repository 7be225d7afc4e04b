//===- InlineFunctions.cpp - calls of model-local functions ---------------===//
#include "lowering/OnnxToDs/GraphConverter.h"
#include "lowering/OnnxToDs/Passes.h"

using namespace mlir;
using namespace mlir::onnx;

/// `attr` of a node in a function body as the caller's attributes make it; null
/// if the caller leaves it out.
static Attribute resolve(Attribute attr, NodeOp call, FunctionOp function) {
  auto ref = dyn_cast<RefAttr>(attr);
  if (!ref)
    return attr;
  if (Attribute given = call.getAttrs().get(ref.getName()))
    return given;
  return function.getDefaults().get(ref.getName());
}

static LogicalResult inlineCall(NodeOp call, FunctionOp function) {
  IRMapping mapping;
  Block &body = function.getBody().front();
  OpBuilder builder(call);
  for (auto [i, argument] : llvm::enumerate(body.getArguments()))
    mapping.map(argument, i < call.getInputs().size()
                              ? call.getInputs()[i]
                              : Value(AbsentOp::create(builder, call.getLoc(),
                                                       builder.getNoneType())));
  for (Operation &op : body.without_terminator()) {
    Operation *clone = builder.clone(op, mapping);
    clone->walk([&](NodeOp node) {
      NamedAttrList attrs;
      for (NamedAttribute named : node.getAttrs())
        if (Attribute value = resolve(named.getValue(), call, function))
          attrs.set(named.getName(), value);
      node.setAttrsAttr(attrs.getDictionary(call.getContext()));
      if (node.getNodeName().empty())
        node.setNodeName(call.getNodeName());
    });
  }
  auto results = cast<ReturnOp>(body.getTerminator()).getValues();
  if (call.getNumResults() > results.size())
    return emitError(call.getLoc())
           << "node '" << call.getNodeName() << "' takes "
           << call.getNumResults() << " outputs of function '"
           << function.getName() << "', which has " << results.size();
  for (auto [i, result] : llvm::enumerate(call.getResults()))
    result.replaceAllUsesWith(mapping.lookupOrDefault(results[i]));
  call.erase();
  return success();
}

LogicalResult mlir::onnx::inlineFunctions(ModuleOp module) {
  llvm::StringMap<FunctionOp> functions;
  auto key = [](StringRef domain, StringRef name, StringRef overload) {
    return (domain + "::" + name + "::" + overload).str();
  };
  for (auto function : module.getOps<FunctionOp>())
    functions[key(function.getDomain(), function.getName(),
                  function.getOverload())] = function;
  if (functions.empty())
    return success();
  // Bodies may call functions; a cycle would never end, and a chain in which
  // each calls the next one twice would end with the memory.
  constexpr unsigned maxDepth = 64;
  constexpr size_t maxNodes = 1 << 20;
  size_t inlined = 0;
  for (unsigned depth = 0;; ++depth) {
    SmallVector<std::pair<NodeOp, FunctionOp>> calls;
    for (auto graph : module.getOps<GraphOp>())
      graph.walk([&](NodeOp node) {
        if (findOp(node.getDomain(), node.getOpType(), node.getVersion()))
          return;
        auto it = functions.find(
            key(node.getDomain(), node.getOpType(), node.getOverload()));
        if (it != functions.end())
          calls.emplace_back(node, it->second);
      });
    if (calls.empty())
      return success();
    for (auto [call, function] : calls)
      inlined += llvm::range_size(function.getBody().front());
    if (depth == maxDepth || inlined > maxNodes)
      return emitError(calls.front().first.getLoc())
             << "call of function '" << calls.front().second.getName()
             << "': functions call each other without end, or would be "
                "inlined to more than "
             << maxNodes << " nodes";
    for (auto [call, function] : calls)
      if (failed(inlineCall(call, function)))
        return failure();
  }
}
