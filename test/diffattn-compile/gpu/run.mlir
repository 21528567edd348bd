// --run on a GPU. The driver is one that executes nothing, so that results keep
// the poison they are made of; what kernels compute is tested on real GPUs.

// RUN: rm -rf %t && mkdir -p %t/fake %t/none
// RUN: ln -s %fake_cuda_library %t/fake/libcuda.so.1
// RUN: echo "not a library" > %t/none/libcuda.so.1

// RUN: env LD_LIBRARY_PATH=%t/fake TMPDIR=%t diffattn-compile %s --target=sm_80 --no-ptxas --run --input=random:0 --dynamic-dim=300 --shape=1:2x500x2x64 --shape=2:2x500x2x64 --output=%t/out.npy --time \
// RUN:   | FileCheck %s
// RUN: ls %t | FileCheck %s --check-prefix=FILES --implicit-check-not=diffattn
// RUN: not env LD_LIBRARY_PATH=%t/fake diffattn-compile %s --target=sm_80 --no-ptxas --run --input=random:0 --dynamic-dim=64 --check 2>&1 \
// RUN:   | FileCheck %s --check-prefix=WRONG
// RUN: not env LD_LIBRARY_PATH=%t/fake diffattn-compile %s --target=sm_80 --no-ptxas --run --input=random:0 --dynamic-dim=300 --shape=1:2x500x2x64 2>&1 \
// RUN:   | FileCheck %s --check-prefix=SHAPE
// RUN: not env LD_LIBRARY_PATH=%t/fake diffattn-compile %s --target=sm_120 --no-ptxas --run --input=random:0 --dynamic-dim=64 2>&1 \
// RUN:   | FileCheck %s --check-prefix=CHIP
// RUN: not env LD_LIBRARY_PATH=%t/none diffattn-compile %s --target=sm_80 --no-ptxas --run --input=random:0 --dynamic-dim=64 2>&1 \
// RUN:   | FileCheck %s --check-prefix=NONE

// CHECK: nothing to fuse: the input has 1 differential attention
// CHECK: result 0: 2x300x4x64xbf16
// CHECK: time: median {{.*}} ms of
// CHECK: gpu: Fake GPU (sm_90), {{.*}} TFLOP/s
// FILES: out.npy
// WRONG: error: result 0 differs from the reference evaluator
// SHAPE: error: {{.*}}dimension
// CHIP: error: 'layer' is compiled for sm_120, but
// NONE: error: there is no CUDA driver on this machine

func.func @layer(%query: tensor<2x?x8x64xbf16>, %key: tensor<2x?x2x64xbf16>,
                 %value: tensor<2x?x2x64xbf16>, %lambda: tensor<2x?x4xbf16>,
                 %out: tensor<2x?x4x64xbf16>) -> tensor<2x?x4x64xbf16> {
  %result = diffattn.attention
      query(%query : tensor<2x?x8x64xbf16>)
      key(%key : tensor<2x?x2x64xbf16>)
      value(%value : tensor<2x?x2x64xbf16>)
      lambda(%lambda : tensor<2x?x4xbf16>)
      outs(%out : tensor<2x?x4x64xbf16>) mask<causal>
  return %result : tensor<2x?x4x64xbf16>
}
