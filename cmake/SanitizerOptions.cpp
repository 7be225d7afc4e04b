//===- SanitizerOptions.cpp - what programs of the sanitizer build check --===//
//
// LLVM's headers poison the free part of their allocators where they are
// compiled with the sanitizer; libLLVM and libMLIR, which are not, write there.
//
//===----------------------------------------------------------------------===//
extern "C" __attribute__((visibility("default"))) const char *
__asan_default_options();

extern "C" const char *__asan_default_options() {
  return "allow_user_poisoning=0";
}
