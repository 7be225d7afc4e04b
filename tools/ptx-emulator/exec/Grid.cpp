//===- Grid.cpp - one launch of a kernel ----------------------------------===//
#include "tools/ptx-emulator/exec/Grid.h"
#include "tools/ptx-emulator/exec/Block.h"

#include <algorithm>
#include <atomic>
#include <cfenv>
#include <mutex>
#include <numeric>
#include <thread>
#include <utility>

namespace ptx {

/// Instructions of a warp until the next one runs.
static constexpr uint64_t quantum = 4096;
/// Warp instructions without progress after which one more block is let in:
/// what runs may wait for a block that is not there yet.
static constexpr uint64_t patience = 200'000;
/// The same of a cluster beside others, after which all are let in by turns.
static constexpr uint64_t patienceBesideOthers = 5'000'000;

Grid::Grid(const Kernel &kernel, const LaunchShape &shape,
           std::span<const uint8_t> parameters, DeviceMemory &memory,
           const DeviceLimits &limits, const Options &options)
    : kernel(kernel), shape(shape),
      parameters(parameters.begin(), parameters.end()), memory(memory),
      limits(limits), options(options), random(options.seed) {}

Grid::~Grid() = default;

/// Order in which clusters begin: as they are numbered, backward, or in steps
/// that come by each of them once.
static std::function<uint32_t(uint64_t)> orderOf(uint64_t clusters,
                                                 uint64_t seed) {
  if (seed % 3 == 0)
    return [](uint64_t i) { return uint32_t(i); };
  if (seed % 3 == 1)
    return [=](uint64_t i) { return uint32_t(clusters - 1 - i); };
  std::mt19937_64 random(seed);
  uint64_t step = random() % clusters, start = random() % clusters;
  while (std::gcd(step, clusters) != 1)
    step = (step + 1) % clusters;
  return [=](uint64_t i) { return uint32_t((start + i * step) % clusters); };
}

void Grid::run() {
  if (options.coverage.empty())
    return runAll();
  coverage = std::make_shared<Coverage>(kernel);
  try {
    runAll();
  } catch (const Report &) {
    coverage->appendTo(options.coverage);
    throw;
  }
  coverage->appendTo(options.coverage);
}

void Grid::runAll() {
  uint64_t clusters = shape.grid.count() / shape.cluster.count();
  Order order = orderOf(clusters, options.seed);
  unsigned threads =
      options.threads ? options.threads : std::thread::hardware_concurrency();
  bool isSplit = threads > 1 && clusters > 1 && !shape.isCooperative &&
                 !kernel.ordersBlocks && !options.warn;
  if (!isSplit || !runOnThreads(clusters, order, threads))
    runInOrder(clusters, order);
}

void Grid::runInOrder(uint64_t clusters, const Order &order) {
  if (options.checksRaces) {
    shadow = std::make_shared<GlobalShadow>();
    races = std::make_unique<GridRaces>(*shadow);
  }
  uint64_t next = 0;
  runClusters(
      [&]() -> std::optional<uint32_t> {
        if (next == clusters)
          return std::nullopt;
        return order(next++);
      },
      [] { return false; });
}

bool Grid::runOnThreads(uint64_t clusters, const Order &order,
                        unsigned threads) {
  std::vector<std::unique_ptr<Grid>> parts;
  if (options.checksRaces)
    shadow = std::make_shared<GlobalShadow>(&memory);
  uint64_t most = std::min<uint64_t>(clusters, GlobalShadow::mostWriters);
  while (parts.size() < std::min<uint64_t>(threads, most)) {
    auto part = std::make_unique<Grid>(kernel, shape, parameters, memory,
                                       limits, options);
    part->dependencies = dependencies;
    part->coverage = coverage;
    part->isSpeculative = options.checksRaces;
    if (shadow)
      part->races = std::make_unique<GridRaces>(*shadow);
    parts.push_back(std::move(part));
  }
  // Of several faults the first in order counts, so that it is always the same.
  std::atomic<uint64_t> next = 0, failedAt = clusters;
  std::mutex mutex;
  std::exception_ptr failure;
  auto work = [&](Grid &part) {
    for (uint64_t at; (at = next++) < failedAt;) {
      std::optional<uint32_t> cluster = order(at);
      try {
        part.runClusters([&] { return std::exchange(cluster, std::nullopt); },
                         [&] { return at > failedAt; });
      } catch (...) {
        std::lock_guard lock(mutex);
        // Whatever it is, it is looked at again in order.
        if (part.isSpeculative)
          failedAt = 0;
        if (at < failedAt) {
          failedAt = at;
          failure = std::current_exception();
        }
      }
    }
  };
  {
    std::vector<std::jthread> workers;
    for (size_t i = 1; i < parts.size(); ++i)
      workers.emplace_back(work, std::ref(*parts[i]));
    work(*parts[0]);
  }
  if (shadow && failedAt < clusters) {
    shadow->restore();
    return false;
  }
  if (shadow)
    shadow->forgetContents();
  for (const auto &part : parts) {
    executed += part->executed;
    lanesExecuted += part->lanesExecuted;
  }
  if (failure)
    std::rethrow_exception(failure);
  return true;
}

void Grid::runClusters(const Next &next,
                       const std::function<bool()> &isStopped) {
  // The host's program may round or flush otherwise.
  std::fenv_t environment;
  std::fegetenv(&environment);
  std::fesetenv(FE_DFL_ENV);
  struct Restore {
    const std::fenv_t &environment;
    ~Restore() { std::fesetenv(&environment); }
  } restore{environment};

  size_t window = shape.isCooperative ? ~size_t(0) : 1;
  bool isLeft = true;
  uint64_t admittedAt = executed;
  noteProgress();
  resident.clear();
  try {
    while (!isStopped()) {
      while (resident.size() < window && isLeft) {
        std::optional<uint32_t> number = next();
        isLeft = number.has_value();
        if (isLeft)
          resident.push_back(std::make_unique<Cluster>(*this, *number));
      }
      if (resident.empty())
        return;
      uint64_t before = executed;
      for (const auto &cluster : resident)
        cluster->run(quantum);
      if (executed == before)
        reportDeadlock();
      if (std::erase_if(resident,
                        [](const auto &each) { return each->hasExited(); })) {
        noteProgress();
        // It may be gone with its cluster.
        running = nullptr;
        window = shape.isCooperative ? window : 1;
      }
      // It may wait for a block that is to come.
      if (isSpeculative && executed - progressAt > patienceBesideOthers)
        throw Suspicion();
      if (executed - progressAt > options.limit)
        throw Fault(FaultKind::LaunchTimeout,
                    "no thread stored anything or came through a barrier for " +
                        std::to_string(options.limit) + " instructions");
      if (executed > options.mostExecuted)
        throw Fault(FaultKind::LaunchTimeout,
                    std::to_string(executed) + " instructions were executed");
      if (executed - std::max(progressAt, admittedAt) > patience) {
        window = std::max(window, resident.size() + 1);
        admittedAt = executed;
      }
    }
  } catch (const Fault &fault) {
    throw Report(fault.kind, placed(fault));
  }
}

std::string Grid::replay() const {
  constexpr const char *modes[] = {"early", "late", "random"};
  return "\nreplay: DS_EMU_SEED=" + std::to_string(options.seed) +
         " DS_EMU_ASYNC=" + modes[size_t(options.asynchrony)];
}

void Grid::warn(const Fault &fault) const { options.warn(placed(fault)); }

std::string Grid::placed(const Fault &fault) const {
  std::string text = fault.what();
  // A block may not even begin.
  if (!running)
    return text + "\nkernel " + kernel.entry->name + replay();
  uint32_t pc = running->currentPc();
  int lane = fault.lane;
  if (lane < 0 && running->active)
    lane = std::countr_zero(running->active);
  text += "\nkernel " + kernel.entry->name + ", block " +
          textOf(running->block.index) + ", warp " +
          std::to_string(running->index);
  if (lane >= 0)
    text += " lane " + std::to_string(lane);
  text += ", " + kernel.lineAt(pc);
  const Instruction *source = kernel.steps[pc].source;
  SourcePlace place = source ? source->place : SourcePlace();
  if (place.file && place.file < kernel.module->files.size())
    text += "  (source: " + kernel.module->files[place.file] + ":" +
            std::to_string(place.line) + ":" + std::to_string(place.column) +
            ")";
  for (const std::string &each : fault.details)
    text += "\n" + each;
  return text + replay();
}

void Grid::reportDeadlock() const {
  std::string text = "deadlock: every thread waits";
  text += "\nkernel " + kernel.entry->name;
  // Of a grid whose blocks all wait the first says enough.
  size_t shown = 0;
  for (const auto &cluster : resident)
    for (const auto &block : cluster->blocks) {
      if (block->hasExited() || ++shown > 4)
        continue;
      text += "\nblock " + textOf(block->index);
      for (const std::string &each : block->whatWaits())
        text += "\n  " + each;
    }
  if (shown > 4)
    text += "\nand " + std::to_string(shown - 4) + " more blocks";
  text += replay();
  throw Report(FaultKind::LaunchTimeout, text);
}

} // namespace ptx
