//===- Graphs.cpp - graphs and what is launched of them -------------------===//
#include "tools/ptx-emulator/api/Launches.h"

#include <algorithm>

namespace cuda {

[[noreturn]] static void refuse(const std::string &why) {
  throw Failure{CUDA_ERROR_INVALID_VALUE, why};
}

CUresult cuGraphCreate(CUgraph *graph, unsigned flags) {
  return performInContext(__func__, [&](Driver &driver, Context &) {
    notNull(graph, "the graph");
    if (flags)
      refuse("flags must be 0");
    *graph = driver.graphs.add(std::make_shared<Graph>());
  });
}

void Driver::destroyGraph(CUgraph graph) {
  graphs.remove(graph);
  nodes.removeIf([&](const Node &each) { return each.graph == graph; });
}

CUresult cuGraphDestroy(CUgraph graph) {
  return performInContext(
      __func__, [&](Driver &driver, Context &) { driver.destroyGraph(graph); });
}

/// Adds a node that follows others of its graph.
static CUgraphNode add(Driver &driver, CUgraph handle,
                       const CUgraphNode *dependencies, size_t count,
                       Operation operation) {
  std::shared_ptr<Graph> graph = driver.graphs.get(handle);
  if (count)
    notNull(dependencies, "the list of dependencies");
  auto node = std::make_shared<Node>();
  for (size_t i = 0; i < count; ++i) {
    if (driver.nodes.get(dependencies[i])->graph != handle)
      refuse("dependency " + std::to_string(i) + " is of another graph");
    if (std::ranges::find(node->after, dependencies[i]) != node->after.end())
      refuse("dependency " + std::to_string(i) + " is there twice");
    node->after.push_back(dependencies[i]);
  }
  check(driver, operation);
  node->operation = std::move(operation);
  node->graph = handle;
  node->handle = driver.nodes.add(node);
  graph->nodes.push_back(node);
  return node->handle;
}

/// Throws Failure for a context that is not the current one.
static void checkContext(const Context &current, CUcontext asked) {
  if (asked && asked != current.handle)
    throw Failure{CUDA_ERROR_INVALID_CONTEXT,
                  "nodes of another than the current context"};
}

CUresult cuGraphAddKernelNode_v2(CUgraphNode *node, CUgraph graph,
                                 const CUgraphNode *dependencies, size_t count,
                                 const CUDA_KERNEL_NODE_PARAMS *kernel) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    notNull(node, "the node");
    checkContext(context, notNull(kernel, "the kernel")->ctx);
    *node = add(driver, graph, dependencies, count,
                makeLaunch(driver, context, *kernel, /*isCooperative=*/false));
  });
}

CUresult cuGraphAddMemcpyNode(CUgraphNode *node, CUgraph graph,
                              const CUgraphNode *dependencies, size_t count,
                              const CUDA_MEMCPY3D *copy, CUcontext asked) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    notNull(node, "the node");
    checkContext(context, asked);
    const CUDA_MEMCPY3D &of = *notNull(copy, "the copy");
    if (of.srcLOD || of.dstLOD)
      refuse("a level of detail of what is no array");
    uint64_t toSlice = of.dstPitch * of.dstHeight,
             fromSlice = of.srcPitch * of.srcHeight;
    Place to =
        placeOf(of.dstMemoryType, of.dstHost, of.dstDevice,
                of.dstZ * toSlice + of.dstY * of.dstPitch + of.dstXInBytes,
                of.dstPitch, toSlice);
    Place from =
        placeOf(of.srcMemoryType, of.srcHost, of.srcDevice,
                of.srcZ * fromSlice + of.srcY * of.srcPitch + of.srcXInBytes,
                of.srcPitch, fromSlice);
    *node = add(driver, graph, dependencies, count,
                Copy{to, from, of.WidthInBytes, of.Height, of.Depth});
  });
}

CUresult cuGraphAddMemsetNode(CUgraphNode *node, CUgraph graph,
                              const CUgraphNode *dependencies, size_t count,
                              const CUDA_MEMSET_NODE_PARAMS *set,
                              CUcontext asked) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    notNull(node, "the node");
    checkContext(context, asked);
    const CUDA_MEMSET_NODE_PARAMS &of = *notNull(set, "the fill");
    if (of.elementSize != 1 && of.elementSize != 2 && of.elementSize != 4)
      refuse("elements of " + std::to_string(of.elementSize) +
             " bytes, not of 1, 2 or 4");
    *node = add(
        driver, graph, dependencies, count,
        Fill{of.dst, of.value, of.elementSize, of.width, of.height, of.pitch});
  });
}

CUresult cuGraphAddDependencies(CUgraph graph, const CUgraphNode *from,
                                const CUgraphNode *to, size_t count) {
  return performInContext(__func__, [&](Driver &driver, Context &) {
    driver.graphs.get(graph);
    if (count) {
      notNull(from, "the list of nodes that come before");
      notNull(to, "the list of nodes that come after");
    }
    for (size_t i = 0; i < count; ++i) {
      Node &before = *driver.nodes.get(from[i]),
           &after = *driver.nodes.get(to[i]);
      if (before.graph != graph || after.graph != graph)
        refuse("dependency " + std::to_string(i) + " is of another graph");
      if (from[i] == to[i] ||
          std::ranges::find(after.after, from[i]) != after.after.end())
        refuse("dependency " + std::to_string(i) +
               " is there already, or of a node on itself");
      after.after.push_back(from[i]);
    }
  });
}

//===-- executable graphs -------------------------------------------------===//

/// Throws Failure if nodes wait for each other.
static void checkOrder(const Graph &graph) {
  std::set<CUgraphNode> done;
  for (bool goesOn = true; goesOn;) {
    goesOn = false;
    for (const auto &node : graph.nodes)
      if (!done.contains(node->handle) &&
          std::ranges::all_of(node->after, [&](CUgraphNode each) {
            return done.contains(each);
          }))
        goesOn = done.insert(node->handle).second;
  }
  if (done.size() != graph.nodes.size())
    refuse("nodes of the graph follow each other in a circle");
}

CUresult cuGraphInstantiateWithFlags(CUgraphExec *exec, CUgraph handle,
                                     unsigned long long flags) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    notNull(exec, "the executable graph");
    // Hints, and what is to be done with memory that graphs allocate.
    constexpr unsigned long long autoFree = 1, upload = 2, priority = 8;
    if (flags & ~(autoFree | upload | priority))
      refuse("flags " + std::to_string(flags) + " are not emulated");
    std::shared_ptr<Graph> graph = driver.graphs.get(handle);
    checkOrder(*graph);
    auto made = std::make_shared<GraphExec>();
    made->context = &context;
    for (const auto &each : graph->nodes)
      made->nodes.push_back(std::make_shared<const Node>(*each));
    *exec = driver.execs.add(made);
  });
}

CUresult cuGraphLaunch(CUgraphExec handle, CUstream stream) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    std::shared_ptr<GraphExec> exec = driver.execs.get(handle);
    if (exec->context != &context)
      throw Failure{CUDA_ERROR_INVALID_HANDLE,
                    "the executable graph is of another context"};
    driver.submit(*driver.stream(context, stream), GraphRun{exec->nodes});
  });
}

CUresult
cuGraphExecKernelNodeSetParams_v2(CUgraphExec handle, CUgraphNode node,
                                  const CUDA_KERNEL_NODE_PARAMS *kernel) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    std::shared_ptr<GraphExec> exec = driver.execs.get(handle);
    notNull(kernel, "the kernel");
    auto found = std::ranges::find_if(
        exec->nodes, [&](const auto &each) { return each->handle == node; });
    if (found == exec->nodes.end())
      refuse("the executable graph has no such node");
    const Launch *before = std::get_if<Launch>(&(*found)->operation);
    if (!before)
      refuse("the node is no kernel");
    // Launches that are queued keep what they were given.
    auto changed = std::make_shared<Node>(**found);
    Launch made =
        makeLaunch(driver, context, *kernel, before->shape.isCooperative);
    made.shape.mayBeginEarly = before->shape.mayBeginEarly;
    changed->operation = std::move(made);
    *found = changed;
  });
}

CUresult cuGraphExecDestroy(CUgraphExec exec) {
  return performInContext(
      __func__, [&](Driver &driver, Context &) { driver.execs.remove(exec); });
}

} // namespace cuda
