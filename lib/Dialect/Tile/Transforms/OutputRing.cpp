//===- OutputRing.cpp - Results through shared memory ---------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OutputRing.h"

#include "mlir/IR/Remarks.h"

using namespace mlir;
using namespace mlir::diffattn::tile;

/// Rows as they come, in panels that the copy engine and stmatrix agree on.
/// Null for what stmatrix cannot write.
static BufferType getBufferType(RankedTensorType tile) {
  int64_t last = tile.getRank() - 1;
  if (last != 1 || tile.getElementTypeBitWidth() != 16 ||
      tile.getDimSize(0) % 8 || tile.getDimSize(1) % 16)
    return {};
  MLIRContext *context = tile.getContext();
  return BufferType::get(context, 1, tile.getShape(), tile.getElementType(),
                         getOperandLayout(context, {{0, tile.getDimSize(0), 1}},
                                          last, tile.getDimSize(last), 2));
}

void OutputRing::collect(Block &body) {
  for (auto store : body.getOps<StoreOp>()) {
    auto refuse = [&](StringRef reason) {
      remark::missed(store.getLoc(), remark::RemarkOpts::name("StoreShared")
                                         .category("diffattn-tile-specialize"))
          << remark::reason("{0}", reason);
    };
    BufferType type = getBufferType(store.getValue().getType());
    if (!type || (buffer && type != buffer)) {
      refuse("a result is no matrix of 16-bit elements, or another than the "
             "first");
      continue;
    }
    std::string why;
    auto access = getTensorMapAccess(store.getDest(), type, why);
    if (failed(access)) {
      refuse("the copy engine expects " + why);
      continue;
    }
    buffer = type;
    outputs.push_back({store, *access, Value()});
  }
}

int64_t OutputRing::getBytes() const {
  return outputs.empty() ? 0 : outputs.size() * buffer.getTotalBytes();
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

static BufferType withSlots(BufferType type, int64_t slots) {
  return BufferType::get(type.getContext(), slots, type.getShape(),
                         type.getElementType(), type.getLayout());
}

void OutputRing::createMapsAndBarriers() {
  for (Output &output : outputs)
    output.map = addTensorMap(kernel, output.access);
  fullBarriers = BarriersOp::create(
      builder, loc, BarriersType::get(kernel.getContext(), teams * depth),
      /*arrivals=*/1, /*offset=*/IntegerAttr());
}

void OutputRing::createRing() {
  createMapsAndBarriers();
  ownsSlots = true;
  slots =
      AllocOp::create(builder, loc, withSlots(buffer, teams * outputs.size()),
                      /*offset=*/IntegerAttr());
  emptyBarriers = BarriersOp::create(
      builder, loc, BarriersType::get(kernel.getContext(), teams),
      /*arrivals=*/1, /*offset=*/IntegerAttr());
}

void OutputRing::createRingIn(Value operandSlots, Value operandEmpty,
                              int64_t operandDepth) {
  depth = operandDepth;
  createMapsAndBarriers();
  slots = operandSlots;
  emptyBarriers = operandEmpty;
}

Value OutputRing::createSlotNumber(Position position, Value team) {
  return create<arith::AddIOp>(
      create<arith::MulIOp>(position.slot, createI32(teams)), team);
}

Value OutputRing::createBuffer(Value slot, int64_t number) {
  int64_t count = outputs.size();
  if (ownsSlots) {
    Value index = create<arith::AddIOp>(
        create<arith::MulIOp>(slot, createI32(count)), createI32(number));
    return SlotOp::create(builder, loc, slots, toIndex(index));
  }
  Value whole = SlotOp::create(builder, loc, slots, toIndex(slot));
  Value parts = ReuseOp::create(builder, loc, withSlots(buffer, count), whole);
  return SlotOp::create(builder, loc, parts, createIndex(number));
}

//===----------------------------------------------------------------------===//
// Both parts
//===----------------------------------------------------------------------===//

void OutputRing::write(Position position, Value team) {
  builder.setInsertionPoint(outputs.front().store);
  Value slot = createSlotNumber(position, team);
  // An operand's slot is the team's own since it was filled.
  if (ownsSlots)
    WaitOp::create(builder, loc, emptyBarriers, slot,
                   create<arith::XOrIOp>(position.phase, createI32(1)));
  for (auto [number, output] : llvm::enumerate(outputs)) {
    builder.setInsertionPoint(output.store);
    LocalStoreOp::create(builder, loc, output.store.getValue(),
                         createBuffer(slot, number));
  }
  FenceOp::create(builder, loc, FenceKind::AsyncProxy);
  TeamBarrierOp::create(builder, loc);
  auto arrive = ArriveOp::create(builder, loc, fullBarriers, slot);
  for (Output &output : outputs)
    output.store.erase();
  builder.setInsertionPointAfter(arrive);
}

void OutputRing::store(Position position, Value team,
                       function_ref<Value(Value)> clone) {
  Value slot = createSlotNumber(position, team);
  WaitOp::create(builder, loc, fullBarriers, slot, position.phase);
  for (auto [number, output] : llvm::enumerate(outputs))
    TensorStoreOp::create(builder, loc, createBuffer(slot, number), output.map,
                          createMapCoordinates(builder, loc, output.access,
                                               output.store.getDest(), clone),
                          output.access.tileDims);
  StoreWaitOp::create(builder, loc, 0);
  ArriveOp::create(builder, loc, emptyBarriers, slot);
}
