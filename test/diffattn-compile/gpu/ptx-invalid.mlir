// What cannot be made code of.

// RUN: split-file %s %t
// RUN: not diffattn-compile %t/undefined.mlir --compile-from=nvvm --target=sm_80 --emit=ptx 2>&1 | FileCheck %s --check-prefix=UNDEFINED
// RUN: not diffattn-compile %t/none.mlir --compile-from=nvvm --target=sm_80 --emit=ptx 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not diffattn-compile %t/empty.mlir --compile-from=nvvm --target=sm_80 --emit=ptx 2>&1 | FileCheck %s --check-prefix=EMPTY
// RUN: not diffattn-compile %t/none.mlir --compile-from=nvvm --target=sm_80 --manifest=- 2>&1 | FileCheck %s --check-prefix=MANIFEST

// UNDEFINED: error: {{.*}}calls 'missing', which is not defined; only functions of the module and intrinsics can be called
// NONE: error: expects one gpu.module to make code of, but the program has 0
// EMPTY: error: {{.*}}expects a kernel to write PTX for, but has none
// MANIFEST: error: a manifest describes one kernel that has, in phase 'tile', grid and warps and takes memrefs, then tensor maps with 'diffattn_tile.map', then, if it is persistent, a memref<2xi32> with 'diffattn_tile.counters', but the program has 0

//--- undefined.mlir
gpu.module @kernels {
  llvm.func @missing()
  llvm.func @k() attributes {gpu.kernel, nvvm.kernel} {
    llvm.call @missing() : () -> ()
    llvm.return
  }
}
//--- none.mlir
module {}
//--- empty.mlir
gpu.module @kernels {
  llvm.func @f() {
    llvm.return
  }
}
