//===- ds-info.cpp - what a compiled model says about itself --------------===//
#include "ds/ds_runtime.h"
#include <CLI/CLI.hpp>
#include <cstdio>

int main(int argc, char **argv) {
  CLI::App app{"Prints the descriptor of a compiled model as JSON.", "ds-info"};
  std::string path;
  bool verify = false;
  app.add_option("MODEL", path, "model.so, as ds-compile made it")->required();
  app.add_flag("--verify", verify, "compare the checksums of all weights");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : 2;
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
  std::printf("%s\n", json);
  ds_free(json);
  ds_model_free(model);
  return 0;
}
