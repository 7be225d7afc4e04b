//===- MatrixQueue.h - wgmma of one warp ----------------------*- C++ -*-===//
//
// Products read shared memory and their registers, and write their
// accumulators, some time between the instruction and a wait for its group.
// Until then nobody may touch the accumulators, write the registers of A, or
// write what is read.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_PTX_EMULATOR_EXEC_MATRIXQUEUE_H
#define TOOLS_PTX_EMULATOR_EXEC_MATRIXQUEUE_H

#include "tools/ptx-emulator/exec/Access.h"
#include "tools/ptx-emulator/exec/Groups.h"

#include <functional>

namespace ptx {

struct MatrixProduct {
  /// Numbers of rows (Warp::rowsAt).
  std::vector<uint32_t> accumulators, registersOfA;
  /// Pieces of 16 bytes of shared memory that it reads.
  std::vector<Cell> pieces;
  uint32_t pc = 0;
  /// Computes it; empty once that is done.
  std::function<void()> compute;
};

class MatrixQueue {
public:
  explicit MatrixQueue(Warp &warp) : warp(warp) {}

  /// wgmma.fence: what the registers hold now is known to products.
  void fence();
  /// Throws Fault: a register was written since the last fence, or is still
  /// that of another product, with another place in it.
  void add(MatrixProduct product, bool computesNow);
  void commit() { products.commit(); }
  void wait(size_t pending);

  bool isBusy() const { return !products.isEmpty(); }
  /// Throws Fault if an instruction touches what a product still uses.
  void check(const Step &step) const;

private:
  void checkRegisters(const MatrixProduct &product) const;
  void finish(MatrixProduct &product);

  Warp &warp;
  Groups<MatrixProduct> products;
  /// All rows when they were fenced, and as products left them.
  std::vector<std::array<uint32_t, warpSize>> fenced;
};

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_EXEC_MATRIXQUEUE_H
