//===- ThreadCode.h - Building the code of one thread -----------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Shared by the files that lower the tile dialect: how a tensor is held in
// registers, who the thread is, and addresses in swizzled shared memory.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_LIB_DIALECT_TILE_TRANSFORMS_THREADCODE_H
#define DIFFATTN_LIB_DIALECT_TILE_TRANSFORMS_THREADCODE_H

#include "diffattn/Dialect/Tile/IR/SharedAccess.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Transforms/DialectConversion.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace mlir::diffattn::tile {

/// A tensor becomes one value per register of its layout, 16-bit floats one
/// vector of two per pair of registers (if their number is even); a buffer
/// becomes its address in shared memory, an i32.
class ThreadTypeConverter : public TypeConverter {
public:
  explicit ThreadTypeConverter(MLIRContext *context);
};

/// The registers of a tensor, pairs taken apart.
SmallVector<Value> unpackRegisters(OpBuilder &builder, Location loc,
                                   ValueRange values, RankedTensorType type);
/// The reverse.
SmallVector<Value> packRegisters(OpBuilder &builder, Location loc,
                                 ArrayRef<Value> registers,
                                 RankedTensorType type);

Value createI32(OpBuilder &builder, Location loc, int64_t value);

/// The number of this thread in its block, an i32.
Value createThreadId(OpBuilder &builder, Location loc);

/// The coordinates of a thread's register 0 along each of `rank` dimensions,
/// i32; null where always zero.
SmallVector<Value> createThreadCoordinates(OpBuilder &builder, Location loc,
                                           FragmentAttr layout, unsigned rank);

/// For each register of `to`, that register of `from` whose coordinates are
/// `adapt` of the first's. Fails if a thread does not hold it.
FailureOr<SmallVector<int64_t>>
mapRegisters(FragmentAttr to, unsigned toRank, FragmentAttr from,
             unsigned fromRank,
             function_ref<SmallVector<int64_t>(SmallVector<int64_t>)> adapt);

/// A byte offset that depends on the thread, for several accesses at constant
/// distances. In a swizzled layout the offsets of access i are
/// `(base(thread) ^ flip_i) + advance_i`: the base is computed once.
struct ThreadOffsets {
  /// base(thread) is the exclusive or of `start` and of `bits[b]` for each set
  /// bit b of the thread's number.
  int64_t start;
  SmallVector<int64_t> bits;
  struct Access {
    int64_t flip, advance;
  };
  SmallVector<Access> accesses;

  /// Finds that form for accesses to a buffer. They are relative to its origin,
  /// so that accesses to parts of one buffer share a base. Fails if there is
  /// none.
  static FailureOr<ThreadOffsets> fit(const SharedAccess &access,
                                      SharedAttr layout);

  /// base(thread) as an i32.
  Value createBase(OpBuilder &builder, Location loc, Value thread) const;
  /// Where an access goes: `buffer` plus its offset, in shared memory.
  Value createPointer(OpBuilder &builder, Location loc, Value buffer,
                      Value base, unsigned access) const;
};

/// The address of element `index`, an i32, of those of `bytes` bytes from
/// `first` on.
Value createAddress(OpBuilder &builder, Location loc, Value first, Value index,
                    int64_t bytes);

/// `address`, an i32, as a pointer to shared memory.
Value createSharedPointer(OpBuilder &builder, Location loc, Value address);

/// The address `offset` bytes into the block's shared memory, an i32.
Value createSharedAddress(OpBuilder &builder, Location loc, Operation *user,
                          int64_t offset);

/// Combines the values of one thread: value i goes into result `target[i]`.
/// `inPairs` combines neighbours first: half the chain, for a few registers.
SmallVector<Value> combineRegisters(OpBuilder &builder, Location loc,
                                    ReduceKind kind, ValueRange values,
                                    ArrayRef<int64_t> target, int64_t results,
                                    bool inPairs);

/// A CUtensorMap.
inline constexpr int64_t tensorMapBytes = 128, tensorMapAlignment = 64;

/// Parameters that are tensor maps become pointers to constants.
void convertTensorMaps(gpu::GPUFuncOp kernel);
/// Turns roles and elected regions, whose ops have been lowered, into branches.
void expandRoles(gpu::GPUFuncOp kernel);
/// How barriers, tensor maps and products under way are held.
void addHopperTypes(TypeConverter &converter);
void populateHopperPatterns(const TypeConverter &converter,
                            RewritePatternSet &patterns);

void populateRegisterPatterns(const TypeConverter &converter,
                              RewritePatternSet &patterns);
void populateMemoryPatterns(const TypeConverter &converter,
                            RewritePatternSet &patterns);
void populateSharedPatterns(const TypeConverter &converter,
                            RewritePatternSet &patterns);
void populateTensorCopyPatterns(const TypeConverter &converter,
                                RewritePatternSet &patterns);
void populateProductPatterns(const TypeConverter &converter,
                             RewritePatternSet &patterns);

} // namespace mlir::diffattn::tile

#endif // DIFFATTN_LIB_DIALECT_TILE_TRANSFORMS_THREADCODE_H
