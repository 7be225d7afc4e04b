//===- ds-info.cpp - what a compiled model says about itself --------------===//
#include "ds/ds_runtime.h"
#include "tools/Exit.h"
#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>

int main(int argc, char **argv) {
  CLI::App app{
      "Prints what a compiled model says about itself, as JSON: how it "
      "was compiled, its code variants and which is in use, inputs "
      "and outputs or caches, every parameter.\n\n"
      "  ds-info model.so --verify\n"
      "  DS_CPU=x86-64-v3 ds-info model.so     with another variant",
      "ds-info"};
  std::string path;
  bool verify = false;
  app.add_option("MODEL", path, "model.so, as ds-compile made it")->required();
  app.add_flag("--verify", verify, "compare the checksums of all weights");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return tool::exitCode(app, error);
  }
  ds_load_options options = {nullptr, verify};
  ds_model_t *model = nullptr;
  char *json = nullptr;
  if (ds_load(path.c_str(), &options, &model) != DS_OK ||
      ds_model_describe(model, &json) != DS_OK) {
    std::fprintf(stderr, "ds-info: error: %s\n", ds_last_error());
    ds_model_free(model);
    return 1;
  }
  bool written = std::printf("%s\n", json) > 0 && std::fflush(stdout) == 0;
  if (!written)
    std::fprintf(stderr, "ds-info: error: cannot write: %s\n",
                 std::strerror(errno));
  ds_free(json);
  ds_model_free(model);
  return written ? 0 : 1;
}
