//===- FakeFolder.h - the fake model with its weights in a folder ---------===//
#ifndef TEST_UNIT_RUNTIME_FAKEFOLDER_H
#define TEST_UNIT_RUNTIME_FAKEFOLDER_H

#include "ds/ds_runtime.h"

#include <memory>
#include <string>

// Options left out are the defaults: that is what their structs are for.
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wmissing-designated-field-initializers"
#endif

struct Freed {
  void operator()(ds_model_t *model) const { ds_model_free(model); }
  void operator()(ds_session_t *session) const { ds_session_free(session); }
  void operator()(ds_sampler_t *sampler) const { ds_sampler_free(sampler); }
  void operator()(ds_detokenizer_t *d) const { ds_detokenizer_free(d); }
  void operator()(void *memory) const { ds_free(memory); }
};
using Model = std::unique_ptr<ds_model_t, Freed>;
using Session = std::unique_ptr<ds_session_t, Freed>;
using Sampler = std::unique_ptr<ds_sampler_t, Freed>;

/// A temporary folder with FakeModel's library and weights. See FakeModel.c for
/// the faults.
class FakeFolder {
public:
  FakeFolder();
  ~FakeFolder();
  FakeFolder(const FakeFolder &) = delete;

  std::string library() const { return path + "/fake.so"; }
  std::string weights() const { return path + "/fake.weights.safetensors"; }
  void setFault(const std::string &fault);
  /// The loaded model; fails the test if it cannot be loaded.
  Model load() const;
  /// A global variable of the loaded library.
  template <typename T> T &global(const char *name) const {
    return *static_cast<T *>(symbol(name));
  }

private:
  void *symbol(const char *name) const;
  std::string path;
};

Session makeSession(const ds_model_t *model, ds_session_options options);

#endif // TEST_UNIT_RUNTIME_FAKEFOLDER_H
