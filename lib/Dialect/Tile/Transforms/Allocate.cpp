//===- Allocate.cpp - Buffers in shared memory ----------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Dialect/Tile/IR/SharedAccess.h"
#include "diffattn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/Remarks.h"

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

/// Everything that refers to a buffer or to a slot of it, also as another
/// buffer if `reused`.
static void collectUsers(Value buffer, bool reused,
                         SmallVectorImpl<Operation *> &users) {
  for (Operation *user : buffer.getUsers()) {
    users.push_back(user);
    if (isa<SlotOp>(user) || (reused && isa<ReuseOp>(user)))
      collectUsers(user->getResult(0), reused, users);
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
    collectUsers(alloc.getBuffer(), /*reused=*/true, users);
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

//===----------------------------------------------------------------------===//
// Bank conflicts
//===----------------------------------------------------------------------===//

namespace {

/// The accesses to one buffer, counted for any layout of it.
class BankCheck {
public:
  explicit BankCheck(TypedValue<BufferType> buffer) : buffer(buffer) {
    collectUsers(buffer, /*reused=*/false, users);
  }
  /// Says how many conflicts there are. Fails if another swizzle has none.
  LogicalResult run();

private:
  BufferType getSlotType() { return buffer.getType().getSlotType(); }
  /// The accesses of a warp, as instructions, and their conflicts.
  struct Count {
    int64_t accesses = 0, conflicts = 0;
    /// The first op that has some.
    Operation *first = nullptr;
  };
  Count count(BufferType slot);
  /// A swizzle without conflicts, the nearest to that of the buffer.
  std::optional<int64_t> findSwizzle();

  TypedValue<BufferType> buffer;
  SmallVector<Operation *> users;
};

} // namespace

BankCheck::Count BankCheck::count(BufferType slot) {
  Count result;
  // Loops that were peeled hold the same loads.
  DenseMap<std::pair<Type, Attribute>, Count> known;
  for (Operation *op : users) {
    auto load = dyn_cast<LocalLoadOp>(op);
    Count *same =
        load ? &known[{load.getResult().getType(), load.getOffsetsAttr()}]
             : nullptr;
    Count found;
    if (same && same->accesses) {
      found = *same;
    } else if (std::optional<SharedAccess> access = getSharedAccess(op, slot)) {
      found = {access->count, countBankConflicts(*access), op};
      if (same)
        *same = found;
    }
    if (found.conflicts && !result.first)
      result.first = op;
    result.accesses += found.accesses;
    result.conflicts += found.conflicts;
  }
  return result;
}

std::optional<int64_t> BankCheck::findSwizzle() {
  BufferType slot = getSlotType();
  SharedAttr layout = slot.getLayout();
  SmallVector<int64_t> swizzles = {0, 32, 64, 128};
  llvm::stable_sort(swizzles, [&](int64_t a, int64_t b) {
    return std::abs(a - layout.getSwizzle()) <
           std::abs(b - layout.getSwizzle());
  });
  for (int64_t swizzle : swizzles) {
    auto other =
        SharedAttr::get(slot.getContext(), layout.getDigits(), swizzle);
    if (count(BufferType::get(slot.getContext(), 1, slot.getShape(),
                              slot.getElementType(), other))
            .conflicts == 0)
      return swizzle;
  }
  return std::nullopt;
}

LogicalResult BankCheck::run() {
  Count found = count(getSlotType());
  if (!found.accesses)
    return success();
  auto options =
      remark::RemarkOpts::name("banks").category("diffattn-tile-allocate");
  std::string type;
  llvm::raw_string_ostream(type) << buffer.getType();
  if (!found.conflicts) {
    remark::passed(buffer.getLoc(), options)
        << remark::add("no bank conflicts in {0} accesses of a warp to {1}",
                       found.accesses, type);
    return success();
  }
  std::optional<int64_t> swizzle = findSwizzle();
  if (!swizzle) {
    remark::missed(buffer.getLoc(), options)
        << remark::add("{0} bank conflicts in {1} accesses of a warp to {2}",
                       found.conflicts, found.accesses, type)
        << remark::reason("no swizzle of this layout is free of them");
    return success();
  }
  InFlightDiagnostic error = found.first->emitOpError("has bank conflicts: ");
  error << found.conflicts << " in " << found.accesses
        << " accesses of a warp to " << buffer.getType()
        << "; the nearest swizzle without any is " << *swizzle;
  error.attachNote(buffer.getLoc()) << "the buffer is allocated here";
  return failure();
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
    SmallVector<TypedValue<BufferType>> buffers;
    for (Lifetime &lifetime : placed)
      buffers.push_back(lifetime.alloc.getBuffer());
    kernel.walk([&](ReuseOp reuse) { buffers.push_back(reuse.getResult()); });
    for (TypedValue<BufferType> buffer : buffers)
      if (failed(BankCheck(buffer).run()))
        return signalPassFailure();
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
