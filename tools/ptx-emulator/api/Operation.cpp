//===- Operation.cpp - what streams and graphs hold -----------------------===//
#include "tools/ptx-emulator/api/Driver.h"

#include <algorithm>
#include <cstring>

namespace cuda {

namespace {
/// Bytes of one row of a copy; `defined`: null of memory that the host has.
struct Bytes {
  uint8_t *bytes, *defined;
};
template <class... T> struct Overloaded : T... {
  using T::operator()...;
};
template <class... T> Overloaded(T...) -> Overloaded<T...>;
} // namespace

[[noreturn]] static void refuse(const std::string &why) {
  throw Failure{CUDA_ERROR_INVALID_VALUE, why};
}

/// Memory of the device, or of the host where devices may use it.
static Bytes find(ptx::DeviceMemory &memory, uint64_t address, uint64_t bytes) {
  ptx::Allocation *found = memory.find(address, bytes);
  if (!found)
    refuse(std::to_string(bytes) + " bytes at " + memory.describe(address));
  uint64_t offset = address - found->base;
  return {found->data + offset,
          found->defined ? found->defined + offset : nullptr};
}

static Bytes find(ptx::DeviceMemory &memory, const Place &place,
                  uint64_t offset, uint64_t bytes) {
  uint64_t address = place.address + offset;
  if (!place.isHost)
    return find(memory, address, bytes);
  return {reinterpret_cast<uint8_t *>(uintptr_t(address)), nullptr};
}

/// Bytes from the first to the last of `height` rows and `depth` slices.
static uint64_t extent(uint64_t width, uint64_t height, uint64_t pitch,
                       uint64_t depth, uint64_t slicePitch) {
  uint64_t rows = 0, slices = 0, all = 0;
  if (__builtin_mul_overflow(height - 1, pitch, &rows) ||
      __builtin_mul_overflow(depth - 1, slicePitch, &slices) ||
      __builtin_add_overflow(rows, slices, &all) ||
      __builtin_add_overflow(all, width, &all))
    refuse("a copy that is larger than any memory");
  return all;
}

static void checkPlace(Driver &driver, const Copy &copy, const Place &place,
                       const char *side) {
  if ((copy.height > 1 || copy.depth > 1) && place.pitch < copy.width)
    refuse(std::string("the pitch of the ") + side + " is " +
           std::to_string(place.pitch) + " bytes, less than a row of " +
           std::to_string(copy.width));
  uint64_t bytes = extent(copy.width, copy.height, place.pitch, copy.depth,
                          place.slicePitch);
  if (!place.isHost) {
    find(driver.memory, place.address, bytes);
    return;
  }
  if (!place.address)
    refuse(std::string("the ") + side + " is null");
  if (place.address + bytes > ptx::deviceBase &&
      place.address < ptx::deviceBase + ptx::deviceSize)
    refuse(std::string("the ") + side +
           " is memory of the device, where memory of the host is asked for");
}

static void checkOne(Driver &driver, const Copy &copy) {
  if (!copy.width || !copy.height || !copy.depth)
    return;
  checkPlace(driver, copy, copy.to, "destination");
  checkPlace(driver, copy, copy.from, "source");
}

static void checkOne(Driver &driver, const Fill &fill) {
  if (fill.to % fill.elementBytes)
    refuse("the destination is not aligned to " +
           std::to_string(fill.elementBytes) + " bytes");
  if (!fill.width || !fill.height)
    return;
  uint64_t row;
  if (__builtin_mul_overflow(fill.width, fill.elementBytes, &row))
    refuse("a fill that is larger than any memory");
  if (fill.height > 1 && (fill.pitch < row || fill.pitch % fill.elementBytes))
    refuse("the pitch is less than a row, or no multiple of an element");
  find(driver.memory, fill.to, extent(row, fill.height, fill.pitch, 1, 0));
}

static void checkOne(Driver &, const Launch &launch) {
  if (launch.module->isUnloaded)
    throw Failure{CUDA_ERROR_INVALID_HANDLE, "the module of kernel '" +
                                                 launch.kernel->entry->name +
                                                 "' was unloaded"};
}

void check(Driver &driver, const Operation &operation) {
  std::visit(Overloaded{[&](const Copy &each) { checkOne(driver, each); },
                        [&](const Fill &each) { checkOne(driver, each); },
                        [&](const Launch &each) { checkOne(driver, each); },
                        [&](const GraphRun &run) {
                          for (const auto &each : run.nodes)
                            check(driver, each->operation);
                        },
                        [](const auto &) {}},
             operation);
}

//===-- execution ---------------------------------------------------------===//

static void run(Driver &driver, const Copy &copy) {
  checkOne(driver, copy);
  uint64_t undefined = 0;
  for (uint64_t z = 0; z < copy.depth; ++z)
    for (uint64_t y = 0; y < copy.height && copy.width; ++y) {
      Bytes to = find(driver.memory, copy.to,
                      z * copy.to.slicePitch + y * copy.to.pitch, copy.width);
      Bytes from =
          find(driver.memory, copy.from,
               z * copy.from.slicePitch + y * copy.from.pitch, copy.width);
      std::memmove(to.bytes, from.bytes, copy.width);
      if (to.defined && from.defined)
        std::memmove(to.defined, from.defined, copy.width);
      else if (to.defined)
        std::memset(to.defined, ptx::written, copy.width);
      else if (from.defined)
        undefined += uint64_t(std::count(
            from.defined, from.defined + copy.width, ptx::neverWritten));
    }
  if (undefined)
    say("warning: a copy to the host reads " + std::to_string(undefined) +
        " bytes that nobody wrote, of " +
        driver.memory.describe(copy.from.address));
}

static void run(Driver &driver, const Fill &fill) {
  checkOne(driver, fill);
  for (uint64_t y = 0; y < fill.height && fill.width; ++y) {
    uint64_t count = fill.width * fill.elementBytes;
    Bytes to = find(driver.memory, fill.to + y * fill.pitch, count);
    for (uint64_t i = 0; i < count; i += fill.elementBytes)
      std::memcpy(to.bytes + i, &fill.value, fill.elementBytes);
    if (to.defined)
      std::memset(to.defined, ptx::written, count);
  }
}

/// Returns the dependencies of what comes next.
static std::shared_ptr<ptx::Dependencies>
run(Driver &driver, const Launch &launch,
    std::shared_ptr<ptx::Dependencies> dependencies) {
  checkOne(driver, launch);
  ptx::Grid grid(*launch.kernel, launch.shape, launch.parameters, driver.memory,
                 driver.limits, driver.settings.options);
  if (launch.shape.mayBeginEarly && dependencies)
    grid.dependencies = std::move(dependencies);
  struct Count {
    Driver &driver;
    ptx::Grid &grid;
    ~Count() {
      driver.executed += grid.executed;
      ++driver.launches;
    }
  } count{driver, grid};
  grid.run();
  return grid.dependencies->ofNext(
      {launch.module, launch.kernel, launch.shape, grid.shadow});
}

/// Nodes in an order in which each comes after what it follows, and else by
/// chance.
static void run(Driver &driver, const GraphRun &graph) {
  std::map<CUgraphNode, std::shared_ptr<ptx::Dependencies>> done;
  std::vector<std::shared_ptr<const Node>> left = graph.nodes;
  auto isReady = [&](const std::shared_ptr<const Node> &node) {
    return std::ranges::all_of(
        node->after, [&](CUgraphNode each) { return done.contains(each); });
  };
  while (!left.empty()) {
    // Those that can run come first.
    auto end = std::ranges::partition(left, isReady).begin();
    auto next =
        left.begin() + int64_t(driver.random() % uint64_t(end - left.begin()));
    std::shared_ptr<const Node> node = *next;
    left.erase(next);
    std::shared_ptr<ptx::Dependencies> dependencies;
    if (node->after.size() == 1)
      dependencies = done.at(node->after[0]);
    execute(driver, node->operation, dependencies);
    done[node->handle] = std::move(dependencies);
  }
}

void execute(Driver &driver, const Operation &operation,
             std::shared_ptr<ptx::Dependencies> &dependencies) {
  std::shared_ptr<ptx::Dependencies> before = std::move(dependencies);
  dependencies = nullptr;
  std::visit(
      Overloaded{[](const Nothing &) {},
                 [&](const Copy &each) { run(driver, each); },
                 [&](const Fill &each) { run(driver, each); },
                 [&](const Launch &each) {
                   dependencies = run(driver, each, std::move(before));
                 },
                 [](const HostCall &each) { each.function(each.argument); },
                 [&](const Free &each) { driver.memory.free(each.address); },
                 [&](const Record &each) {
                   each.record->isDone = true;
                   each.record->time = driver.executed;
                 },
                 [&](const GraphRun &each) { run(driver, each); }},
      operation);
}

} // namespace cuda
