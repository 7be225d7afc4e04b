//===- Model.h - a loaded model -------------------------------------------===//
//
// The shared library with its descriptor checked, its weights mapped and its
// code variant chosen. Immutable after loading: sessions in several threads
// share one.
//
//===----------------------------------------------------------------------===//
#ifndef DS_RUNTIME_SRC_MODEL_H
#define DS_RUNTIME_SRC_MODEL_H

#include "Weights.h"
#include "ds/model_abi.h"
#include "files/Types.h"

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace dsrt {

/// Tensors that the model allocated with malloc.
class TensorList {
public:
  explicit TensorList(size_t count) : tensors(count, DsTensor{}) {}
  TensorList(TensorList &&) = default;
  TensorList &operator=(TensorList &&) = delete;
  ~TensorList();

  size_t size() const { return tensors.size(); }
  DsTensor &operator[](size_t i) { return tensors[i]; }
  const DsTensor &operator[](size_t i) const { return tensors[i]; }
  DsTensor *data() { return tensors.data(); }
  /// Gives the data pointers away: the caller frees them.
  std::vector<DsTensor> release() { return std::move(tensors); }

private:
  std::vector<DsTensor> tensors;
};

struct LoadOptions {
  std::string cpu;     // variant; "": the first this machine can run
  bool verify = false; // compare checksums
};

class Model {
public:
  /// Throws Error as ds_load() documents.
  static std::shared_ptr<const Model> load(const std::string &path,
                                           const LoadOptions &options = {});
  Model(const Model &) = delete;
  Model &operator=(const Model &) = delete;
  ~Model();

  const DsModel &descriptor() const { return *model; }
  const DsVariant &variant() const { return *chosen; }
  const void *const *parameters() const { return weights.pointers(); }
  const std::string &path() const { return libraryPath; }
  bool isLanguageModel() const { return model->mode == DS_MODE_LANGUAGE_MODEL; }

  /// The descriptor as JSON text, indented.
  std::string describe() const;
  /// Throws FORMAT naming the first parameter whose checksum differs.
  void verify() const { weights.verify(*model); }

  /// Bytes that one token adds to the caches of its sequence.
  uint64_t cacheBytesPerToken() const;
  /// Bytes that it adds to the caches of all layers that draft.
  uint64_t draftCacheBytesPerToken() const;
  /// The caches of one of these layers.
  std::span<const DsCache> draftCaches(size_t layer) const;

  /// Graph mode. Inputs in the descriptor's order; `threads` 0: all
  /// processors. Throws UNSUPPORTED, SHAPE, INDEX, MEMORY.
  TensorList call(std::span<const DsTensor> inputs, int threads = 0) const;

private:
  Model() = default;
  void open(const std::string &path);
  void checkDescriptor() const;
  void chooseVariant(const std::string &cpu);
  void checkInputs(std::span<const DsTensor> inputs) const;

  std::string libraryPath;
  void *library = nullptr;
  const DsModel *model = nullptr;
  const DsVariant *chosen = nullptr;
  Weights weights;
};

/// Throws what a status other than OK means; `what` and `name` say of which
/// call.
void checkStatus(int32_t status, const char *what, const char *name);

} // namespace dsrt

#endif // DS_RUNTIME_SRC_MODEL_H
