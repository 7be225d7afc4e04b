//===- AllocationTest.cpp - nothing is allocated per token once warm ------===//
//
// Counts what the whole process asks malloc for, by standing in front of it.
//
//===----------------------------------------------------------------------===//
#include "FakeFolder.h"
#include "ds/ds_runtime.h"

#include <atomic>
#include <cstdlib>
#include <gtest/gtest.h>
#include <vector>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DS_HAS_SANITIZER
#endif
#endif

#ifndef DS_HAS_SANITIZER

static std::atomic<int64_t> allocations = 0;

extern "C" {
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

__attribute__((visibility("default"))) void *malloc(size_t bytes) {
  ++allocations;
  return __libc_malloc(bytes);
}
__attribute__((visibility("default"))) void *calloc(size_t n, size_t bytes) {
  ++allocations;
  return __libc_calloc(n, bytes);
}
__attribute__((visibility("default"))) void *realloc(void *memory,
                                                     size_t bytes) {
  ++allocations;
  return __libc_realloc(memory, bytes);
}
}

namespace {

TEST(Allocation, NonePerToken) {
  ds_model_t *loaded = nullptr;
  ASSERT_EQ(ds_load(DS_TEST_MODELS "/kjv.so", nullptr, &loaded), DS_OK)
      << ds_last_error();
  Model model(loaded);
  Session session = makeSession(loaded, {.length = 64, .threads = 2});
  ds_sampler_options options = {
      .temperature = 1, .top_k = 50, .top_p = 0.9f, .repeat_penalty = 1.1f};
  ds_sampler_t *sampler = nullptr;
  ASSERT_EQ(ds_sampler_create(&options, &sampler), DS_OK);
  Sampler owner(sampler);
  ds_detokenizer_t *detokenizer = nullptr;
  ASSERT_EQ(ds_detokenizer_create(loaded, 1, &detokenizer), DS_OK);
  std::unique_ptr<ds_detokenizer_t, Freed> text(detokenizer);
  int64_t vocabulary = ds_model_descriptor(loaded)->vocabulary;
  std::vector<float> logits(static_cast<size_t>(vocabulary));
  std::vector<int32_t> ids(64, 5);
  int64_t count = 1, failures = 0;
  auto token = [&] {
    ds_feed feed = {0, &ids[size_t(count - 1)], 1, DS_LOGITS_LAST, 0};
    const char *part;
    failures += ds_session_feed(session.get(), &feed, 1, logits.data(),
                                vocabulary, nullptr) != DS_OK;
    failures +=
        ds_sampler_sample(sampler, logits.data(), vocabulary, ids.data(), count,
                          &ids[size_t(count)]) != DS_OK;
    failures += ds_detokenizer_next(detokenizer, ids[size_t(count)], &part,
                                    nullptr) != DS_OK;
    ++count;
  };
  int64_t cold = allocations;
  EXPECT_GT(cold, 0) << "the counter counts";
  for (int i = 0; i < 10; ++i)
    token();
  int64_t warm = allocations;
  for (int i = 0; i < 40; ++i)
    token();
  EXPECT_EQ(allocations - warm, 0);
  EXPECT_EQ(failures, 0);
}

TEST(Allocation, NonePerTokenWithExpertsAndDrafts) {
  ds_model_t *loaded = nullptr;
  ASSERT_EQ(ds_load(DS_TEST_MODELS "/v3.so", nullptr, &loaded), DS_OK)
      << ds_last_error();
  Model model(loaded);
  Session session =
      makeSession(loaded, {.length = 128, .threads = 2, .draft = 1});
  int64_t vocabulary = ds_model_descriptor(loaded)->vocabulary;
  std::vector<float> logits(static_cast<size_t>(vocabulary));
  int64_t failures = 0, tokens = 0;
  auto token = [&] {
    int32_t id = int32_t(tokens++ % vocabulary);
    ds_feed feed = {0, &id, 1, DS_LOGITS_LAST, 0};
    ds_draft draft = {0, id};
    ds_expert_load load = {};
    failures += ds_session_feed(session.get(), &feed, 1, logits.data(),
                                vocabulary, nullptr) != DS_OK;
    failures += ds_session_draft(session.get(), &draft, 1, logits.data(),
                                 vocabulary) != DS_OK;
    failures += ds_session_expert_load(session.get(), 0, &load) != DS_OK;
    failures += load.steps != tokens;
  };
  // The window of states that wait for a draft has been full once.
  for (int i = 0; i < 40; ++i)
    token();
  int64_t warm = allocations;
  for (int i = 0; i < 80; ++i)
    token();
  EXPECT_EQ(allocations - warm, 0);
  EXPECT_EQ(failures, 0);
}

} // namespace
#endif
