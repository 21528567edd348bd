// REQUIRES: ptxas
// RUN: split-file %s %t
// RUN: diffattn-compile %t/d64.mlir --target=sm_90a --schedule-table=none --emit=ptx -o - | FileCheck %s --check-prefixes=PTX,D64
// RUN: diffattn-compile %t/d128.mlir --target=sm_90a --schedule-table=none --emit=ptx -o - | FileCheck %s --check-prefixes=PTX,D128
// RUN: diffattn-compile %t/d256.mlir --target=sm_90a --schedule-table=none --emit=ptx -o - | FileCheck %s --check-prefixes=PTX,D256
// RUN: diffattn-compile %t/d128.mlir --target=sm_90a --schedule-table=none --emit=ptx -o %t/k.ptx --manifest=%t/k.json
// RUN: FileCheck %s --check-prefix=MANIFEST < %t/k.json
// RUN: diffattn-compile %t/d128.mlir --target=sm_90a --order=sections --emit=ptx -o - | FileCheck %s --check-prefixes=PTX
// RUN: diffattn-compile %t/d128.mlir --target=sm_90a --order=turns --emit=ptx -o - | FileCheck %s --check-prefixes=PTX,TURNS
// RUN: diffattn-compile %t/d64.mlir --target=sm_90a --store=shared --emit=ptx -o - | FileCheck %s --check-prefix=STORE
// RUN: diffattn-compile %t/d128.mlir --target=sm_90a --store=shared --emit=ptx -o - | FileCheck %s --check-prefix=STORE
// RUN: diffattn-compile %t/d256.mlir --target=sm_90a --store=shared --emit=ptx -o - | FileCheck %s --check-prefix=STORE
// RUN: diffattn-compile %t/d128.mlir --target=sm_90a --store=shared --emit=ptx -o %t/k.ptx --manifest=%t/k.json
// RUN: FileCheck %s --check-prefix=STORE-MANIFEST < %t/k.json
// RUN: not diffattn-compile %t/d128.mlir --target=sm_90a --store=memory --emit=ptx -o - 2>&1 | FileCheck %s --check-prefix=NEITHER
// NEITHER: error: 'gpu.func' op expects the option store to be registers or shared, but got memory
// RUN: not diffattn-compile %t/d128.mlir --target=cpu --store=shared -o - 2>&1 | FileCheck %s --check-prefix=NO-GPU
// NO-GPU: option '--store' needs a GPU target, but got 'cpu
// RUN: sed 's/mask<causal>//' %t/d128.mlir > %t/full.mlir
// RUN: diffattn-compile %t/full.mlir --target=sm_90a --cluster=2 --emit=ptx -o - --manifest=%t/k.json | FileCheck %s --check-prefix=CLUSTER
// RUN: FileCheck %s --check-prefix=CLUSTER-MANIFEST < %t/k.json
// RUN: diffattn-compile %t/full.mlir --target=sm_90a --cluster=2 --store=shared --emit=ptx -o - | FileCheck %s --check-prefix=CLUSTER
// RUN: not diffattn-compile %t/d128.mlir --target=sm_90a --cluster=2 --emit=ptx -o - 2>&1 | FileCheck %s --check-prefix=CLUSTER-CAUSAL
// CLUSTER-CAUSAL: error: {{.*}}expects the tiles of a cluster to see the same keys, but the bounds of a loop depend on the tile; choose cluster = 1
// RUN: diffattn-compile %t/full.mlir --target=sm_90a --cluster=2 --compile-to=tile -o %t/k.mlir
// RUN: not diffattn-eval %t/k.mlir --kernel --input=random:1 --dynamic-dim=64 2>&1 | FileCheck %s --check-prefix=CLUSTER-EVAL
// CLUSTER-EVAL: runs in clusters of 2 blocks, which the interpreter does not model

// The gate lets no kernel pass that spills or whose products wait (C75xx).

// PTX: .target sm_90a
// D128: .reqntid 512
// D256: .reqntid 384
// PTX: .minnctapersm 1
// PTX-NOT: .local
// PTX-NOT: mma.sync
// The teams, then the producer.
// D64: setmaxnreg.inc.sync.aligned.u32 160
// D64: wgmma.mma_async.sync.aligned.m64n112k16
// D64: barrier.sync {{.*}}, 256
// D64: wgmma.mma_async.sync.aligned.m64n64k16
// D64: barrier.arrive {{.*}}, 256
// D64: setmaxnreg.dec.sync.aligned.u32 32
// D128: setmaxnreg.inc.sync.aligned.u32 160
// D128: wgmma.mma_async.sync.aligned.m64n80k16
// D128: wgmma.mma_async.sync.aligned.m64n128k16
// D128: setmaxnreg.dec.sync.aligned.u32 32
// D256: setmaxnreg.inc.sync.aligned.u32 232
// D256: wgmma.mma_async.sync.aligned.m64n256k16
// D256: setmaxnreg.dec.sync.aligned.u32 40
// TURNS: barrier.sync {{.*}}, 256
// PTX: atom{{.*}}.add
// PTX: cp.async.bulk.tensor.4d.shared::cluster.global

// Teams leave results in shared memory, and do not wait for more than each other.
// STORE-NOT: .local
// STORE: setmaxnreg.inc
// STORE-NOT: st.global.b32
// STORE-COUNT-2: stmatrix.sync.aligned.m8n8.x4.shared.b16
// STORE: fence.proxy.async.shared::cta
// STORE: barrier.sync
// STORE: mbarrier.arrive
// STORE-NOT: cp.async.bulk.wait_group
// STORE: setmaxnreg.dec
// STORE: cp.async.bulk.tensor.4d.global.shared::cta{{.*}}bulk_group
// STORE: cp.async.bulk.commit_group
// STORE: cp.async.bulk.wait_group.read

// CLUSTER: .reqnctapercluster 2
// CLUSTER: barrier.cluster.arrive
// CLUSTER: barrier.cluster.wait
// CLUSTER-NOT: .local
// CLUSTER: setmaxnreg.inc
// CLUSTER: mbarrier.arrive.release.cluster.shared::cluster.b64
// CLUSTER: setmaxnreg.dec
// CLUSTER: cp.async.bulk.tensor.4d.shared::cluster.global{{.*}}.multicast::cluster
// CLUSTER-MANIFEST: "constant": 2
// CLUSTER-MANIFEST: "cluster": 2

// MANIFEST: "persistent": true
// MANIFEST: "tensor_map": 0
// MANIFEST: "counters": 2
// STORE-MANIFEST: "tensor_map": 4

//--- d64.mlir
func.func @d64(%q: tensor<?x?x8x64xbf16>, %k: tensor<?x?x2x64xbf16>, %v: tensor<?x?x2x64xbf16>, %l: tensor<?x?x4xbf16>, %o: tensor<?x?x4x64xbf16>) -> tensor<?x?x4x64xbf16> {
  %r = diffattn.attention query(%q : tensor<?x?x8x64xbf16>) key(%k : tensor<?x?x2x64xbf16>) value(%v : tensor<?x?x2x64xbf16>)
      lambda(%l : tensor<?x?x4xbf16>) outs(%o : tensor<?x?x4x64xbf16>) mask<causal>
  return %r : tensor<?x?x4x64xbf16>
}
//--- d128.mlir
func.func @d128(%q: tensor<?x?x8x128xbf16>, %k: tensor<?x?x2x128xbf16>, %v: tensor<?x?x2x128xbf16>, %l: tensor<?x?x4xbf16>, %o: tensor<?x?x4x128xbf16>) -> tensor<?x?x4x128xbf16> {
  %r = diffattn.attention query(%q : tensor<?x?x8x128xbf16>) key(%k : tensor<?x?x2x128xbf16>) value(%v : tensor<?x?x2x128xbf16>)
      lambda(%l : tensor<?x?x4xbf16>) outs(%o : tensor<?x?x4x128xbf16>) mask<causal>
  return %r : tensor<?x?x4x128xbf16>
}
//--- d256.mlir
func.func @d256(%q: tensor<?x?x8x256xf16>, %k: tensor<?x?x2x256xf16>, %v: tensor<?x?x2x256xf16>, %l: tensor<?x?x4xf16>, %o: tensor<?x?x4x256xf16>) -> tensor<?x?x4x256xf16> {
  %r = diffattn.attention query(%q : tensor<?x?x8x256xf16>) key(%k : tensor<?x?x2x256xf16>) value(%v : tensor<?x?x2x256xf16>)
      lambda(%l : tensor<?x?x4xf16>) outs(%o : tensor<?x?x4x256xf16>) mask<causal>
  return %r : tensor<?x?x4x256xf16>
}
