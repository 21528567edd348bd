// What ptxas may say of a kernel, said by a stand-in.

// RUN: split-file %s %t
// RUN: env FAKE_REPORT=%t/good diffattn-compile %t/k.mlir --compile-from=nvvm --target=sm_80 --ptxas=%S/Inputs/fake-ptxas.py --emit=cubin | FileCheck %s --check-prefix=GOOD
// RUN: env FAKE_REPORT=%t/spills not diffattn-compile %t/k.mlir --compile-from=nvvm --target=sm_80 --ptxas=%S/Inputs/fake-ptxas.py --emit=ptx 2>&1 | FileCheck %s --check-prefix=SPILLS
// RUN: env FAKE_REPORT=%t/waits not diffattn-compile %t/k.mlir --compile-from=nvvm --target=sm_90a --ptxas=%S/Inputs/fake-ptxas.py --emit=cubin 2>&1 | FileCheck %s --check-prefix=WAITS
// RUN: env FAKE_REPORT=%t/error FAKE_STATUS=255 not diffattn-compile %t/k.mlir --compile-from=nvvm --target=sm_80 --ptxas=%S/Inputs/fake-ptxas.py --emit=ptx 2>&1 | FileCheck %s --check-prefix=ERROR
// The same PTX has to fit on Hopper.
// RUN: env FAKE_REPORT=%t/good FAKE_REPORT_sm_90=%t/spills not diffattn-compile %t/k.mlir --compile-from=nvvm --target=sm_80 --ptxas=%S/Inputs/fake-ptxas.py --emit=ptx 2>&1 | FileCheck %s --check-prefix=HOPPER
// RUN: not diffattn-compile %t/k.mlir --compile-from=nvvm --target=sm_80 --ptxas=%t/none --emit=ptx 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: env PATH= CUDA_HOME= CUDA_PATH= not diffattn-compile %t/k.mlir --compile-from=nvvm --target=sm_80 --emit=cubin -o %t/c 2>&1 | FileCheck %s --check-prefix=MISSING

// GOOD: cubin for sm_80
// SPILLS: error: kernel 'k' with its schedule spills 428 bytes of registers of a thread when assembled for sm_80 (255 registers used)
// SPILLS-NOT: error:
// WAITS: error: kernel 'k' with its schedule has matrix instructions that wait: (C7510) Potential Performance Loss: {{.*}} when assembled for sm_90a
// ERROR: error: ptxas failed for sm_80: ptxas x.ptx, line 16; error   : Not a name of any known instruction: 'mull'
// HOPPER: error: kernel 'k' with its schedule spills 428 bytes of registers of a thread when assembled for sm_90 (255 registers used)
// NONE: error: ptxas is not at '{{.*}}none'
// MISSING: error: ptxas, the assembler of the CUDA toolkit, is neither in $PATH nor in $CUDA_HOME/bin; --ptxas=PATH says where it is

//--- k.mlir
gpu.module @kernels {
  llvm.func @k() attributes {gpu.kernel, nvvm.kernel} {
    llvm.return
  }
}
//--- good
ptxas info    : Compiling entry function 'k' for 'CHIP'
ptxas info    : Function properties for k
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 8 registers, used 1 barriers, 364 bytes cmem[0]
//--- spills
ptxas info    : Compiling entry function 'k' for 'CHIP'
ptxas info    : Function properties for k
    432 bytes stack frame, 428 bytes spill stores, 424 bytes spill loads
ptxas info    : Used 255 registers, used 1 barriers, 364 bytes cmem[0]
//--- waits
ptxas info    : (C7510) Potential Performance Loss: wgmma.mma_async instructions are serialized due to insufficient register resources for the wgmma pipeline in function 'k'
ptxas info    : Compiling entry function 'k' for 'CHIP'
ptxas info    : Function properties for k
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 168 registers, used 1 barriers, 364 bytes cmem[0]
//--- error
ptxas x.ptx, line 16; error   : Not a name of any known instruction: 'mull'
ptxas fatal   : Ptx assembly aborted due to errors
