//===- TileOpBase.td - What all tile ops share --------------*- tablegen -*-==//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_TILE_OP_BASE_TD
#define DIFFATTN_TILE_OP_BASE_TD

include "diffattn/Dialect/Tile/IR/TileTypes.td"
include "mlir/IR/EnumAttr.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Tile_Op<string mnemonic, list<Trait> traits = []>
    : Op<Tile_Dialect, mnemonic, traits>;

def Tile_Tensor : StaticShapeTensorOf<[AnyFloat, AnyInteger, Index]>;
def Tile_Operand : AnyTypeOf<[Tile_Tensor, Tile_BufferType],
                             "tensor or shared memory buffer">;

def Tile_ReduceKind : I32EnumAttr<"ReduceKind", "how elements are combined", [
    I32EnumAttrCase<"Add", 0, "add">, I32EnumAttrCase<"Max", 1, "max">,
    I32EnumAttrCase<"MaxZero", 2, "max_zero">]> {
  let cppNamespace = "::mlir::diffattn::tile";
  let genSpecializedAttr = 0;
}
def Tile_ReduceKindAttr : EnumAttr<Tile_Dialect, Tile_ReduceKind, "reduce_kind">;

#endif // DIFFATTN_TILE_OP_BASE_TD
