// RUN: diffattn-opt %s --verify-roundtrip | FileCheck %s

#acc = #diffattn_tile.fragment<register = [d2*2, d1*2, d2*10:8], lane = [d2*4:2, d0*8], warp = [d0*4:8]>
#pv = #diffattn_tile.fragment<register = [d2*2, d1*2, d2*16:8], lane = [d2*4:2, d0*8], warp = [d0*4:8]>
#row = #diffattn_tile.fragment<register = [d1*2], lane = [_*4, d0*8], warp = [d0*4:8]>
#part = #diffattn_tile.fragment<register = [d1*2], lane = [d2*4, d0*8], warp = [d0*4:8]>
#query = #diffattn_tile.shared<[d2*64, d0*8, d1*2, d0*4:8, d2*2:64], swizzle = 128>
#key = #diffattn_tile.shared<[d1*64, d0*80, d1*2:64], swizzle = 128>
#out = #diffattn_tile.shared<[d1*64, d0*32, d1*2:64], swizzle = 128>
#numbers = #diffattn_tile.shared<[d0*4], swizzle = 0>

// CHECK-LABEL: func @roles
func.func @roles(%x: i32) {
  // CHECK: diffattn_tile.roles
  // CHECK-NEXT: role(%[[LOADER:.+]]) warpgroups 1 registers 32 {
  diffattn_tile.roles
  role(%loader) warpgroups 1 registers 32 {
    // CHECK-NEXT: diffattn_tile.elected {
    diffattn_tile.elected {
      // CHECK-NEXT: arith.addi %[[LOADER]]
      %y = arith.addi %loader, %x : i32
    }
  },
  // CHECK: role(%{{.+}}) warpgroups 3 registers 160 {
  role(%team) warpgroups 3 registers 160 {
    // CHECK-NEXT: diffattn_tile.team_barrier
    diffattn_tile.team_barrier
    // CHECK-NEXT: diffattn_tile.uniform %{{.+}} : i32
    %u = diffattn_tile.uniform %x : i32
  }
  return
}

// CHECK-LABEL: func @barriers
func.func @barriers(%i: i32, %phase: i32) {
  // CHECK-NEXT: %[[FULL:.+]] = diffattn_tile.barriers arrivals 1 : <3>
  %full = diffattn_tile.barriers arrivals 1 : !diffattn_tile.barriers<3>
  // CHECK-NEXT: diffattn_tile.fence barrier_init
  diffattn_tile.fence barrier_init
  // CHECK-NEXT: diffattn_tile.expect %[[FULL]][%{{.+}}], 20480 : <3>
  diffattn_tile.expect %full[%i], 20480 : !diffattn_tile.barriers<3>
  // CHECK-NEXT: diffattn_tile.arrive %[[FULL]][%{{.+}}] : <3>
  diffattn_tile.arrive %full[%i] : !diffattn_tile.barriers<3>
  // CHECK-NEXT: diffattn_tile.wait %[[FULL]][%{{.+}}], %{{.+}} : <3>
  diffattn_tile.wait %full[%i], %phase : !diffattn_tile.barriers<3>
  // CHECK-NEXT: diffattn_tile.fence async_proxy
  diffattn_tile.fence async_proxy
  return
}

// CHECK-LABEL: func @copies
func.func @copies(%map: !diffattn_tile.tensor_map<1x2x8x64xbf16, swizzle = 128>,
                  %q: !diffattn_tile.buffer<[32x2x128xbf16], #query>,
                  %full: !diffattn_tile.barriers<3>, %i: i32) {
  diffattn_tile.elected {
    // CHECK: diffattn_tile.tensor_copy %{{.+}}[%{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}] dims [2, 1, 3] into
    diffattn_tile.tensor_copy %map[%i, %i, %i, %i] dims [2, 1, 3] into %q, %full[%i]
        : !diffattn_tile.tensor_map<1x2x8x64xbf16, swizzle = 128>, !diffattn_tile.buffer<[32x2x128xbf16], #query>, !diffattn_tile.barriers<3>
  }
  return
}

// CHECK-LABEL: func @cluster
func.func @cluster(%map: !diffattn_tile.tensor_map<1x1x40x64xbf16, swizzle = 128>,
                   %k: !diffattn_tile.buffer<[80x128xbf16], #key>,
                   %full: !diffattn_tile.barriers<3>, %i: i32) {
  // CHECK-NEXT: diffattn_tile.cluster_barrier
  diffattn_tile.cluster_barrier
  // CHECK-NEXT: %[[RANK:.+]] = diffattn_tile.cluster_rank
  %rank = diffattn_tile.cluster_rank
  // CHECK-NEXT: diffattn_tile.arrive %{{.+}}[%{{.+}}] cluster 2 : <3>
  diffattn_tile.arrive %full[%i] cluster 2 : !diffattn_tile.barriers<3>
  diffattn_tile.elected {
    // CHECK: diffattn_tile.tensor_copy {{.*}}] share %[[RANK]] of 2 :
    diffattn_tile.tensor_copy %map[%i, %i, %i, %i] dims [2, 3] into %k, %full[%i] share %rank of 2
        : !diffattn_tile.tensor_map<1x1x40x64xbf16, swizzle = 128>, !diffattn_tile.buffer<[80x128xbf16], #key>, !diffattn_tile.barriers<3>
  }
  return
}

// CHECK-LABEL: func @stores
func.func @stores(%map: !diffattn_tile.tensor_map<1x1x32x64xbf16, swizzle = 128>,
                  %q: !diffattn_tile.buffer<[32x2x128xbf16], #query>, %i: i32, %j: index) {
  // CHECK-NEXT: diffattn_tile.reuse %{{.+}} : <[32x2x128xbf16], #{{.+}}> -> <2 x [32x128xbf16], #{{.+}}>
  %both = diffattn_tile.reuse %q : !diffattn_tile.buffer<[32x2x128xbf16], #query> -> !diffattn_tile.buffer<2 x [32x128xbf16], #out>
  %o = diffattn_tile.slot %both[%j] : !diffattn_tile.buffer<2 x [32x128xbf16], #out>
  // CHECK: diffattn_tile.elected warp 1 {
  diffattn_tile.elected warp 1 {
    // CHECK-NEXT: diffattn_tile.tensor_store %{{.+}} into %{{.+}}[%{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}] dims [2, 3] : <[32x128xbf16], #{{.+}}>, <1x1x32x64xbf16, swizzle = 128>
    diffattn_tile.tensor_store %o into %map[%i, %i, %i, %i] dims [2, 3]
        : !diffattn_tile.buffer<[32x128xbf16], #out>, !diffattn_tile.tensor_map<1x1x32x64xbf16, swizzle = 128>
    // CHECK-NEXT: diffattn_tile.store_wait 0
    diffattn_tile.store_wait 0
  }
  return
}

// CHECK-LABEL: func @products
func.func @products(%q: !diffattn_tile.buffer<[32x2x128xbf16], #query>,
                    %k: !diffattn_tile.buffer<[80x128xbf16], #key>,
                    %p: tensor<32x2x80xbf16, #acc>, %o: tensor<32x2x128xf32, #pv>)
    -> (tensor<32x2x80xf32, #acc>, tensor<32x2x128xf32, #pv>) {
  // CHECK: %[[S:.+]] = diffattn_tile.dot_async %{{.+}}, %{{.+}} transposed :
  // CHECK-SAME: -> <tensor<32x2x80xf32, #{{.+}}>>
  %s = diffattn_tile.dot_async %q, %k transposed : !diffattn_tile.buffer<[32x2x128xbf16], #query>, !diffattn_tile.buffer<[80x128xbf16], #key> -> !diffattn_tile.pending<tensor<32x2x80xf32, #acc>>
  // CHECK: %[[O:.+]] = diffattn_tile.dot_async %{{.+}}, %{{.+}}, %{{.+}} : tensor<32x2x80xbf16
  %n = diffattn_tile.dot_async %p, %k, %o : tensor<32x2x80xbf16, #acc>, !diffattn_tile.buffer<[80x128xbf16], #key> -> !diffattn_tile.pending<tensor<32x2x128xf32, #pv>>
  // CHECK: diffattn_tile.dot_wait %[[S]], 1
  %s1 = diffattn_tile.dot_wait %s, 1 : !diffattn_tile.pending<tensor<32x2x80xf32, #acc>>
  // CHECK: diffattn_tile.dot_wait %[[O]], 0
  %n1 = diffattn_tile.dot_wait %n, 0 : !diffattn_tile.pending<tensor<32x2x128xf32, #pv>>
  return %s1, %n1 : tensor<32x2x80xf32, #acc>, tensor<32x2x128xf32, #pv>
}

// CHECK-LABEL: func @values
func.func @values(%p: tensor<32x2x80xf32, #acc>, %c: tensor<32x2xi1, #row>,
                  %tile: !diffattn_tile.buffer<[4xi32], #numbers>, %counters: memref<2xi32>,
                  %x: i32, %i: index) {
  // CHECK-NEXT: diffattn_tile.thread_reduce add %{{.+}} along 2
  %sum = diffattn_tile.thread_reduce add %p along 2 : tensor<32x2x80xf32, #acc> -> tensor<32x2x4xf32, #part>
  // CHECK-NEXT: diffattn_tile.warp_any
  %any = diffattn_tile.warp_any %c : tensor<32x2xi1, #row>
  // CHECK-NEXT: diffattn_tile.write_scalars
  diffattn_tile.write_scalars %x, %x, %x, %x into %tile : !diffattn_tile.buffer<[4xi32], #numbers>
  // CHECK-NEXT: %{{.+}}:4 = diffattn_tile.read_scalars
  %y:4 = diffattn_tile.read_scalars %tile : !diffattn_tile.buffer<[4xi32], #numbers> -> i32, i32, i32, i32
  // CHECK-NEXT: diffattn_tile.fetch_add %{{.+}}[%{{.+}}], %{{.+}} : memref<2xi32>
  %ticket = diffattn_tile.fetch_add %counters[%i], %x : memref<2xi32>
  return
}
