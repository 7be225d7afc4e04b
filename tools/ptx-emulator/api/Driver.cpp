//===- Driver.cpp - the state of the emulated driver ----------------------===//
#include "tools/ptx-emulator/api/Driver.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <system_error>

namespace cuda {

uintptr_t newHandleNumber() {
  // Of no memory: bits 48 to 63 of an address are all alike.
  static std::atomic<uintptr_t> next = uintptr_t(0xd5) << 56;
  return next += 16;
}

void Context::HostDelete::operator()(void *bytes) const { std::free(bytes); }

Driver::Driver()
    : settings(readSettings()), limits(ptx::limitsOf(settings.architecture)),
      reservation(ptx::deviceBase, ptx::deviceSize),
      memory(settings.options.seed), random(settings.options.seed) {
  for (int i = 0; i < settings.devices; ++i) {
    auto context = std::make_shared<Context>();
    context->device = i;
    context->handle = contexts.add(context);
    context->legacy = std::make_shared<Stream>();
    context->legacy->context = context.get();
    devices.push_back(context);
  }
}

Context &Driver::deviceContext(CUdevice device) {
  if (device < 0 || size_t(device) >= devices.size())
    throw Failure{CUDA_ERROR_INVALID_DEVICE,
                  "there is no device " + std::to_string(device)};
  return *devices[size_t(device)];
}

std::shared_ptr<Stream> Driver::stream(Context &context, CUstream handle) {
  if (!handle || handle == CU_STREAM_LEGACY)
    return context.legacy;
  if (handle == CU_STREAM_PER_THREAD) {
    std::shared_ptr<Stream> &own =
        context.perThread[std::this_thread::get_id()];
    if (!own) {
      own = std::make_shared<Stream>();
      own->context = &context;
    }
    return own;
  }
  std::shared_ptr<Stream> found = streams.get(handle);
  if (found->context != &context)
    throw Failure{CUDA_ERROR_INVALID_HANDLE,
                  "the stream is of another context"};
  return found;
}

void Driver::destroy(Context &context) {
  auto isOurs = [&](const auto &each) { return each.context == &context; };
  streams.removeIf(isOurs);
  context.perThread.clear();
  context.legacy->queue.clear();
  events.removeIf(isOurs);
  execs.removeIf(isOurs);
  functions.removeIf([&](const Function &each) {
    std::shared_ptr<Module> module = each.module.lock();
    return !module || isOurs(*module);
  });
  modules.forEach([&](const std::shared_ptr<Module> &each) {
    each->isUnloaded |= isOurs(*each); // graphs may still name it
  });
  modules.removeIf(isOurs);
  for (uint64_t each : context.allocations)
    memory.free(each);
  for (const auto &each : context.hostAllocations)
    memory.free(reinterpret_cast<uintptr_t>(each.first));
  for (void *each : context.registered)
    memory.free(reinterpret_cast<uintptr_t>(each));
  context.allocations.clear();
  context.hostAllocations.clear();
  context.registered.clear();
  context.bytesInUse = 0;
  context.error = CUDA_SUCCESS;
}

//===-- work --------------------------------------------------------------===//

std::vector<std::shared_ptr<Stream>> Driver::allStreams() const {
  std::vector<std::shared_ptr<Stream>> result;
  for (const auto &context : devices) {
    result.push_back(context->legacy);
    for (const auto &each : context->perThread)
      result.push_back(each.second);
  }
  streams.forEach([&](const auto &each) { result.push_back(each); });
  return result;
}

/// Adds a node to the graph that the stream records.
void Driver::append(Stream &stream, Operation operation) {
  if (stream.capture->isInvalid)
    throw Failure{CUDA_ERROR_STREAM_CAPTURE_INVALIDATED,
                  "a call before made the capture invalid"};
  if (std::holds_alternative<Free>(operation)) {
    stream.capture->isInvalid = true;
    throw Failure{CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
                  "memory is not freed by a graph"};
  }
  std::shared_ptr<Graph> graph = graphs.get(stream.capture->graph);
  auto node = std::make_shared<Node>();
  node->operation = std::move(operation);
  node->graph = stream.capture->graph;
  node->after = stream.tail;
  node->handle = nodes.add(node);
  graph->nodes.push_back(node);
  stream.tail = {node->handle};
}

std::shared_ptr<Token>
Driver::submit(Stream &stream, Operation operation,
               std::vector<std::shared_ptr<Token>> after) {
  check(*this, operation);
  Context &context = *stream.context;
  if (stream.capture) {
    append(stream, std::move(operation));
    return stream.last;
  }
  if (&stream == context.legacy.get())
    forbidImplicitCapture(context);
  auto done = std::make_shared<Token>();
  if (!settings.hasLazyStreams) {
    execute(stream, operation);
    done->isDone = true;
    return stream.last = done;
  }
  if (&stream == context.legacy.get()) {
    for (const auto &each : allStreams())
      if (each->context == &context && each->isBlocking)
        after.push_back(each->last);
  } else if (stream.isBlocking) {
    after.push_back(context.legacy->last);
  }
  stream.queue.push_back({std::move(operation), std::move(after), done});
  return stream.last = done;
}

void Driver::submitAndWait(Context &context, Operation operation) {
  std::shared_ptr<Token> done = submit(*context.legacy, std::move(operation));
  runUntil(*done);
  if (context.error)
    throw Failure{context.error, ""};
}

void Driver::execute(Stream &stream, const Operation &operation) {
  Context &context = *stream.context;
  if (context.error)
    throw Failure{context.error, ""};
  // The legacy stream waits for the others, which wait for it.
  if (&stream == context.legacy.get()) {
    for (const auto &each : allStreams())
      if (each->context == &context && each->isBlocking &&
          each.get() != &stream)
        each->dependencies = nullptr;
  } else if (stream.isBlocking) {
    context.legacy->dependencies = nullptr;
  }
  try {
    cuda::execute(*this, operation, stream.dependencies);
  } catch (const ptx::Report &report) {
    poison(context, CUresult(report.kind), report.what());
    throw Failure{context.error, ""};
  }
}

void Driver::poison(Context &context, CUresult error,
                    const std::string &report) {
  say("error: " + report);
  context.error = error;
  // Nothing of it goes on.
  for (const auto &stream : allStreams()) {
    if (stream->context != &context)
      continue;
    for (const Work &each : stream->queue)
      each.done->isDone = true;
    stream->queue.clear();
  }
}

/// Those whose first work waits for none.
std::vector<std::shared_ptr<Stream>> Driver::readyStreams() const {
  std::vector<std::shared_ptr<Stream>> ready = allStreams();
  std::erase_if(ready, [](const auto &stream) {
    return stream->queue.empty() ||
           !std::ranges::all_of(stream->queue.front().after,
                                [](const auto &each) { return each->isDone; });
  });
  return ready;
}

void Driver::runHead(Stream &stream) {
  Work work = std::move(stream.queue.front());
  stream.queue.pop_front();
  Context &context = *stream.context;
  try {
    execute(stream, work.operation);
  } catch (const Failure &failure) {
    // Who would be told is gone: it is an error of the context, unless a
    // kernel made it one.
    if (!context.error)
      poison(context, CUDA_ERROR_ILLEGAL_ADDRESS, failure.why);
  } catch (const std::bad_alloc &) {
    poison(context, CUDA_ERROR_OUT_OF_MEMORY, "not enough memory");
  }
  work.done->isDone = true;
}

void Driver::runUntil(const Token &token) {
  // What nothing orders comes in any order: steps of all streams are mixed, or
  // one stream is always before another.
  bool isStrict = random() % 2;
  std::map<Stream *, uint64_t> ranks;
  auto rank = [&](const std::shared_ptr<Stream> &each) {
    auto [found, isNew] = ranks.try_emplace(each.get(), 0);
    if (isNew)
      found->second = random();
    return found->second;
  };
  while (!token.isDone) {
    std::vector<std::shared_ptr<Stream>> ready = readyStreams();
    if (ready.empty())
      throw Failure{CUDA_ERROR_UNKNOWN, "queued work waits for itself"};
    runHead(isStrict ? **std::ranges::max_element(ready, {}, rank)
                     : *ready[random() % ready.size()]);
  }
}

void Driver::finish(Context &context) {
  for (const auto &stream : allStreams())
    if (stream->context == &context) {
      std::shared_ptr<Token> last = stream->last;
      runUntil(*last);
      stream->dependencies = nullptr;
    }
}

void Driver::drain(Context &context) {
  finish(context);
  if (context.error)
    throw Failure{context.error, ""};
}

void Driver::runOne() {
  std::vector<std::shared_ptr<Stream>> ready = readyStreams();
  if (!ready.empty())
    runHead(*ready[random() % ready.size()]);
}

//===-- captures ----------------------------------------------------------===//

void Driver::forbidCapture(Stream &stream, const char *what) {
  if (!stream.capture)
    return;
  stream.capture->isInvalid = true;
  throw Failure{CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
                std::string(what) + " is not possible while a stream captures"};
}

void Driver::forbidCaptures(Context &context, const char *what) {
  for (const auto &stream : allStreams()) {
    if (stream->context != &context || !stream->capture)
      continue;
    Capture &capture = *stream->capture;
    bool isOwn = capture.thread == std::this_thread::get_id();
    if (capture.mode == CU_STREAM_CAPTURE_MODE_GLOBAL ||
        (capture.mode == CU_STREAM_CAPTURE_MODE_THREAD_LOCAL && isOwn))
      forbidCapture(*stream, what);
  }
}

void Driver::forbidImplicitCapture(Context &context) {
  for (const auto &stream : allStreams())
    if (stream->context == &context && stream->capture && stream->isBlocking) {
      stream->capture->isInvalid = true;
      throw Failure{CUDA_ERROR_STREAM_CAPTURE_IMPLICIT,
                    "the legacy stream would wait for a stream that captures"};
    }
}

//===-- calls -------------------------------------------------------------===//

static std::mutex mutex;
static std::unique_ptr<Driver> driver;
static std::string report;
/// A function of the host that a stream calls cannot call the driver.
static thread_local bool isInCall = false;

Driver *running() { return driver.get(); }
std::string lastReport() { return report; }

void say(const std::string &text) {
  report = "DS-EMU " + text;
  std::fprintf(stderr, "%s\n", report.c_str());
}

std::vector<CUcontext> &currentContexts() {
  static thread_local std::vector<CUcontext> contexts;
  return contexts;
}

void start() {
  if (driver)
    return;
  try {
    driver = std::make_unique<Driver>();
  } catch (const std::system_error &error) {
    throw Failure{CUDA_ERROR_OPERATING_SYSTEM, error.what()};
  }
}

void stop() {
  driver.reset();
  report.clear();
}

CUresult performAlways(const char *call, const std::function<void()> &body) {
  if (isInCall)
    return CUDA_ERROR_NOT_PERMITTED;
  std::lock_guard lock(mutex);
  isInCall = true;
  struct Leave {
    ~Leave() { isInCall = false; }
  } leave;
  try {
    body();
    return CUDA_SUCCESS;
  } catch (const Failure &failure) {
    if (!failure.why.empty())
      say(std::string("error: ") + call + ": " + failure.why);
    return failure.result;
  } catch (const std::bad_alloc &) {
    say(std::string("error: ") + call + ": not enough memory");
    return CUDA_ERROR_OUT_OF_MEMORY;
  } catch (const std::exception &error) {
    // No exception leaves a function of C.
    say(std::string("error: ") + call + ": " + error.what());
    return CUDA_ERROR_UNKNOWN;
  }
}

CUresult perform(const char *call, const std::function<void(Driver &)> &body) {
  return performAlways(call, [&] {
    if (!driver)
      throw Failure{CUDA_ERROR_NOT_INITIALIZED, "cuInit was not called"};
    body(*driver);
  });
}

CUresult
performInContext(const char *call,
                 const std::function<void(Driver &, Context &)> &body) {
  return perform(call, [&](Driver &driver) {
    const std::vector<CUcontext> &current = currentContexts();
    if (current.empty() || !current.back())
      throw Failure{CUDA_ERROR_INVALID_CONTEXT,
                    "no context is current in this thread"};
    std::shared_ptr<Context> context = driver.contexts.find(current.back());
    if (!context)
      throw Failure{CUDA_ERROR_INVALID_CONTEXT,
                    "there is no context of that handle"};
    if (!context->retained)
      throw Failure{CUDA_ERROR_CONTEXT_IS_DESTROYED,
                    "the current context was released"};
    if (context->error)
      throw Failure{context->error, ""};
    body(driver, *context);
  });
}

} // namespace cuda
