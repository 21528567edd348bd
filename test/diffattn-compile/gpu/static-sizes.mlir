// Static sizes that leave one tile, or one row, still make a kernel with a grid;
// sizes need not be multiples of tiles.

// RUN: split-file %s %t
// RUN: diffattn-compile %t/one_tile.mlir --target=sm_80 --emit=ptx --no-ptxas -o %t/k.ptx --manifest=%t/one_tile.json
// RUN: FileCheck %s --input-file=%t/one_tile.json --check-prefix=ONE
// RUN: diffattn-compile %t/one_tile.mlir --target=sm_80 --compile-to=tile | FileCheck %s --check-prefix=TILE
// RUN: diffattn-compile %t/decode.mlir --target=sm_80 --emit=ptx --no-ptxas -o %t/k.ptx --manifest=%t/decode.json
// RUN: FileCheck %s --input-file=%t/decode.json --check-prefix=DECODE
// RUN: diffattn-compile %t/ragged.mlir --target=sm_80 --emit=ptx --no-ptxas -o %t/k.ptx --manifest=%t/ragged.json
// RUN: FileCheck %s --input-file=%t/ragged.json --check-prefix=RAGGED
// RUN: diffattn-compile %t/plain.mlir --target=sm_80 --emit=ptx --no-ptxas -o %t/k.ptx --manifest=%t/plain.json
// RUN: FileCheck %s --input-file=%t/plain.json --check-prefix=PLAIN
// RUN: not diffattn-compile %t/zero.mlir --target=sm_80 --emit=ptx 2>&1 | FileCheck %s --check-prefix=ZERO

// ONE: "grid": [
// ONE: "constant": 1
// ONE: "constant": 1
// ONE: "constant": 1
// ONE: "constant": 1
// ONE-NOT: "constant"
// ONE: "access": "write",

// TILE: gpu.func @one_tile({{.*}} diffattn_tile.result = 0
// TILE: diffattn_tile.warps

// DECODE: "grid": [
// DECODE: "argument": 0,
// Rows of keys and values are copied by 16 bytes, logits read one by one, results
// stored in pairs.
// DECODE: "name": "arg1",
// DECODE: "alignment": 16,
// DECODE-NEXT: "stride_multiple": 8
// DECODE: "name": "arg2",
// DECODE: "alignment": 16,
// DECODE-NEXT: "stride_multiple": 8
// DECODE: "name": "arg3",
// DECODE: "alignment": 2,
// DECODE-NEXT: "stride_multiple": 1
// DECODE: "name": "arg4",
// DECODE: "access": "write",
// DECODE-NEXT: "alignment": 4,
// DECODE-NEXT: "stride_multiple": 2
// DECODE: "preconditions": [
// DECODE: "max": 536870911
// DECODE: "equal": [

// RAGGED: "grid": [
// RAGGED: "constant": 2
// RAGGED: "preconditions": [

// No argument is the destination: memory of the result is a parameter.
// PLAIN: "parameters": [
// PLAIN: "name": "arg2",
// PLAIN: "name": "result0",
// PLAIN: "shape": [
// PLAIN-NEXT: 1,
// PLAIN-NEXT: 16,
// PLAIN-NEXT: 1,
// PLAIN-NEXT: 128
// PLAIN: "access": "write",

// ZERO: error: expects static sizes of at least 1 to compile for a GPU, but argument 1 of function 'zero' is 'tensor<1x0x1x64xbf16>'; a dynamic size may be 0

//--- one_tile.mlir
func.func @one_tile(%query: tensor<1x32x2x64xbf16>, %key: tensor<1x64x1x64xbf16>,
                    %value: tensor<1x64x1x64xbf16>, %lambda: tensor<1x32x1xbf16>,
                    %out: tensor<1x32x1x64xbf16>) -> tensor<1x32x1x64xbf16> {
  %result = diffattn.attention
      query(%query : tensor<1x32x2x64xbf16>)
      key(%key : tensor<1x64x1x64xbf16>)
      value(%value : tensor<1x64x1x64xbf16>)
      lambda(%lambda : tensor<1x32x1xbf16>)
      outs(%out : tensor<1x32x1x64xbf16>) mask<causal>
  return %result : tensor<1x32x1x64xbf16>
}

//--- decode.mlir
func.func @decode(%query: tensor<?x1x32x64xbf16>, %key: tensor<?x?x4x64xbf16>,
                  %value: tensor<?x?x4x64xbf16>, %lambda: tensor<?x1x16xbf16>,
                  %out: tensor<?x1x16x64xbf16>) -> tensor<?x1x16x64xbf16> {
  %result = diffattn.attention
      query(%query : tensor<?x1x32x64xbf16>)
      key(%key : tensor<?x?x4x64xbf16>)
      value(%value : tensor<?x?x4x64xbf16>)
      lambda(%lambda : tensor<?x1x16xbf16>)
      outs(%out : tensor<?x1x16x64xbf16>) mask<causal>
  return %result : tensor<?x1x16x64xbf16>
}

//--- ragged.mlir
func.func @ragged(%query: tensor<2x100x8x64xbf16>, %key: tensor<2x333x2x64xbf16>,
                  %value: tensor<2x333x2x64xbf16>, %lambda: tensor<2x100x4xbf16>,
                  %out: tensor<2x100x4x64xbf16>) -> tensor<2x100x4x64xbf16> {
  %result = diffattn.attention
      query(%query : tensor<2x100x8x64xbf16>)
      key(%key : tensor<2x333x2x64xbf16>)
      value(%value : tensor<2x333x2x64xbf16>)
      lambda(%lambda : tensor<2x100x4xbf16>)
      outs(%out : tensor<2x100x4x64xbf16>)
  return %result : tensor<2x100x4x64xbf16>
}

//--- plain.mlir
func.func @plain(%query: tensor<1x16x1x192xf16>, %key: tensor<1x16x1x192xf16>,
                 %value: tensor<1x16x1x128xf16>) -> tensor<1x16x1x128xf16> {
  %out = tensor.empty() : tensor<1x16x1x128xf16>
  %result = diffattn.attention
      query(%query : tensor<1x16x1x192xf16>)
      key(%key : tensor<1x16x1x192xf16>)
      value(%value : tensor<1x16x1x128xf16>)
      outs(%out : tensor<1x16x1x128xf16>)
  return %result : tensor<1x16x1x128xf16>
}

//--- zero.mlir
func.func @zero(%query: tensor<1x32x2x64xbf16>, %key: tensor<1x0x1x64xbf16>,
                %value: tensor<1x0x1x64xbf16>, %lambda: tensor<1x32x1xbf16>,
                %out: tensor<1x32x1x64xbf16>) -> tensor<1x32x1x64xbf16> {
  %result = diffattn.attention
      query(%query : tensor<1x32x2x64xbf16>)
      key(%key : tensor<1x0x1x64xbf16>)
      value(%value : tensor<1x0x1x64xbf16>)
      lambda(%lambda : tensor<1x32x1xbf16>)
      outs(%out : tensor<1x32x1x64xbf16>)
  return %result : tensor<1x32x1x64xbf16>
}
