// What docs/fusion.md shows: projections to latents, heads with rotations, a layer of experts.
ds.parameter @norm : tensor<128xf32> = [#ds.file_range<"w", 0, 512>]
ds.parameter @q_a : tensor<48x128xbf16> = [#ds.file_range<"w", 0, 12288>]
ds.parameter @kv_a : tensor<80x128xbf16> = [#ds.file_range<"w", 0, 20480>]
func.func @latents(%h: tensor<?x128xf32>) -> (tensor<?x48xf32>, tensor<?x80xf32>) {
  %norm = ds.load_parameter @norm : tensor<128xf32>
  %q_a = ds.load_parameter @q_a : tensor<48x128xbf16>
  %kv_a = ds.load_parameter @kv_a : tensor<80x128xbf16>
  %x = ds.rms_norm %h, %norm epsilon 1.0e-6 : tensor<?x128xf32>, tensor<128xf32> to tensor<?x128xf32>
  %q = ds.linear %x, %q_a : tensor<?x128xf32>, tensor<48x128xbf16> to tensor<?x48xf32>
  %kv = ds.linear %x, %kv_a : tensor<?x128xf32>, tensor<80x128xbf16> to tensor<?x80xf32>
  return %q, %kv : tensor<?x48xf32>, tensor<?x80xf32>
}

ds.parameter @q : tensor<128x128xbf16> = [#ds.file_range<"w", 0, 32768>]
ds.parameter @k : tensor<64x128xbf16> = [#ds.file_range<"w", 0, 16384>]
ds.parameter @v : tensor<64x128xbf16> = [#ds.file_range<"w", 0, 16384>]
func.func @heads(%x: tensor<?x128xf32>, %angles: tensor<?x32xf32>) -> (tensor<?x2x64xf32>, tensor<?x1x64xf32>, tensor<?x64xf32>) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x128xf32>
  %rows = ds.slice %angles [0, 0] [%n, 32] [1, 1] : tensor<?x32xf32> to tensor<?x32xf32>
  %cos = ds.elementwise cos %rows : (tensor<?x32xf32>) -> tensor<?x32xf32>
  %sin = ds.elementwise sin %rows : (tensor<?x32xf32>) -> tensor<?x32xf32>
  %wq = ds.load_parameter @q : tensor<128x128xbf16>
  %wk = ds.load_parameter @k : tensor<64x128xbf16>
  %wv = ds.load_parameter @v : tensor<64x128xbf16>
  %q = ds.linear %x, %wq : tensor<?x128xf32>, tensor<128x128xbf16> to tensor<?x128xf32>
  %k = ds.linear %x, %wk : tensor<?x128xf32>, tensor<64x128xbf16> to tensor<?x64xf32>
  %v = ds.linear %x, %wv : tensor<?x128xf32>, tensor<64x128xbf16> to tensor<?x64xf32>
  %qh = ds.reshape %q[%n] : tensor<?x128xf32> to tensor<?x2x64xf32>
  %kh = ds.reshape %k[%n] : tensor<?x64xf32> to tensor<?x1x64xf32>
  %qr = ds.rope %qh, %cos, %sin halves to halves : tensor<?x2x64xf32>, tensor<?x32xf32>, tensor<?x32xf32> to tensor<?x2x64xf32>
  %kr = ds.rope %kh, %cos, %sin halves to halves : tensor<?x1x64xf32>, tensor<?x32xf32>, tensor<?x32xf32> to tensor<?x1x64xf32>
  return %qr, %kr, %v : tensor<?x2x64xf32>, tensor<?x1x64xf32>, tensor<?x64xf32>
}

ds.parameter @router : tensor<16x128xf32> = [#ds.file_range<"w", 0, 8192>]
ds.parameter @gate : tensor<16x48x128xbf16> = [#ds.file_range<"w", 0, 196608>]
ds.parameter @up : tensor<16x48x128xbf16> = [#ds.file_range<"w", 0, 196608>]
ds.parameter @down : tensor<16x128x48xbf16> = [#ds.file_range<"w", 0, 196608>]
ds.parameter @shared_gate : tensor<48x128xbf16> = [#ds.file_range<"w", 0, 12288>]
ds.parameter @shared_up : tensor<48x128xbf16> = [#ds.file_range<"w", 0, 12288>]
ds.parameter @shared_down : tensor<128x48xbf16> = [#ds.file_range<"w", 0, 12288>]
func.func @experts(%h: tensor<?x128xf32>) -> tensor<?x128xf32> {
  %norm = ds.load_parameter @norm : tensor<128xf32>
  %router = ds.load_parameter @router : tensor<16x128xf32>
  %gate = ds.load_parameter @gate : tensor<16x48x128xbf16>
  %up = ds.load_parameter @up : tensor<16x48x128xbf16>
  %down = ds.load_parameter @down : tensor<16x128x48xbf16>
  %shared_gate = ds.load_parameter @shared_gate : tensor<48x128xbf16>
  %shared_up = ds.load_parameter @shared_up : tensor<48x128xbf16>
  %shared_down = ds.load_parameter @shared_down : tensor<128x48xbf16>
  %x = ds.rms_norm %h, %norm epsilon 1.0e-6 : tensor<?x128xf32>, tensor<128xf32> to tensor<?x128xf32>
  %logits = ds.linear %x, %router : tensor<?x128xf32>, tensor<16x128xf32> to tensor<?x16xf32>
  %w, %e, %loads = ds.route %logits softmax top 4 groups 1 keep 1 by max fill zero scale 1.0 : tensor<?x16xf32> to tensor<?x4xf32>, tensor<?x4xi32>, tensor<16xi32>
  %routed = ds.moe %x weights %w experts %e gate %gate up %up down %down
    : tensor<?x128xf32>, tensor<?x4xf32>, tensor<?x4xi32>, tensor<16x48x128xbf16>, tensor<16x48x128xbf16>, tensor<16x128x48xbf16> to tensor<?x128xf32>
  %g = ds.linear %x, %shared_gate : tensor<?x128xf32>, tensor<48x128xbf16> to tensor<?x48xf32>
  %u = ds.linear %x, %shared_up : tensor<?x128xf32>, tensor<48x128xbf16> to tensor<?x48xf32>
  %s = ds.swiglu %g, %u : tensor<?x48xf32>, tensor<?x48xf32> to tensor<?x48xf32>
  %shared = ds.linear %s, %shared_down : tensor<?x48xf32>, tensor<128x48xbf16> to tensor<?x128xf32>
  %both = ds.elementwise add %routed, %shared : (tensor<?x128xf32>, tensor<?x128xf32>) -> tensor<?x128xf32>
  %sum = ds.elementwise add %h, %both : (tensor<?x128xf32>, tensor<?x128xf32>) -> tensor<?x128xf32>
  return %sum : tensor<?x128xf32>
}
