//===- ParameterProgram.h - parameters computed while compiling -*- C++ -*-===//
//
// What depends on weights alone (ds-split-parameter-program) runs once, here:
// its functions went through the same pipeline as the model and are compiled
// for the machine that the compiler runs on, whatever the model is compiled
// for.
//
//===----------------------------------------------------------------------===//
#ifndef LOWERING_LINK_PARAMETERPROGRAM_H
#define LOWERING_LINK_PARAMETERPROGRAM_H

#include "lowering/Link/Link.h"
#include "llvm/ADT/StringMap.h"

namespace llvm::orc {
class LLJIT;
} // namespace llvm::orc

namespace mlir::ds {

/// Cuts the functions with ds.entry = "parameter" out of `module`, together
/// with the parameters that only they read (those that `module` loads too are
/// copied), into a module of their own. Null if there are none.
OwningOpRef<ModuleOp> takeParameterProgram(ModuleOp module);

class ParameterProgram {
public:
  /// Compiles `module`, a parameter program in the LLVM dialect whose
  /// functions ds-build-parameter-entries made. `sources` are what they read.
  static FailureOr<std::unique_ptr<ParameterProgram>>
  create(ModuleOp module, std::vector<EntryParameter> sources);
  ~ParameterProgram();

  /// Computes `parameter`, whose source is `#ds.computed`, into the
  /// `parameter.bytes` bytes at `to`, which are aligned to 64.
  LogicalResult compute(Location loc, const EntryParameter &parameter,
                        char *to) const;

private:
  ParameterProgram(std::unique_ptr<llvm::orc::LLJIT> jit,
                   std::vector<EntryParameter> sources);

  std::unique_ptr<llvm::orc::LLJIT> jit;
  llvm::StringMap<EntryParameter> sources;
};

} // namespace mlir::ds

#endif // LOWERING_LINK_PARAMETERPROGRAM_H
