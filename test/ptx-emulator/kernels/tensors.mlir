// Kernels of MLIR's gpu dialect, lowered by MLIR itself; remake.sh says how.
gpu.module @tensors {
  gpu.func @scale_add(%y: memref<1000xf32>, %x: memref<1000xf32>, %a: f32, %n: i32) kernel {
    %block = gpu.block_id x
    %size = gpu.block_dim x
    %thread = gpu.thread_id x
    %first = arith.muli %block, %size : index
    %i = arith.addi %first, %thread : index
    %end = arith.index_cast %n : i32 to index
    %isIn = arith.cmpi ult, %i, %end : index
    scf.if %isIn {
      %u = memref.load %x[%i] : memref<1000xf32>
      %v = memref.load %y[%i] : memref<1000xf32>
      // math.fma would need libdevice of the toolkit.
      %w = llvm.intr.fma(%a, %u, %v) : (f32, f32, f32) -> f32
      memref.store %w, %y[%i] : memref<1000xf32>
    }
    gpu.return
  }

  // A thread for each row; NaNs stay.
  gpu.func @row_maxima(%y: memref<16xf32>, %x: memref<16x24xf32>) kernel {
    %row = gpu.thread_id x
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c24 = arith.constant 24 : index
    %least = arith.constant 0xFF800000 : f32
    %most = scf.for %i = %c0 to %c24 step %c1 iter_args(%m = %least) -> f32 {
      %v = memref.load %x[%row, %i] : memref<16x24xf32>
      %n = arith.maximumf %m, %v : f32
      scf.yield %n : f32
    }
    memref.store %most, %y[%row] : memref<16xf32>
    gpu.return
  }

  // Each block turns its 64 words around, through shared memory.
  gpu.func @reverse(%x: memref<256xi32>) workgroup(%tile: memref<64xi32, 3>) kernel {
    %block = gpu.block_id x
    %thread = gpu.thread_id x
    %c63 = arith.constant 63 : index
    %c64 = arith.constant 64 : index
    %first = arith.muli %block, %c64 : index
    %i = arith.addi %first, %thread : index
    %v = memref.load %x[%i] : memref<256xi32>
    memref.store %v, %tile[%thread] : memref<64xi32, 3>
    gpu.barrier
    %other = arith.subi %c63, %thread : index
    %w = memref.load %tile[%other] : memref<64xi32, 3>
    memref.store %w, %x[%i] : memref<256xi32>
    gpu.return
  }

  // Sums of warps by gpu.shuffle.
  gpu.func @warp_sums(%y: memref<4xi32>, %x: memref<128xi32>) kernel {
    %block = gpu.block_id x
    %thread = gpu.thread_id x
    %c32 = arith.constant 32 : index
    %width = arith.constant 32 : i32
    %l1 = arith.constant 1 : i32
    %l2 = arith.constant 2 : i32
    %l4 = arith.constant 4 : i32
    %l8 = arith.constant 8 : i32
    %l16 = arith.constant 16 : i32
    %first = arith.muli %block, %c32 : index
    %i = arith.addi %first, %thread : index
    %v0 = memref.load %x[%i] : memref<128xi32>
    %s1, %p1 = gpu.shuffle xor %v0, %l1, %width : i32
    %v1 = arith.addi %v0, %s1 : i32
    %s2, %p2 = gpu.shuffle xor %v1, %l2, %width : i32
    %v2 = arith.addi %v1, %s2 : i32
    %s4, %p4 = gpu.shuffle xor %v2, %l4, %width : i32
    %v4 = arith.addi %v2, %s4 : i32
    %s8, %p8 = gpu.shuffle xor %v4, %l8, %width : i32
    %v8 = arith.addi %v4, %s8 : i32
    %s16, %p16 = gpu.shuffle xor %v8, %l16, %width : i32
    %v16 = arith.addi %v8, %s16 : i32
    memref.store %v16, %y[%block] : memref<4xi32>
    gpu.return
  }

  // Counts of the values 0 to 15.
  gpu.func @counts(%y: memref<16xi32>, %x: memref<512xi8>) kernel {
    %block = gpu.block_id x
    %size = gpu.block_dim x
    %thread = gpu.thread_id x
    %first = arith.muli %block, %size : index
    %i = arith.addi %first, %thread : index
    %v = memref.load %x[%i] : memref<512xi8>
    %low = arith.constant 15 : i8
    %w = arith.andi %v, %low : i8
    %at = arith.index_castui %w : i8 to index
    %one = arith.constant 1 : i32
    %before = memref.atomic_rmw addi %one, %y[%at] : (i32, memref<16xi32>) -> i32
    gpu.return
  }

  // To halves and back: the nearest ones, then products of halves.
  gpu.func @halves(%y: memref<64xf16>, %x: memref<64xf32>) kernel {
    %i = gpu.thread_id x
    %v = memref.load %x[%i] : memref<64xf32>
    %h = arith.truncf %v : f32 to f16
    %p = arith.mulf %h, %h : f16
    %s = arith.addf %p, %h : f16
    memref.store %s, %y[%i] : memref<64xf16>
    gpu.return
  }

  // Greatest common divisors, by a loop of each thread's own length.
  gpu.func @divisors(%y: memref<64xi64>, %a: memref<64xi64>, %b: memref<64xi64>) kernel {
    %i = gpu.thread_id x
    %zero = arith.constant 0 : i64
    %m = memref.load %a[%i] : memref<64xi64>
    %n = memref.load %b[%i] : memref<64xi64>
    %g, %h = scf.while (%u = %m, %v = %n) : (i64, i64) -> (i64, i64) {
      %goesOn = arith.cmpi ne, %v, %zero : i64
      scf.condition(%goesOn) %u, %v : i64, i64
    } do {
    ^bb0(%u: i64, %v: i64):
      %r = arith.remui %u, %v : i64
      scf.yield %v, %r : i64, i64
    }
    memref.store %g, %y[%i] : memref<64xi64>
    gpu.return
  }
  // A machine whose codes LLVM makes a table of jumps of: each thread is at a place of its own in the program.
  gpu.func @interpret(%state: memref<96xi32>, %program: memref<100xi8>, %n: i32) kernel {
    %i = gpu.thread_id x
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %seven = arith.constant 7 : index
    %three = arith.constant 3 : i32
    %five = arith.constant 5 : i32
    %end = arith.index_cast %n : i32 to index
    %first = arith.remui %i, %seven : index
    %a0 = memref.load %state[%i] : memref<96xi32>
    %b0 = arith.index_cast %i : index to i32
    %results:2 = scf.for %k = %first to %end step %c1 iter_args(%a = %a0, %b = %b0) -> (i32, i32) {
      %code = memref.load %program[%k] : memref<100xi8>
      %case = arith.index_castui %code : i8 to index
      %next:2 = scf.index_switch %case -> i32, i32
      case 0 {
        %v = arith.addi %a, %b : i32
        scf.yield %v, %b : i32, i32
      }
      case 1 {
        %u = arith.shli %b, %three : i32
        %v = arith.xori %a, %u : i32
        scf.yield %v, %b : i32, i32
      }
      case 2 {
        %v = arith.muli %a, %five : i32
        scf.yield %b, %v : i32, i32
      }
      case 3 {
        %u = arith.shrui %a, %five : i32
        %v = arith.xori %b, %u : i32
        scf.yield %a, %v : i32, i32
      }
      case 4 {
        %v = arith.divui %a, %three : i32
        scf.yield %v, %a : i32, i32
      }
      case 5 {
        %isLess = arith.cmpi ult, %a, %b : i32
        %u:2 = scf.if %isLess -> (i32, i32) {
          scf.yield %b, %a : i32, i32
        } else {
          %w = arith.subi %a, %b : i32
          scf.yield %w, %b : i32, i32
        }
        scf.yield %u#0, %u#1 : i32, i32
      }
      default {
        %v = arith.subi %b, %three : i32
        scf.yield %a, %v : i32, i32
      }
      scf.yield %next#0, %next#1 : i32, i32
    }
    %together = arith.xori %results#0, %results#1 : i32
    memref.store %together, %state[%i] : memref<96xi32>
    gpu.return
  }
}
