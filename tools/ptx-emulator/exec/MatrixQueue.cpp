//===- MatrixQueue.cpp - wgmma of one warp --------------------------------===//
#include "tools/ptx-emulator/exec/MatrixQueue.h"
#include "tools/ptx-emulator/exec/Block.h"

#include <algorithm>

namespace ptx {

void MatrixQueue::fence() {
  fenced.resize(warp.rowCount());
  std::memcpy(fenced.data(), warp.rowsAt(0), fenced.size() * sizeof(Row));
}

static bool contains(const std::vector<uint32_t> &list, uint32_t number) {
  return std::ranges::find(list, number) != list.end();
}

void MatrixQueue::checkRegisters(const MatrixProduct &product) const {
  for (const MatrixProduct &each : products) {
    // Products of one accumulator follow each other in order.
    bool isSame = each.accumulators == product.accumulators;
    for (uint32_t number : product.accumulators)
      if (!isSame && (contains(each.accumulators, number) ||
                      contains(each.registersOfA, number)))
        throw Fault(FaultKind::LaunchFailure,
                    "wgmma: an accumulator is a register of another product "
                    "that may still go on")
            .with("of " + warp.kernel.lineAt(each.pc))
            .with("missing: wgmma.wait_group");
  }
  if (fenced.empty())
    throw Fault(FaultKind::LaunchFailure,
                "wgmma.mma_async without wgmma.fence before it");
  auto checkRow = [&](uint32_t number, const char *what) {
    bool isKnown =
        number < fenced.size() &&
        std::memcmp(&fenced[number], warp.rowsAt(number), sizeof(Row)) == 0;
    if (!isKnown)
      throw Fault(FaultKind::LaunchFailure,
                  std::string("wgmma: ") + what +
                      " was written since the last wgmma.fence")
          .with("missing: wgmma.fence between the two");
  };
  bool isChained = std::ranges::any_of(products, [&](const auto &each) {
    return each.accumulators == product.accumulators;
  });
  if (!isChained)
    for (uint32_t number : product.accumulators)
      checkRow(number, "an accumulator");
  for (uint32_t number : product.registersOfA)
    checkRow(number, "a register of A");
}

void MatrixQueue::add(MatrixProduct product, bool computesNow) {
  checkRegisters(product);
  for (const Cell &each : product.pieces)
    beginReading(each, 16, product.pc);
  // One that is chained to products that are still to come comes behind them.
  bool isBehind = std::ranges::any_of(products, [&](const auto &each) {
    return each.compute && each.accumulators == product.accumulators;
  });
  if (computesNow && !isBehind) {
    product.compute();
    product.compute = nullptr;
  }
  products.add(std::move(product));
}

void MatrixQueue::finish(MatrixProduct &product) {
  if (product.compute)
    product.compute();
  ClusterRaces *races = warp.block.cluster.races.get();
  for (const Cell &each : product.pieces) {
    endReading(each, 16);
    if (!races)
      continue;
    // It is now that it has read; nobody wrote in between, as was checked.
    touchWords(each, 16,
               {.warp = warp.numberInCluster,
                .lane = 0,
                .pc = product.pc,
                .writes = false,
                .isAsync = true,
                .engine = races->clocks.engineOfWarp(warp.numberInCluster)},
               races->clocks);
  }
  for (uint32_t number : product.accumulators)
    if (number < fenced.size())
      std::memcpy(&fenced[number], warp.rowsAt(number), sizeof(Row));
}

void MatrixQueue::wait(size_t pending) {
  bool isAny = products.complete(
      pending, [&](MatrixProduct &product) { finish(product); });
  ClusterRaces *races = warp.block.cluster.races.get();
  if (isAny && races) {
    Clock clock;
    races->clocks.engineReleases(
        races->clocks.engineOfWarp(warp.numberInCluster), clock);
    races->clocks.acquire(warp.numberInCluster, warp.active, clock);
  }
}

void MatrixQueue::check(const Step &step) const {
  // What waits, and products, look for themselves.
  if (step.usesMatrices)
    return;
  auto checkRef = [&](Ref ref, bool writes) {
    if (ref.base != Ref::Frame)
      return;
    uint32_t number = warp.numberOf(ref);
    for (const MatrixProduct &each : products) {
      bool isAccumulator = contains(each.accumulators, number);
      if (isAccumulator || (writes && contains(each.registersOfA, number)))
        throw Fault(
            FaultKind::LaunchFailure,
            std::string("wgmma: ") +
                (isAccumulator ? "an accumulator is " : "a register of A is ") +
                (writes ? "written" : "read") +
                " while the product may still go on")
            .with("of " + warp.kernel.lineAt(each.pc))
            .with("missing: wgmma.wait_group before it");
    }
  };
  for (size_t i = 0; i < step.operands.size(); ++i)
    checkRef(step.operands[i], step.hasDestination && i == 0);
  for (size_t i = 0; i < step.vectors.size(); ++i)
    for (uint32_t j = 0; j < step.vectors[i].count; ++j)
      checkRef(warp.kernel.refs[step.vectors[i].first + j],
               step.hasDestination && i == 0);
  for (const AddressRef &each : step.addresses)
    if (each.kind == AddressRef::Short || each.kind == AddressRef::Long)
      checkRef(each.base, false);
}

} // namespace ptx
