//===- Capture.cpp - graphs out of what streams are given -----------------===//
#include "tools/ptx-emulator/api/Driver.h"

#include <algorithm>

namespace cuda {

CUresult cuStreamBeginCapture_v2(CUstream handle, CUstreamCaptureMode mode) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    std::shared_ptr<Stream> stream = driver.stream(context, handle);
    if (int(mode) < 0 || mode > CU_STREAM_CAPTURE_MODE_RELAXED)
      throw Failure{CUDA_ERROR_INVALID_VALUE, "there is no mode " +
                                                  std::to_string(int(mode)) +
                                                  " of a capture"};
    if (stream == context.legacy)
      throw Failure{CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
                    "the legacy stream cannot be captured"};
    if (stream->capture)
      throw Failure{CUDA_ERROR_ILLEGAL_STATE, "the stream captures already"};
    auto capture = std::make_shared<Capture>();
    capture->graph = driver.graphs.add(std::make_shared<Graph>());
    capture->origin = stream.get();
    capture->mode = mode;
    capture->thread = std::this_thread::get_id();
    stream->capture = capture;
    stream->tail.clear();
  });
}

/// Nodes and all that they follow.
static std::set<CUgraphNode> closure(const Graph &graph,
                                     const std::vector<CUgraphNode> &nodes) {
  std::map<CUgraphNode, const Node *> byHandle;
  for (const auto &each : graph.nodes)
    byHandle[each->handle] = each.get();
  std::set<CUgraphNode> result;
  std::vector<CUgraphNode> left = nodes;
  while (!left.empty()) {
    CUgraphNode next = left.back();
    left.pop_back();
    if (result.insert(next).second)
      for (CUgraphNode each : byHandle.at(next)->after)
        left.push_back(each);
  }
  return result;
}

/// Whether what all streams recorded leads to the stream that began.
static bool isJoined(Driver &driver, const Capture &capture) {
  std::set<CUgraphNode> joined =
      closure(*driver.graphs.get(capture.graph), capture.origin->tail);
  for (const auto &stream : driver.allStreams())
    if (stream->capture.get() == &capture)
      for (CUgraphNode each : stream->tail)
        if (!joined.contains(each))
          return false;
  return true;
}

CUresult cuStreamEndCapture(CUstream handle, CUgraph *graph) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    *notNull(graph, "the graph") = nullptr;
    std::shared_ptr<Stream> stream = driver.stream(context, handle);
    std::shared_ptr<Capture> capture = stream->capture;
    if (!capture)
      throw Failure{CUDA_ERROR_ILLEGAL_STATE, "the stream does not capture"};
    if (capture->origin != stream.get())
      throw Failure{CUDA_ERROR_STREAM_CAPTURE_UNMATCHED,
                    "the capture began on another stream"};
    if (capture->mode != CU_STREAM_CAPTURE_MODE_RELAXED &&
        capture->thread != std::this_thread::get_id())
      throw Failure{CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD,
                    "the capture began in another thread"};
    bool isWhole = capture->isInvalid || isJoined(driver, *capture);
    for (const auto &each : driver.allStreams())
      if (each->capture == capture) {
        each->capture = nullptr;
        each->tail.clear();
      }
    capture->isEnded = true;
    if (!capture->isInvalid && isWhole) {
      *graph = capture->graph;
      return;
    }
    driver.destroyGraph(capture->graph);
    if (capture->isInvalid)
      throw Failure{CUDA_ERROR_STREAM_CAPTURE_INVALIDATED,
                    "a call before made the capture invalid"};
    throw Failure{CUDA_ERROR_STREAM_CAPTURE_UNJOINED,
                  "a stream that joined the capture has work that the "
                  "capture's own stream does not wait for"};
  });
}

CUresult cuStreamIsCapturing(CUstream handle, CUstreamCaptureStatus *status) {
  return performInContext(__func__, [&](Driver &driver, Context &context) {
    notNull(status, "the status");
    std::shared_ptr<Stream> stream = driver.stream(context, handle);
    *status = !stream->capture ? CU_STREAM_CAPTURE_STATUS_NONE
              : stream->capture->isInvalid
                  ? CU_STREAM_CAPTURE_STATUS_INVALIDATED
                  : CU_STREAM_CAPTURE_STATUS_ACTIVE;
  });
}

} // namespace cuda
