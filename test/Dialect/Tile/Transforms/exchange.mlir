// RUN: diffattn-opt %s --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-exchange)))' -o %t
// RUN: FileCheck %s --input-file=%t
// Once is enough.
// RUN: diffattn-opt %t --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-exchange)))' | diff %t -
// RUN: diffattn-opt %t --pass-pipeline='builtin.module(gpu.module(gpu.func(diffattn-tile-allocate)))' --remarks-filter=diffattn-tile-allocate -o %t.placed 2>&1 \
// RUN:   | FileCheck %s --check-prefix=BANKS
// RUN: FileCheck %s --check-prefix=PLACED --input-file=%t.placed

// An accumulator, rows in runs of 16 bytes, and the accumulator's transpose.
#acc = #diffattn_tile.fragment<register = [d1*2, d0*2:8, d1*8:8], lane = [d1*4:2, d0*8], warp = [d0*4:16]>
#rows = #diffattn_tile.fragment<register = [d1*4, d0*8:8], lane = [d1*16:4, d0*2], warp = [d0*4:2]>
#transposed = #diffattn_tile.fragment<register = [d0*2, d1*2:8, d0*8:8], lane = [d0*4:2, d1*8], warp = [d1*4:16]>
#swapped = #diffattn_tile.fragment<register = [d0*2:8, d1*2, d1*8:8], lane = [d1*4:2, d0*8], warp = [d0*4:16]>

!acc = tensor<64x64xf32, #acc>
!rows = tensor<64x64xf32, #rows>

gpu.module @kernels {
  // Straight on, nothing was read before: no barrier before the store. The
  // second conversion takes the place of the first, after a barrier.
  // CHECK-DAG: #[[$WIDE:.*]] = #diffattn_tile.shared<[d1*64, d0*64], swizzle = 128>
  // CHECK-DAG: #[[$HALF:.*]] = #diffattn_tile.shared<[d1*32, d0*64, d1*2:32], swizzle = 64>
  // CHECK-LABEL: gpu.func @straight(
  // CHECK-SAME:    %[[S:[^:]*]]: tensor<64x64xf32, #{{.*}}>, %[[B:[^:]*]]:
  // CHECK-NEXT:  %[[SECOND:.*]] = diffattn_tile.alloc : <[64x64xbf16], #[[$HALF]]>
  // CHECK-NEXT:  %[[FIRST:.*]] = diffattn_tile.alloc : <[64x64xf32], #[[$WIDE]]>
  // CHECK-NEXT:  diffattn_tile.local_store %[[S]], %[[FIRST]]
  // CHECK-NEXT:  gpu.barrier
  // CHECK-NEXT:  %[[T:.*]] = diffattn_tile.local_load %[[FIRST]][0, 0] : {{.*}} -> tensor<64x64xf32, #{{.*}}>
  // CHECK-NEXT:  math.absf %[[T]]
  // CHECK-NEXT:  gpu.barrier
  // CHECK-NEXT:  diffattn_tile.local_store %[[B]], %[[SECOND]]
  // CHECK-NEXT:  gpu.barrier
  // CHECK-NEXT:  diffattn_tile.local_load %[[SECOND]][0, 0]
  //
  // BANKS-DAG: [Passed] banks | Category:diffattn-tile-allocate | Remark="no bank conflicts in 24 accesses of a warp to !diffattn_tile.buffer<[64x64xf32]
  // BANKS-DAG: [Passed] banks | Category:diffattn-tile-allocate | Remark="no bank conflicts in 20 accesses of a warp to !diffattn_tile.buffer<[64x64xbf16]
  //
  // PLACED-LABEL:   gpu.func @straight(
  // PLACED-SAME:      diffattn_tile.shared_bytes = 16384
  // PLACED-COUNT-2: diffattn_tile.alloc {offset = 0 : i64}
  gpu.func @straight(%s: !acc, %b: tensor<64x64xbf16, #acc>) kernel
      attributes {diffattn_tile.warps = 4 : i64} {
    %t = diffattn_tile.convert_layout %s : !acc -> !rows
    %u = math.absf %t : !rows
    %v = diffattn_tile.convert_layout %b : tensor<64x64xbf16, #acc> -> tensor<64x64xbf16, #transposed>
    gpu.return
  }

  // In a loop the last iteration's loads come first.
  // CHECK-LABEL: gpu.func @loop(
  // CHECK:       scf.for
  // CHECK-NEXT:    gpu.barrier
  // CHECK-NEXT:    diffattn_tile.local_store
  // CHECK-NEXT:    gpu.barrier
  // CHECK-NEXT:    diffattn_tile.local_load
  //
  // What no swizzle helps against is said.
  // BANKS-DAG: [Missed] banks | Category:diffattn-tile-allocate | Reason="no swizzle of this layout is free of them", Remark="32 bank conflicts in 48 accesses of a warp to
  gpu.func @loop(%s: !acc, %n: index) kernel attributes {diffattn_tile.warps = 4 : i64} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    scf.for %i = %c0 to %n step %c1 {
      %t = diffattn_tile.convert_layout %s : !acc -> tensor<64x64xf32, #transposed>
    }
    gpu.return
  }

  // Each team of a role has a slot, and meets alone.
  // CHECK-LABEL: gpu.func @teams(
  // CHECK:       %[[RING:.*]] = diffattn_tile.alloc : <2 x [64x64xf32], #[[$WIDE]]>
  // CHECK:       role(%[[TEAM:.*]]) warpgroups 2
  // CHECK-NEXT:    %[[INDEX:.*]] = arith.index_cast %[[TEAM]]
  // CHECK-NEXT:    %[[SLOT:.*]] = diffattn_tile.slot %[[RING]][%[[INDEX]]]
  // CHECK-NEXT:    diffattn_tile.local_store %{{.*}}, %[[SLOT]]
  // CHECK-NEXT:    diffattn_tile.team_barrier
  // CHECK-NEXT:    diffattn_tile.local_load %[[SLOT]]
  gpu.func @teams(%s: !acc) kernel attributes {diffattn_tile.warps = 12 : i64} {
    diffattn_tile.roles
      role(%w) warpgroups 1 registers 32 {},
      role(%w) warpgroups 2 registers 232 {
        %t = diffattn_tile.convert_layout %s : !acc -> !rows
      }
    gpu.return
  }

  // Registers of one thread in another order; layouts not assigned yet.
  // CHECK-LABEL: gpu.func @renamed(
  // CHECK-NOT:   alloc
  // CHECK:       convert_layout
  // CHECK:       convert_layout
  gpu.func @renamed(%s: !acc) kernel attributes {diffattn_tile.warps = 4 : i64} {
    %t = diffattn_tile.convert_layout %s : !acc -> tensor<64x64xf32, #swapped>
    %u = diffattn_tile.convert_layout %s : !acc -> tensor<64x64xf32>
    gpu.return
  }
}
