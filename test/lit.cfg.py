import os
import shutil
import sys

import lit.formats
from lit.llvm import llvm_config
from lit.llvm.subst import ToolSubst

config.name = "ds-mlir"
config.test_format = lit.formats.ShTest(False)
config.suffixes = [".mlir", ".test", ".ptx"]
config.excludes = ["unit", "fuzz", "e2e", "models", "Inputs"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.ds_binary_dir, "test")

# CHECK variables named [[$X]] are global, all others end with their CHECK-LABEL.
config.environment["FILECHECK_OPTS"] = "-enable-var-scope --allow-unused-prefixes=false"

llvm_config.with_environment("PATH", config.llvm_tools_dir, append_path=True)
llvm_config.add_tool_substitutions(["FileCheck", "not", "count", "split-file"], config.llvm_tools_dir)
bin_dir = os.path.join(config.ds_binary_dir, "bin")
llvm_config.add_tool_substitutions(
    # Not behind "=": --emit=ds-opt names a stage, not the tool.
    [ToolSubst(t, pre=r".-^/\<=", unresolved="ignore") for t in ("ds-opt", "ds-compile", "ds-run", "ds-info", "ds-bench", "ds-lsp-server", "ds-ptx-run", "ds-ptx-coverage", "embed-c")], bin_dir)
config.substitutions.append(("%python", sys.executable))
config.substitutions.append(("%models", os.path.join(config.ds_binary_dir, "test", "models")))
config.substitutions.append(("%runtime", os.path.join(config.ds_binary_dir, "lib", "libds_runtime.so")))
config.substitutions.append(("%emulator", os.path.join(config.ds_binary_dir, "lib", "libds_cuda_emulator.so")))
config.substitutions.append(("%examples", os.path.join(config.ds_source_dir, "examples")))
config.substitutions.append(("%docs", os.path.join(config.ds_source_dir, "docs")))
config.substitutions.append(("%e2e", os.path.join(config.ds_source_dir, "test", "e2e")))
if "DS_EMU_COVERAGE" in os.environ:
    config.environment["DS_EMU_COVERAGE"] = os.environ["DS_EMU_COVERAGE"]
if shutil.which("ptxas"):
    config.available_features.add("ptxas")
# CUB comes with the toolkit, beside the compiler.
nvcc = shutil.which("nvcc")
if nvcc and os.path.isdir(os.path.join(os.path.dirname(os.path.realpath(nvcc)), "..", "include", "cccl", "cub")):
    config.available_features.add("cub")
    config.substitutions.append(("%nvcc", nvcc))
