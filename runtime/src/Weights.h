//===- Weights.h - the parameters of a model in memory --------------------===//
#ifndef DS_RUNTIME_SRC_WEIGHTS_H
#define DS_RUNTIME_SRC_WEIGHTS_H

#include "ds/model_abi.h"
#include "files/MappedFile.h"

#include <string>
#include <vector>

namespace dsrt {

/// The weights file of a model, mapped and compared with the descriptor.
class Weights {
public:
  Weights() = default;
  /// Maps `weights_file` beside the library (in `folder`), or takes the
  /// embedded bytes. Compares the size, and the header's entry of every
  /// parameter: type, shape, offset and length. Throws FILE or FORMAT.
  Weights(const DsModel &model, const std::string &folder);

  /// One pointer per parameter.
  const void *const *pointers() const { return data.data(); }

  /// Compares the checksum of every parameter; throws FORMAT naming the first
  /// that differs.
  void verify(const DsModel &model) const;

private:
  files::MappedFile file;
  std::string where; // for messages
  std::vector<const void *> data;
};

} // namespace dsrt

#endif // DS_RUNTIME_SRC_WEIGHTS_H
