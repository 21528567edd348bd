//===- Pipeline.cpp - Copies overlapped with earlier tiles ----------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// A staged loop reads its buffers one after the other, each behind a barrier:
//
//   iteration j:   wait K(j)  barrier  ... K(j) ...  wait V(j)  barrier  ...
//   V(j) ...
//
// Every barrier also says that all warps are done with the buffer read before
// it. So that is where its next copy can start, without a barrier of its own:
// at K's barrier a slot of V is free, at V's barrier one of K. With s slots
// each
//
//   event (j, 0):      copy of the last buffer for iteration j + s - 1
//   event (j, i > 0):  copy of buffer i - 1     for iteration j + s
//
// The events of iterations before the first make the prologue. Between the copy
// of a tile and its wait there are n s - 2 later events, for n buffers: that
// many groups may be pending.
//
//===----------------------------------------------------------------------===//

#include "diffattn/Dialect/Tile/IR/Tile.h"
#include "diffattn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::diffattn::tile {
#define GEN_PASS_DEF_PIPELINEPASS
#include "diffattn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::diffattn::tile

using namespace mlir;
using namespace mlir::diffattn::tile;

namespace {

/// A buffer of the loop, with the ops that fill it: barrier, copy, commit,
/// wait, barrier.
struct StagedBuffer {
  gpu::BarrierOp before;
  AsyncCopyOp copy;
  AsyncCommitOp commit;
  AsyncWaitOp wait;
  gpu::BarrierOp after;
  AllocOp alloc;
  /// What the source depends on within the iteration, in order.
  SmallVector<Operation *> address;
};

class LoopPipeliner {
public:
  LoopPipeliner(scf::ForOp loop, int64_t stages)
      : loop(loop), stages(stages), builder(loop) {}

  /// Nothing if the loop is not as the staging pass leaves it; the reason is
  /// given as a remark.
  LogicalResult run();

private:
  LogicalResult fail(StringRef reason);
  LogicalResult collect();
  LogicalResult collectAddress(StagedBuffer &buffer);
  LogicalResult checkReads();

  void addRing();
  void createPrologue();
  /// The wait and barrier that precede the loop with nothing but arithmetic
  /// between, or nothing.
  std::pair<AsyncWaitOp, gpu::BarrierOp> findWaitBefore();
  void createEvents();
  /// The copy for iteration `iv` + `ahead` steps into slot `slot`, if the loop
  /// gets there; and its group in any case.
  void createCopy(StagedBuffer &buffer, Value iv, int64_t ahead, Value slot);
  /// `index` plus a constant, in the ring.
  Value createRingIndex(Value index, int64_t distance);

  Location getLoc() { return loop.getLoc(); }
  Value createIndex(int64_t value) {
    return arith::ConstantIndexOp::create(builder, getLoc(), value);
  }

  scf::ForOp loop;
  int64_t stages;
  OpBuilder builder;
  SmallVector<StagedBuffer> buffers;
  /// Slot of this iteration's tiles; null with one slot.
  Value ring;
};

} // namespace

LogicalResult LoopPipeliner::fail(StringRef reason) {
  remark::missed(
      loop.getLoc(),
      remark::RemarkOpts::name("Pipeline").category("diffattn-tile-pipeline"))
      << remark::reason("{0}", reason);
  return failure();
}

LogicalResult LoopPipeliner::collect() {
  for (auto copy : loop.getBody()->getOps<AsyncCopyOp>()) {
    StagedBuffer buffer;
    buffer.copy = copy;
    buffer.before = dyn_cast_or_null<gpu::BarrierOp>(copy->getPrevNode());
    buffer.commit = dyn_cast_or_null<AsyncCommitOp>(copy->getNextNode());
    buffer.wait =
        buffer.commit
            ? dyn_cast_or_null<AsyncWaitOp>(buffer.commit->getNextNode())
            : AsyncWaitOp();
    buffer.after =
        buffer.wait
            ? dyn_cast_or_null<gpu::BarrierOp>(buffer.wait->getNextNode())
            : gpu::BarrierOp();
    buffer.alloc = copy.getDest().getDefiningOp<AllocOp>();
    if (!buffer.before || !buffer.after || buffer.wait.getPending() != 0 ||
        !buffer.alloc)
      return fail("expects each copy between a barrier and commit, wait 0, "
                  "barrier");
    if (failed(collectAddress(buffer)))
      return failure();
    buffers.push_back(buffer);
  }
  if (buffers.empty())
    return failure();
  if (buffers.size() < 2 && stages < 2)
    return fail("one buffer of one slot leaves nothing to overlap with");
  return checkReads();
}

LogicalResult LoopPipeliner::collectAddress(StagedBuffer &buffer) {
  llvm::SetVector<Operation *> slice;
  SmallVector<Value> worklist = {buffer.copy.getSource()};
  while (!worklist.empty()) {
    Value value = worklist.pop_back_val();
    Operation *op = value.getDefiningOp();
    if (!op && value.getParentBlock() == loop.getBody() &&
        value != loop.getInductionVar())
      return fail("a copy depends on more than the induction variable");
    if (!op || op->getBlock() != loop.getBody())
      continue;
    if (!isMemoryEffectFree(op) || op->getNumRegions() != 0)
      return fail("the address of a copy has side effects");
    if (slice.insert(op))
      llvm::append_range(worklist, op->getOperands());
  }
  buffer.address = llvm::to_vector(slice);
  llvm::sort(buffer.address,
             [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  return success();
}

/// Each buffer is read between its barrier and the next one only.
LogicalResult LoopPipeliner::checkReads() {
  for (auto [i, buffer] : llvm::enumerate(buffers)) {
    Operation *end = i + 1 < buffers.size()
                         ? buffers[i + 1].before.getOperation()
                         : loop.getBody()->getTerminator();
    for (Operation *user : buffer.alloc->getUsers()) {
      if (user == buffer.copy)
        continue;
      Operation *op = loop.getBody()->findAncestorOpInBlock(*user);
      if (!op || op->isBeforeInBlock(buffer.after) || !op->isBeforeInBlock(end))
        return fail("a buffer is read beyond the next buffer's barrier");
    }
  }
  return success();
}

/// Carries the slot through the loop.
void LoopPipeliner::addRing() {
  if (stages == 1)
    return;
  IRRewriter rewriter(builder);
  rewriter.setInsertionPoint(loop);
  Value zero = arith::ConstantIndexOp::create(rewriter, getLoc(), 0);
  auto carried = *loop.replaceWithAdditionalYields(
      rewriter, {zero}, /*replaceInitOperandUsesInLoop=*/false,
      [&](OpBuilder &b, Location loc, ArrayRef<BlockArgument> arguments) {
        Value next = arith::AddIOp::create(
            b, loc, arguments[0], arith::ConstantIndexOp::create(b, loc, 1));
        Value end = arith::ConstantIndexOp::create(b, loc, stages);
        Value wraps =
            arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, next, end);
        return SmallVector<Value>{arith::SelectOp::create(
            b, loc, wraps, arith::ConstantIndexOp::create(b, loc, 0), next)};
      });
  loop = cast<scf::ForOp>(carried.getOperation());
  ring = loop.getRegionIterArgs().back();
  for (StagedBuffer &buffer : buffers) {
    BufferType type = buffer.alloc.getBuffer().getType();
    buffer.alloc.getBuffer().setType(
        BufferType::get(type.getContext(), stages, type.getShape(),
                        type.getElementType(), type.getLayout()));
  }
}

Value LoopPipeliner::createRingIndex(Value index, int64_t distance) {
  if (distance % stages == 0)
    return index;
  Value sum = arith::AddIOp::create(builder, getLoc(), index,
                                    createIndex(distance % stages));
  Value end = createIndex(stages);
  Value beyond = arith::CmpIOp::create(builder, getLoc(),
                                       arith::CmpIPredicate::sge, sum, end);
  Value wrapped = arith::SubIOp::create(builder, getLoc(), sum, end);
  return arith::SelectOp::create(builder, getLoc(), beyond, wrapped, sum);
}

void LoopPipeliner::createCopy(StagedBuffer &buffer, Value iv, int64_t ahead,
                               Value slot) {
  OpBuilder::InsertionGuard guard(builder);
  Location loc = buffer.copy.getLoc();
  Value position = iv;
  if (ahead) {
    Value distance =
        arith::MulIOp::create(builder, loc, loop.getStep(), createIndex(ahead));
    position = arith::AddIOp::create(builder, loc, iv, distance);
  }
  // The group closes even if it is empty: waits count groups.
  auto commit = AsyncCommitOp::create(builder, loc);
  builder.setInsertionPoint(commit);
  bool isThisIteration = iv == loop.getInductionVar() && ahead == 0;
  if (!isThisIteration) {
    Value exists =
        arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, position,
                              loop.getUpperBound());
    auto branch = scf::IfOp::create(builder, loc, exists, false);
    builder.setInsertionPoint(branch.thenBlock()->getTerminator());
  }
  IRMapping mapping;
  mapping.map(loop.getInductionVar(), position);
  for (Operation *op : buffer.address)
    builder.clone(*op, mapping);
  Value dest = buffer.alloc.getBuffer();
  if (slot)
    dest = SlotOp::create(builder, loc, dest, slot);
  AsyncCopyOp::create(builder, loc,
                      mapping.lookupOrDefault(buffer.copy.getSource()), dest);
}

void LoopPipeliner::createPrologue() {
  // A wait right before the loop, for the queries, moves behind these copies:
  // all are under way while the block waits.
  auto [wait, barrier] = findWaitBefore();
  builder.setInsertionPoint(loop);
  int64_t count = buffers.size(), groups = 0;
  for (int64_t event = -count * stages; event < 0; ++event) {
    int64_t position = ((event % count) + count) % count;
    int64_t iteration = (event - position) / count;
    int64_t which = position == 0 ? count - 1 : position - 1;
    int64_t tile = iteration + (position == 0 ? stages - 1 : stages);
    if (tile < 0)
      continue;
    createCopy(buffers[which], loop.getLowerBound(), tile,
               ring ? createIndex(tile % stages) : Value());
    ++groups;
  }
  if (wait) {
    wait->moveBefore(loop);
    barrier->moveBefore(loop);
    wait.setPending(wait.getPending() + groups);
  }
}

std::pair<AsyncWaitOp, gpu::BarrierOp> LoopPipeliner::findWaitBefore() {
  Operation *op = loop->getPrevNode();
  while (op && isMemoryEffectFree(op) && op->getNumRegions() == 0)
    op = op->getPrevNode();
  auto barrier = dyn_cast_or_null<gpu::BarrierOp>(op);
  auto wait = barrier ? dyn_cast_or_null<AsyncWaitOp>(barrier->getPrevNode())
                      : AsyncWaitOp();
  return {wait, wait ? barrier : gpu::BarrierOp()};
}

void LoopPipeliner::createEvents() {
  int64_t count = buffers.size();
  for (auto [i, buffer] : llvm::enumerate(buffers)) {
    builder.setInsertionPoint(buffer.copy);
    AsyncWaitOp::create(builder, getLoc(), count * stages - 2);
    gpu::BarrierOp::create(builder, getLoc());
    bool first = i == 0;
    StagedBuffer &freed = buffers[first ? count - 1 : i - 1];
    int64_t ahead = first ? stages - 1 : stages;
    createCopy(freed, loop.getInductionVar(), ahead,
               ring ? createRingIndex(ring, ahead) : Value());
    if (ring) {
      Value slot =
          SlotOp::create(builder, getLoc(), buffer.alloc.getBuffer(), ring);
      for (OpOperand &use :
           llvm::make_early_inc_range(buffer.alloc.getBuffer().getUses()))
        if (isa<DotOp, LocalLoadOp>(use.getOwner()))
          use.set(slot);
    }
  }
  for (StagedBuffer &buffer : buffers) {
    buffer.before.erase();
    buffer.copy.erase();
    buffer.commit.erase();
    buffer.wait.erase();
    buffer.after.erase();
  }
}

LogicalResult LoopPipeliner::run() {
  if (failed(collect()))
    return failure();
  addRing();
  createPrologue();
  createEvents();
  return success();
}

namespace {
struct PipelinePass : diffattn::tile::impl::PipelinePassBase<PipelinePass> {
  void runOnOperation() override {
    auto stages = getOperation()->getAttrOfType<IntegerAttr>(attr::stages);
    if (!stages)
      return;
    SmallVector<scf::ForOp> loops;
    getOperation().walk([&](scf::ForOp loop) { loops.push_back(loop); });
    for (scf::ForOp loop : loops)
      (void)LoopPipeliner(loop, stages.getInt()).run();
  }
};
} // namespace
