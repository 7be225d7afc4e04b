//===- Operation.h - what streams and graphs hold -------------*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_API_OPERATION_H
#define TOOLS_PTX_EMULATOR_API_OPERATION_H

#include "tools/ptx-emulator/api/Handles.h"
#include "tools/ptx-emulator/exec/Dependencies.h"

#include <variant>
#include <vector>

namespace cuda {

struct Driver;
struct Context;
struct Module;

/// One side of a copy.
struct Place {
  uint64_t address;
  /// As the host sees it: it is not looked up.
  bool isHost;
  /// Bytes from row to row and from slice to slice.
  uint64_t pitch = 0, slicePitch = 0;
};

struct Copy {
  Place to, from;
  uint64_t width; // bytes
  uint64_t height = 1, depth = 1;
};

struct Fill {
  uint64_t to;
  uint32_t value;
  unsigned elementBytes;
  uint64_t width; // elements
  uint64_t height = 1, pitch = 0;
};

struct Launch {
  std::shared_ptr<Module> module;
  const ptx::Kernel *kernel;
  ptx::LaunchShape shape;
  std::vector<uint8_t> parameters;
};

struct HostCall {
  CUhostFn function;
  void *argument;
};

struct Free {
  uint64_t address;
};

/// What an event knows of its last record: it is another one after the next.
struct EventRecord {
  bool isDone = false;
  uint64_t time = 0; // warp instructions
};

struct Record {
  std::shared_ptr<EventRecord> record;
};

/// Nothing but its place in the order.
struct Nothing {};

struct Node;
struct GraphRun {
  std::vector<std::shared_ptr<const Node>> nodes;
};

using Operation =
    std::variant<Nothing, Copy, Fill, Launch, HostCall, Free, Record, GraphRun>;

/// A node of a graph, and those of the same graph that it follows.
struct Node {
  Operation operation;
  CUgraphNode handle = nullptr;
  CUgraph graph = nullptr;
  std::vector<CUgraphNode> after;
};

/// Throws Failure for what cannot be executed: memory that is not allocated.
void check(Driver &driver, const Operation &operation);
/// Executes it behind what has the dependencies, which become those of what
/// comes next. Throws ptx::Report for what a kernel did, and Failure.
void execute(Driver &driver, const Operation &operation,
             std::shared_ptr<ptx::Dependencies> &dependencies);

} // namespace cuda

#endif // TOOLS_PTX_EMULATOR_API_OPERATION_H
