#include "dialects/onnx/Import/OnnxImport.h"
#include "llvm/Support/raw_ostream.h"
int main(int argc, char **argv) {
  mlir::MLIRContext c;
  auto m = mlir::onnx::importOnnx(argv[1], &c);
  if (!m) return 1;
  m->print(llvm::outs());
}
