//===- CApi.cpp - the C interface -----------------------------------------===//
//
// Each function is its C++ twin behind a wall that no exception passes.
//
//===----------------------------------------------------------------------===//
#include "Error.h"
#include "Model.h"
#include "Sampler.h"
#include "Session.h"
#include "files/Error.h"
#include "runtime/tokenizer/ChatTemplate.h"
#include "runtime/tokenizer/Tokenizer.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

using namespace dsrt;

struct ds_model {
  std::shared_ptr<const Model> model;
  std::shared_ptr<const ds::Tokenizer> tokenizer;
  std::string tokenizerProblem;
};
struct ds_session {
  Session session;
};
struct ds_sampler {
  Sampler sampler;
};
struct ds_detokenizer {
  std::shared_ptr<const ds::Tokenizer> tokenizer;
  ds::StreamingDecoder decoder;
  std::string text;
};

static thread_local std::string lastError;

const char *ds_last_error(void) { return lastError.c_str(); }
void ds_free(void *memory) { std::free(memory); }

static ds_result resultOf(files::Fault fault) {
  switch (fault) {
  case files::Fault::File:
    return DS_ERROR_FILE;
  case files::Fault::Format:
    return DS_ERROR_FORMAT;
  case files::Fault::Argument:
    break;
  }
  return DS_ERROR_ARGUMENT;
}

template <typename Fn> static ds_result guarded(Fn fn) {
  try {
    fn();
    return DS_OK;
  } catch (const Error &error) {
    lastError = error.what();
    return error.result();
  } catch (const files::Error &error) {
    lastError = error.what();
    return resultOf(error.fault());
  } catch (const std::bad_alloc &) {
    lastError = "out of memory";
    return DS_ERROR_MEMORY;
  } catch (const std::exception &error) {
    lastError = error.what();
    return DS_ERROR_FORMAT;
  }
}

static void need(const void *pointer, const char *what) {
  if (!pointer)
    throw Error(DS_ERROR_ARGUMENT, std::string(what) + " is null");
}

/// A copy that the caller frees.
static char *copied(const void *data, size_t bytes) {
  char *result = static_cast<char *>(std::malloc(bytes + 1));
  if (!result)
    throw std::bad_alloc();
  if (bytes) // an empty vector has no address
    std::memcpy(result, data, bytes);
  result[bytes] = 0;
  return result;
}

ds_result ds_load(const char *path, const ds_load_options *options,
                  ds_model_t **result) {
  return guarded([&] {
    need(path, "path");
    need(result, "model");
    LoadOptions load;
    if (options) {
      load.cpu = options->cpu ? options->cpu : "";
      load.verify = options->verify != 0;
    }
    auto loaded = std::make_unique<ds_model>();
    loaded->model = Model::load(path, load);
    const DsModel &m = loaded->model->descriptor();
    if (m.tokenizer_json)
      try {
        loaded->tokenizer = ds::Tokenizer::load(
            std::string(m.tokenizer_json, m.tokenizer_json_bytes),
            m.tokenizer_config_json ? std::string(m.tokenizer_config_json,
                                                  m.tokenizer_config_json_bytes)
                                    : std::string());
      } catch (const std::exception &error) {
        // The model is of use without it; who wants text is told why not.
        loaded->tokenizerProblem = error.what();
      }
    *result = loaded.release();
  });
}

void ds_model_free(ds_model_t *model) { delete model; }

const DsModel *ds_model_descriptor(const ds_model_t *model) {
  return model ? &model->model->descriptor() : nullptr;
}

ds_result ds_model_describe(const ds_model_t *model, char **json) {
  return guarded([&] {
    need(model, "model");
    need(json, "json");
    std::string text = model->model->describe();
    *json = copied(text.data(), text.size());
  });
}

ds_result ds_model_verify(const ds_model_t *model) {
  return guarded([&] {
    need(model, "model");
    model->model->verify();
  });
}

uint64_t ds_model_weight_bytes_per_token(const ds_model_t *model) {
  return model ? model->model->descriptor().weight_bytes_per_token : 0;
}

uint64_t ds_model_cache_bytes_per_token(const ds_model_t *model) {
  return model ? model->model->cacheBytesPerToken() : 0;
}

uint64_t ds_model_draft_cache_bytes_per_token(const ds_model_t *model) {
  return model ? model->model->draftCacheBytesPerToken() : 0;
}

ds_result ds_model_call(const ds_model_t *model, const DsTensor *inputs,
                        DsTensor *outputs, int32_t threads) {
  return guarded([&] {
    need(model, "model");
    const DsModel &m = model->model->descriptor();
    if (m.input_count)
      need(inputs, "inputs");
    if (m.output_count)
      need(outputs, "outputs");
    TensorList results = model->model->call({inputs, m.input_count}, threads);
    std::vector<DsTensor> given = results.release();
    std::copy(given.begin(), given.end(), outputs);
  });
}

ds_result ds_session_create(const ds_model_t *model,
                            const ds_session_options *options,
                            ds_session_t **session) {
  return guarded([&] {
    need(model, "model");
    need(session, "session");
    *session = new ds_session{
        Session(model->model, options ? *options : ds_session_options{})};
  });
}

void ds_session_free(ds_session_t *session) { delete session; }

ds_result ds_session_feed(ds_session_t *session, const ds_feed *feeds,
                          int64_t count, float *logits, int64_t logitsCapacity,
                          float *hidden) {
  return guarded([&] {
    need(session, "session");
    if (count < 0 || logitsCapacity < 0)
      throw Error(DS_ERROR_ARGUMENT, "a count is negative");
    if (count)
      need(feeds, "feeds");
    if (logitsCapacity)
      need(logits, "logits");
    session->session.feed({feeds, size_t(count)},
                          {logits, size_t(logitsCapacity)}, hidden);
  });
}

ds_result ds_session_draft(ds_session_t *session, const ds_draft *drafts,
                           int64_t count, float *logits,
                           int64_t logitsCapacity) {
  return guarded([&] {
    need(session, "session");
    if (count < 0 || logitsCapacity < 0)
      throw Error(DS_ERROR_ARGUMENT, "a count is negative");
    if (count)
      need(drafts, "drafts");
    if (logitsCapacity)
      need(logits, "logits");
    session->session.draft({drafts, size_t(count)},
                           {logits, size_t(logitsCapacity)});
  });
}

int64_t ds_session_router_count(const ds_session_t *session) {
  return session ? int64_t(session->session.routers().size()) : 0;
}

ds_result ds_session_expert_load(const ds_session_t *session, int64_t router,
                                 ds_expert_load *load) {
  return guarded([&] {
    need(session, "session");
    need(load, "load");
    *load = session->session.routers().load(router);
  });
}

ds_result ds_session_read_route(const ds_session_t *session, int64_t slot,
                                int64_t router, int32_t *experts,
                                float *weights, int64_t capacity) {
  return guarded([&] {
    need(session, "session");
    if (capacity < 0)
      throw Error(DS_ERROR_ARGUMENT, "the capacity is negative");
    if (capacity) {
      need(experts, "experts");
      need(weights, "weights");
    }
    session->session.readRoute(slot, router, {experts, size_t(capacity)},
                               {weights, size_t(capacity)});
  });
}

ds_result ds_session_reset_expert_load(ds_session_t *session) {
  return guarded([&] {
    need(session, "session");
    session->session.routers().reset();
  });
}

ds_result ds_update_route_bias(ds_session_t *session, float gamma) {
  return guarded([&] {
    need(session, "session");
    session->session.updateBiases(gamma);
  });
}

ds_result ds_session_route_bias(const ds_session_t *session, int64_t router,
                                float *bias, int64_t capacity) {
  return guarded([&] {
    need(session, "session");
    need(bias, "bias");
    std::span<const float> values = session->session.biases()[router];
    if (capacity < int64_t(values.size()))
      throw Error(DS_ERROR_ARGUMENT, "the bias needs room for " +
                                         std::to_string(values.size()) +
                                         " floats");
    std::copy(values.begin(), values.end(), bias);
  });
}

ds_result ds_session_set_route_bias(ds_session_t *session, int64_t router,
                                    const float *bias, int64_t count) {
  return guarded([&] {
    need(session, "session");
    need(bias, "bias");
    session->session.biases().set(router,
                                  {bias, size_t(std::max<int64_t>(count, 0))});
  });
}

ds_result ds_session_save_route_bias(const ds_session_t *session,
                                     const char *path) {
  return guarded([&] {
    need(session, "session");
    need(path, "path");
    session->session.biases().save(path);
  });
}

ds_result ds_session_load_route_bias(ds_session_t *session, const char *path) {
  return guarded([&] {
    need(session, "session");
    need(path, "path");
    session->session.biases().load(path);
  });
}

int64_t ds_session_length(const ds_session_t *session, int64_t slot) {
  return session ? session->session.length(slot) : -1;
}

ds_result ds_session_rewind(ds_session_t *session, int64_t slot,
                            int64_t length) {
  return guarded([&] {
    need(session, "session");
    session->session.rewind(slot, length);
  });
}

ds_result ds_session_read_cache(const ds_session_t *session, int64_t slot,
                                int64_t cache, float *values,
                                int64_t capacity) {
  return guarded([&] {
    need(session, "session");
    if (capacity < 0)
      throw Error(DS_ERROR_ARGUMENT, "the capacity is negative");
    if (capacity)
      need(values, "values");
    session->session.readCache(slot, cache, {values, size_t(capacity)});
  });
}

ds_result ds_sampler_create(const ds_sampler_options *options,
                            ds_sampler_t **sampler) {
  return guarded([&] {
    need(sampler, "sampler");
    *sampler =
        new ds_sampler{Sampler(options ? *options : ds_sampler_options{})};
  });
}

void ds_sampler_free(ds_sampler_t *sampler) { delete sampler; }

ds_result ds_sampler_sample(ds_sampler_t *sampler, const float *logits,
                            int64_t count, const int32_t *history,
                            int64_t historyCount, int32_t *token) {
  return guarded([&] {
    need(sampler, "sampler");
    need(token, "token");
    if (count <= 0 || historyCount < 0)
      throw Error(DS_ERROR_ARGUMENT, "a count is out of range");
    need(logits, "logits");
    if (historyCount)
      need(history, "history");
    *token = sampler->sampler.sample({logits, size_t(count)},
                                     {history, size_t(historyCount)});
  });
}

ds_result ds_sampler_check_draft(ds_sampler_t *sampler, const float *logits,
                                 const float *draftLogits, int64_t count,
                                 const int32_t *history, int64_t historyCount,
                                 int32_t *token, int32_t *holds) {
  return guarded([&] {
    need(sampler, "sampler");
    need(token, "token");
    need(holds, "holds");
    if (count <= 0 || historyCount < 0)
      throw Error(DS_ERROR_ARGUMENT, "a count is out of range");
    need(logits, "logits");
    need(draftLogits, "draft_logits");
    if (historyCount)
      need(history, "history");
    *holds = sampler->sampler.checkDraft(
        {logits, size_t(count)}, {draftLogits, size_t(count)},
        {history, size_t(historyCount)}, *token);
  });
}

static const std::shared_ptr<const ds::Tokenizer> &
tokenizerOf(const ds_model_t *model) {
  need(model, "model");
  if (!model->tokenizer)
    throw Error(model->tokenizerProblem.empty() ? DS_ERROR_UNSUPPORTED
                                                : DS_ERROR_FORMAT,
                model->tokenizerProblem.empty()
                    ? "the model carries no tokenizer; compile it with "
                      "--tokenizer"
                    : model->tokenizerProblem);
  return model->tokenizer;
}

ds_result ds_tokenize(const ds_model_t *model, const char *text, size_t bytes,
                      int32_t addSpecial, int32_t **tokens, int64_t *count) {
  return guarded([&] {
    const ds::Tokenizer &tokenizer = *tokenizerOf(model);
    need(tokens, "tokens");
    need(count, "token_count");
    if (bytes)
      need(text, "text");
    std::string_view view(text, bytes);
    std::vector<int32_t> ids = addSpecial ? tokenizer.encodePrompt(view)
                                          : tokenizer.encode(view, false);
    *tokens = reinterpret_cast<int32_t *>(
        copied(ids.data(), ids.size() * sizeof(int32_t)));
    *count = int64_t(ids.size());
  });
}

ds_result ds_detokenize(const ds_model_t *model, const int32_t *tokens,
                        int64_t count, int32_t skipSpecial, char **text,
                        size_t *textBytes) {
  return guarded([&] {
    const ds::Tokenizer &tokenizer = *tokenizerOf(model);
    need(text, "text");
    if (count < 0)
      throw Error(DS_ERROR_ARGUMENT, "the count of tokens is negative");
    if (count)
      need(tokens, "tokens");
    std::vector<int32_t> ids(tokens, tokens + count);
    for (int32_t id : ids)
      if (id < 0 || id >= tokenizer.size())
        throw Error(DS_ERROR_INDEX,
                    "token " + std::to_string(id) + " is not the tokenizer's");
    std::string result = tokenizer.decode(ids, skipSpecial != 0);
    *text = copied(result.data(), result.size());
    if (textBytes)
      *textBytes = result.size();
  });
}

ds_result ds_detokenizer_create(const ds_model_t *model, int32_t skipSpecial,
                                ds_detokenizer_t **detokenizer) {
  return guarded([&] {
    const std::shared_ptr<const ds::Tokenizer> &tokenizer = tokenizerOf(model);
    need(detokenizer, "detokenizer");
    *detokenizer = new ds_detokenizer{
        tokenizer, ds::StreamingDecoder(*tokenizer, skipSpecial != 0), {}};
  });
}

void ds_detokenizer_free(ds_detokenizer_t *detokenizer) { delete detokenizer; }

ds_result ds_detokenizer_next(ds_detokenizer_t *detokenizer, int32_t token,
                              const char **text, size_t *textBytes) {
  return guarded([&] {
    need(detokenizer, "detokenizer");
    need(text, "text");
    detokenizer->decoder.next(token, detokenizer->text);
    *text = detokenizer->text.c_str();
    if (textBytes)
      *textBytes = detokenizer->text.size();
  });
}

ds_result ds_detokenizer_finish(ds_detokenizer_t *detokenizer,
                                const char **text, size_t *textBytes) {
  return guarded([&] {
    need(detokenizer, "detokenizer");
    need(text, "text");
    detokenizer->decoder.finish(detokenizer->text);
    *text = detokenizer->text.c_str();
    if (textBytes)
      *textBytes = detokenizer->text.size();
  });
}

ds_result ds_chat_prompt(const ds_model_t *model, const char *name,
                         const ds_message *messages, int64_t count,
                         char **text) {
  return guarded([&] {
    const ds::Tokenizer &tokenizer = *tokenizerOf(model);
    need(text, "text");
    if (count < 0)
      throw Error(DS_ERROR_ARGUMENT, "the count of messages is negative");
    if (count)
      need(messages, "messages");
    std::vector<ds::ChatMessage> list;
    for (int64_t i = 0; i < count; ++i) {
      need(messages[i].role, "a message's role");
      need(messages[i].content, "a message's content");
      list.push_back({messages[i].role, messages[i].content});
    }
    std::string prompt;
    try {
      prompt =
          ds::applyChatTemplate(name ? name : tokenizer.chatTemplate(), list,
                                tokenizer.bosText(), tokenizer.eosText());
    } catch (const std::runtime_error &error) {
      throw Error(DS_ERROR_ARGUMENT, error.what());
    }
    *text = copied(prompt.data(), prompt.size());
  });
}

int64_t ds_tokenizer_vocabulary(const ds_model_t *model) {
  if (!model)
    return 0;
  return model->tokenizer ? model->tokenizer->size()
                          : model->model->descriptor().vocabulary;
}
