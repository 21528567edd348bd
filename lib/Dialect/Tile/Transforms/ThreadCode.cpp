//===- ThreadCode.cpp - Building the code of one thread -------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ThreadCode.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"
#include <map>

using namespace mlir;
using namespace mlir::diffattn::tile;

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

ThreadTypeConverter::ThreadTypeConverter(MLIRContext *context) {
  addConversion([](Type type) { return type; });
  addConversion([](BufferType type) -> Type {
    return IntegerType::get(type.getContext(), 32);
  });
  addHopperTypes(*this);
  addConversion(
      [](RankedTensorType type,
         SmallVectorImpl<Type> &types) -> std::optional<LogicalResult> {
        FragmentAttr layout = getLayout(type);
        if (!layout)
          return std::nullopt;
        Type element = type.getElementType();
        int64_t registers = layout.getNumRegisters();
        if (isPacked(type))
          types.append(registers / 2, VectorType::get({2}, element));
        else
          types.append(registers, element);
        return success();
      });
}

SmallVector<Value>
mlir::diffattn::tile::unpackRegisters(OpBuilder &builder, Location loc,
                                      ValueRange values,
                                      RankedTensorType type) {
  if (!isPacked(type))
    return values;
  SmallVector<Value> registers;
  for (Value pair : values)
    for (int64_t i : {0, 1})
      registers.push_back(vector::ExtractOp::create(builder, loc, pair, i));
  return registers;
}

SmallVector<Value>
mlir::diffattn::tile::packRegisters(OpBuilder &builder, Location loc,
                                    ArrayRef<Value> registers,
                                    RankedTensorType type) {
  if (!isPacked(type))
    return SmallVector<Value>(registers);
  auto pairType = VectorType::get({2}, type.getElementType());
  SmallVector<Value> pairs;
  for (size_t i = 0; i < registers.size(); i += 2)
    pairs.push_back(vector::FromElementsOp::create(builder, loc, pairType,
                                                   registers.slice(i, 2)));
  return pairs;
}

//===----------------------------------------------------------------------===//
// Threads
//===----------------------------------------------------------------------===//

Value mlir::diffattn::tile::createI32(OpBuilder &builder, Location loc,
                                      int64_t value) {
  return arith::ConstantIntOp::create(builder, loc, value, 32);
}

Value mlir::diffattn::tile::createThreadId(OpBuilder &builder, Location loc) {
  Value id = gpu::ThreadIdOp::create(builder, loc, gpu::Dimension::x);
  return arith::IndexCastUIOp::create(builder, loc, builder.getI32Type(), id);
}

/// Adds what `digits` of `number` contribute to `coordinates`.
static void addDigits(OpBuilder &builder, Location loc, ArrayRef<Digit> digits,
                      Value number, MutableArrayRef<Value> coordinates) {
  int64_t place = 1, total = getNumIndices(digits);
  for (const Digit &digit : digits) {
    int64_t below = place;
    place *= digit.extent;
    if (digit.dim == Digit::copies)
      continue;
    Value value = number;
    if (below != 1)
      value = arith::DivUIOp::create(builder, loc, value,
                                     createI32(builder, loc, below));
    if (place != total)
      value = arith::RemUIOp::create(builder, loc, value,
                                     createI32(builder, loc, digit.extent));
    if (digit.stride != 1)
      value = arith::MulIOp::create(builder, loc, value,
                                    createI32(builder, loc, digit.stride));
    Value &sum = coordinates[digit.dim];
    sum = sum ? arith::AddIOp::create(builder, loc, sum, value).getResult()
              : value;
  }
}

SmallVector<Value> mlir::diffattn::tile::createThreadCoordinates(
    OpBuilder &builder, Location loc, FragmentAttr layout, unsigned rank) {
  SmallVector<Value> coordinates(rank);
  Value thread = createThreadId(builder, loc);
  Value warpSize = createI32(builder, loc, 32);
  addDigits(builder, loc, layout.getLanes(),
            arith::RemUIOp::create(builder, loc, thread, warpSize),
            coordinates);
  // Of teams of warps, each has its own tensor.
  Value warp = arith::DivUIOp::create(builder, loc, thread, warpSize);
  warp = arith::RemUIOp::create(builder, loc, warp,
                                createI32(builder, loc, layout.getNumWarps()));
  addDigits(builder, loc, layout.getWarps(), warp, coordinates);
  return coordinates;
}

FailureOr<SmallVector<int64_t>> mlir::diffattn::tile::mapRegisters(
    FragmentAttr to, unsigned toRank, FragmentAttr from, unsigned fromRank,
    function_ref<SmallVector<int64_t>(SmallVector<int64_t>)> adapt) {
  std::map<SmallVector<int64_t>, int64_t> positions;
  for (int64_t reg = 0, end = from.getNumRegisters(); reg < end; ++reg)
    positions[from.getCoordinates(reg, 0, 0, fromRank)] = reg;
  SmallVector<int64_t> result;
  for (int64_t reg = 0, end = to.getNumRegisters(); reg < end; ++reg) {
    auto found = positions.find(adapt(to.getCoordinates(reg, 0, 0, toRank)));
    if (found == positions.end())
      return failure();
    result.push_back(found->second);
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Shared memory addresses
//===----------------------------------------------------------------------===//

FailureOr<ThreadOffsets> ThreadOffsets::fit(const SharedAccess &access,
                                            SharedAttr layout) {
  constexpr int64_t origin = SharedAccess::origin;
  ThreadOffsets result;
  result.start = access.getOffset(0, origin);
  for (int64_t bit = 1; bit < access.threads; bit *= 2)
    result.bits.push_back(access.getOffset(bit, origin) ^ result.start);
  // Swizzles repeat every so many bytes.
  int64_t low = std::max<int64_t>(8 * layout.getSwizzle(), 16) - 1;
  for (int64_t i = 0; i < access.count; ++i) {
    int64_t offset = access.getOffset(0, i);
    result.accesses.push_back({(offset ^ result.start) & low,
                               (offset & ~low) - (result.start & ~low)});
  }
  for (int64_t thread = 0; thread < access.threads; ++thread) {
    int64_t base = result.start;
    for (auto [i, bit] : llvm::enumerate(result.bits))
      if (thread >> i & 1)
        base ^= bit;
    for (auto [i, form] : llvm::enumerate(result.accesses))
      if ((base ^ form.flip) + form.advance != access.getOffset(thread, i))
        return failure();
  }
  return result;
}

Value ThreadOffsets::createBase(OpBuilder &builder, Location loc,
                                Value thread) const {
  Value base = createI32(builder, loc, start);
  for (auto [i, bit] : llvm::enumerate(bits)) {
    if (!bit)
      continue;
    Value set = arith::ShRUIOp::create(builder, loc, thread,
                                       createI32(builder, loc, i));
    set = arith::AndIOp::create(builder, loc, set, createI32(builder, loc, 1));
    Value term =
        arith::MulIOp::create(builder, loc, set, createI32(builder, loc, bit));
    base = arith::XOrIOp::create(builder, loc, base, term);
  }
  return base;
}

Value ThreadOffsets::createPointer(OpBuilder &builder, Location loc,
                                   Value buffer, Value base,
                                   unsigned access) const {
  auto [flip, advance] = accesses[access];
  Value offset = base;
  if (flip)
    offset = arith::XOrIOp::create(builder, loc, offset,
                                   createI32(builder, loc, flip));
  Value address = arith::AddIOp::create(builder, loc, buffer, offset);
  Value pointer = createSharedPointer(builder, loc, address);
  if (!advance)
    return pointer;
  // A constant distance from a pointer becomes an immediate of the instruction;
  // a sum of integers would be one more register for each access.
  return LLVM::GEPOp::create(
      builder, loc, pointer.getType(), builder.getI8Type(), pointer,
      ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(advance)});
}

Value mlir::diffattn::tile::createAddress(OpBuilder &builder, Location loc,
                                          Value first, Value index,
                                          int64_t bytes) {
  Value offset = arith::MulIOp::create(builder, loc, index,
                                       createI32(builder, loc, bytes));
  return arith::AddIOp::create(builder, loc, first, offset);
}

Value mlir::diffattn::tile::createSharedPointer(OpBuilder &builder,
                                                Location loc, Value address) {
  auto type = LLVM::LLVMPointerType::get(builder.getContext(), 3);
  return LLVM::IntToPtrOp::create(builder, loc, type, address);
}
