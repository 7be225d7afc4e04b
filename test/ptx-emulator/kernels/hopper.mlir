// Kernels of MLIR's nvgpu dialect: tensors by TMA, mbarriers, products of a warp group.
// For sm_90a.
// A parameter cannot be a descriptor where functions are written by hand (only where gpu.launch is outlined): the pointer is converted.
!stages = memref<2x16x32xf32, #gpu.address_space<workgroup>>
!rows = memref<16x32xf32, strided<[32, 1], offset: ?>, #gpu.address_space<workgroup>>
!rowsMap = !nvgpu.tensormap.descriptor<tensor = !rows, swizzle = none, l2promo = none, oob = zero, interleave = none>
!barriers = !nvgpu.mbarrier.group<memorySpace = #gpu.address_space<workgroup>, num_barriers = 2>
!a = memref<64x64xf16, #gpu.address_space<workgroup>>
!boxes = memref<2x64x64xf16, #gpu.address_space<workgroup>>
!box = memref<64x64xf16, strided<[64, 1]>, #gpu.address_space<workgroup>>
!secondBox = memref<64x64xf16, strided<[64, 1], offset: 4096>, #gpu.address_space<workgroup>>
!b = memref<64x128xf16, strided<[128, 1]>, #gpu.address_space<workgroup>>
!c = memref<64x128xf32, strided<[256, 1], offset: ?>>
!map = !nvgpu.tensormap.descriptor<tensor = !a, swizzle = swizzle_128b, l2promo = none, oob = zero, interleave = none>
!aTile = !nvgpu.warpgroup.descriptor<tensor = !a>
!bTile = !nvgpu.warpgroup.descriptor<tensor = !b>
!sums = !nvgpu.warpgroup.accumulator<fragmented = vector<64x128xf32>>

gpu.module @hopper {
  // The sum of each column of a tensor of 75 x 76 numbers: a warp for 32 columns, 16 rows at once, of which two groups are on their way.
  gpu.func @column_sums(%y: memref<96xf32>, %pointer: !llvm.ptr) kernel {
    %map = builtin.unrealized_conversion_cast %pointer : !llvm.ptr to !rowsMap
    %block = gpu.block_id x
    %thread = gpu.thread_id x
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c5 = arith.constant 5 : index
    %c16 = arith.constant 16 : index
    %c32 = arith.constant 32 : index
    %bytes = arith.constant 2048 : index
    %ticks = arith.constant 10000000 : index
    %column = arith.muli %block, %c32 : index
    %leads = arith.cmpi eq, %thread, %c0 : index
    %full = nvgpu.mbarrier.create -> !barriers
    nvgpu.mbarrier.init %full[%c0], %c1, predicate = %leads : !barriers
    nvgpu.mbarrier.init %full[%c1], %c1, predicate = %leads : !barriers
    nvvm.fence.mbarrier.init
    gpu.barrier
    %tiles = memref.get_global @tiles : !stages
    scf.for %stage = %c0 to %c2 step %c1 {
      %tile = memref.subview %tiles[%stage, 0, 0] [1, 16, 32] [1, 1, 1] : !stages to !rows
      %row = arith.muli %stage, %c16 : index
      nvgpu.mbarrier.arrive.expect_tx %full[%stage], %bytes, predicate = %leads : !barriers
      nvgpu.tma.async.load %map[%column, %row], %full[%stage] to %tile, predicate = %leads : !rowsMap, !barriers -> !rows
    }
    %zero = arith.constant 0.0 : f32
    %total = scf.for %step = %c0 to %c5 step %c1 iter_args(%sum = %zero) -> f32 {
      %stage = arith.remui %step, %c2 : index
      %round = arith.divui %step, %c2 : index
      %odd = arith.remui %round, %c2 : index
      %phase = arith.cmpi eq, %odd, %c1 : index
      nvgpu.mbarrier.try_wait.parity %full[%stage], %phase, %ticks : !barriers
      %tile = memref.subview %tiles[%stage, 0, 0] [1, 16, 32] [1, 1, 1] : !stages to !rows
      %next = scf.for %i = %c0 to %c16 step %c1 iter_args(%s = %sum) -> f32 {
        %v = memref.load %tile[%i, %thread] : !rows
        %t = arith.addf %s, %v : f32
        scf.yield %t : f32
      }
      // All have read what the next load will write.
      gpu.barrier
      %later = arith.addi %step, %c2 : index
      %goesOn = arith.cmpi ult, %later, %c5 : index
      %loads = arith.andi %goesOn, %leads : i1
      %row = arith.muli %later, %c16 : index
      nvgpu.mbarrier.arrive.expect_tx %full[%stage], %bytes, predicate = %loads : !barriers
      nvgpu.tma.async.load %map[%column, %row], %full[%stage] to %tile, predicate = %loads : !rowsMap, !barriers -> !rows
      scf.yield %next : f32
    }
    %at = arith.addi %column, %thread : index
    memref.store %total, %y[%at] : memref<96xf32>
    gpu.return
  }

  // Products of two tensors of halves: a warp group for 64 x 128, in steps of 64; beyond the ends is zero. A loop whose end is known is unrolled, and then
  // LLVM 22 sets the accumulators to zero behind wgmma.fence, which is against the ISA: ptxas mends it with C7519, the emulator reports it.
  gpu.func @multiply(%result: memref<128x256xf32>, %aPointer: !llvm.ptr, %bPointer: !llvm.ptr, %depth: i32) kernel {
    %end = arith.index_castui %depth : i32 to index
    %aMap = builtin.unrealized_conversion_cast %aPointer : !llvm.ptr to !map
    %bMap = builtin.unrealized_conversion_cast %bPointer : !llvm.ptr to !map
    %blockX = gpu.block_id x
    %blockY = gpu.block_id y
    %thread = gpu.thread_id x
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c64 = arith.constant 64 : index
    %c128 = arith.constant 128 : index
    %bytes = arith.constant 24576 : index
    %ticks = arith.constant 10000000 : index
    %row = arith.muli %blockY, %c64 : index
    %column = arith.muli %blockX, %c128 : index
    %column2 = arith.addi %column, %c64 : index
    %leads = arith.cmpi eq, %thread, %c0 : index
    %full = nvgpu.mbarrier.create -> !barriers
    nvgpu.mbarrier.init %full[%c0], %c1, predicate = %leads : !barriers
    nvvm.fence.mbarrier.init
    gpu.barrier
    %a = memref.get_global @a : !a
    // Two boxes of 64 columns lie one behind the other: what the descriptor of 64 x 128 says, not the type.
    %boxes = memref.get_global @boxes : !boxes
    %b = memref.reinterpret_cast %boxes to offset: [0], sizes: [64, 128], strides: [128, 1] : !boxes to !b
    %b1 = memref.subview %boxes[0, 0, 0] [1, 64, 64] [1, 1, 1] : !boxes to !box
    %b2 = memref.subview %boxes[1, 0, 0] [1, 64, 64] [1, 1, 1] : !boxes to !secondBox
    %aTile = nvgpu.warpgroup.generate.descriptor %a, %aMap : !a, !map -> !aTile
    %bTile = nvgpu.warpgroup.generate.descriptor %b, %bMap : !b, !map -> !bTile
    %none = nvgpu.warpgroup.mma.init.accumulator -> !sums
    %sums = scf.for %k = %c0 to %end step %c64 iter_args(%sum = %none) -> !sums {
      nvgpu.mbarrier.arrive.expect_tx %full[%c0], %bytes, predicate = %leads : !barriers
      nvgpu.tma.async.load %aMap[%k, %row], %full[%c0] to %a, predicate = %leads : !map, !barriers -> !a
      nvgpu.tma.async.load %bMap[%column, %k], %full[%c0] to %b1, predicate = %leads : !map, !barriers -> !box
      nvgpu.tma.async.load %bMap[%column2, %k], %full[%c0] to %b2, predicate = %leads : !map, !barriers -> !secondBox
      %step = arith.divui %k, %c64 : index
      %odd = arith.remui %step, %c2 : index
      %phase = arith.cmpi eq, %odd, %c1 : index
      nvgpu.mbarrier.try_wait.parity %full[%c0], %phase, %ticks : !barriers
      // Without waitGroup = 0 it would not wait for itself.
      %next = nvgpu.warpgroup.mma %aTile, %bTile, %sum {transposeB, waitGroup = 0 : i64} : !aTile, !bTile, !sums -> !sums
      gpu.barrier
      scf.yield %next : !sums
    }
    %c = memref.subview %result[%row, %column] [64, 128] [1, 1] : memref<128x256xf32> to !c
    nvgpu.warpgroup.mma.store %sums, %c : !sums to !c
    gpu.return
  }
  memref.global "private" @tiles : !stages {alignment = 128 : i64}
  memref.global "private" @a : !a {alignment = 1024 : i64}
  memref.global "private" @boxes : !boxes {alignment = 1024 : i64}
}
