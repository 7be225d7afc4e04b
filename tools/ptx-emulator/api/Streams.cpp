//===- Streams.cpp - streams, events and functions of the host ------------===//
#include "tools/ptx-emulator/api/Driver.h"

#include <algorithm>

namespace cuda {

[[noreturn]] static void refuse(const std::string &why) {
  throw Failure{CUDA_ERROR_INVALID_VALUE, why};
}

static CUstream create(Driver &driver, Context &context, unsigned flags) {
  if (flags & ~CU_STREAM_NON_BLOCKING)
    refuse("there are no flags " + std::to_string(flags) + " of a stream");
  auto stream = std::make_shared<Stream>();
  stream->context = &context;
  stream->isBlocking = !(flags & CU_STREAM_NON_BLOCKING);
  return driver.streams.add(stream);
}

CUresult cuStreamCreate(CUstream *stream, unsigned flags) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    *notNull(stream, "the stream") = create(driver, context, flags);
  });
}

CUresult cuStreamCreateWithPriority(CUstream *stream, unsigned flags,
                                    int /*priority: a hint*/) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    *notNull(stream, "the stream") = create(driver, context, flags);
  });
}

static void wait(Driver &driver, const std::shared_ptr<Token> &token,
                 Context &context) {
  driver.runUntil(*token);
  if (context.error)
    throw Failure{context.error, ""};
}

/// Throws Failure: not yet, or a kernel failed.
static void query(Driver &driver, const std::shared_ptr<Token> &token,
                  Context &context) {
  // Who asks again and again comes to an end.
  if (!token->isDone)
    driver.runOne();
  if (context.error)
    throw Failure{context.error, ""};
  if (!token->isDone)
    throw Failure{CUDA_ERROR_NOT_READY, ""};
}

CUresult cuStreamDestroy_v2(CUstream handle) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    std::shared_ptr<Stream> stream = driver.streams.get(handle);
    driver.forbidCapture(*stream, "cuStreamDestroy");
    wait(driver, stream->last, context);
    driver.streams.remove(handle);
  });
}

CUresult cuStreamSynchronize(CUstream handle) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    std::shared_ptr<Stream> stream = driver.stream(context, handle);
    driver.forbidCapture(*stream, "cuStreamSynchronize");
    wait(driver, stream->last, context);
    stream->dependencies = nullptr;
  });
}

CUresult cuStreamQuery(CUstream handle) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    std::shared_ptr<Stream> stream = driver.stream(context, handle);
    driver.forbidCapture(*stream, "cuStreamQuery");
    query(driver, stream->last, context);
    stream->dependencies = nullptr;
  });
}

CUresult cuLaunchHostFunc(CUstream handle, CUhostFn function, void *argument) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    std::shared_ptr<Stream> stream = driver.stream(context, handle);
    if (!function)
      refuse("the function is null");
    driver.submit(*stream, HostCall{function, argument});
  });
}

//===-- events ------------------------------------------------------------===//

CUresult cuEventCreate(CUevent *handle, unsigned flags) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    notNull(handle, "the event");
    if (flags & CU_EVENT_INTERPROCESS)
      throw Failure{CUDA_ERROR_NOT_SUPPORTED,
                    "events of several processes are not emulated"};
    if (flags & ~(CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING))
      refuse("there are no flags " + std::to_string(flags) + " of an event");
    auto event = std::make_shared<Event>();
    event->context = &context;
    event->hasTime = !(flags & CU_EVENT_DISABLE_TIMING);
    *handle = driver.events.add(event);
  });
}

CUresult cuEventDestroy_v2(CUevent event) {
  return performInContext(__func__, [&](Driver &driver, Context &) {
    driver.events.remove(event);
  });
}

CUresult cuEventRecord(CUevent handle, CUstream streamHandle) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    std::shared_ptr<Event> event = driver.events.get(handle);
    std::shared_ptr<Stream> stream = driver.stream(context, streamHandle);
    if (event->context != &context)
      throw Failure{CUDA_ERROR_INVALID_HANDLE,
                    "the event is of another context"};
    if (stream->capture) {
      if (stream->capture->isInvalid)
        throw Failure{CUDA_ERROR_STREAM_CAPTURE_INVALIDATED,
                      "a call before made the capture invalid"};
      event->capture = stream->capture;
      event->nodes = stream->tail;
      event->record = nullptr;
      event->token = nullptr;
      return;
    }
    auto record = std::make_shared<EventRecord>();
    event->token = driver.submit(*stream, Record{record});
    event->record = record;
    event->capture = nullptr;
  });
}

/// The stream's next node follows what a capture had when it recorded an event.
static void join(Stream &stream, const Event &event) {
  if (stream.capture && stream.capture != event.capture) {
    stream.capture->isInvalid = event.capture->isInvalid = true;
    throw Failure{CUDA_ERROR_STREAM_CAPTURE_MERGE,
                  "the event belongs to the capture of another stream"};
  }
  if (!stream.capture) {
    stream.capture = event.capture;
    stream.tail.clear();
  }
  for (CUgraphNode each : event.nodes)
    if (std::ranges::find(stream.tail, each) == stream.tail.end())
      stream.tail.push_back(each);
}

static void refuseCaptured(const Event &event) {
  if (!event.capture)
    return;
  event.capture->isInvalid = true;
  throw Failure{CUDA_ERROR_CAPTURED_EVENT,
                "the event was last recorded into a graph"};
}

CUresult cuStreamWaitEvent(CUstream streamHandle, CUevent handle,
                           unsigned flags) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    std::shared_ptr<Stream> stream = driver.stream(context, streamHandle);
    std::shared_ptr<Event> event = driver.events.get(handle);
    if (flags)
      refuse("flags " + std::to_string(flags) + " are not emulated");
    if (event->capture && !event->capture->isEnded) {
      if (stream == context.legacy)
        driver.forbidImplicitCapture(context);
      return join(*stream, *event);
    }
    refuseCaptured(*event);
    if (!event->token)
      return;
    if (stream->capture) {
      stream->capture->isInvalid = true;
      throw Failure{CUDA_ERROR_STREAM_CAPTURE_ISOLATION,
                    "a graph cannot wait for an event that was recorded "
                    "outside of it"};
    }
    driver.submit(*stream, Nothing{}, {event->token});
  });
}

CUresult cuEventSynchronize(CUevent handle) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    std::shared_ptr<Event> event = driver.events.get(handle);
    refuseCaptured(*event);
    if (event->token)
      wait(driver, event->token, context);
  });
}

CUresult cuEventQuery(CUevent handle) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    std::shared_ptr<Event> event = driver.events.get(handle);
    refuseCaptured(*event);
    if (event->token)
      query(driver, event->token, context);
  });
}

CUresult cuEventElapsedTime(float *milliseconds, CUevent start, CUevent end) {
  return performInContext(__func__, [&](Driver &driver, Context &) {
    notNull(milliseconds, "the time");
    std::shared_ptr<Event> events[] = {driver.events.get(start),
                                       driver.events.get(end)};
    for (const auto &each : events) {
      refuseCaptured(*each);
      if (!each->hasTime || !each->record)
        throw Failure{CUDA_ERROR_INVALID_HANDLE,
                      each->hasTime ? "an event was never recorded"
                                    : "an event was made without times"};
    }
    for (const auto &each : events)
      if (!each->record->isDone)
        throw Failure{CUDA_ERROR_NOT_READY, ""};
    // A warp instruction takes a nanosecond: the same program always takes the
    // same time.
    *milliseconds = float(
        (double(events[1]->record->time) - double(events[0]->record->time)) /
        1e6);
  });
}

} // namespace cuda
