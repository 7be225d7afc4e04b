//===- FakeFolder.cpp - the fake model with its weights in a folder -------===//
#include "FakeFolder.h"
#include "files/Safetensors.h"

#include <cstdlib>
#include <dlfcn.h>
#include <filesystem>
#include <gtest/gtest.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

FakeFolder::FakeFolder() {
  char name[] = "/tmp/ds-unit-XXXXXX";
  path = mkdtemp(name);
  std::filesystem::copy_file(DS_FAKE_MODEL, library());
  float values[3] = {0.25f, 1, 2};
  {
    files::SafetensorsWriter writer(weights(), {{"w", DS_TYPE_F32, {3}}});
    writer.write(values, sizeof values);
    writer.finish();
  }
  files::SafetensorsFile file(weights());
  std::string facts = std::to_string(file.header().find("w")->offset) + " " +
                      std::to_string(std::filesystem::file_size(weights())) +
                      " " + std::to_string(XXH3_64bits(values, sizeof values));
  setenv("DS_FAKE_WEIGHTS", facts.c_str(), 1);
  setFault("");
}

FakeFolder::~FakeFolder() {
  setFault("");
  std::filesystem::remove_all(path);
}

void FakeFolder::setFault(const std::string &fault) {
  setenv("DS_FAKE_FAULT", fault.c_str(), 1);
}

Model FakeFolder::load() const {
  ds_model_t *model = nullptr;
  EXPECT_EQ(ds_load(library().c_str(), nullptr, &model), DS_OK)
      << ds_last_error();
  return Model(model);
}

void *FakeFolder::symbol(const char *name) const {
  void *handle = dlopen(library().c_str(), RTLD_NOW | RTLD_NOLOAD);
  void *result = dlsym(handle, name);
  dlclose(handle);
  return result;
}

Session makeSession(const ds_model_t *model, ds_session_options options) {
  ds_session_t *session = nullptr;
  EXPECT_EQ(ds_session_create(model, &options, &session), DS_OK)
      << ds_last_error();
  return Session(session);
}

/// An allocation that cannot be is a failed one, in sanitizer builds too.
extern "C" __attribute__((visibility("default"))) const char *
__asan_default_options() {
  return "allocator_may_return_null=1";
}
