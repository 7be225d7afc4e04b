#!/usr/bin/env bash
# From a fresh clone to generated text: installs what is missing, builds, compiles the small model of examples/, runs it.
source "$(dirname "$0")/setup.sh"
install_packages
configure release
build release ds-compile ds-run

out=build/kjv-v1.so
say "Compiling examples/kjv-v1/model.onnx to $out"
build/release/bin/ds-compile examples/kjv-v1/model.onnx -o "$out"
ls -l "$out" build/kjv-v1.weights.safetensors

prompt="${1:-In the beginning God created}"
say "Running it: ds-run $out -p \"$prompt\" -n 60"
build/release/bin/ds-run "$out" -p "$prompt" -n 60 --ignore-eos
echo
