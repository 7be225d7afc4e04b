// RUN: ds-opt %s --split-input-file --ds-to-reference --verify-diagnostics

func.func @graph(%x: tensor<?xf32>) -> tensor<?xf8E4M3FNUZ> {
  // expected-error @below {{the reference does not know the element type 'f8E4M3FNUZ'}}
  %0 = ds.cast %x : tensor<?xf32> to tensor<?xf8E4M3FNUZ>
  return %0 : tensor<?xf8E4M3FNUZ>
}
