// Every phase can be stopped at, printed, and resumed from.

// RUN: rm -rf %t && mkdir %t
// RUN: diffattn-compile %s --compile-to=input -o %t/input.mlir
// RUN: diffattn-compile %t/input.mlir --compile-to=fused -o %t/fused.mlir
// RUN: diffattn-compile %t/fused.mlir --compile-from=fused --compile-to=tiled \
// RUN:   -o %t/tiled.mlir
// RUN: diffattn-compile %t/tiled.mlir --compile-from=tiled --compile-to=linalg \
// RUN:   -o %t/linalg.mlir
// RUN: diffattn-compile %t/linalg.mlir --compile-from=linalg \
// RUN:   --compile-to=memref --entry=layer -o %t/memref.mlir
// RUN: diffattn-compile %t/memref.mlir --compile-from=memref \
// RUN:   --compile-to=vector -o %t/vector.mlir
// RUN: diffattn-compile %t/vector.mlir --compile-from=vector --compile-to=llvm \
// RUN:   -o %t/llvm.mlir
// RUN: diffattn-compile %t/llvm.mlir --compile-from=llvm --emit=object -o %t/a.o

// RUN: FileCheck %s --check-prefix=FUSED --input-file=%t/fused.mlir
// RUN: FileCheck %s --check-prefix=TILED --input-file=%t/tiled.mlir
// RUN: FileCheck %s --check-prefix=LINALG --input-file=%t/linalg.mlir
// RUN: FileCheck %s --check-prefix=MEMREF --input-file=%t/memref.mlir
// RUN: FileCheck %s --check-prefix=VECTOR --input-file=%t/vector.mlir
// RUN: FileCheck %s --check-prefix=LLVM --input-file=%t/llvm.mlir

// The tensors' phases can be run and checked from anywhere.
// RUN: diffattn-compile %t/fused.mlir --compile-from=fused --run \
// RUN:   --input=random:0 --check
// RUN: diffattn-compile %t/tiled.mlir --compile-from=tiled --run \
// RUN:   --input=random:0 --check
// RUN: diffattn-compile %t/linalg.mlir --compile-from=linalg --run \
// RUN:   --input=random:0 --check

// FUSED: diffattn.attention
// TILED-NOT: diffattn.attention
// TILED: scf.forall
// TILED: scf.for
// TILED: diffattn.online_attention
// TILED: diffattn.finalize
// LINALG-NOT: diffattn.
// LINALG: scf.forall
// LINALG: linalg.generic
// MEMREF-NOT: tensor<
// MEMREF: memref.alloc
// VECTOR-NOT: linalg.
// VECTOR: vector.
// LLVM-NOT: builtin.unrealized_conversion_cast
// LLVM: llvm.func @_mlir_ciface_layer

// The dump directory holds all of them, and a pipeline that repeats them.
// RUN: diffattn-compile %s --dump-dir=%t/dump --target=cpu-avx2
// RUN: ls %t/dump | FileCheck %s --check-prefix=DUMP
// RUN: bash -c 'diffattn-opt %t/dump/00-input.mlir -o %t/again.mlir \
// RUN:   --pass-pipeline="$(cat %t/dump/pipeline.txt)"'
// RUN: diffattn-opt %t/dump/06-llvm.mlir -o %t/dumped.mlir
// RUN: diff %t/dumped.mlir %t/again.mlir

// DUMP: 00-input.mlir
// DUMP-NEXT: 01-fused.mlir
// DUMP-NEXT: 02-tiled.mlir
// DUMP-NEXT: 03-linalg.mlir
// DUMP-NEXT: 04-memref.mlir
// DUMP-NEXT: 05-vector.mlir
// DUMP-NEXT: 06-llvm.mlir
// DUMP-NEXT: pipeline.txt

func.func @layer(%q: tensor<1x40x4x16xf32>, %k: tensor<1x40x1x16xf32>,
                 %v: tensor<1x40x1x16xf32>, %l: tensor<1x40x2xf32>)
    -> tensor<1x40x2x16xf32> {
  %init = tensor.empty() : tensor<1x40x2x16xf32>
  %0 = diffattn.attention query(%q : tensor<1x40x4x16xf32>)
      key(%k : tensor<1x40x1x16xf32>) value(%v : tensor<1x40x1x16xf32>)
      lambda(%l : tensor<1x40x2xf32>) outs(%init : tensor<1x40x2x16xf32>)
      mask<causal>
  return %0 : tensor<1x40x2x16xf32>
}
