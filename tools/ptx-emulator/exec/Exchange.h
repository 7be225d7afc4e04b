//===- Exchange.h - instructions of several lanes -------------*- C++ -*-===//
//
// shfl, vote and their like: lanes named by a mask bring values, and each gets
// a result of all. They may come by different instructions of one kind, from
// different calls, so that bringing and taking are apart.
//
//===----------------------------------------------------------------------===//
#ifndef TOOLS_PTX_EMULATOR_EXEC_EXCHANGE_H
#define TOOLS_PTX_EMULATOR_EXEC_EXCHANGE_H

#include "tools/ptx-emulator/exec/Warp.h"

namespace ptx {

/// What the lanes brought, and what each gets.
struct ExchangeValues {
  uint32_t lanes = 0; // that take part
  Row in[4], out[4];
  uint32_t predicateIn = 0, predicateOut = 0;
};

/// A kind of exchange: what agrees in all its instructions.
struct Exchange {
  /// Reads what the active lanes of `warp` bring.
  void (*bring)(Warp &warp, const Step &step, ExchangeValues &values);
  /// Computes what each lane gets.
  void (*compute)(ExchangeValues &values);
  /// Writes what the active lanes get.
  void (*take)(Warp &warp, const Step &step, const ExchangeValues &values);
  /// What the lanes did before happened before what they do behind it. Only
  /// bar.warp.sync says so.
  bool ordersMemory = false;
};

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_EXEC_EXCHANGE_H
