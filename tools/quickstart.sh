#!/usr/bin/env bash
# From a fresh clone to generated text: installs what is missing, builds, compiles the small models of examples/, runs them.
source "$(dirname "$0")/setup.sh"
install_packages
configure release
build release ds-compile ds-run

prompt="${1:-In the beginning God created}"

# compile SOURCE NAME: compiles SOURCE to build/NAME.so.
compile() {
  say "Compiling $1 to build/$2.so"
  build/release/bin/ds-compile "$1" -o "build/$2.so"
  ls -l "build/$2.so" "build/$2.weights.safetensors"
}
# speak NAME OPTION...: runs it; the text, then speed and what a step gave, from --stats.
speak() {
  local library=build/$1.so
  shift
  say "Running it: ds-run $library -p \"$prompt\" -n 60 $*"
  build/release/bin/ds-run "$library" -p "$prompt" -n 60 --ignore-eos --stats "$@" 2> build/stats.json
  echo
  awk -v RS='[,{}]' -F: '{ gsub(/"/, "", $1); v[$1] = $2 } END {
    printf "    %.0f tokens/s, %.2f tokens a step (%d drafted, %d accepted), %d bytes of cache a token\n",
      v["generated_tokens"] / v["decode_s"], v["tokens_per_step"], v["drafted"], v["accepted"], v["cache_bytes_per_token"] }' build/stats.json
}

compile examples/kjv-v1/model.onnx kjv-v1
speak kjv-v1
compile examples/kjv-v3 kjv-v3
speak kjv-v3
speak kjv-v3 --draft=1
