/*===- FakeModel.c - a model written by hand -------------------------------===
 *
 * What a compiled model is, as little of it as the runtime can tell: one cache,
 * a step that remembers tokens, and logits that count them; a draft layer that
 * remembers pairs, and logits that are a hash of all of them (or up to three of
 * such layers). Tokens and pairs
 * go to the expert that the token modulo their number names. It checks what it
 * is given as a compiled step does, and the environment makes it faulty:
 *
 *     DS_FAKE_FAULT   what is wrong with the descriptor
 *     DS_FAKE_WEIGHTS "offset bytes checksum" of the weights file
 *
 *===----------------------------------------------------------------------===*/
#include "ds/model_abi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VOCABULARY = 7, HIDDEN = 2, EXPERTS = 3 };

/* What the tests look at, by dlsym. */
int64_t fake_steps;
int64_t fake_most_tokens;
int32_t fake_threads;
int64_t fake_fails_at; /* this step, counted from now on; 0: none */
int64_t fake_drafts, fake_draft_fails_at;

static uint64_t workspaceBytes(int64_t tokens, int64_t sequences, int64_t rows,
                               int64_t length, int32_t threads) {
  return (uint64_t)(tokens * 16 + sequences + rows + length);
}

static void route(const DsStepCall *call) {
  const DsRoute *route = &call->routes[0];
  for (int e = 0; e < EXPERTS; ++e)
    route->loads[e] = 0;
  for (int64_t i = 0; i < call->token_count; ++i) {
    int32_t expert = call->tokens[i] % EXPERTS;
    ++route->loads[expert];
    route->experts[i] = expert;
    route->weights[i] = (float)call->tokens[i];
  }
}

static int32_t step(const DsStepCall *call) {
  const float *weight = call->parameters[0];
  float *cache = call->caches[0];
  ++fake_steps;
  if (call->token_count > fake_most_tokens)
    fake_most_tokens = call->token_count;
  fake_threads = call->threads;
  if (fake_fails_at && --fake_fails_at == 0)
    return DS_STATUS_INDEX;
  if (call->workspace_bytes <
          workspaceBytes(call->token_count, call->sequence_count,
                         call->logit_row_count, call->cache_length,
                         call->threads) ||
      (uintptr_t)call->workspace % 64)
    return DS_STATUS_WORKSPACE;
  memset(call->workspace, 0x55, call->workspace_bytes);
  route(call);
  if (call->row_start[0] != 0 ||
      call->row_start[call->sequence_count] != call->token_count)
    return DS_STATUS_SHAPE;
  for (int64_t s = 0; s < call->sequence_count; ++s) {
    int32_t first = call->row_start[s], last = call->row_start[s + 1];
    if (last <= first)
      return DS_STATUS_SHAPE;
    if (call->cache_slot[s] < 0 || call->cache_slot[s] >= call->cache_slots)
      return DS_STATUS_INDEX;
    if (call->past_length[s] + last - first > call->cache_length)
      return DS_STATUS_CAPACITY;
    float *rows = cache + call->cache_slot[s] * call->cache_length * HIDDEN;
    for (int32_t row = first; row < last; ++row) {
      int32_t position = call->past_length[s] + row - first;
      rows[position * HIDDEN] = (float)call->tokens[row];
      rows[position * HIDDEN + 1] = (float)position;
      if (call->hidden) {
        float *hidden = (float *)call->hidden + row * HIDDEN;
        hidden[0] = (float)call->tokens[row];
        hidden[1] = (float)position;
      }
      for (int64_t r = 0; r < call->logit_row_count; ++r) {
        if (call->logit_rows[r] != row)
          continue;
        float *logits = call->logits + r * VOCABULARY;
        for (int v = 0; v < VOCABULARY; ++v)
          logits[v] = weight[0];
        /* Tokens count, later ones more: 0.5 makes every history another sum.
         */
        float share = 1;
        for (int32_t t = position; t >= 0; --t, share *= 0.5f)
          logits[(int)rows[t * HIDDEN]] += share;
      }
    }
  }
  return DS_STATUS_OK;
}

/* A state is a token and its position. One that a draft gives is a hash of all
 * pairs so far, a position on. */
static int32_t draft(const DsStepCall *call, int32_t layer) {
  float *cache = call->caches[0];
  ++fake_drafts;
  if (fake_draft_fails_at && --fake_draft_fails_at == 0)
    return DS_STATUS_INDEX;
  if (call->workspace_bytes <
      workspaceBytes(call->token_count, call->sequence_count,
                     call->logit_row_count, call->cache_length, call->threads))
    return DS_STATUS_WORKSPACE;
  route(call);
  for (int64_t s = 0; s < call->sequence_count; ++s) {
    float *pairs = cache + call->cache_slot[s] * call->cache_length * HIDDEN;
    for (int32_t row = call->row_start[s]; row < call->row_start[s + 1];
         ++row) {
      int32_t position = call->past_length[s] + row - call->row_start[s];
      if (position >= call->cache_length)
        return DS_STATUS_CAPACITY;
      const float *state = call->states + row * HIDDEN;
      if (state[1] != (float)(position + layer))
        return DS_STATUS_SHAPE;
      pairs[position * HIDDEN] = state[0];
      pairs[position * HIDDEN + 1] = (float)call->tokens[row];
      uint32_t hash = 2166136261u + (uint32_t)layer;
      for (int32_t i = 0; i < (position + 1) * HIDDEN; ++i)
        hash = (hash ^ (uint32_t)pairs[i]) * 16777619u;
      float *hidden = (float *)call->hidden + row * HIDDEN;
      hidden[0] = (float)(hash & 0xffff);
      hidden[1] = state[1] + 1;
      for (int64_t r = 0; r < call->logit_row_count; ++r) {
        if (call->logit_rows[r] != row)
          continue;
        for (int v = 0; v < VOCABULARY; ++v)
          call->logits[r * VOCABULARY + v] = (float)(hash >> (4 * v) & 15);
      }
    }
  }
  return DS_STATUS_OK;
}

static int32_t draft0(const DsStepCall *call) { return draft(call, 0); }
static int32_t draft1(const DsStepCall *call) { return draft(call, 1); }
static int32_t draft2(const DsStepCall *call) { return draft(call, 2); }

static int32_t updateRouteBias(const DsRouteBiasCall *call) {
  int64_t sum = 0;
  for (int64_t e = 0; e < call->expert_count; ++e)
    sum += call->loads[e];
  for (int64_t e = 0; e < call->expert_count; ++e) {
    int64_t less = sum - call->expert_count * call->loads[e];
    call->next[e] =
        call->bias[e] + call->rate * (float)((less > 0) - (less < 0));
  }
  return DS_STATUS_OK;
}

static int32_t graph(const DsGraphCall *call) {
  /* Doubles its input. */
  const DsTensor *in = call->inputs;
  DsTensor *out = call->outputs;
  *out = *in;
  out->data = malloc((size_t)(in->dims[0] * in->dims[1]) * sizeof(float) + 1);
  if (!out->data)
    return DS_STATUS_MEMORY;
  for (int64_t i = 0; i < in->dims[0] * in->dims[1]; ++i)
    ((float *)out->data)[i] = 2 * ((const float *)in->data)[i];
  fake_threads = call->threads;
  return DS_STATUS_OK;
}

static DsDraft drafts[] = {{draft0, workspaceBytes},
                           {draft1, workspaceBytes},
                           {draft2, workspaceBytes}};
static DsVariant variants[] = {
    {"none", "no_such_feature", graph, step, workspaceBytes, drafts,
     updateRouteBias},
    {"plain", "avx", graph, step, workspaceBytes, drafts, updateRouteBias}};
static DsParameter parameter = {
    .name = "w", .type = DS_TYPE_F32, .rank = 1, .dims = {3}, .bytes = 12};
static DsCache cache = {"cache.0.k", DS_TYPE_F32, 0, 1, HIDDEN};
static DsCache draftCaches[] = {{"cache.1.k", DS_TYPE_F32, 1, 1, HIDDEN},
                                {"cache.2.k", DS_TYPE_F32, 2, 1, HIDDEN},
                                {"cache.3.k", DS_TYPE_F32, 3, 1, HIDDEN}};
/* The weight is the bias of the first, too: logits show which is read. */
static DsRouter router = {0, EXPERTS, 1, 0};
static DsRouter draftRouters[] = {
    {1, EXPERTS, 1, -1}, {2, EXPERTS, 1, -1}, {3, EXPERTS, 1, -1}};
static const int32_t eos[] = {6};
static DsValueInfo input = {
    .name = "x", .type = DS_TYPE_F32, .rank = 2, .dims = {-1, 3}};
static DsValueInfo output = {
    .name = "y", .type = DS_TYPE_F32, .rank = 2, .dims = {-1, 3}};
static DsModel model;

const DsModel *ds_model(void) {
  const char *fault = getenv("DS_FAKE_FAULT");
  const char *weights = getenv("DS_FAKE_WEIGHTS");
  if (!fault)
    fault = "";
  input.dim_names[0] = output.dim_names[0] = "n";
  input.dim_names[1] = output.dim_names[1] = "";
  parameter.rank = 1;
  parameter.dims[0] = 3;
  cache.heads = draftCaches[0].heads = 1;
  router.expert_count = EXPERTS;
  router.experts_per_token = 1;
  router.bias = 0;
  variants[1].update_route_bias = updateRouteBias;
  variants[1].drafts = drafts;
  unsigned long long at = 0, bytes = 0, sum = 0;
  if (weights)
    sscanf(weights, "%llu %llu %llu", &at, &bytes, &sum);
  parameter.offset = at;
  parameter.checksum = sum;
  model = (DsModel){.magic = DS_MAGIC,
                    .abi_version = DS_ABI_VERSION,
                    .mode = DS_MODE_LANGUAGE_MODEL,
                    .name = "fake",
                    .compiler = "hand",
                    .options = "{}",
                    .variant_count = 2,
                    .parameter_count = 1,
                    .cache_count = 1,
                    .eos_count = 1,
                    .draft_count = 1,
                    .draft_cache_count = 1,
                    .router_count = 1,
                    .draft_router_count = 1,
                    .variants = variants,
                    .parameters = &parameter,
                    .caches = &cache,
                    .draft_caches = draftCaches,
                    .routers = &router,
                    .draft_routers = draftRouters,
                    .weights_file = "fake.weights.safetensors",
                    .weights_bytes = bytes,
                    .vocabulary = VOCABULARY,
                    .hidden_size = HIDDEN,
                    .layer_count = 1,
                    .max_length = 16,
                    .eos_ids = eos,
                    .bos_id = 0,
                    .weight_bytes_per_token = 12};
#define FAULT(name) else if (strcmp(fault, name) == 0)
  if (!*fault)
    return &model;
  FAULT("null") return NULL;
  FAULT("magic") model.magic ^= 1;
  FAULT("abi") model.abi_version = 999;
  FAULT("mode") model.mode = 3;
  FAULT("name") model.name = NULL;
  FAULT("variants") model.variant_count = 0;
  FAULT("no variant") model.variant_count = 1;
  FAULT("caches") model.caches = NULL;
  FAULT("vocabulary") model.vocabulary = 0;
  FAULT("hidden size") model.hidden_size = -1;
  FAULT("cache heads") cache.heads = 0;
  FAULT("routers") model.routers = NULL;
  FAULT("router experts") router.expert_count = 0;
  FAULT("router choices") router.experts_per_token = 4;
  FAULT("router bias") router.bias = 1;
  FAULT("router bias size") router.expert_count = 2;
  FAULT("bias entry") variants[1].update_route_bias = NULL;
  FAULT("no bias") router.bias = -1;
  FAULT("draft caches") model.draft_caches = NULL;
  FAULT("draft cache heads") draftCaches[0].heads = 0;
  FAULT("draft entry") variants[1].drafts = NULL;
  FAULT("no drafts") {
    model.draft_count = model.draft_cache_count = model.draft_router_count = 0;
  }
  FAULT("two draft layers") {
    model.draft_count = model.draft_cache_count = model.draft_router_count = 2;
  }
  FAULT("three draft layers") {
    model.draft_count = model.draft_cache_count = model.draft_router_count = 3;
  }
  FAULT("parameter rank") parameter.rank = 9;
  FAULT("parameter size") parameter.dims[0] = 4;
  FAULT("weights path") model.weights_file = "../fake.weights.safetensors";
  FAULT("no weights file") model.weights_file = NULL;
  FAULT("weights bytes") model.weights_bytes += 64;
  FAULT("weights offset") parameter.offset += 64;
  FAULT("checksum") parameter.checksum ^= 1;
  FAULT("unknown length") model.max_length = 0;
  FAULT("tokenizer") {
    model.tokenizer_json = "{\"model\": ";
    model.tokenizer_json_bytes = strlen(model.tokenizer_json);
  }
  FAULT("graph") {
    model.mode = DS_MODE_GRAPH;
    model.inputs = &input;
    model.outputs = &output;
    model.input_count = model.output_count = 1;
  }
  else abort();
  return &model;
}
