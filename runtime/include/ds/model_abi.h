/*===- model_abi.h - what a compiled model and the runtime agree on --------===
 *
 * The one header that compiler and runtime share. A model is a shared library
 * that exports
 *
 *     const DsModel *ds_model(void);
 *
 * All pointers in the descriptor live as long as the library is loaded. The
 * library needs libc, libm and libomp, and never calls the runtime: entries
 * take everything through their argument and return a DsStatus.
 *
 * Plain C, fixed-width types, no bit fields: the compiler writes these structs
 * as LLVM constants (lowering/Link).
 *
 *===----------------------------------------------------------------------===*/
#ifndef DS_MODEL_ABI_H
#define DS_MODEL_ABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised by one at every change of this header. The runtime refuses any other
 * value. */
#define DS_ABI_VERSION 9u
#define DS_MAGIC 0x004c444d2d5344ull /* "DS-MDL\0" */
#define DS_MODEL_SYMBOL "ds_model"
#define DS_MAX_RANK 8

typedef enum DsStatus {
  DS_STATUS_OK = 0,
  DS_STATUS_SHAPE =
      1, /* sizes of the arguments do not fit the signature or each other */
  DS_STATUS_INDEX =
      2, /* a token id, row, slot or gather index outside its range */
  DS_STATUS_CAPACITY = 3, /* past_length + new tokens exceed the cache */
  DS_STATUS_WORKSPACE =
      4, /* the workspace is smaller than workspace_bytes() says */
  DS_STATUS_MEMORY =
      5 /* allocation failed (graph mode only: `step` never allocates) */
} DsStatus;

/* Element types. The names in comments are those of safetensors. */
typedef enum DsType {
  DS_TYPE_F32 = 1,  /* F32 */
  DS_TYPE_F64 = 2,  /* F64 */
  DS_TYPE_F16 = 3,  /* F16 */
  DS_TYPE_BF16 = 4, /* BF16 */
  DS_TYPE_I8 = 5,
  DS_TYPE_I16 = 6,
  DS_TYPE_I32 = 7,
  DS_TYPE_I64 = 8,
  DS_TYPE_U8 = 9,
  DS_TYPE_U16 = 10,
  DS_TYPE_U32 = 11,
  DS_TYPE_U64 = 12,
  DS_TYPE_BOOL = 13,    /* one byte, 0 or 1 */
  DS_TYPE_F8_E4M3 = 14, /* e4m3fn */
  DS_TYPE_F8_E5M2 = 15,
  DS_TYPE_I4 = 16, /* one byte per element, the upper four bits zero */
  DS_TYPE_U4 = 17
} DsType;

/* A dense row-major tensor. `data` of an input is only read. */
typedef struct DsTensor {
  void *data;
  uint32_t type; /* DsType */
  uint32_t rank;
  int64_t dims[DS_MAX_RANK];
} DsTensor;

/* One input or output of the graph. dims[i] is the size, or -1: then
 * dim_names[i] names it ("" if unnamed; two dimensions of one name have one
 * size in a call). */
typedef struct DsValueInfo {
  const char *name;
  uint32_t type;
  uint32_t rank;
  int64_t dims[DS_MAX_RANK];
  const char *dim_names[DS_MAX_RANK];
} DsValueInfo;

/* A tensor of the weights file NAME.weights.safetensors (or of
 * embedded_weights). `offset` counts from the file's first byte and is a
 * multiple of 64. */
typedef struct DsParameter {
  const char *name;
  uint32_t type;
  uint32_t rank;
  int64_t dims[DS_MAX_RANK];
  uint64_t offset;
  uint64_t bytes;
  uint64_t checksum;   /* XXH3 64 bit of the bytes */
  uint32_t draft_only; /* 1: read by draft entries alone */
} DsParameter;

/* One cache tensor [slots, heads, length, width], owned by the runtime, updated
 * in place. */
typedef struct DsCache {
  const char *name; /* "cache.{layer}.k", "cache.{layer}.v" */
  uint32_t type;
  uint32_t layer;
  int64_t heads;
  int64_t width;
} DsCache;

/* What chooses the experts of every token in one layer. */
typedef struct DsRouter {
  uint32_t layer; /* of drafts: layer_count + k, as of their caches */
  int64_t expert_count;
  int64_t experts_per_token;
  int64_t bias; /* its selection bias: a parameter, f32 [expert_count], that
                   nothing else reads, so that a caller may put another in its
                   place; -1: none */
} DsRouter;

/* Graph mode. inputs/outputs in the descriptor's order. The entry allocates
 * every output with malloc and stores pointer and sizes; the caller frees them.
 * On an error no output is left allocated. */
typedef struct DsGraphCall {
  const void *const *parameters; /* one pointer per DsParameter */
  const DsTensor *inputs;
  DsTensor *outputs;
  int32_t threads; /* parallel loops use so many; 0 = all processors */
} DsGraphCall;

/* What a router chose in a call of N tokens; all of it is written. */
typedef struct DsRoute {
  float *weights;   /* [N, experts_per_token]: by how much each expert counts,
                       normalised and scaled */
  int32_t *experts; /* [N, experts_per_token], ascending within a token */
  int32_t *loads;   /* [expert_count]: in how many of the N tokens each had a
                       part */
} DsRoute;

/* Language-model mode: N tokens of B sequences laid end to end. A step of the
 * model, or of a layer that predicts a token further on (DsDraft). */
typedef struct DsStepCall {
  const void *const *parameters;
  void *const *caches; /* one pointer per DsCache of the model or of the layer:
                          [cache_slots, heads, cache_length, width] */
  int64_t cache_slots;
  int64_t cache_length;
  int64_t token_count;     /* N > 0 */
  int64_t sequence_count;  /* B > 0 */
  int64_t logit_row_count; /* R >= 0 */
  const int32_t *tokens;   /* [N], each in [0, vocabulary) */
  const int32_t
      *row_start; /* [B+1], row_start[0] = 0, ascending, row_start[B] = N */
  const int32_t
      *past_length; /* [B], tokens of the sequence already in its cache */
  const int32_t *cache_slot; /* [B], distinct, in [0, cache_slots) */
  const int32_t *logit_rows; /* [R], rows of tokens whose logits are wanted */
  int64_t absorbed_count;    /* of the B sequences so many, the first, take the
                                absorbed form of latent attention, the others the
                                expanded one; a model with one form ignores it */
  const float *states; /* [N, hidden_size], DsDraft only: the state that goes
                          with each token */
  float *logits;       /* [R, vocabulary] out */
  void *hidden; /* [N, hidden_size] f32 out: states after the last norm; null =
                   not wanted */
  const DsRoute *routes; /* one per DsRouter of the model or of the layer */
  void *workspace; /* 64-byte aligned; contents undefined before and after */
  uint64_t workspace_bytes;
  int32_t threads; /* parallel loops use so many; 0 = all processors. No bit of
                      the results depends on it */
} DsStepCall;

/* A layer that predicts a token further on (multi-token prediction). Layer 0
 * pairs the state of token i (`hidden` of the model's step) with token i + 1
 * and predicts token i + 2; layer k pairs the state that layer k - 1 gave of
 * token i with token i + k + 1. A pair has the position i of its state. A layer
 * alone goes on by its own states: the next pair is `hidden` of the last one
 * and the token drafted from its logits. */
typedef struct DsDraft {
  int32_t (*draft)(const DsStepCall *);
  /* As that of DsVariant. */
  uint64_t (*workspace_bytes)(int64_t token_count, int64_t sequence_count,
                              int64_t logit_row_count, int64_t cache_length,
                              int32_t threads);
} DsDraft;

/* Moves a selection bias against the loads of the experts:
 * next = bias + rate * sign(mean load - load). */
typedef struct DsRouteBiasCall {
  int64_t expert_count; /* > 0 */
  const float *bias;    /* [expert_count] */
  const int32_t *loads; /* [expert_count], not negative */
  float *next;          /* [expert_count] out, other memory than `bias` */
  float rate;
} DsRouteBiasCall;

/* One code variant, for one set of CPU features. The runtime takes the first
 * whose features the machine has, or the one that DS_CPU names. Unused
 * functions are null. */
typedef struct DsVariant {
  const char *name;     /* "x86-64-v4-bf16", "x86-64-v4", "x86-64-v3" */
  const char *features; /* comma separated, as /proc/cpuinfo spells them:
                           "avx512f,avx512_bf16" */
  int32_t (*graph)(const DsGraphCall *);
  int32_t (*step)(const DsStepCall *);
  /* Least workspace of a step of these sizes; never falls where one of them
   * rises. */
  uint64_t (*workspace_bytes)(int64_t token_count, int64_t sequence_count,
                              int64_t logit_row_count, int64_t cache_length,
                              int32_t threads);
  const DsDraft *drafts;                                 /* [draft_count] */
  int32_t (*update_route_bias)(const DsRouteBiasCall *); /* null if no router
                                                            has a bias */
} DsVariant;

typedef enum DsMode { DS_MODE_GRAPH = 1, DS_MODE_LANGUAGE_MODEL = 2 } DsMode;

typedef struct DsModel {
  uint64_t magic;
  uint32_t abi_version;
  uint32_t mode; /* DsMode */
  const char *name;
  const char *compiler; /* "ds-mlir 0.1.0" */
  const char *options;  /* the options that shaped the code, as JSON text */

  uint32_t variant_count;
  uint32_t input_count;  /* graph mode */
  uint32_t output_count; /* graph mode */
  uint32_t parameter_count;
  uint32_t cache_count;
  uint32_t eos_count;
  uint32_t draft_count; /* layers that predict tokens further on */
  uint32_t draft_cache_count;
  uint32_t router_count;
  uint32_t draft_router_count;
  const DsVariant *variants;
  const DsValueInfo *inputs;
  const DsValueInfo *outputs;
  const DsParameter *parameters;
  const DsCache *caches;
  const DsCache *draft_caches; /* those of draft layer k have layer =
                                  layer_count + k, and come in that order */
  const DsRouter *routers;
  const DsRouter *draft_routers; /* as draft_caches */

  const char *weights_file; /* file name beside the library, null if embedded or
                               if there are no parameters */
  const void *embedded_weights; /* or null */
  uint64_t weights_bytes; /* exact size of the file or of the embedded bytes */

  /* Facts of a language model; 0 / null in graph mode. */
  int64_t vocabulary;
  int64_t hidden_size;
  int64_t layer_count;
  int64_t max_length; /* longest sequence the model was made for; 0: unknown */
  int64_t mla_absorb_below; /* sequences of fewer new tokens should take the
                               absorbed form of latent attention: it needs less
                               work. 0: it has but the expanded one, INT64_MAX:
                               but the absorbed one */
  const int32_t *eos_ids;
  int32_t bos_id;             /* -1: none */
  uint32_t slow_op_count;     /* ops that went through a scalar path */
  const char *tokenizer_json; /* text of tokenizer.json, or null */
  uint64_t tokenizer_json_bytes;
  const char
      *tokenizer_config_json; /* text of tokenizer_config.json, or null */
  uint64_t tokenizer_config_json_bytes;
  /* Products with weights, to compare with a machine's peak: of every token,
   * and of every row of logits. */
  uint64_t multiply_adds_per_token;
  uint64_t multiply_adds_per_logits;
  /* Bytes of weights that computing one token alone reads, logits included: of
   * tables a row, of experts those that a token has. */
  uint64_t weight_bytes_per_token;
} DsModel;

#ifdef __cplusplus
}
#endif

#endif /* DS_MODEL_ABI_H */
