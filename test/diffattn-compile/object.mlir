// An object file, its C header and a manifest; a shared object made of them, and
// a C program that calls it with strided operands.
// REQUIRES: clang

// RUN: rm -rf %t && mkdir %t
// RUN: diffattn-compile %s --emit=object -o %t/layer.o --header=%t/layer.h \
// RUN:   --manifest=%t/layer.json --target=cpu-baseline --query-tile=8 \
// RUN:   --pairs=1 --key-tile=16
// RUN: FileCheck %s --check-prefix=HEADER --input-file=%t/layer.h
// RUN: FileCheck %s --check-prefix=JSON --input-file=%t/layer.json
// RUN: %python -m json.tool %t/layer.json > %t/parsed
// RUN: %clang -Wall -Wextra -Werror -I%t %S/Inputs/call-layer.c %t/layer.o \
// RUN:   -o %t/program -lomp -lm
// RUN: %t/program | FileCheck %s --check-prefix=PROGRAM
// RUN: %clang -shared %t/layer.o -o %t/liblayer.so -lomp -lm
// RUN: %clang -I%t %S/Inputs/call-layer.c %t/liblayer.so -o %t/program-shared
// RUN: %t/program-shared | FileCheck %s --check-prefix=PROGRAM

// HEADER: Link with: clang x.c layer.o -lomp -lm
// HEADER: clang -shared layer.o -o liblayer.so -lomp -lm
// HEADER: typedef struct {
// HEADER: } diffattn_memref_3d;
// HEADER: typedef struct {
// HEADER: void *allocated;
// HEADER-NEXT: void *aligned;
// HEADER-NEXT: int64_t offset;
// HEADER-NEXT: int64_t sizes[4];
// HEADER-NEXT: int64_t strides[4];
// HEADER: } diffattn_memref_4d;
// HEADER: void _mlir_ciface_layer(
// HEADER-NEXT: diffattn_memref_4d *result /* 1x?x1x8xf32 */,
// HEADER-NEXT: diffattn_memref_4d *arg0 /* 1x?x2x8xf32 */,
// HEADER-NEXT: diffattn_memref_4d *arg1 /* 1x?x1x8xf32 */,
// HEADER-NEXT: diffattn_memref_4d *arg2 /* 1x?x1x8xf32 */,
// HEADER-NEXT: diffattn_memref_3d *arg3 /* 1x?x1xf32 */);

// JSON: "entry": "layer"
// JSON: "symbol": "_mlir_ciface_layer"
// JSON: "object": "{{.*}}layer.o"
// JSON: "arguments": [
// JSON: null
// JSON: "dtype": "f32"
// JSON: "results": [
// JSON: "target": {
// JSON-NEXT: "name": "cpu-baseline"
// JSON: "attention": [
// JSON-NEXT: "differential attention (causal, 2 heads / 1 kv heads, d=8)"
// JSON: "schedules": [
// JSON-NEXT: query_tile = 8, pairs = 1, key_tile = 16
// JSON: "pipeline": "builtin.module(

// With all values of a row equal, both branches give that value v, and the
// result is (1 - sigmoid(0)) * v.
// PROGRAM: 0.500000 0.500000
// PROGRAM: operands unchanged: yes

func.func @layer(%q: tensor<1x?x2x8xf32>, %k: tensor<1x?x1x8xf32>,
                 %v: tensor<1x?x1x8xf32>, %l: tensor<1x?x1xf32>)
    -> tensor<1x?x1x8xf32> {
  %c1 = arith.constant 1 : index
  %n = tensor.dim %q, %c1 : tensor<1x?x2x8xf32>
  %init = tensor.empty(%n) : tensor<1x?x1x8xf32>
  %0 = diffattn.attention query(%q : tensor<1x?x2x8xf32>)
      key(%k : tensor<1x?x1x8xf32>) value(%v : tensor<1x?x1x8xf32>)
      lambda(%l : tensor<1x?x1xf32>) outs(%init : tensor<1x?x1x8xf32>)
      mask<causal>
  return %0 : tensor<1x?x1x8xf32>
}
