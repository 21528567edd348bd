//===- Teams.cpp - What the warps of a team do together -------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A product is the team's: it begins when the last warp has come, and from then
// on all know that the others came so far. What it reads, it reads until a
// `dot_wait`; only who knows of that one may write there.
//
//===----------------------------------------------------------------------===//

#include "Machine.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::diffattn;
using namespace mlir::diffattn::reference;

//===----------------------------------------------------------------------===//
// Meetings
//===----------------------------------------------------------------------===//

FailureOr<bool> Machine::comeToTeam(Operation *op) {
  if (!current->isInRole && numWarps != tile::teamWarps)
    return fail(op, "is for a team, expected in a role or a block of " +
                        Twine(tile::teamWarps) + " warps");
  current->status = Worker::Status::AtTeam;
  current->waitsAt = op;
  for (Worker &member : getTeam()) {
    if (member.status == Worker::Status::Done)
      return fail(op, "waits forever: warp " + Twine(member.number) +
                          " of the team has ended");
    if (member.status != Worker::Status::AtTeam)
      return false;
    if (member.waitsAt != op)
      return fail(op, "is where warp " + Twine(member.number) +
                          " of the team is not: it is at " +
                          describe(member.waitsAt));
  }
  return true;
}

void Machine::letTeamGo(Clock known) {
  for (Worker &member : getTeam())
    SharedMemory::join(known, memory->release(member.number));
  for (Worker &member : getTeam()) {
    memory->acquire(member.number, known);
    member.status = Worker::Status::Running;
  }
}

LogicalResult Machine::meetTeam(Operation *op,
                                llvm::function_ref<LogicalResult()> together) {
  FailureOr<bool> isComplete = comeToTeam(op);
  if (failed(isComplete))
    return failure();
  if (!*isComplete)
    return success();
  if (failed(together()))
    return failure();
  letTeamGo({});
  return success();
}

//===----------------------------------------------------------------------===//
// Turns
//===----------------------------------------------------------------------===//

/// The team of the current warp takes its turn, if it has been passed.
static void takeTurn(Machine &machine) {
  Turn &turn = machine.getTurn(machine.getTeamNumber());
  if (llvm::popcount(turn.passedBy) != tile::teamWarps)
    return;
  machine.letTeamGo(std::move(turn.passed));
  turn = Turn();
  for (auto [i, member] : llvm::enumerate(machine.getTeam()))
    turn.taken[i] = machine.shared().now(member.number).time + 1;
}

static LogicalResult executeTakeTurn(Machine &machine, tile::TakeTurnOp op) {
  FailureOr<bool> isComplete = machine.comeToTeam(op);
  if (succeeded(isComplete) && *isComplete)
    takeTurn(machine);
  return failure(failed(isComplete));
}

/// The next team of the role.
static unsigned getNextTeam(Machine &machine, Operation *op) {
  Region *region = op->getParentRegion();
  while (!isa<tile::RolesOp>(region->getParentOp()))
    region = region->getParentRegion();
  ArrayRef<int64_t> teams =
      cast<tile::RolesOp>(region->getParentOp()).getWarpgroups();
  unsigned first = 0, role = region->getRegionNumber();
  for (int64_t count : teams.take_front(role))
    first += count;
  return first + (machine.getTeamNumber() - first + 1) % teams[role];
}

static LogicalResult executePassTurn(Machine &machine, tile::PassTurnOp op) {
  unsigned next = getNextTeam(machine, op), warp = machine.worker().number,
           bit = 1u << machine.getRank();
  Turn &turn = machine.getTurn(next);
  SharedMemory &shared = machine.shared();
  for (int64_t i = 0; i < tile::teamWarps; ++i)
    if ((turn.passedBy & bit) ||
        (turn.taken[i] &&
         !shared.knows(warp, next * tile::teamWarps + i, turn.taken[i] - 1)))
      return machine.fail(op, "may come before team " + Twine(next) +
                                  " has taken the turn before");
  turn.passedBy |= bit;
  SharedMemory::join(turn.passed, shared.release(warp));
  machine.setCurrent(next * tile::teamWarps);
  if (llvm::all_of(machine.getTeam(), [](const Worker &member) {
        return member.status == Worker::Status::AtTeam &&
               isa<tile::TakeTurnOp>(member.waitsAt);
      }))
    takeTurn(machine);
  return success();
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// A tensor of which each warp of the team has computed its own elements.
static Tensor gather(Machine &machine, Value value) {
  Tensor first = machine.getTensor(value);
  MutableArrayRef<Worker> team = machine.getTeam();
  auto getPart = [&](Worker &member) -> const Tensor & {
    return std::get<Tensor>(member.env.find(value)->second);
  };
  if (llvm::all_of(team, [&](Worker &member) {
        return getPart(member).data() == first.data();
      }))
    return first;
  ArrayRef<uint32_t> holders =
      machine.getHolders(cast<RankedTensorType>(value.getType()));
  Slot *out = first.mutableData();
  for (int64_t i = 0; i < first.getNumElements(); ++i)
    out[i] = getPart(team[llvm::countr_zero(holders[i])]).data()[i];
  return first;
}

/// What the matrix unit reads for the product `number`, or why that is
/// undefined. A product that is never used may read anything.
static std::variant<Tensor, Poison> readOperand(Machine &machine, Operation *op,
                                                Value value, uint32_t number) {
  if (!isa<tile::BufferType>(value.getType()))
    return gather(machine, value);
  const SharedBuffer &buffer = getBuffer(machine, value);
  SmallVector<unsigned> warps;
  for (Worker &member : machine.getTeam()) {
    warps.push_back(member.number);
    const auto &other = std::get<SharedBuffer>(member.env.find(value)->second);
    if (other.address != buffer.address)
      return Poison{"a product of different slots in the warps of a team"};
  }
  SharedMemory &shared = machine.shared();
  unsigned unit = shared.getMatrixUnit(machine.getTeamNumber());
  std::string why;
  FailureOr<Tensor> result = readElements(
      machine, buffer, SmallVector<int64_t>(buffer.type.getRank(), 0),
      buffer.type.getShape(),
      [&](int64_t address, MutableArrayRef<char> bytes) {
        return shared.readAsync(warps, unit, number, address, bytes,
                                buffer.identity);
      },
      why);
  if (succeeded(result))
    return *result;
  return Poison{"the result of " + describe(op) + ", which " + why};
}

/// The next product of the team, of `op`, a `dot` or `dot_async`.
template <typename DotOp>
static PendingProduct startProduct(Machine &machine, DotOp op,
                                   ArrayRef<int64_t> shape) {
  uint32_t number = machine.numProducts(machine.getTeamNumber())++;
  PendingProduct product = {number,
                            readOperand(machine, op, op.getLhs(), number)};
  auto *lhs = std::get_if<Tensor>(&product.result);
  if (!lhs)
    return product;
  auto rhs = readOperand(machine, op, op.getRhs(), number);
  if (auto *poison = std::get_if<Poison>(&rhs))
    return {number, *poison};
  Tensor acc =
      op.getAcc() ? gather(machine, op.getAcc()) : Tensor::splat(shape, 0.0);
  return {number,
          multiply(*lhs, std::get<Tensor>(rhs), acc, op.getTransposed())};
}

static RuntimeValue getResult(const PendingProduct &product) {
  return std::visit([](const auto &result) { return RuntimeValue(result); },
                    product.result);
}

static LogicalResult executeDotAsync(Machine &machine, tile::DotAsyncOp op) {
  return machine.meetTeam(op, [&] {
    PendingProduct product = startProduct(
        machine, op, op.getResult().getType().getTensor().getShape());
    for (Worker &member : machine.getTeam())
      member.env[op.getResult()] = product;
    return success();
  });
}

/// Of buffers, before it becomes asynchronous: the team's, too.
static LogicalResult executeTeamDot(Machine &machine, tile::DotOp op) {
  return machine.meetTeam(op, [&] {
    PendingProduct product =
        startProduct(machine, op, op.getResult().getType().getShape());
    SharedMemory &shared = machine.shared();
    unsigned unit = shared.getMatrixUnit(machine.getTeamNumber());
    for (Worker &member : machine.getTeam()) {
      shared.learn(member.number, unit, product.number);
      member.env[op.getResult()] = getResult(product);
    }
    return success();
  });
}

static LogicalResult executeDotWait(Machine &machine, tile::DotWaitOp op) {
  const auto &product = std::get<PendingProduct>(machine.get(op.getSource()));
  unsigned team = machine.getTeamNumber();
  int64_t later = machine.numProducts(team) - product.number - 1,
          count = op.getCount();
  if (later < count)
    return machine.fail(
        op, "leaves its own product under way: " + Twine(later) +
                " were started after it, and " + Twine(count) + " may go on");
  SharedMemory &shared = machine.shared();
  // Products end in the order of their start.
  shared.learn(machine.worker().number, shared.getMatrixUnit(team),
               machine.numProducts(team) - count - 1);
  machine.set(op.getResult(), getResult(product));
  return success();
}

//===----------------------------------------------------------------------===//
// Values of a warp
//===----------------------------------------------------------------------===//

/// Looks at what this warp holds; at everything as long as that is unknown.
static LogicalResult executeWarpAny(Machine &machine, tile::WarpAnyOp op) {
  const Tensor &source = machine.getTensor(op.getSource());
  bool isKnown = static_cast<bool>(tile::getLayout(op.getSource()));
  uint32_t self = uint32_t(1) << machine.getRank();
  bool any = false;
  for (auto [i, holders] :
       llvm::enumerate(machine.getHolders(op.getSource().getType())))
    any |= (!isKnown || (holders & self)) && source.data()[i].i;
  machine.setInt(op.getResult(), any);
  return success();
}

MaybeResult reference::executeTeamOp(Machine &machine, Operation *op) {
  return llvm::TypeSwitch<Operation *, MaybeResult>(op)
      .Case([&](tile::TeamBarrierOp barrier) {
        return machine.meetTeam(barrier, [] { return success(); });
      })
      .Case(
          [&](tile::TakeTurnOp take) { return executeTakeTurn(machine, take); })
      .Case(
          [&](tile::PassTurnOp pass) { return executePassTurn(machine, pass); })
      .Case([&](tile::DotAsyncOp dot) { return executeDotAsync(machine, dot); })
      .Case([&](tile::DotOp dot) -> MaybeResult {
        if (!machine.worker().isInRole ||
            !isa<tile::BufferType>(dot.getRhs().getType()))
          return std::nullopt;
        return executeTeamDot(machine, dot);
      })
      .Case([&](tile::DotWaitOp wait) { return executeDotWait(machine, wait); })
      .Case([&](tile::WarpAnyOp any) { return executeWarpAny(machine, any); })
      .Case([&](tile::UniformOp uniform) {
        machine.set(uniform.getResult(),
                    RuntimeValue(machine.get(uniform.getSource())));
        return success();
      })
      .Default(std::nullopt);
}
