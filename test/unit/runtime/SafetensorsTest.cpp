//===- SafetensorsTest.cpp - the reader trusts nothing --------------------===//
#include "files/Safetensors.h"
#include "files/Error.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

using namespace files;

namespace {

std::string fileOf(const std::string &header, size_t dataBytes) {
  std::string file(8, '\0');
  uint64_t length = header.size();
  std::memcpy(file.data(), &length, 8);
  return file + header + std::string(dataBytes, 'x');
}

SafetensorsHeader parse(const std::string &file) {
  return parseSafetensors(
      {reinterpret_cast<const uint8_t *>(file.data()), file.size()}, "here");
}

void expectRefused(const std::string &file, const std::string &text) {
  try {
    parse(file);
    ADD_FAILURE() << "accepted, expected: " << text;
  } catch (const Error &error) {
    EXPECT_EQ(error.fault(), Fault::Format);
    EXPECT_NE(std::string(error.what()).find(text), std::string::npos)
        << error.what();
  }
}

TEST(Safetensors, ReadsWhatTheFormatAllows) {
  SafetensorsHeader header = parse(fileOf(
      R"({"__metadata__": {"format": "pt"},
          "b": {"dtype": "I64", "shape": [], "data_offsets": [12, 20]},
          "a": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]},
          "empty": {"dtype": "F32", "shape": [0, 7], "data_offsets": [20, 20]}}  )",
      20));
  ASSERT_EQ(header.entries.size(), 3u);
  EXPECT_EQ(header.entries[0].name, "a");
  EXPECT_EQ(header.find("a")->type, DS_TYPE_BF16);
  EXPECT_EQ(header.find("a")->dims, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(header.find("b")->bytes, 8u);
  EXPECT_EQ(header.find("c"), nullptr);
  EXPECT_EQ(header.metadata.at("format"), "pt");
  EXPECT_TRUE(parse(fileOf("{}", 0)).entries.empty());
}

TEST(Safetensors, RefusesTheRest) {
  auto tensor = [](const char *type, const char *shape, const char *range) {
    return std::string(R"({"t": {"dtype": ")") + type + R"(", "shape": )" +
           shape + R"(, "data_offsets": )" + range + "}}";
  };
  expectRefused("", "0 bytes");
  expectRefused(std::string(7, 'x'), "7 bytes");
  expectRefused(std::string(8, '\xff'), "above the format's limit");
  expectRefused(fileOf("{}", 0).substr(0, 9), "truncated");
  expectRefused(fileOf("{", 0), "bad JSON");
  expectRefused(fileOf("[]", 0), "a JSON object was expected");
  expectRefused(fileOf(R"({"t": 1})", 0), "not described by an object");
  expectRefused(fileOf(R"({"t": {}})", 0), "needs dtype, shape");
  expectRefused(fileOf(R"({"__metadata__": 3})", 0), "not an object");
  expectRefused(fileOf(R"({"__metadata__": {"a": 3}})", 0), "not a string");
  expectRefused(fileOf(tensor("F33", "[1]", "[0, 4]"), 4), "unknown dtype");
  expectRefused(fileOf(tensor("F32", "[-1]", "[0, 4]"), 4), "is not a size");
  expectRefused(fileOf(tensor("F32", "[1.5]", "[0, 4]"), 4), "is not a size");
  expectRefused(fileOf(tensor("F32", "[1]", "[4, 0]"), 4), "leaves the file");
  expectRefused(fileOf(tensor("F32", "[1]", "[0, 4]"), 3), "leaves the file");
  expectRefused(fileOf(tensor("F32", "[2]", "[0, 4]"), 4), "takes 8 bytes");
  expectRefused(
      fileOf(tensor("F32", "[4294967296, 4294967296, 4]", "[0, 4]"), 4),
      "too many");
  expectRefused(fileOf(R"({"a": {"dtype": "U8", "shape": [2],
                                 "data_offsets": [0, 2]},
                          "b": {"dtype": "U8", "shape": [2],
                                "data_offsets": [1, 3]}})",
                       3),
                "overlaps");
  expectRefused(fileOf(tensor("U8", "[2]", "[100, 102]"), 102), "hole");
  expectRefused(fileOf("{}", 100), "belong to none");
  std::string twice = R"({"a": {"dtype": "U8", "shape": [1],
                                "data_offsets": [0, 1]},
                          "a": {"dtype": "U8", "shape": [1],
                                "data_offsets": [0, 1]}})";
  expectRefused(fileOf(twice, 1), "named twice");
  expectRefused(fileOf(std::string(100000, '['), 0), "bad JSON");
}

TEST(Safetensors, WriterLeavesNothingHalf) {
  char name[] = "/tmp/ds-unit-XXXXXX";
  std::filesystem::path folder = mkdtemp(name);
  std::string path = folder / "out.safetensors";
  auto files = [&] {
    return std::distance(std::filesystem::directory_iterator(folder), {});
  };
  {
    SafetensorsWriter writer(path, {{"a", DS_TYPE_U8, {4}}});
    writer.write("abc", 3);
    EXPECT_THROW(writer.write("de", 2), Error);
  }
  EXPECT_EQ(files(), 0);
  {
    SafetensorsWriter writer(path, {{"a", DS_TYPE_U8, {4}}});
    EXPECT_THROW(writer.finish(), Error);
  }
  EXPECT_EQ(files(), 0);
  EXPECT_THROW(
      SafetensorsWriter(path, {{"a", DS_TYPE_U8, {1}}, {"a", DS_TYPE_U8, {1}}}),
      Error);
  EXPECT_THROW(SafetensorsWriter(folder / "none" / "x", {}), Error);
  EXPECT_EQ(files(), 0);
  {
    SafetensorsWriter writer(path, {{"a", DS_TYPE_U8, {4}}});
    writer.write("abcd", 4);
    EXPECT_FALSE(std::filesystem::exists(path));
    writer.finish();
  }
  SafetensorsFile file(path);
  const SafetensorsEntry *entry = file.header().find("a");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->offset % 64, 0u);
  EXPECT_EQ(std::memcmp(file.data(*entry), "abcd", 4), 0);
  EXPECT_EQ(files(), 1);
  // The disk is full: an error, also when only closing finds out.
  SafetensorsWriter full("/dev/full", {{"a", DS_TYPE_U8, {4}}});
  full.write("abcd", 4);
  EXPECT_THROW(full.finish(), Error);
  std::filesystem::remove_all(folder);
}

} // namespace
