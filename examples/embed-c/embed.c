/*===- embed.c - a language model inside a C program -----------------------===
 *
 * Loads a compiled model, continues a text by some tokens, prints it as it
 * comes. All there is to know is in ds/ds_runtime.h.
 *
 *     cc embed.c -I runtime/include -L build/release/lib -lds_runtime
 *     ./a.out model.so "In the beginning" 20
 *
 *===----------------------------------------------------------------------===*/
#include "ds/ds_runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every call says whether it worked; the message says what was wrong. */
static void check(ds_result result) {
  if (result != DS_OK) {
    fprintf(stderr, "embed: error: %s\n", ds_last_error());
    exit(1);
  }
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: embed MODEL.so TEXT COUNT\n");
    return 2;
  }
  ds_model_t *model = NULL;
  check(ds_load(argv[1], NULL, &model));
  const DsModel *facts = ds_model_descriptor(model);

  int32_t *tokens = NULL; /* the prompt, as ids */
  int64_t count = 0;
  check(ds_tokenize(model, argv[2], strlen(argv[2]), 1, &tokens, &count));

  ds_session_t *session = NULL; /* its cache has room for prompt and text */
  ds_session_options options = {.length = count + atol(argv[3])};
  check(ds_session_create(model, &options, &session));
  ds_detokenizer_t *text = NULL;
  check(ds_detokenizer_create(model, 1, &text));
  ds_sampler_options greedy = {.vocabulary =
                                   (int32_t)ds_tokenizer_vocabulary(model)};
  ds_sampler_t *sampler = NULL;
  check(ds_sampler_create(&greedy, &sampler));
  float *logits = malloc((size_t)facts->vocabulary * sizeof *logits);
  if (!logits)
    return 1;

  ds_feed feed = {0, tokens, count, DS_LOGITS_LAST, 0};
  int32_t next;
  for (long made = 0; made < atol(argv[3]); ++made) {
    const char *part;
    check(ds_session_feed(session, &feed, 1, logits, facts->vocabulary, NULL));
    check(
        ds_sampler_sample(sampler, logits, facts->vocabulary, NULL, 0, &next));
    if (facts->eos_count && next == facts->eos_ids[0])
      break;
    check(ds_detokenizer_next(text, next, &part, NULL));
    printf("%s", part);
    fflush(stdout);
    feed.tokens = &next; /* from here on one token at a time */
    feed.token_count = 1;
  }
  printf("\n");
  free(logits);
  ds_sampler_free(sampler);
  ds_detokenizer_free(text);
  ds_session_free(session);
  ds_free(tokens);
  ds_model_free(model);
  return 0;
}
