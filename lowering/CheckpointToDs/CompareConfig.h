//===- CompareConfig.h - does a graph compute what config.json says? ------===//
//
// Exporters write wrong models: a softmax scale without YaRN's factor, the
// routing of the input that was traced. A graph alone cannot show it; beside
// the configuration of its model it can.
//
//===----------------------------------------------------------------------===//
#ifndef LOWERING_CHECKPOINTTODS_COMPARECONFIG_H
#define LOWERING_CHECKPOINTTODS_COMPARECONFIG_H

#include "lowering/CheckpointToDs/ModelConfig.h"
#include "mlir/IR/BuiltinOps.h"

namespace mlir::ds {

/// Compares the raised model in `module` with `config`: softmax scale, RoPE
/// frequencies and the factor of their tables, number of experts, experts a
/// token, scoring and scale of routing, ε of norms, vocabulary. A warning for
/// each value that differs names both values, how many ops have it and what
/// follows from it; a remark says what could not be compared.
///
/// With `trust`, what differs by a constant alone (softmax scale, RoPE, ε,
/// scale of routing) becomes what `config` says, and the warning says so.
void compareWithConfig(ModuleOp module, const checkpoint::ModelConfig &config,
                       bool trust);

} // namespace mlir::ds

#endif // LOWERING_CHECKPOINTTODS_COMPARECONFIG_H
