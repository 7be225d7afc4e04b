//===- CheckpointTest.cpp - folders, whole and damaged --------------------===//
#include "lowering/CheckpointToDs/Checkpoint.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

using namespace checkpoint;
namespace fs = std::filesystem;

namespace {

constexpr const char *config =
    R"({"model_type": "llama", "vocab_size": 2, "hidden_size": 2,
        "intermediate_size": 2, "num_hidden_layers": 1,
        "num_attention_heads": 1})";

/// One F32 tensor of two elements per name.
std::string safetensors(const std::vector<std::string> &names) {
  std::string header = "{";
  for (size_t i = 0; i < names.size(); ++i)
    header += (i ? ", \"" : "\"") + names[i] +
              R"(": {"dtype": "F32", "shape": [2], "data_offsets": [)" +
              std::to_string(8 * i) + ", " + std::to_string(8 * i + 8) + "]}";
  header += "}";
  uint64_t length = header.size();
  std::string file(8, '\0');
  std::memcpy(file.data(), &length, 8);
  return file + header + std::string(8 * names.size(), 'x');
}

class CheckpointTest : public testing::Test {
protected:
  CheckpointTest() : folder(fs::path(testing::TempDir()) / "checkpoint-test") {
    fs::remove_all(folder);
    fs::create_directory(folder);
    write("config.json", config);
  }
  ~CheckpointTest() override { fs::remove_all(folder); }

  void write(const std::string &name, const std::string &text) {
    std::ofstream(folder / name, std::ios::binary) << text;
  }
  Checkpoint open() {
    std::string error;
    std::optional<Checkpoint> checkpoint =
        Checkpoint::open(folder.string(), "", error);
    EXPECT_TRUE(checkpoint) << error;
    return checkpoint.value_or(Checkpoint());
  }
  void expectRefused(const std::string &message) {
    std::string error;
    EXPECT_FALSE(Checkpoint::open(folder.string(), "", error)) << message;
    EXPECT_NE(error.find(message), std::string::npos)
        << error << "\nexpected: " << message;
    EXPECT_NE(error.find(folder.string()), std::string::npos) << error;
    EXPECT_EQ(error.find('\n'), std::string::npos) << error;
  }

  fs::path folder;
};

TEST_F(CheckpointTest, OneFile) {
  write("model.safetensors", safetensors({"a", "b"}));
  // transformers does not look at the index then either.
  write("model.safetensors.index.json", "damaged");
  Checkpoint checkpoint = open();
  ASSERT_EQ(checkpoint.tensors.size(), 2u);
  const Tensor &b = checkpoint.tensors.at("b");
  EXPECT_EQ(b.type, DS_TYPE_F32);
  EXPECT_EQ(b.dims, std::vector<int64_t>{2});
  EXPECT_EQ(b.file, (folder / "model.safetensors").string());
  EXPECT_EQ(b.bytes, 8u);
  EXPECT_EQ(b.offset + b.bytes, fs::file_size(b.file));
}

TEST_F(CheckpointTest, Shards) {
  write("one.safetensors", safetensors({"a", "left out"}));
  write("two.safetensors", safetensors({"b"}));
  write("model.safetensors.index.json",
        R"({"metadata": {"total_size": 16},
            "weight_map": {"a": "one.safetensors", "b": "two.safetensors"}})");
  Checkpoint checkpoint = open();
  // What the index leaves out is no part of the checkpoint.
  ASSERT_EQ(checkpoint.tensors.size(), 2u);
  EXPECT_EQ(checkpoint.tensors.at("a").file,
            (folder / "one.safetensors").string());
  EXPECT_EQ(checkpoint.tensors.at("b").file,
            (folder / "two.safetensors").string());
}

TEST_F(CheckpointTest, TruncatedShard) {
  std::string whole = safetensors({"b"});
  write("one.safetensors", safetensors({"a"}));
  write("model.safetensors.index.json",
        R"({"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}})");
  for (size_t size : {size_t(0), size_t(9), whole.size() - 1}) {
    write("two.safetensors", whole.substr(0, size));
    expectRefused("two.safetensors': ");
  }
  write("two.safetensors", whole);
  EXPECT_EQ(open().tensors.size(), 2u);
}

TEST_F(CheckpointTest, FolderOfLinks) {
  fs::path blobs = folder / "blobs";
  fs::create_directory(blobs);
  std::ofstream(blobs / "0", std::ios::binary) << safetensors({"a"});
  fs::create_symlink("blobs/0", folder / "model.safetensors");
  EXPECT_EQ(open().tensors.size(), 1u);
}

TEST_F(CheckpointTest, AnotherConfiguration) {
  write("model.safetensors", safetensors({"a"}));
  fs::rename(folder / "config.json", folder / "other.json");
  std::string error;
  std::optional<Checkpoint> checkpoint = Checkpoint::open(
      folder.string(), (folder / "other.json").string(), error);
  ASSERT_TRUE(checkpoint) << error;
  EXPECT_EQ(checkpoint->config.vocabulary, 2);
}

TEST_F(CheckpointTest, MissingFiles) {
  expectRefused("neither model.safetensors nor model.safetensors.index.json");
  write("model.safetensors.index.json", R"({"weight_map": {"a": "one"}})");
  expectRefused("tensor 'a' lies in 'one', which is not in the folder");
  fs::remove(folder / "config.json");
  expectRefused("config.json': cannot open");
}

TEST_F(CheckpointTest, DamagedFiles) {
  std::string whole = safetensors({"a", "b"});
  for (size_t size : {size_t(0), size_t(7), size_t(8), size_t(50),
                      whole.size() - 16, whole.size() - 1}) {
    write("model.safetensors", whole.substr(0, size));
    expectRefused("model.safetensors': ");
  }
  for (uint64_t length : {uint64_t(whole.size()), uint64_t(-1)}) {
    std::string file = whole;
    std::memcpy(file.data(), &length, 8);
    write("model.safetensors", file);
    expectRefused("header");
  }
  std::string file = whole;
  file.replace(file.find("[8, 16]"), 7, "[7, 15]");
  write("model.safetensors", file);
  expectRefused("overlaps");
  fs::remove(folder / "model.safetensors");
  fs::create_directory(folder / "model.safetensors");
  expectRefused("not a regular file");
}

TEST_F(CheckpointTest, DamagedIndex) {
  write("one", safetensors({"a"}));
  fs::create_directory(folder / "below");
  std::pair<const char *, const char *> cases[] = {
      {"", "bad JSON"},
      {"[]", "a JSON object was expected"},
      {"{}", "'weight_map' is missing"},
      {R"({"weight_map": ["a"]})", "'weight_map' is missing or no object"},
      {R"({"weight_map": {"a": 1}})", "not the plain name"},
      {R"({"weight_map": {"a": ""}})", "not the plain name"},
      {R"({"weight_map": {"a": ".."}})", "not the plain name"},
      {R"({"weight_map": {"a": "../one"}})", "not the plain name"},
      {R"({"weight_map": {"a": "/etc/passwd"}})", "not the plain name"},
      {R"({"weight_map": {"a": "one\u0000"}})",
       "'one?', which is not the plain name"},
      {R"({"weight_map": {"a": "below"}})", "not a regular file"},
      {R"({"weight_map": {"b": "one"}})", "tensor 'b' is not in 'one'"},
  };
  for (auto [text, message] : cases) {
    write("model.safetensors.index.json", text);
    expectRefused(message);
  }
}

TEST(Checkpoint, Example) {
  std::string error;
  std::optional<Checkpoint> checkpoint =
      Checkpoint::open(DS_EXAMPLES "/kjv-v1", "", error);
  ASSERT_TRUE(checkpoint) << error;
  EXPECT_EQ(checkpoint->config.keyValueHeads, 4);
  EXPECT_EQ(checkpoint->tensors.at("model.layers.4.mlp.down_proj.weight").dims,
            (std::vector<int64_t>{256, 688}));
}

} // namespace
