#!/usr/bin/env bash
# Installs, builds, runs every test, and ends with one line: N passed, N failed.
#   tools/check.sh              all tests on the release build
#   tools/check.sh --sanitize   unit tests and end to end on an address- and undefined-behaviour-sanitizer build
source "$(dirname "$0")/setup.sh"

preset=release
case "${1:-}" in
  "") ;;
  --sanitize) preset=sanitize ;;
  *) echo "usage: tools/check.sh [--sanitize]" >&2; exit 2 ;;
esac

install_packages
install_python
configure "$preset"
build "$preset" all

passed=0
failed=0
logs=build/check
mkdir -p "$logs"
bin=build/$preset/bin
python=build/venv/bin/python

# What the PTX emulator executes in all of its tests.
export DS_EMU_COVERAGE=$PWD/$logs/ptx-coverage.json
rm -f "$DS_EMU_COVERAGE"

# suite NAME PATTERN-OF-COUNTS COMMAND...: runs, shows the last line, adds up "N passed" and "N failed" as PATTERN prints them.
count() {
  local name=$1 good=$2 bad=$3
  passed=$((passed + good))
  failed=$((failed + bad))
  printf '    %s: %d passed, %d failed\n' "$name" "$good" "$bad"
}

say "Formatting of C++ files"
if git ls-files '*.cpp' '*.h' ':!third_party' | xargs clang-format-22 --dry-run -Werror 2> "$logs/format.log"; then
  count format 1 0
else
  head -20 "$logs/format.log"
  count format 0 1
fi

if [ "$preset" = release ]; then
  say "lit tests"
  PATH="$PWD/build/venv/bin:$PATH" /usr/lib/llvm-22/bin/lit -sv "build/$preset/test" > "$logs/lit.log" 2>&1 || true
  grep -E '^(FAIL|XPASS|TIMEOUT|UNRESOLVED):' "$logs/lit.log" || true
  good=$(sed -n 's/^ *\(Passed\|Unsupported\) *: *\([0-9]*\).*/\2/p' "$logs/lit.log" | awk '{s += $1} END {print s + 0}')
  total=$(sed -n 's/^Total Discovered Tests: *\([0-9]*\).*/\1/p' "$logs/lit.log")
  if [ -z "$total" ]; then tail -20 "$logs/lit.log"; fi
  count lit "$good" $((${total:-1} - good))
fi

say "Unit tests"
for test in "$bin"/unit-*; do
  name=$(basename "$test")
  "$test" > "$logs/$name.log" 2>&1 || true
  good=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$logs/$name.log")
  total=$(sed -n 's/^\[==========\] \([0-9]*\) tests\{0,1\} from .* ran.*/\1/p' "$logs/$name.log")
  if [ -z "$total" ] || [ "${good:-0}" != "$total" ]; then
    grep -E '^\[  FAILED  \]|Failure|ERROR: ' "$logs/$name.log" || tail -20 "$logs/$name.log"
  fi
  count "$name" "${good:-0}" $((${total:-1} - ${good:-0}))
done

# script NAME COMMAND...: a suite that ends with the line "N passed, N failed" itself.
script() {
  local name=$1
  shift
  say "$name"
  "$@" > "$logs/$name.log" 2>&1 || true
  grep -E '^FAILED' "$logs/$name.log" || true
  local line
  line=$(tail -1 "$logs/$name.log")
  if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    count "$name" "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
  else
    tail -20 "$logs/$name.log"
    count "$name" 0 1
  fi
}
script onnx-node "$python" test/onnx-node/run_node_tests.py "$bin/ds-compile" docs/onnx-ops.md
script onnx-mutations "$python" test/onnx-node/run_mutations.py "$bin/ds-compile"
script onnx-hostile "$python" test/onnx-import/run_hostile.py "$bin/ds-compile"
script onnx-oracle "$python" test/onnx-import/run_oracle.py "$bin/ds-compile" test/e2e/golden
script golden "$python" test/e2e/run_golden.py "$bin/ds-compile" test/e2e/golden
script attention "$python" test/e2e/run_attention.py "$bin/ds-compile"
script sensitivity "$python" test/e2e/run_sensitivity.py "$bin/ds-compile" test/e2e/golden --once
script forms "$python" test/e2e/run_forms.py "$bin/ds-compile" test/e2e/golden
script routing "$python" test/e2e/run_routing.py "$bin/ds-compile"
script kjv "$python" test/e2e/run_kjv.py "$bin/ds-compile" examples/kjv-v1
script kjv-v3 "$python" test/e2e/run_kjv.py "$bin/ds-compile" examples/kjv-v3 --precision=exact
script drafts "$python" test/e2e/run_drafts.py "$bin/ds-compile" "$bin/ds-run" examples/kjv-v3
script layers "$python" test/e2e/run_layers.py "$bin/ds-compile" "$bin/ds-run" test/e2e/golden/v3-bf16
script bias "$python" test/e2e/run_bias.py "$bin/ds-compile" "$bin/ds-run" examples/kjv-v3
script memory "$python" test/e2e/run_memory.py "$bin/ds-compile" "$bin/ds-run" examples/kjv-v3
script shapes "$python" test/e2e/run_shapes.py "$bin/ds-compile" tools/bench/llama_onnx.py
script rewrites "$python" test/e2e/run_rewrites.py "$bin/ds-compile" test/e2e/golden --seconds 100
script reference "$python" test/e2e/run_reference.py "$bin/ds-compile" test/e2e/golden examples/kjv-v1
script ptx-micro "$python" test/ptx-emulator/run_micro.py "$bin/ds-ptx-run"
script ptx-matrices "$python" test/ptx-emulator/run_matrices.py "$bin/ds-ptx-run"
script ptx-wgmma "$python" test/ptx-emulator/run_wgmma.py "$bin/ds-ptx-run"
script ptx-wmma "$python" test/ptx-emulator/run_wmma.py "$bin/ds-ptx-run"
script ptx-tensors "$python" test/ptx-emulator/run_tensors.py "$bin/ds-ptx-run"
script ptx-negative "$python" test/ptx-emulator/run_negative.py "$bin/ds-ptx-run"
script ptx-gemm "$python" test/ptx-emulator/run_gemm.py "$bin/ds-ptx-run"
script ptx-gemm-driver "$python" test/ptx-emulator/run_gemm.py "$bin/ds-ptx-run" --only 'sm90-*' --driver "build/$preset/lib/libds_cuda_emulator.so"
script ptx-mutants "$python" test/ptx-emulator/run_gemm.py "$bin/ds-ptx-run" --mutants
if [ "$preset" = release ]; then
  say "ptx-coverage"
  if "$bin/ds-ptx-coverage" --handlers "$DS_EMU_COVERAGE" > "$logs/ptx-coverage.log" 2>&1; then
    count ptx-coverage 1 0
  else
    tail -40 "$logs/ptx-coverage.log"
    count ptx-coverage 0 1
  fi
fi
script properties "$python" test/properties/run_properties.py "$bin/ds-compile"
# The same in tiles, and attention carried from one block of keys to the next.
tiles="-transform-preload-library=transform-library-paths=test/properties/Inputs/tiles.mlir -transform-interpreter"
script properties-tiled "$python" test/properties/run_properties.py "$bin/ds-compile" \
  --only=attention,cache_append,token_positions,linear,quantize_groups,rope,swiglu,mla,combine,cast,slice,concat,transpose,reduce,cumulative,matmul,softmax,dequantize,select \
  --through="$bin/ds-opt $tiles -ds-tile-attention=block=5"
script properties-online "$python" test/properties/run_properties.py "$bin/ds-compile" --only=attention --count=8 \
  --through="$bin/ds-opt -ds-tile-attention=block=5 $tiles"
script properties-latent "$python" test/properties/run_properties.py "$bin/ds-compile" --only=mla --count=8 \
  --through="$bin/ds-opt -ds-tile-latent-attention=block=5"

if [ "$preset" = release ]; then
  say "Fuzzing the readers, briefly"
  configure fuzz
  build fuzz fuzz-safetensors fuzz-tokenizer fuzz-ptx fuzz-ptx-run fuzz-importer fuzz-checkpoint
  for target in safetensors tokenizer ptx ptx-run importer checkpoint; do
    # What is found grows a corpus of this build; the committed one is the seed.
    mkdir -p "build/fuzz/corpus/$target"
    seeds=("test/fuzz/corpus/${target%-run}")
    case $target in
      ptx*) seeds+=(test/ptx-emulator/{exec,gemm,kernels,negative,parser} examples/ptx-race) ;;
    esac
    if "build/fuzz/bin/fuzz-$target" -runs=20000 -max_total_time=30 -timeout=60 "-artifact_prefix=$logs/" \
         "build/fuzz/corpus/$target" "${seeds[@]}" > "$logs/fuzz-$target.log" 2>&1; then
      count "fuzz-$target" 1 0
    else
      tail -30 "$logs/fuzz-$target.log"
      count "fuzz-$target" 0 1
    fi
  done
fi

printf '\n%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
