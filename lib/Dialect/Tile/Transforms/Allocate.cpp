//===- Allocate.cpp - Buffers in shared memory ----------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Dialect/Tile/IR/Tile.h"
#include "diffattn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace mlir::diffattn::tile {
#define GEN_PASS_DEF_ALLOCATEPASS
#include "diffattn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::diffattn::tile

using namespace mlir;
using namespace mlir::diffattn::tile;

namespace {

/// From the first to the last op of the kernel's body that touches a buffer
/// (nested ops count as the op of the body that holds them).
struct Lifetime {
  AllocOp alloc;
  Operation *first, *last;
};

/// The ops of a block in order, with a count of the barriers before each.
class BarrierCount {
public:
  explicit BarrierCount(Block &block) {
    for (Operation &op : block) {
      counts[&op] = barriers;
      barriers += isa<gpu::BarrierOp>(op);
    }
  }
  /// Whether all warps have passed `last` before one begins `first`.
  bool separates(Operation *last, Operation *first) const {
    return last->isBeforeInBlock(first) &&
           counts.lookup(last) < counts.lookup(first);
  }

private:
  DenseMap<Operation *, int64_t> counts;
  int64_t barriers = 0;
};

} // namespace

/// Everything that refers to a buffer or to a slot of it.
static void collectUsers(Value buffer, SmallVectorImpl<Operation *> &users) {
  for (Operation *user : buffer.getUsers()) {
    users.push_back(user);
    if (auto slot = dyn_cast<SlotOp>(user))
      collectUsers(slot.getResult(), users);
  }
}

static int64_t getBytes(const Lifetime &lifetime) {
  return AllocOp(lifetime.alloc).getBuffer().getType().getTotalBytes();
}

static SmallVector<Lifetime> getLifetimes(gpu::GPUFuncOp kernel) {
  SmallVector<Lifetime> lifetimes;
  Block &body = kernel.getBody().front();
  kernel.walk([&](AllocOp alloc) {
    SmallVector<Operation *> users;
    collectUsers(alloc.getBuffer(), users);
    Lifetime lifetime = {alloc, nullptr, nullptr};
    for (Operation *user : users) {
      user = body.findAncestorOpInBlock(*user);
      if (!lifetime.first || user->isBeforeInBlock(lifetime.first))
        lifetime.first = user;
      if (!lifetime.last || lifetime.last->isBeforeInBlock(user))
        lifetime.last = user;
    }
    if (lifetime.first)
      lifetimes.push_back(lifetime);
    else
      alloc.erase();
  });
  // Large buffers first: the small ones fill what is left.
  llvm::stable_sort(lifetimes, [](const Lifetime &a, const Lifetime &b) {
    return getBytes(a) > getBytes(b);
  });
  return lifetimes;
}

namespace {
struct AllocatePass : diffattn::tile::impl::AllocatePassBase<AllocatePass> {
  using AllocatePassBase::AllocatePassBase;

  void runOnOperation() override {
    gpu::GPUFuncOp kernel = getOperation();
    BarrierCount counts(kernel.getBody().front());
    SmallVector<Lifetime> placed;
    int64_t total = 0;
    for (Lifetime &lifetime : getLifetimes(kernel)) {
      int64_t offset = findOffset(lifetime, placed, counts);
      lifetime.alloc.setOffset(offset);
      placed.push_back(lifetime);
      total = std::max(total, offset + getBytes(lifetime));
    }
    // Barriers live as long as the kernel.
    kernel.walk([&](BarriersOp barriers) {
      barriers.setOffset(total);
      total += barriers.getBarriers().getType().getTotalBytes();
    });
    if (total > limit) {
      InFlightDiagnostic error = kernel.emitOpError("needs ")
                                 << total << " bytes of shared memory, but a "
                                 << "thread block has " << limit.getValue()
                                 << "; choose smaller tiles or fewer stages";
      for (Lifetime &lifetime : placed)
        error.attachNote(lifetime.alloc.getLoc())
            << getBytes(lifetime)
            << " bytes: " << lifetime.alloc.getBuffer().getType();
      return signalPassFailure();
    }
    kernel->setAttr(
        attr::sharedBytes,
        IntegerAttr::get(IntegerType::get(&getContext(), 64), total));
  }

private:
  /// The lowest offset at which `lifetime` meets no buffer alive with it.
  static int64_t findOffset(const Lifetime &lifetime, ArrayRef<Lifetime> placed,
                            const BarrierCount &barriers) {
    SmallVector<std::pair<int64_t, int64_t>> taken;
    for (const Lifetime &other : placed) {
      if (barriers.separates(other.last, lifetime.first) ||
          barriers.separates(lifetime.last, other.first))
        continue;
      int64_t offset = *AllocOp(other.alloc).getOffset();
      taken.emplace_back(offset, offset + getBytes(other));
    }
    llvm::sort(taken);
    int64_t offset = 0;
    for (auto [begin, end] : taken)
      if (offset + getBytes(lifetime) > begin)
        offset = std::max(offset, end);
    return offset;
  }
};
} // namespace
