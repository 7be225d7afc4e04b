// Nothing of bf16 may become a call of libgcc's __truncsfbf2: the library would not link.
// RUN: ds-compile %s --mode=graph --cpu=x86-64-v3 --emit=obj -o %t.o
// RUN: llvm-nm -u %t.o | FileCheck %s
// RUN: ds-compile %s --mode=graph --cpu=x86-64-v4 --emit=obj -o %t.v4.o
// RUN: llvm-nm -u %t.v4.o | FileCheck %s
// CHECK-NOT: {{__(trunc|extend)}}
// CHECK: U free
// CHECK-NOT: {{__(trunc|extend)}}

// A vector that is read element by element, since nobody knows that the rows are contiguous, is carried by a loop.
func.func @graph(%x: tensor<?x1x?xbf16> {ds.name = "x"}) -> (tensor<?x1x?xbf16> {ds.name = "y"}) attributes {ds.entry = "graph"} {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %rows = tensor.dim %x, %c0 : tensor<?x1x?xbf16>
  %length = tensor.dim %x, %c2 : tensor<?x1x?xbf16>
  %empty = tensor.empty(%rows, %length) : tensor<?x1x?xbf16>
  %y = scf.for %i = %c0 to %rows step %c2 iter_args(%whole = %empty) -> (tensor<?x1x?xbf16>) {
    %n = affine.min affine_map<(d0)[s0] -> (-d0 + s0, 2)>(%i)[%rows]
    %slice = tensor.extract_slice %x[%i, 0, 0] [%n, 1, %length] [1, 1, 1] : tensor<?x1x?xbf16> to tensor<?x1x?xbf16>
    %tile = ds.softmax %slice 2 : tensor<?x1x?xbf16> to tensor<?x1x?xbf16>
    %next = tensor.insert_slice %tile into %whole[%i, 0, 0] [%n, 1, %length] [1, 1, 1] : tensor<?x1x?xbf16> into tensor<?x1x?xbf16>
    scf.yield %next : tensor<?x1x?xbf16>
  }
  return %y : tensor<?x1x?xbf16>
}
