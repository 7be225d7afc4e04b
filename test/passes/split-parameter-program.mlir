// RUN: ds-opt %s --split-input-file --ds-split-parameter-program | FileCheck %s

// A transposed weight is computed. Two layers, one function; a source that
// nothing reads at run time is only an argument of it.
// CHECK-LABEL: module @layers
// CHECK-DAG: ds.parameter @a : tensor<8x4xf32>
// CHECK-DAG: ds.parameter @b : tensor<8x4xf32>
// CHECK-DAG: ds.parameter @a.computed : tensor<4x8xf32> = #ds.computed<@parameter_0(@a)>
// CHECK-DAG: ds.parameter @b.computed : tensor<4x8xf32> = #ds.computed<@parameter_0(@b)>
// CHECK-NOT: @unread
// CHECK: func.func @graph
// CHECK-NOT: ds.transpose
// CHECK: %[[A:.*]] = ds.load_parameter @a.computed : tensor<4x8xf32>
// CHECK: ds.linear %{{.*}}, %[[A]]
// CHECK: %[[B:.*]] = ds.load_parameter @b.computed : tensor<4x8xf32>
// CHECK: ds.linear %{{.*}}, %[[B]]
// CHECK: func.func private @parameter_0(%[[X:.*]]: tensor<8x4xf32>) -> tensor<4x8xf32> attributes {ds.entry = "parameter"}
// CHECK-NEXT: %[[T:.*]] = ds.transpose %[[X]] [1, 0]
// CHECK-NEXT: return %[[T]]
// CHECK-NOT: func.func
module @layers {
  ds.parameter @a : tensor<8x4xf32> = [#ds.file_range<"w", 0, 128>]
  ds.parameter @b : tensor<8x4xf32> = [#ds.file_range<"w", 128, 128>]
  ds.parameter @unread : tensor<8x4xf32> = [#ds.file_range<"w", 256, 128>]
  func.func @graph(%x: tensor<?x8xf32> {ds.name = "x"}, %y: tensor<?x8xf32> {ds.name = "y"}) -> (tensor<?x4xf32> {ds.name = "r0"}, tensor<?x4xf32> {ds.name = "r1"}) attributes {ds.entry = "graph"} {
    %a = ds.load_parameter @a : tensor<8x4xf32>
    %at = ds.transpose %a [1, 0] : tensor<8x4xf32> to tensor<4x8xf32>
    %0 = ds.linear %x, %at : tensor<?x8xf32>, tensor<4x8xf32> to tensor<?x4xf32>
    %b = ds.load_parameter @b : tensor<8x4xf32>
    %bt = ds.transpose %b [1, 0] : tensor<8x4xf32> to tensor<4x8xf32>
    %1 = ds.linear %y, %bt : tensor<?x8xf32>, tensor<4x8xf32> to tensor<?x4xf32>
    return %0, %1 : tensor<?x4xf32>, tensor<?x4xf32>
  }
}

// -----

// Equal expressions are one parameter; another one is another function.
// CHECK-LABEL: module @equal
// CHECK-COUNT-2: #ds.computed<
// CHECK-NOT: #ds.computed<
// CHECK: func.func @graph
module @equal {
  ds.parameter @a : tensor<4x4xf16> = [#ds.file_range<"w", 0, 32>]
  func.func @graph() -> (tensor<4x4xf32> {ds.name = "r0"}, tensor<4x4xf32> {ds.name = "r1"}, tensor<4x4xf32> {ds.name = "r2"}) attributes {ds.entry = "graph"} {
    %a = ds.load_parameter @a : tensor<4x4xf16>
    %0 = ds.cast %a : tensor<4x4xf16> to tensor<4x4xf32>
    %1 = ds.cast %a : tensor<4x4xf16> to tensor<4x4xf32>
    %2 = ds.transpose %0 [1, 0] : tensor<4x4xf32> to tensor<4x4xf32>
    return %0, %1, %2 : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
  }
}

// -----

// Whole rows of parameters, in another shape or one below the other, are bytes
// of files already: no program. Neighbours in a file are one range.
// CHECK-LABEL: module @ranges
// CHECK-DAG: ds.parameter @q.view : tensor<6x4xf32> = [#ds.file_range<"w", 0, 64>, #ds.file_range<"v", 16, 32>]
// CHECK-DAG: ds.parameter @r.view : tensor<2x2x4xui4> = [#ds.file_range<"u", 8, 8>]
// CHECK-NOT: #ds.computed
// CHECK: func.func @graph
// CHECK-NOT: ds.concat
// CHECK-NOT: ds.slice
module @ranges {
  ds.parameter @q : tensor<2x4xf32> = [#ds.file_range<"w", 0, 32>]
  ds.parameter @k : tensor<2x4xf32> = [#ds.file_range<"w", 32, 32>]
  ds.parameter @v : tensor<3x4xf32> = [#ds.file_range<"v", 0, 48>]
  ds.parameter @r : tensor<8x4xui4> = [#ds.file_range<"u", 0, 16>]
  func.func @graph() -> (tensor<6x4xf32> {ds.name = "r0"}, tensor<2x2x4xui4> {ds.name = "r1"}) attributes {ds.entry = "graph"} {
    %q = ds.load_parameter @q : tensor<2x4xf32>
    %k = ds.load_parameter @k : tensor<2x4xf32>
    %v = ds.load_parameter @v : tensor<3x4xf32>
    %part = ds.slice %v [1, 0] [2, 4] [1, 1] : tensor<3x4xf32> to tensor<2x4xf32>
    %0 = ds.concat 0 %q, %k, %part : (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<6x4xf32>
    %r = ds.load_parameter @r : tensor<8x4xui4>
    %s = ds.slice %r [4, 0] [4, 4] [1, 1] : tensor<8x4xui4> to tensor<4x4xui4>
    %1 = ds.reshape %s : tensor<4x4xui4> to tensor<2x2x4xui4>
    return %0, %1 : tensor<6x4xf32>, tensor<2x2x4xui4>
  }
}

// -----

// Half of the rows of every other matrix: one range each.
// CHECK-LABEL: module @halves
// CHECK: ds.parameter @a.view : tensor<2x4x64xf32> = [#ds.file_range<"w", 1024, 1024>, #ds.file_range<"w", 5120, 1024>]
// CHECK-NOT: #ds.computed
// CHECK: func.func @graph
module @halves {
  ds.parameter @a : tensor<4x8x64xf32> = [#ds.file_range<"w", 0, 8192>]
  func.func @graph() -> (tensor<2x4x64xf32> {ds.name = "r0"}) attributes {ds.entry = "graph"} {
    %a = ds.load_parameter @a : tensor<4x8x64xf32>
    %0 = ds.slice %a [0, 4, 0] [2, 4, 64] [2, 1, 1] : tensor<4x8x64xf32> to tensor<2x4x64xf32>
    return %0 : tensor<2x4x64xf32>
  }
}

// -----

// Columns are no such bytes, nor are 4-bit elements that end inside a byte.
// CHECK-LABEL: module @columns
// CHECK-DAG: @a.computed : tensor<4x2xf32> = #ds.computed
// CHECK-DAG: @b.computed : tensor<3xui4> = #ds.computed
module @columns {
  ds.parameter @a : tensor<4x4xf32> = [#ds.file_range<"w", 0, 64>]
  ds.parameter @b : tensor<4xui4> = [#ds.file_range<"w", 64, 2>]
  func.func @graph() -> (tensor<4x2xf32> {ds.name = "r0"}, tensor<3xui4> {ds.name = "r1"}) attributes {ds.entry = "graph"} {
    %a = ds.load_parameter @a : tensor<4x4xf32>
    %0 = ds.slice %a [0, 0] [4, 2] [1, 1] : tensor<4x4xf32> to tensor<4x2xf32>
    %b = ds.load_parameter @b : tensor<4xui4>
    %1 = ds.slice %b [1] [3] [1] : tensor<4xui4> to tensor<3xui4>
    return %0, %1 : tensor<4x2xf32>, tensor<3xui4>
  }
}

// -----

// A view of a parameter that is read whole too stays: it costs nothing, and
// the file would hold the bytes twice.
// CHECK-LABEL: module @both
// CHECK-NOT: view
// CHECK: ds.load_parameter @a : tensor<4x4xf32>
// CHECK: ds.reshape
module @both {
  ds.parameter @a : tensor<4x4xf32> = [#ds.file_range<"w", 0, 64>]
  func.func @graph() -> (tensor<4x4xf32> {ds.name = "r0"}, tensor<16xf32> {ds.name = "r1"}) attributes {ds.entry = "graph"} {
    %a = ds.load_parameter @a : tensor<4x4xf32>
    %0 = ds.reshape %a : tensor<4x4xf32> to tensor<16xf32>
    return %a, %0 : tensor<4x4xf32>, tensor<16xf32>
  }
}

// -----

// A broadcast that only enlarges stays at run time; what it repeats does not.
// CHECK-LABEL: module @enlarged
// CHECK: @a.computed : tensor<64xf32>
// CHECK: func.func @graph
// CHECK: %[[A:.*]] = ds.load_parameter @a.computed
// CHECK: ds.broadcast %[[A]] : tensor<64xf32> to tensor<1024x64xf32>
module @enlarged {
  ds.parameter @a : tensor<64xf16> = [#ds.file_range<"w", 0, 128>]
  func.func @graph() -> (tensor<1024x64xf32> {ds.name = "r0"}) attributes {ds.entry = "graph"} {
    %a = ds.load_parameter @a : tensor<64xf16>
    %0 = ds.cast %a : tensor<64xf16> to tensor<64xf32>
    %1 = ds.broadcast %0 : tensor<64xf32> to tensor<1024x64xf32>
    return %1 : tensor<1024x64xf32>
  }
}

// -----

// A table of angles is larger than what it is made of, but computed.
// CHECK-LABEL: module @table
// CHECK: ds.parameter @table.computed : tensor<4096x8xf32> = #ds.computed<@parameter_0>
// CHECK: func.func @graph
// CHECK-NEXT: ds.load_parameter @table.computed
// CHECK-NEXT: return
// CHECK: func.func private @parameter_0()
// CHECK: ds.elementwise cos
module @table {
  func.func @graph() -> (tensor<4096x8xf32> {ds.name = "r0"}) attributes {ds.entry = "graph"} {
    %zero = arith.constant dense<0.0> : tensor<f32>
    %one = arith.constant dense<1.0> : tensor<f32>
    %f = arith.constant dense<[1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003]> : tensor<8xf32>
    %t = ds.range %zero, %one : tensor<f32> to tensor<4096xf32>
    %c = ds.reshape %t : tensor<4096xf32> to tensor<4096x1xf32>
    %a = ds.elementwise mul %c, %f : (tensor<4096x1xf32>, tensor<8xf32>) -> tensor<4096x8xf32>
    %0 = ds.elementwise cos %a : (tensor<4096x8xf32>) -> tensor<4096x8xf32>
    return %0 : tensor<4096x8xf32>
  }
}

// -----

// Constants: small ones stay, large ones are data, large splats are broadcasts.
// CHECK-LABEL: module @constants
// CHECK: ds.parameter @constant : tensor<512xi64> = dense
// CHECK-NOT: ds.parameter
// CHECK: func.func @graph
// CHECK-DAG: ds.load_parameter @constant
// CHECK-DAG: arith.constant dense<[1, 2]> : tensor<2xi64>
// CHECK-DAG: ds.broadcast %{{.*}} : tensor<f32> to tensor<4096xf32>
module @constants {
  func.func @graph() -> (tensor<512xi64> {ds.name = "r0"}, tensor<2xi64> {ds.name = "r1"}, tensor<4096xf32> {ds.name = "r2"}) attributes {ds.entry = "graph"} {
    %0 = arith.constant dense<"0x0000000000000000010000000000000004000000000000000900000000000000100000000000000019000000000000002400000000000000310000000000000040000000000000005100000000000000640000000000000079000000000000009000000000000000A900000000000000C400000000000000E10000000000000000010000000000002101000000000000440100000000000069010000000000009001000000000000B901000000000000E401000000000000110200000000000040020000000000007102000000000000A402000000000000D902000000000000100300000000000049030000000000008403000000000000C103000000000000000400000000000041040000000000008404000000000000C90400000000000010050000000000005905000000000000A405000000000000F10500000000000040060000000000009106000000000000E40600000000000039070000000000009007000000000000E9070000000000004408000000000000A10800000000000000090000000000006109000000000000C409000000000000290A000000000000900A000000000000F90A000000000000640B000000000000D10B000000000000400C000000000000B10C000000000000240D000000000000990D000000000000100E000000000000890E000000000000040F000000000000810F0000000000000010000000000000811000000000000004110000000000008911000000000000101200000000000099120000000000002413000000000000B1130000000000004014000000000000D1140000000000006415000000000000F91500000000000090160000000000002917000000000000C41700000000000061180000000000000019000000000000A119000000000000441A000000000000E91A000000000000901B000000000000391C000000000000E41C000000000000911D000000000000401E000000000000F11E000000000000A41F00000000000059200000000000001021000000000000C921000000000000842200000000000041230000000000000024000000000000C124000000000000842500000000000049260000000000001027000000000000D927000000000000A4280000000000007129000000000000402A000000000000112B000000000000E42B000000000000B92C000000000000902D000000000000692E000000000000442F00000000000021300000000000000031000000000000E131000000000000C432000000000000A933000000000000903400000000000079350000000000006436000000000000513700000000000040380000000000003139000000000000243A000000000000193B000000000000103C000000000000093D000000000000043E000000000000013F0000000000000040000000000000014100000000000004420000000000000943000000000000104400000000000019450000000000002446000000000000314700000000000040480000000000005149000000000000644A000000000000794B000000000000904C000000000000A94D000000000000C44E000000000000E14F00000000000000510000000000002152000000000000445300000000000069540000000000009055000000000000B956000000000000E4570000000000001159000000000000405A000000000000715B000000000000A45C000000000000D95D000000000000105F00000000000049600000000000008461000000000000C162000000000000006400000000000041650000000000008466000000000000C9670000000000001069000000000000596A000000000000A46B000000000000F16C000000000000406E000000000000916F000000000000E47000000000000039720000000000009073000000000000E9740000000000004476000000000000A1770000000000000079000000000000617A000000000000C47B000000000000297D000000000000907E000000000000F97F0000000000006481000000000000D1820000000000004084000000000000B18500000000000024870000000000009988000000000000108A000000000000898B000000000000048D000000000000818E0000000000000090000000000000819100000000000004930000000000008994000000000000109600000000000099970000000000002499000000000000B19A000000000000409C000000000000D19D000000000000649F000000000000F9A000000000000090A200000000000029A4000000000000C4A500000000000061A700000000000000A9000000000000A1AA00000000000044AC000000000000E9AD00000000000090AF00000000000039B1000000000000E4B200000000000091B400000000000040B6000000000000F1B7000000000000A4B900000000000059BB00000000000010BD000000000000C9BE00000000000084C000000000000041C200000000000000C4000000000000C1C500000000000084C700000000000049C900000000000010CB000000000000D9CC000000000000A4CE00000000000071D000000000000040D200000000000011D4000000000000E4D5000000000000B9D700000000000090D900000000000069DB00000000000044DD00000000000021DF00000000000000E1000000000000E1E2000000000000C4E4000000000000A9E600000000000090E800000000000079EA00000000000064EC00000000000051EE00000000000040F000000000000031F200000000000024F400000000000019F600000000000010F800000000000009FA00000000000004FC00000000000001FE00000000000000000100000000000102010000000000040401000000000009060100000000001008010000000000190A010000000000240C010000000000310E01000000000040100100000000005112010000000000641401000000000079160100000000009018010000000000A91A010000000000C41C010000000000E11E01000000000000210100000000002123010000000000442501000000000069270100000000009029010000000000B92B010000000000E42D010000000000113001000000000040320100000000007134010000000000A436010000000000D938010000000000103B010000000000493D010000000000843F010000000000C141010000000000004401000000000041460100000000008448010000000000C94A010000000000104D010000000000594F010000000000A451010000000000F15301000000000040560100000000009158010000000000E45A010000000000395D010000000000905F010000000000E9610100000000004464010000000000A1660100000000000069010000000000616B010000000000C46D01000000000029700100000000009072010000000000F9740100000000006477010000000000D179010000000000407C010000000000B17E0100000000002481010000000000998301000000000010860100000000008988010000000000048B010000000000818D0100000000000090010000000000819201000000000004950100000000008997010000000000109A010000000000999C010000000000249F010000000000B1A101000000000040A4010000000000D1A601000000000064A9010000000000F9AB01000000000090AE01000000000029B1010000000000C4B301000000000061B601000000000000B9010000000000A1BB01000000000044BE010000000000E9C001000000000090C301000000000039C6010000000000E4C801000000000091CB01000000000040CE010000000000F1D0010000000000A4D301000000000059D601000000000010D9010000000000C9DB01000000000084DE01000000000041E101000000000000E4010000000000C1E601000000000084E901000000000049EC01000000000010EF010000000000D9F1010000000000A4F401000000000071F701000000000040FA01000000000011FD010000000000E4FF010000000000B90202000000000090050200000000006908020000000000440B020000000000210E0200000000000011020000000000E113020000000000C416020000000000A919020000000000901C020000000000791F020000000000642202000000000051250200000000004028020000000000312B020000000000242E020000000000193102000000000010340200000000000937020000000000043A020000000000013D0200000000000040020000000000014302000000000004460200000000000949020000000000104C020000000000194F020000000000245202000000000031550200000000004058020000000000515B020000000000645E02000000000079610200000000009064020000000000A967020000000000C46A020000000000E16D020000000000007102000000000021740200000000004477020000000000697A020000000000907D020000000000B980020000000000E4830200000000001187020000000000408A020000000000718D020000000000A490020000000000D9930200000000001097020000000000499A020000000000849D020000000000C1A002000000000000A402000000000041A702000000000084AA020000000000C9AD02000000000010B102000000000059B4020000000000A4B7020000000000F1BA02000000000040BE02000000000091C1020000000000E4C402000000000039C802000000000090CB020000000000E9CE02000000000044D2020000000000A1D502000000000000D902000000000061DC020000000000C4DF02000000000029E302000000000090E6020000000000F9E902000000000064ED020000000000D1F002000000000040F4020000000000B1F702000000000024FB02000000000099FE020000000000100203000000000089050300000000000409030000000000810C030000000000001003000000000081130300000000000417030000000000891A030000000000101E03000000000099210300000000002425030000000000B128030000000000402C030000000000D12F0300000000006433030000000000F936030000000000903A030000000000293E030000000000C44103000000000061450300000000000049030000000000A14C0300000000004450030000000000E9530300000000009057030000000000395B030000000000E45E03000000000091620300000000004066030000000000F169030000000000A46D03000000000059710300000000001075030000000000C978030000000000847C03000000000041800300000000000084030000000000C187030000000000848B030000000000498F0300000000001093030000000000D996030000000000A49A030000000000719E03000000000040A203000000000011A6030000000000E4A9030000000000B9AD03000000000090B103000000000069B503000000000044B903000000000021BD03000000000000C1030000000000E1C4030000000000C4C8030000000000A9CC03000000000090D003000000000079D403000000000064D803000000000051DC03000000000040E003000000000031E403000000000024E803000000000019EC03000000000010F003000000000009F403000000000004F803000000000001FC030000000000"> : tensor<512xi64>
    %1 = arith.constant dense<[1, 2]> : tensor<2xi64>
    %2 = arith.constant dense<1.5> : tensor<4096xf32>
    return %0, %1, %2 : tensor<512xi64>, tensor<2xi64>, tensor<4096xf32>
  }
}

// -----

// What depends on an input is not touched, nor is a dynamic shape.
// CHECK-LABEL: module @dynamic
// CHECK-NOT: computed
// CHECK: ds.broadcast
// CHECK: ds.elementwise add
module @dynamic {
  ds.parameter @a : tensor<1x4xf32> = [#ds.file_range<"w", 0, 16>]
  func.func @graph(%x: tensor<?x4xf32> {ds.name = "x"}, %n: tensor<i64> {ds.name = "n"}) -> (tensor<?x4xf32> {ds.name = "r0"}) attributes {ds.entry = "graph"} {
    %c0 = arith.constant 0 : index
    %d = tensor.dim %x, %c0 : tensor<?x4xf32>
    %a = ds.load_parameter @a : tensor<1x4xf32>
    %b = ds.broadcast %a [%d] : tensor<1x4xf32> to tensor<?x4xf32>
    %0 = ds.elementwise add %x, %b : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
    return %0 : tensor<?x4xf32>
  }
}

// -----

// A gather that may read outside runs where the model runs it, not in a branch
// that is not taken; one that always runs, and what cannot fail, is computed.
// CHECK-LABEL: module @branch
// CHECK-DAG: ds.parameter @table.computed : tensor<8x4xf32> = #ds.computed<@parameter_0(@table)>
// CHECK-DAG: ds.parameter @table.computed{{.*}} : tensor<2x4xf32> = #ds.computed<@parameter_1(@table, @ids)>
// CHECK: func.func @graph
// CHECK: scf.if
// CHECK: %[[T:.*]] = ds.load_parameter @table.computed : tensor<8x4xf32>
// CHECK: ds.gather %[[T]]
// CHECK: ds.load_parameter @table.computed{{.*}} : tensor<2x4xf32>
// CHECK: func.func private @parameter_0
// CHECK-NEXT: ds.elementwise exp
// CHECK: func.func private @parameter_1
// CHECK-NEXT: ds.gather
module @branch {
  ds.parameter @table : tensor<8x4xf32> = [#ds.file_range<"w", 0, 128>]
  ds.parameter @ids : tensor<2xi64> = [#ds.file_range<"w", 128, 16>]
  func.func @graph(%c: tensor<i1> {ds.name = "c"}, %x: tensor<2x4xf32> {ds.name = "x"}) -> (tensor<2x4xf32> {ds.name = "r"}, tensor<2x4xf32> {ds.name = "s"}) attributes {ds.entry = "graph"} {
    %t = ds.load_parameter @table : tensor<8x4xf32>
    %i = ds.load_parameter @ids : tensor<2xi64>
    %taken = tensor.extract %c[] : tensor<i1>
    %0 = scf.if %taken -> tensor<2x4xf32> {
      %e = ds.elementwise exp %t : (tensor<8x4xf32>) -> tensor<8x4xf32>
      %g = ds.gather %e, %i 0 : tensor<8x4xf32>, tensor<2xi64> to tensor<2x4xf32>
      scf.yield %g : tensor<2x4xf32>
    } else {
      scf.yield %x : tensor<2x4xf32>
    }
    %h = ds.gather %t, %i 0 : tensor<8x4xf32>, tensor<2xi64> to tensor<2x4xf32>
    %1 = ds.elementwise mul %x, %h : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
    return %0, %1 : tensor<2x4xf32>, tensor<2x4xf32>
  }
}

// -----

// Scales of blocks that rows share are many more than the file has; a kernel
// reads them from its panels all the same.
// CHECK-LABEL: module @panels
// CHECK: ds.parameter @scale.computed : tensor<8192x64x32xf32> = #ds.computed<@parameter_0(@scale)>
// CHECK: func.func @graph
// CHECK-NOT: ds.broadcast
// CHECK: return
module @panels {
  ds.parameter @scale : tensor<1x64xf32> = [#ds.file_range<"w", 0, 256>]
  func.func @graph(%x: tensor<f32> {ds.name = "x"}) -> (tensor<8192x64x32xf32> {ds.name = "r"}) attributes {ds.entry = "graph"} {
    %s = ds.load_parameter @scale : tensor<1x64xf32>
    %0 = ds.broadcast %s : tensor<1x64xf32> to tensor<262144x64xf32>
    %1 = ds.pack %0 : tensor<262144x64xf32> to tensor<8192x64x32xf32>
    return %1 : tensor<8192x64x32xf32>
  }
}
