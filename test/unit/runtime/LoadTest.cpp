//===- LoadTest.cpp - what ds_load refuses, and what it says --------------===//
#include "FakeFolder.h"
#include "ds/ds_runtime.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

namespace {

/// Loading `path` must fail with `result` and a message that holds `text`.
void expectRefused(const std::string &path, ds_result result,
                   const std::string &text,
                   const ds_load_options *options = nullptr) {
  ds_model_t *model = reinterpret_cast<ds_model_t *>(1);
  EXPECT_EQ(ds_load(path.c_str(), options, &model), result) << text;
  EXPECT_NE(std::string(ds_last_error()).find(text), std::string::npos)
      << ds_last_error();
  EXPECT_EQ(model, reinterpret_cast<ds_model_t *>(1)) << "was changed";
}

void write(const std::string &path, const std::string &bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string read(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

TEST(Load, Descriptor) {
  FakeFolder folder;
  EXPECT_TRUE(folder.load());
  struct {
    const char *fault;
    ds_result result;
    const char *text;
  } cases[] = {
      {"null", DS_ERROR_ABI, "not a compiled model"},
      {"magic", DS_ERROR_ABI, "wrong magic"},
      {"abi", DS_ERROR_ABI, "compiled for ABI version 999, this runtime has"},
      {"mode", DS_ERROR_ABI, "unknown mode 3"},
      {"name", DS_ERROR_ABI, "a text is missing"},
      {"variants", DS_ERROR_ABI, "no code variant"},
      {"no variant", DS_ERROR_CPU, "none (needs no_such_feature)"},
      {"caches", DS_ERROR_ABI, "a table is missing"},
      {"vocabulary", DS_ERROR_ABI, "out of range"},
      {"hidden size", DS_ERROR_ABI, "out of range"},
      {"cache heads", DS_ERROR_ABI, "a cache has no name, type or size"},
      {"draft caches", DS_ERROR_ABI, "a table is missing"},
      {"routers", DS_ERROR_ABI, "a table is missing"},
      {"router experts", DS_ERROR_ABI, "a router has no experts"},
      {"router choices", DS_ERROR_ABI,
       "a router chooses no experts, or more than it has"},
      {"router bias", DS_ERROR_ABI,
       "the bias of a router is no parameter of its size"},
      {"router bias size", DS_ERROR_ABI,
       "the bias of a router is no parameter of its size"},
      {"bias entry", DS_ERROR_ABI,
       "variant 'plain' cannot move the biases of its routers"},
      {"draft cache heads", DS_ERROR_ABI, "a cache has no name, type or size"},
      {"draft entry", DS_ERROR_ABI, "variant 'plain' lacks an entry"},
      {"parameter rank", DS_ERROR_ABI, "parameter 'w'"},
      {"parameter size", DS_ERROR_ABI, "parameter 'w'"},
      {"weights path", DS_ERROR_ABI, "not the plain name of a file"},
      {"no weights file", DS_ERROR_ABI, "not the plain name of a file"},
      {"weights bytes", DS_ERROR_FORMAT, "the model was compiled with"},
      {"weights offset", DS_ERROR_FORMAT, "parameter 'w' has bytes"},
  };
  for (const auto &one : cases) {
    folder.setFault(one.fault);
    expectRefused(folder.library(), one.result, one.text);
  }
  folder.setFault("");
  EXPECT_TRUE(folder.load());
}

TEST(Load, Library) {
  FakeFolder folder;
  expectRefused(folder.library() + ".no", DS_ERROR_FILE,
                "No such file or directory");
  expectRefused(std::filesystem::path(folder.library()).parent_path(),
                DS_ERROR_FILE, "not a regular file");
  expectRefused(DS_RUNTIME, DS_ERROR_ABI, "no symbol ds_model");
  std::string whole = read(folder.library());
  // Cut anywhere: refused, never a crash.
  for (size_t size : {size_t(0), size_t(3), size_t(63), size_t(64), size_t(300),
                      whole.size() / 4, whole.size() / 2}) {
    write(folder.library(), whole.substr(0, size));
    expectRefused(folder.library(), DS_ERROR_FORMAT, "shared library");
  }
  std::string other = whole;
  other[18] = 40; // e_machine: ARM
  write(folder.library(), other);
  expectRefused(folder.library(), DS_ERROR_FORMAT, "for x86-64");
}

TEST(Load, Weights) {
  FakeFolder folder;
  std::string whole = read(folder.weights());
  std::filesystem::remove(folder.weights());
  expectRefused(folder.library(), DS_ERROR_FILE, "No such file or directory");
  write(folder.weights(), whole.substr(0, whole.size() - 4));
  expectRefused(folder.library(), DS_ERROR_FORMAT,
                "copy both files of one compilation");
  // The size is right, the header is not.
  std::string header = whole;
  header[0] = char(0xff);
  write(folder.weights(), header);
  expectRefused(folder.library(), DS_ERROR_FORMAT, "truncated");
  header = whole;
  header[header.find("\"w\"") + 1] = 'v';
  write(folder.weights(), header);
  expectRefused(folder.library(), DS_ERROR_FORMAT, "parameter 'w' is missing");
  header = whole;
  header.replace(header.find("F32"), 3, "I32");
  write(folder.weights(), header);
  expectRefused(folder.library(), DS_ERROR_FORMAT,
                "parameter 'w' is I32 [3], the model expects F32 [3]");
  // A changed byte is seen only if one looks.
  std::string changed = whole;
  changed.back() ^= 1;
  write(folder.weights(), changed);
  Model model = folder.load();
  EXPECT_EQ(ds_model_verify(model.get()), DS_ERROR_FORMAT);
  EXPECT_NE(std::string(ds_last_error()).find("parameter 'w' has checksum"),
            std::string::npos);
  ds_load_options verify = {nullptr, 1};
  expectRefused(folder.library(), DS_ERROR_FORMAT, "has checksum", &verify);
  write(folder.weights(), whole);
  EXPECT_EQ(ds_model_verify(folder.load().get()), DS_OK);
}

TEST(Load, Variants) {
  FakeFolder folder;
  ds_load_options options = {"plain", 0};
  ds_model_t *model = nullptr;
  ASSERT_EQ(ds_load(folder.library().c_str(), &options, &model), DS_OK);
  char *json = nullptr;
  ASSERT_EQ(ds_model_describe(model, &json), DS_OK);
  EXPECT_NE(std::string(json).find("\"variant\": \"plain\""),
            std::string::npos);
  ds_free(json);
  ds_model_free(model);
  options.cpu = "none";
  expectRefused(folder.library(), DS_ERROR_CPU, "lacks no_such_feature",
                &options);
  options.cpu = "z80";
  expectRefused(folder.library(), DS_ERROR_CPU,
                "none (needs no_such_feature); plain", &options);
  setenv("DS_CPU", "z80", 1);
  expectRefused(folder.library(), DS_ERROR_CPU, "DS_CPU names variant 'z80'");
  unsetenv("DS_CPU");
}

TEST(Load, DamagedTokenizerLeavesTheRest) {
  FakeFolder folder;
  folder.setFault("tokenizer");
  Model model = folder.load();
  int32_t *tokens = nullptr;
  int64_t count = 0;
  EXPECT_EQ(ds_tokenize(model.get(), "a", 1, 1, &tokens, &count),
            DS_ERROR_FORMAT);
  EXPECT_NE(std::string(ds_last_error()).find("tokenizer.json is damaged"),
            std::string::npos);
  EXPECT_EQ(ds_tokenizer_vocabulary(model.get()), 7);
  makeSession(model.get(), {});
}

TEST(Load, NullIsAnArgumentError) {
  FakeFolder folder;
  Model model = folder.load();
  ds_model_t *loaded = nullptr;
  EXPECT_EQ(ds_load(nullptr, nullptr, &loaded), DS_ERROR_ARGUMENT);
  EXPECT_STREQ(ds_last_error(), "path is null");
  EXPECT_EQ(ds_load(folder.library().c_str(), nullptr, nullptr),
            DS_ERROR_ARGUMENT);
  char *text = nullptr;
  int32_t *tokens = nullptr;
  int64_t count = 0;
  ds_session_t *session = nullptr;
  EXPECT_EQ(ds_model_describe(nullptr, &text), DS_ERROR_ARGUMENT);
  EXPECT_EQ(ds_model_describe(model.get(), nullptr), DS_ERROR_ARGUMENT);
  EXPECT_EQ(ds_model_verify(nullptr), DS_ERROR_ARGUMENT);
  EXPECT_EQ(ds_model_call(nullptr, nullptr, nullptr, 0), DS_ERROR_ARGUMENT);
  EXPECT_EQ(ds_session_create(nullptr, nullptr, &session), DS_ERROR_ARGUMENT);
  EXPECT_EQ(ds_session_create(model.get(), nullptr, nullptr),
            DS_ERROR_ARGUMENT);
  EXPECT_EQ(ds_session_feed(nullptr, nullptr, 0, nullptr, 0, nullptr),
            DS_ERROR_ARGUMENT);
  EXPECT_EQ(ds_session_rewind(nullptr, 0, 0), DS_ERROR_ARGUMENT);
  EXPECT_EQ(ds_session_read_cache(nullptr, 0, 0, nullptr, 0),
            DS_ERROR_ARGUMENT);
  EXPECT_EQ(ds_sampler_create(nullptr, nullptr), DS_ERROR_ARGUMENT);
  EXPECT_EQ(ds_sampler_sample(nullptr, nullptr, 0, nullptr, 0, nullptr),
            DS_ERROR_ARGUMENT);
  EXPECT_EQ(ds_tokenize(nullptr, "a", 1, 0, &tokens, &count),
            DS_ERROR_ARGUMENT);
  EXPECT_EQ(ds_tokenize(model.get(), "a", 1, 0, &tokens, &count),
            DS_ERROR_UNSUPPORTED);
  EXPECT_EQ(ds_chat_prompt(model.get(), nullptr, nullptr, 0, &text),
            DS_ERROR_UNSUPPORTED);
  EXPECT_EQ(ds_session_length(nullptr, 0), -1);
  EXPECT_EQ(ds_model_descriptor(nullptr), nullptr);
  ds_model_free(nullptr);
  ds_session_free(nullptr);
  ds_sampler_free(nullptr);
  ds_detokenizer_free(nullptr);
  ds_free(nullptr);
}

TEST(Graph, ChecksItsInputs) {
  FakeFolder folder;
  folder.setFault("graph");
  Model model = folder.load();
  float values[6] = {1, 2, 3, 4, 5, 6};
  DsTensor in = {values, DS_TYPE_F32, 2, {2, 3}}, out = {};
  ASSERT_EQ(ds_model_call(model.get(), &in, &out, 3), DS_OK);
  EXPECT_EQ(folder.global<int32_t>("fake_threads"), 3);
  EXPECT_EQ(static_cast<float *>(out.data)[5], 12);
  ds_free(out.data);
  auto refused = [&](DsTensor bad, const char *text) {
    DsTensor untouched = {&values, 77, 0, {}};
    EXPECT_EQ(ds_model_call(model.get(), &bad, &untouched, 0), DS_ERROR_SHAPE);
    EXPECT_NE(std::string(ds_last_error()).find(text), std::string::npos)
        << ds_last_error();
    EXPECT_EQ(untouched.data, &values);
  };
  refused({values, DS_TYPE_F64, 2, {2, 3}}, "takes F32, this is F64");
  refused({values, DS_TYPE_F32, 1, {6}}, "this has rank 1");
  refused({values, DS_TYPE_F32, 2, {3, 2}},
          "takes shape [?, 3], this is [3, 2]");
  refused({values, DS_TYPE_F32, 2, {-1, 3}}, "has no size");
  refused({nullptr, DS_TYPE_F32, 2, {2, 3}}, "no data");
  ds_session_t *session = nullptr;
  EXPECT_EQ(ds_session_create(model.get(), nullptr, &session),
            DS_ERROR_UNSUPPORTED);
}

} // namespace
