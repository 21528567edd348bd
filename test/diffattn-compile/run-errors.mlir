// Wrong arguments and results of --run: one diagnostic, exit status 1.

// RUN: split-file %s %t
// RUN: diffattn-compile %t/f.mlir --run --input=random:0 --output=%t/4x2.npy
// RUN: diffattn-compile %t/i.mlir --run --input=random:0 --output=%t/i32.npy
// RUN: echo "not an array" > %t/text.npy
// RUN: head -c 100 %t/4x2.npy > %t/short.npy

// RUN: not diffattn-compile %t/f.mlir --run 2>&1 \
// RUN:   | FileCheck %s --check-prefix=NONE
// RUN: not diffattn-compile %t/f.mlir --run --input=random:0 --input=random:1 \
// RUN:   2>&1 | FileCheck %s --check-prefix=MANY
// RUN: not diffattn-compile %t/f.mlir --run --input=random:x 2>&1 \
// RUN:   | FileCheck %s --check-prefix=SEED
// RUN: not diffattn-compile %t/f.mlir --run --input=%t/no.npy 2>&1 \
// RUN:   | FileCheck %s --check-prefix=MISSING
// RUN: not diffattn-compile %t/f.mlir --run --input=%t/text.npy 2>&1 \
// RUN:   | FileCheck %s --check-prefix=TEXT
// RUN: not diffattn-compile %t/f.mlir --run --input=%t/short.npy 2>&1 \
// RUN:   | FileCheck %s --check-prefix=SHORT
// RUN: not diffattn-compile %t/f.mlir --run --input=%t/i32.npy 2>&1 \
// RUN:   | FileCheck %s --check-prefix=DTYPE
// RUN: not diffattn-compile %t/g.mlir --run --input=%t/4x2.npy 2>&1 \
// RUN:   | FileCheck %s --check-prefix=SHAPE
// RUN: not diffattn-compile %t/f.mlir --run --input=random:0 --shape=0:4x3 2>&1 \
// RUN:   | FileCheck %s --check-prefix=RANDOM
// RUN: not diffattn-compile %t/dynamic.mlir --run --input=random:0 2>&1 \
// RUN:   | FileCheck %s --check-prefix=DYNAMIC
// RUN: not diffattn-compile %t/dynamic.mlir --run --input=random:0 \
// RUN:   --shape=0:9000000000x9000000000 2>&1 | FileCheck %s --check-prefix=ABSURD
// RUN: not diffattn-compile %t/dynamic.mlir --run --input=random:0 \
// RUN:   --dynamic-dim=60000 2>&1 | FileCheck %s --check-prefix=HUGE
// RUN: not diffattn-compile %t/f.mlir --run --input=random:0 --output=%t/a.npy \
// RUN:   --output=%t/b.npy 2>&1 | FileCheck %s --check-prefix=OUTPUTS
// RUN: not diffattn-compile %t/f.mlir --run --input=random:0 \
// RUN:   --output=%t/no/a.npy 2>&1 | FileCheck %s --check-prefix=WRITE
// RUN: not diffattn-compile %t/memory.mlir --run --input=random:0 2>&1 \
// RUN:   | FileCheck %s --check-prefix=MEMORY
// RUN: diffattn-compile %t/f.mlir -o %t/llvm.mlir
// RUN: not diffattn-compile %t/llvm.mlir --compile-from=llvm --run \
// RUN:   --input=random:0 2>&1 | FileCheck %s --check-prefix=LLVM
// RUN: not diffattn-compile %t/buffers.mlir --compile-from=memref --run \
// RUN:   --input=random:0 --check 2>&1 | FileCheck %s --check-prefix=BUFFERS
// RUN: not ls %t/a.npy %t/b.npy

// NONE: error: expected one --input for each of 1 arguments or a single --input=random:SEED, but got 0
// MANY: error: expected one --input for each of 1 arguments or a single --input=random:SEED, but got 2
// SEED: error: --input=random:SEED expects a number, but got 'x'
// MISSING: error: {{.*}}no.npy': No such file or directory
// TEXT: error: {{.*}}text.npy
// SHORT: error: {{.*}}short.npy
// DTYPE: error: {{.*}}i32.npy{{.*}}f32
// SHAPE: error: {{.*}}argument 0{{.*}}tensor<5x2xf32>{{.*}}4x2xf32
// RANDOM: error: argument 0 expects tensor<4x2xf32>, but got 4x3xf32
// DYNAMIC: error: argument 0
// ABSURD: error: {{.*}}9000000000x9000000000
// HUGE: error: argument 0: array of shape 60000x60000 has more than the {{[0-9]+}} elements allowed
// OUTPUTS: error: expected one --output for each of the 1 results of 'f', but got 2
// WRITE: error: {{.*}}no/a.npy': No such file or directory
// MEMORY: error: the program asked for {{[0-9]+}} bytes, but this machine has {{[0-9]+}}
// LLVM: error: the calling convention of the program is not known: the input must be in a phase before 'llvm'
// BUFFERS: error: option '--check' needs an input on tensors

//--- f.mlir
func.func @f(%x: tensor<4x2xf32>) -> tensor<4x2xf32> {
  return %x : tensor<4x2xf32>
}

//--- g.mlir
func.func @g(%x: tensor<5x2xf32>) -> tensor<5x2xf32> {
  return %x : tensor<5x2xf32>
}

//--- i.mlir
func.func @i(%x: tensor<4x2xi32>) -> tensor<4x2xi32> {
  return %x : tensor<4x2xi32>
}

//--- dynamic.mlir
func.func @dynamic(%x: tensor<?x?xf32>) -> tensor<?x?xf32> {
  return %x : tensor<?x?xf32>
}

//--- memory.mlir
func.func @memory(%x: tensor<1xf32>) -> tensor<100000x100000x100000xf32> {
  %c0 = arith.constant 0 : index
  %scalar = tensor.extract %x[%c0] : tensor<1xf32>
  %empty = tensor.empty() : tensor<100000x100000x100000xf32>
  %fill = linalg.fill ins(%scalar : f32)
      outs(%empty : tensor<100000x100000x100000xf32>)
      -> tensor<100000x100000x100000xf32>
  return %fill : tensor<100000x100000x100000xf32>
}

//--- buffers.mlir
func.func @buffers(%x: memref<4xf32>) attributes {llvm.emit_c_interface} {
  return
}
