/*===- ds_runtime.h - load and run a compiled model ------------------------===
 *
 * The C interface of libds_runtime.so. In short:
 *
 *     ds_model_t *model;
 *     ds_session_t *session;
 *     ds_load("model.so", NULL, &model);
 *     ds_session_create(model, NULL, &session);
 *     ds_feed feed = {.slot = 0, .tokens = ids, .token_count = n,
 *                     .logits = DS_LOGITS_LAST};
 *     ds_session_feed(session, &feed, 1, logits, vocabulary, NULL);
 *
 * Errors: every function that can fail returns a ds_result; ds_last_error()
 * then holds, for the calling thread, one line saying what was wrong and where.
 * A call that fails has changed nothing, except where its comment says so. No
 * function throws, exits, or writes to a stream. Null where an object is
 * required is DS_ERROR_ARGUMENT; the free functions accept null.
 *
 * Threads: a model is read-only after ds_load() and may be used by any number
 * of threads and sessions at once. A session or sampler belongs to one thread
 * at a time. Freeing a model that sessions still use is allowed: the last one
 * releases it.
 *
 * Memory: pointers that functions return live as long as the object they came
 * from, unless said otherwise; ds_free() releases what a function allocated for
 * the caller. Nothing is allocated per token once a session is warm.
 *
 *===----------------------------------------------------------------------===*/
#ifndef DS_RUNTIME_H
#define DS_RUNTIME_H

#include "ds/model_abi.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(DS_RUNTIME_BUILD)
#define DS_API __attribute__((visibility("default")))
#else
#define DS_API
#endif

typedef enum ds_result {
  DS_OK = 0,
  DS_ERROR_ARGUMENT =
      1, /* a null or contradicting argument: the caller's mistake */
  DS_ERROR_FILE = 2,   /* a file cannot be opened, read or written */
  DS_ERROR_FORMAT = 3, /* a file's content is not what it must be */
  DS_ERROR_ABI = 4,    /* the library is no model, or of another ABI version */
  DS_ERROR_CPU =
      5, /* no code variant for this processor, or DS_CPU names none */
  DS_ERROR_SHAPE = 6,    /* sizes or types do not fit the model */
  DS_ERROR_INDEX = 7,    /* a token id, slot or row outside its range */
  DS_ERROR_CAPACITY = 8, /* more tokens than the cache holds */
  DS_ERROR_MEMORY = 9,   /* an allocation failed */
  DS_ERROR_UNSUPPORTED =
      10 /* the model has no such part (mode, tokenizer, …) */
} ds_result;

/* The message of the calling thread's last failed call; "" if none failed.
 * Valid until this thread's next failing call. */
DS_API const char *ds_last_error(void);

/* Releases memory that a function of this header allocated for the caller. */
DS_API void ds_free(void *memory);

/*===----------------------------------------------------------------------===
 * Models
 *===----------------------------------------------------------------------===*/

typedef struct ds_model ds_model_t;

typedef struct ds_load_options {
  const char *cpu; /* name of the code variant to use; null: the environment's
                      DS_CPU, else the first that this machine runs */
  int32_t verify;  /* nonzero: also compare the checksum of every parameter
                      (reads the whole file) */
} ds_load_options;

/* Opens a compiled model and maps its weights. `options` may be null. Loading
 * runs the library's code, so load only what you trust. Errors: FILE, FORMAT
 * (weights of another size or with another header; a checksum), ABI, CPU. */
DS_API ds_result ds_load(const char *path, const ds_load_options *options,
                         ds_model_t **model);
DS_API void ds_model_free(ds_model_t *model);

/* The descriptor as the compiler wrote it: inputs, outputs, parameters, caches,
 * vocabulary, eos ids. */
DS_API const DsModel *ds_model_descriptor(const ds_model_t *model);

/* The descriptor as JSON text with the variant in use; release with ds_free().
 */
DS_API ds_result ds_model_describe(const ds_model_t *model, char **json);

/* Compares all checksums. Errors: FORMAT, naming the parameter. */
DS_API ds_result ds_model_verify(const ds_model_t *model);

/* Bytes of weights that computing one token alone reads: the wall that decoding
 * runs into. 0 for a graph. */
DS_API uint64_t ds_model_weight_bytes_per_token(const ds_model_t *model);

/* Bytes that one token adds to the caches of its sequence, that of drafts not
 * counted. 0 for a graph. */
DS_API uint64_t ds_model_cache_bytes_per_token(const ds_model_t *model);

/* Bytes that it adds to the caches of drafts, in a session that has them. 0 for
 * a model without a layer for them. */
DS_API uint64_t ds_model_draft_cache_bytes_per_token(const ds_model_t *model);

/* Calls the graph (mode DS_MODE_GRAPH). `inputs` holds input_count dense
 * row-major tensors in the descriptor's order, element types and ranks as
 * there, dimensions of one name equal; data is aligned to its element type, I4
 * and U4 take a byte each. Fills `outputs[output_count]`; each data
 * pointer is released with ds_free(). `threads` 0: all processors. Any number
 * of threads may call at once. Errors: UNSUPPORTED (not a graph), SHAPE, INDEX,
 * MEMORY; no output is left allocated. */
DS_API ds_result ds_model_call(const ds_model_t *model, const DsTensor *inputs,
                               DsTensor *outputs, int32_t threads);

/*===----------------------------------------------------------------------===
 * Sessions: the caches of several sequences
 *===----------------------------------------------------------------------===*/

typedef struct ds_session ds_session_t;

typedef struct ds_session_options {
  int64_t slots;   /* sequences held at once; 0: 1 */
  int64_t length;  /* tokens a slot's cache holds; 0: the model's max_length,
                      which must then be known; more is allowed */
  int64_t chunk;   /* most tokens per call of the model; 0: 512. Results do not
                      depend on it, memory and speed do */
  int32_t threads; /* 0: all processors. Results do not depend on it */
  int32_t poison_caches; /* nonzero: fill caches with NaN where nothing is
                            stored, so that a read beyond a length shows (slow;
                            for tests) */
  int32_t draft; /* nonzero: ds_session_draft() can be called. Costs a cache
                    more for each layer that drafts, and time for the prompt */
  int32_t keep_routes; /* nonzero: ds_session_read_route() can be called. Costs
                          8 bytes for each expert of a token and layer */
} ds_session_options;

/* Which rows of a feed get logits. */
typedef enum ds_logits {
  DS_LOGITS_NONE = 0,
  DS_LOGITS_LAST = 1,
  DS_LOGITS_ALL = 2
} ds_logits;

/* Tokens to append to one sequence. */
typedef struct ds_feed {
  int64_t slot;          /* [0, slots) */
  const int32_t *tokens; /* [token_count], each in [0, vocabulary) */
  int64_t token_count;   /* > 0 */
  int32_t logits;        /* ds_logits */
  int64_t part_of; /* tokens of the text that is fed in several calls, of which
                      this is one; 0, or fewer than token_count: this is all */
} ds_feed;

/* Creates a session of a language model; all memory is reserved here. `options`
 * may be null. Errors: UNSUPPORTED (graph mode; drafts of a model that has no
 * layer for them), ARGUMENT, MEMORY. */
DS_API ds_result ds_session_create(const ds_model_t *model,
                                   const ds_session_options *options,
                                   ds_session_t **session);
DS_API void ds_session_free(ds_session_t *session);

/* Appends tokens to `feed_count` different slots, all as one batch. Logits f32
 * [rows, vocabulary] come in the order of the feeds, within a feed in the order
 * of its tokens; `logits` has room for `logits_capacity` floats (null and 0 if
 * no feed wants any). `hidden`, if not null, receives f32 [sum of token_count,
 * hidden_size]: the states after the last norm, in the same order. The numbers
 * of a token depend on its own sequence only: not on its company, the chunk or
 * the threads. Latent attention (MLA) has a form for few tokens and one for
 * many, which round differently: a text of DsModel.mla_absorb_below tokens or
 * more takes that for many, so say with `part_of` what is a part of one. Feeds
 * of one form share calls of the model, and a few tokens first share one with
 * many behind them. Everything is checked before anything is computed; what
 * fails then (INDEX: a length beyond the model's own tables) has written some
 * logits and leaves all lengths as they were. Errors: INDEX (token, slot, slot
 * twice), CAPACITY, ARGUMENT. */
DS_API ds_result ds_session_feed(ds_session_t *session, const ds_feed *feeds,
                                 int64_t feed_count, float *logits,
                                 int64_t logits_capacity, float *hidden);

/* A token that follows the text of a slot. */
typedef struct ds_draft {
  int64_t slot; /* [0, slots) */
  int32_t token;
} ds_draft;

/* Guesses what comes behind a token, by a layer of the model for it
 * (multi-token prediction) instead of by the whole model: the first call by the
 * first layer, each further one by the next, those behind the last layer by
 * that one again. The first call after a feed or a rewind takes `token` as the
 * one behind the slot's last, each further call as the one behind that of the
 * call before; the text itself does not change. Logits f32 [draft_count,
 * vocabulary]: row i guesses what follows drafts[i].token. To check guesses,
 * feed the first token and the drafts with DS_LOGITS_ALL: row j is what the
 * model itself says behind token j, as if no draft had been; then rewind to
 * what holds. Errors: UNSUPPORTED (a session without drafts), INDEX (slot, slot
 * twice, token), ARGUMENT (an empty slot, no room for logits), CAPACITY. */
DS_API ds_result ds_session_draft(ds_session_t *session, const ds_draft *drafts,
                                  int64_t draft_count, float *logits,
                                  int64_t logits_capacity);

/* What a router gave the experts of its layer to do, in all feeds and drafts
 * since the session was created or ds_session_reset_expert_load(). */
typedef struct ds_expert_load {
  int64_t layer;        /* the descriptor's layer_count and more: of drafts */
  int64_t expert_count; /* routed experts of the layer */
  const int64_t *load;  /* [expert_count]: in how many tokens each had a part.
                           Tokens count when they are computed, also those that
                           are rewound later */
  int64_t steps;        /* calls of the model, or of its layer for drafts */
  int64_t distinct;     /* the sum over these calls of how many experts had a
                           token in them: whose weights they read */
} ds_expert_load;

/* Routers of the session's model: `router_count` of the descriptor, then
 * `draft_router_count`. 0: no experts. */
DS_API int64_t ds_session_router_count(const ds_session_t *session);

/* The load of router `router`; `load->load` lives as long as the session and
 * follows it. The counts do not depend on chunks and threads, `steps` and
 * `distinct` are per call. Errors: INDEX. */
DS_API ds_result ds_session_expert_load(const ds_session_t *session,
                                        int64_t router, ds_expert_load *load);

/* Copies what router `router`, one of the first `router_count`, chose for the
 * tokens of a slot: their experts, i32 [length of the slot, experts_per_token],
 * ascending, and by how much each counts, f32 of the same shape, normalised and
 * scaled. `capacity` is the room in elements of each. Errors: INDEX (slot,
 * router), ARGUMENT (no room), UNSUPPORTED (a session without keep_routes, a
 * router of drafts). */
DS_API ds_result ds_session_read_route(const ds_session_t *session,
                                       int64_t slot, int64_t router,
                                       int32_t *experts, float *weights,
                                       int64_t capacity);

/* Starts counting anew. */
DS_API ds_result ds_session_reset_expert_load(ds_session_t *session);

/* Tokens a slot holds now; -1 for a slot outside the range. */
DS_API int64_t ds_session_length(const ds_session_t *session, int64_t slot);

/* Forgets all tokens of a slot from `length` on (0: the whole sequence).
 * Errors: INDEX, ARGUMENT (longer than now). */
DS_API ds_result ds_session_rewind(ds_session_t *session, int64_t slot,
                                   int64_t length);

/* Copies one cache of a slot as f32 [length of the slot, heads, width] of the
 * descriptor's caches[cache]: row t is what token t left there. `capacity` is
 * the room in floats. Errors: INDEX (slot, cache), ARGUMENT (no room),
 * UNSUPPORTED (a cache that holds no floats). */
DS_API ds_result ds_session_read_cache(const ds_session_t *session,
                                       int64_t slot, int64_t cache,
                                       float *values, int64_t capacity);

/*===----------------------------------------------------------------------===
 * Routing biases: what a session may change of its model
 *
 * A router of DeepSeek-V3's kind adds a bias to the scores by which it chooses,
 * not to those by which it weighs. A session begins with the model's biases.
 * What it changes holds for tokens that are computed from then on, in this
 * session alone; what lies in the caches stays.
 *===----------------------------------------------------------------------===*/

/* Moves all biases by DeepSeek-V3's rule for balanced experts: bias + gamma *
 * sign(mean load - load), of the load that ds_session_expert_load() gives. It
 * is left as it is; reset it to measure the next batch alone. A router that
 * nothing was counted of keeps its bias. Errors: UNSUPPORTED (no router has a
 * bias), ARGUMENT (gamma; loads beyond 2^31 - 1). */
DS_API ds_result ds_update_route_bias(ds_session_t *session, float gamma);

/* Copies the bias of router `router` (as in ds_session_expert_load()), f32
 * [expert_count]; `capacity` is the room in floats. Errors: INDEX, UNSUPPORTED
 * (it has none), ARGUMENT (no room). */
DS_API ds_result ds_session_route_bias(const ds_session_t *session,
                                       int64_t router, float *bias,
                                       int64_t capacity);

/* Replaces it. Errors: INDEX, UNSUPPORTED, SHAPE (`count` is not the number of
 * experts), ARGUMENT (no finite number). */
DS_API ds_result ds_session_set_route_bias(ds_session_t *session,
                                           int64_t router, const float *bias,
                                           int64_t count);

/* All biases as a safetensors file with the names of checkpoints,
 * "model.layers.{layer}.mlp.gate.e_score_correction_bias", f32 [expert_count].
 * Loading wants exactly those that the model has. Errors: UNSUPPORTED, FILE,
 * and of loading FORMAT (no such file; another tensor), SHAPE (one is missing,
 * or of another shape or type), ARGUMENT (no finite number). */
DS_API ds_result ds_session_save_route_bias(const ds_session_t *session,
                                            const char *path);
DS_API ds_result ds_session_load_route_bias(ds_session_t *session,
                                            const char *path);

/*===----------------------------------------------------------------------===
 * Sampling
 *===----------------------------------------------------------------------===*/

typedef struct ds_sampler ds_sampler_t;

typedef struct ds_sampler_options {
  float temperature; /* 0: greedy, the first of the largest logits; the next
                        four are then without effect */
  int32_t top_k;     /* keep the k most likely; 0: all */
  float top_p; /* then the fewest whose probabilities add up to p or more; 0 or
                  1: all */
  float min_p; /* then those with at least min_p times the largest probability;
                  0: all */
  uint64_t seed;        /* same seed, logits and calls: same ids */
  float repeat_penalty; /* first of all: logits of ids in `history` are divided
                           (if > 0) or multiplied by it; 0 or 1: off */
  int32_t vocabulary;   /* ids from here on are never chosen (the tokenizer's
                           size); 0: all may be */
} ds_sampler_options;

/* `options` may be null: greedy. Errors: ARGUMENT (a value outside its range).
 */
DS_API ds_result ds_sampler_create(const ds_sampler_options *options,
                                   ds_sampler_t **sampler);
DS_API void ds_sampler_free(ds_sampler_t *sampler);

/* Chooses an id from f32 logits[count]. `history` [history_count] is what the
 * repetition penalty looks at: prompt and text so far. Errors: ARGUMENT (no
 * logit is a number: the model computed NaN). */
DS_API ds_result ds_sampler_sample(ds_sampler_t *sampler, const float *logits,
                                   int64_t count, const int32_t *history,
                                   int64_t history_count, int32_t *token);

/* Whether a draft holds, so that drafts change the speed of a text and nothing
 * else (the rule of rejection). `*token` was chosen by ds_sampler_sample() from
 * `draft_logits` [count] with the same `history`; `logits` [count] are the
 * model's own for the same place. With p and q the probabilities that this
 * sampler gives of both, it holds with probability min(1, p / q); else `*token`
 * becomes one chosen from max(p - q, 0). So it is distributed as a token that
 * is chosen from `logits` alone, and of a greedy sampler it is that token.
 * `*holds` is 1 or 0. Errors: ARGUMENT (no logit is a number; `*token` cannot
 * have been chosen from `draft_logits`). */
DS_API ds_result ds_sampler_check_draft(ds_sampler_t *sampler,
                                        const float *logits,
                                        const float *draft_logits,
                                        int64_t count, const int32_t *history,
                                        int64_t history_count, int32_t *token,
                                        int32_t *holds);

/*===----------------------------------------------------------------------===
 * Text
 *===----------------------------------------------------------------------===*/

/* Token ids of UTF-8 text. Nonzero `add_special` adds what the tokenizer puts
 * around a text (BOS), never twice. `*tokens` is released with ds_free().
 * Errors: UNSUPPORTED (the model carries no tokenizer), FORMAT (it cannot be
 * read). */
DS_API ds_result ds_tokenize(const ds_model_t *model, const char *text,
                             size_t text_bytes, int32_t add_special,
                             int32_t **tokens, int64_t *token_count);

/* UTF-8 text of ids, null terminated; bytes that are no UTF-8 become U+FFFD.
 * Nonzero `skip_special` leaves special tokens out. `*text` is released with
 * ds_free(); `*text_bytes` (may be null) is its length, for a text may hold
 * zeros. Errors: as ds_tokenize(), INDEX. */
DS_API ds_result ds_detokenize(const ds_model_t *model, const int32_t *tokens,
                               int64_t token_count, int32_t skip_special,
                               char **text, size_t *text_bytes);

/* Text that grows token by token: a character comes when its last byte does.
 * Belongs to one thread at a time; the model may be freed before. */
typedef struct ds_detokenizer ds_detokenizer_t;

/* Nonzero `skip_special` leaves special tokens out. Errors: as ds_tokenize().
 */
DS_API ds_result ds_detokenizer_create(const ds_model_t *model,
                                       int32_t skip_special,
                                       ds_detokenizer_t **detokenizer);
DS_API void ds_detokenizer_free(ds_detokenizer_t *detokenizer);

/* The UTF-8 text, null terminated, that `token` completes; often empty. `*text`
 * lives until the next call on this detokenizer, `*text_bytes` (may be null) is
 * its length. Ids that the tokenizer does not know have no text. Errors:
 * ARGUMENT. */
DS_API ds_result ds_detokenizer_next(ds_detokenizer_t *detokenizer,
                                     int32_t token, const char **text,
                                     size_t *text_bytes);

/* Ends the text: what is left of an unfinished character, as U+FFFD. After it
 * a new text may begin. */
DS_API ds_result ds_detokenizer_finish(ds_detokenizer_t *detokenizer,
                                       const char **text, size_t *text_bytes);

/* One message of a conversation, UTF-8, null terminated. */
typedef struct ds_message {
  const char *role; /* "system", "user" or "assistant" */
  const char *content;
} ds_message;

/* The prompt that a chat model wants for `messages`, ready for the assistant's
 * answer, special tokens written out: tokenise it with add_special = 0.
 * `chat_template` is v1, v2, v3 or r1; null: the one that the model's tokenizer
 * speaks. `*text` is released with ds_free(). Errors: UNSUPPORTED (no
 * tokenizer), ARGUMENT (another template or role). */
DS_API ds_result ds_chat_prompt(const ds_model_t *model,
                                const char *chat_template,
                                const ds_message *messages,
                                int64_t message_count, char **text);

/* Number of ids the model's tokenizer knows; the model's vocabulary if it
 * carries none. */
DS_API int64_t ds_tokenizer_vocabulary(const ds_model_t *model);

#ifdef __cplusplus
}
#endif

#endif /* DS_RUNTIME_H */
