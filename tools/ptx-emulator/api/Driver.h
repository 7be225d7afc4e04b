//===- Driver.h - the state of the emulated driver ------------*- C++ -*-===//
//
// Calls come from any thread and one lock lets them in one by one. By default
// what is submitted to a stream is executed within the call; lazy streams keep
// it until somebody waits, and then mix their work by chance of the seed.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_PTX_EMULATOR_API_DRIVER_H
#define TOOLS_PTX_EMULATOR_API_DRIVER_H

#include "tools/ptx-emulator/api/Entries.h"
#include "tools/ptx-emulator/api/Operation.h"
#include "tools/ptx-emulator/api/Settings.h"
#include "tools/ptx-emulator/exec/LoadedModule.h"
#include "tools/ptx-emulator/mem/Reservation.h"

#include <deque>
#include <functional>
#include <random>
#include <set>
#include <thread>

namespace cuda {

/// Bytes of a device's memory: each one takes two of the host's.
constexpr uint64_t deviceMemoryBytes = uint64_t(4) << 30;
/// Of shared memory that a block may have without opting in to more.
constexpr uint64_t defaultSharedBytes = 48 << 10;

struct Module {
  Context *context;
  std::unique_ptr<ptx::LoadedModule> loaded;
  std::map<std::string, CUfunction> functions;
  bool isUnloaded = false;
};

struct Function {
  std::weak_ptr<Module> module;
  const ptx::Kernel *kernel;
  uint64_t mostDynamicShared;
  int carveout = -1;
  bool allowsLargeClusters = false;
};

struct Token {
  bool isDone = false;
};

struct Work {
  Operation operation;
  std::vector<std::shared_ptr<Token>> after;
  std::shared_ptr<Token> done;
};

struct Stream;

/// Streams that record what they are given into a graph.
struct Capture {
  CUgraph graph;
  Stream *origin;
  CUstreamCaptureMode mode;
  std::thread::id thread;
  bool isInvalid = false, isEnded = false;
};

struct Stream {
  Context *context;
  /// It waits for the legacy stream, which waits for it.
  bool isBlocking = true;
  std::deque<Work> queue;
  std::shared_ptr<Token> last = std::make_shared<Token>(Token{true});
  /// Of a launch that may begin before the one before has ended; null: none.
  std::shared_ptr<ptx::Dependencies> dependencies;
  std::shared_ptr<Capture> capture;
  /// Of a capture: the nodes that the next one follows.
  std::vector<CUgraphNode> tail;
};

struct Event {
  Context *context;
  bool hasTime = true;
  /// Null: never recorded, or in a capture.
  std::shared_ptr<EventRecord> record;
  std::shared_ptr<Token> token;
  std::shared_ptr<Capture> capture;
  std::vector<CUgraphNode> nodes;
};

struct Graph {
  std::vector<std::shared_ptr<Node>> nodes;
};

struct GraphExec {
  Context *context;
  std::vector<std::shared_ptr<const Node>> nodes;
};

/// The primary context of a device.
struct Context {
  CUdevice device;
  CUcontext handle = nullptr;
  unsigned retained = 0;
  /// What a kernel did; every call returns it from then on.
  CUresult error = CUDA_SUCCESS;
  std::shared_ptr<Stream> legacy;
  std::map<std::thread::id, std::shared_ptr<Stream>> perThread;
  /// Device memory, and memory of the host that devices may use: allocated
  /// here, or the caller's own.
  std::set<uint64_t> allocations;
  uint64_t bytesInUse = 0;
  struct HostDelete {
    void operator()(void *bytes) const;
  };
  std::map<void *, std::unique_ptr<void, HostDelete>> hostAllocations;
  std::set<void *> registered;
};

struct Driver {
  /// Throws Failure: an environment variable is wrong, no address range.
  Driver();

  Settings settings;
  ptx::DeviceLimits limits;
  bool hasClusters() const { return limits.mostBlocksOfCluster > 1; }
  ptx::Reservation reservation;
  ptx::DeviceMemory memory;
  std::mt19937_64 random;
  uint64_t executed = 0, launches = 0, allocations = 0;

  Registry<Context, CUcontext> contexts{"context"};
  std::vector<std::shared_ptr<Context>> devices;
  Registry<Module, CUmodule> modules{"module"};
  Registry<Function, CUfunction> functions{"function"};
  Registry<Stream, CUstream> streams{"stream"};
  Registry<Event, CUevent> events{"event"};
  Registry<Graph, CUgraph> graphs{"graph"};
  Registry<Node, CUgraphNode> nodes{"node of a graph"};
  Registry<GraphExec, CUgraphExec> execs{"executable graph"};

  /// Throws Failure.
  Context &deviceContext(CUdevice device);
  /// The stream of a handle, null and the other special ones included.
  std::shared_ptr<Stream> stream(Context &context, CUstream handle);
  /// Frees all that belongs to a context.
  void destroy(Context &context);
  /// Throws Failure.
  void destroyGraph(CUgraph graph);

  /// Puts an operation at the end of a stream, or into the graph that the
  /// stream records.
  std::shared_ptr<Token> submit(Stream &stream, Operation operation,
                                std::vector<std::shared_ptr<Token>> after = {});
  /// Submits to the legacy stream and waits.
  void submitAndWait(Context &context, Operation operation);
  /// Executes queued work until this is done.
  void runUntil(const Token &token);
  /// All of a context; `drain` throws Failure if a kernel failed.
  void finish(Context &context);
  void drain(Context &context);
  /// Executes one piece of queued work, if there is any.
  void runOne();

  /// Throws Failure for a call that no capture of this stream allows, or of any
  /// stream that it would disturb. Captures become invalid by it.
  void forbidCapture(Stream &stream, const char *what);
  void forbidCaptures(Context &context, const char *what);
  /// The same of what the legacy stream does, for which others would wait.
  void forbidImplicitCapture(Context &context);

  /// A kernel of the context failed.
  void poison(Context &context, CUresult error, const std::string &report);

  /// Of all contexts, the legacy ones included.
  std::vector<std::shared_ptr<Stream>> allStreams() const;

private:
  std::vector<std::shared_ptr<Stream>> readyStreams() const;
  void runHead(Stream &stream);
  void execute(Stream &stream, const Operation &operation);
  void append(Stream &stream, Operation operation);
};

/// The last report, for dsEmuReport.
std::string lastReport();
/// Prints a report or a warning to the standard error output.
void say(const std::string &text);

template <class T> T *notNull(T *pointer, const char *name) {
  if (!pointer)
    throw Failure{CUDA_ERROR_INVALID_VALUE, std::string(name) + " is null"};
  return pointer;
}

/// Handles of contexts that are current in this thread, the last one on top.
std::vector<CUcontext> &currentContexts();

/// Runs the body of a call: under the lock, after cuInit; returns what a thrown
/// Failure says.
CUresult perform(const char *call, const std::function<void(Driver &)> &body);
/// The same, in the current context, which no kernel has broken.
CUresult performInContext(const char *call,
                          const std::function<void(Driver &, Context &)> &body);
/// The same, of calls that need no cuInit.
CUresult performAlways(const char *call, const std::function<void()> &body);

/// cuInit and dsEmuReset; under the lock.
void start();
void stop();
Driver *running();

} // namespace cuda

#endif // TOOLS_PTX_EMULATOR_API_DRIVER_H
