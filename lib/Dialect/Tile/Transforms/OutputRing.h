//===- OutputRing.h - Results through shared memory -------------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_LIB_DIALECT_TILE_TRANSFORMS_OUTPUTRING_H
#define DIFFATTN_LIB_DIALECT_TILE_TRANSFORMS_OUTPUTRING_H

#include "Operands.h"
#include "TileQueue.h"

namespace mlir::diffattn::tile {

/// Results that the teams leave in shared memory, and the copy engine writes to
/// global memory while they go on. A ring like those of operands, the other way
/// round: teams fill it, one thread beside the producer empties it. Of each
/// team it has `depth` slots with room for all results of a tile.
class OutputRing : ScalarBuilder {
public:
  OutputRing(OpBuilder &builder, gpu::GPUFuncOp kernel, int64_t teams)
      : ScalarBuilder(builder, kernel.getLoc()), kernel(kernel), teams(teams) {}

  /// Takes over the stores of `body` that the copy engine can do; the others
  /// stay as they are.
  void collect(Block &body);
  void clear() { outputs.clear(); }
  bool empty() const { return outputs.empty(); }
  /// Of one team.
  int64_t getBytes() const;

  /// Tensor maps, memory and barriers: its own, with one slot for each team, or
  /// the slots of an operand that is read before the results are there, and its
  /// `empty` barriers.
  void createRing();
  void createRingIn(Value operandSlots, Value operandEmpty,
                    int64_t operandDepth);
  bool hasOwnSlots() const { return ownsSlots; }
  int64_t getDepth() const { return depth; }

  /// The team's part, in place of the stores.
  void write(Position position, Value team);
  /// The other part, for one team: waits for its results, has them stored, and
  /// releases the slot. `clone` gives an offset of a view for that team.
  void store(Position position, Value team, function_ref<Value(Value)> clone);

private:
  struct Output {
    StoreOp store;
    TensorMapAccess access;
    Value map;
  };
  void createMapsAndBarriers();
  Value createSlotNumber(Position position, Value team);
  /// The buffer of output `number` in a slot.
  Value createBuffer(Value slot, int64_t number);

  gpu::GPUFuncOp kernel;
  int64_t teams, depth = 1;
  bool ownsSlots = false;
  std::vector<Output> outputs;
  /// Of each of them: outputs of one tile differ in nothing else.
  BufferType buffer;
  Value slots, fullBarriers, emptyBarriers;
};

} // namespace mlir::diffattn::tile

#endif // DIFFATTN_LIB_DIALECT_TILE_TRANSFORMS_OUTPUTRING_H
