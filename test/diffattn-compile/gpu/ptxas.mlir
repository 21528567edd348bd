// Kernels are assembled with the real ptxas.
// REQUIRES: ptxas

// RUN: diffattn-compile %s --compile-from=nvvm --target=sm_80 --emit=ptx -o %t.ptx
// RUN: FileCheck %s --input-file=%t.ptx
// RUN: diffattn-compile %s --compile-from=nvvm --target=sm_80 --emit=cubin -o %t.cubin
// RUN: %python -c "import sys; assert open(sys.argv[1], 'rb').read(4) == b'\x7fELF'" %t.cubin
// RUN: diffattn-compile %s --compile-from=nvvm --target=sm_90a --emit=cubin -o %t.90a
// RUN: diffattn-compile %s --compile-from=nvvm --target=sm_120 --emit=cubin -o %t.120
// RUN: not diffattn-compile %s --compile-from=nvvm --target=sm_80 --emit=cubin --no-ptxas -o %t 2>&1 | FileCheck %s --check-prefix=NOT
// RUN: not diffattn-compile %S/Inputs/stack.mlir --compile-from=nvvm --target=sm_80 --emit=ptx 2>&1 | FileCheck %s --check-prefix=STACK
// RUN: diffattn-compile %S/Inputs/stack.mlir --compile-from=nvvm --target=sm_80 --emit=ptx --no-ptxas -o %t.stack

// CHECK: .visible .entry store(
// NOT: error: option '--emit=cubin' needs ptxas: leave out --no-ptxas
// STACK: error: kernel 'stack' with its schedule needs {{[0-9]+}} bytes of stack of a thread when assembled for sm_80 ({{[0-9]+}} registers used); another schedule may fit: see --query-tile, --key-tile and --warps
// STACK-NOT: error:

gpu.module @kernels {
  llvm.func @store(%p: !llvm.ptr<1>, %x: f32) attributes {gpu.kernel, nvvm.kernel} {
    llvm.store %x, %p : f32, !llvm.ptr<1>
    llvm.return
  }
}
