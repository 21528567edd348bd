//===- AMXContraction.cpp - Products of bf16 pairs in matrix tiles --------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// C[row, lane] += sum over pairs k of A[row, k, 2] * B[k, lane, 2], operands as
// diffattn-cpu-pack-pairs lays them out; B may be a sum of two. One instruction
// multiplies a tile of A (16 rows x 16 pairs) by a tile of B (16 pairs x 16
// lanes) and adds to a tile of C (16 x 16 in f32).
//
// A block of 2 x 2 tiles of C, 2 of A and 2 of B fill the 8 tile registers:
// each tile loaded feeds two products, so 16-cycle products hide 8-cycle loads.
// The reduction is unrolled (its length is that of one tile of keys or one
// head): tile values then never meet a loop, and all shapes are constants,
// which is what LLVM needs to configure the tiles once.
//
// As in Contraction.cpp a block starts from zero and is added to C at its end,
// so that rounding errors grow with the length of one tile and not with the
// whole sequence. Two ops right before that touch all of C are taken into that
// last step and save a pass over C each: a fill with zeros (C is overwritten),
// and a product with a factor per lane, as the rescaling of the online softmax.
//
//===----------------------------------------------------------------------===//

#include "VectorLoops.h"

#include "mlir/Dialect/AMX/AMXDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace mlir::diffattn;

/// Rows and lanes of a tile, and pairs of a step of the reduction.
static constexpr int64_t tileSide = 16;

namespace {
/// A buffer that ends in contiguous elements of a tile's rows.
struct TileOperand {
  Value source;
  /// Loop dimensions that index `source` before its last dimension.
  SmallVector<unsigned> dims;
  /// The one of them that counts a tile's rows, and its stride in elements.
  unsigned row = 0;
  int64_t stride = 0;
};

struct TileContraction {
  linalg::LinalgOp op;
  TileOperand a, c;
  /// One, or two to be added.
  SmallVector<TileOperand> b;
  unsigned rowDim = 0, pairDim = 0;
  int64_t numRows = 0, numLanes = 1, numPairs = 0;
  SmallVector<unsigned> outerDims;
};
} // namespace

/// True for `out + ext(in0) * (ext(in1) [+ ext(in2)])` on bf16 inputs.
static bool isPairProduct(linalg::LinalgOp op) {
  if (op.getNumDpsInits() != 1 || !op.hasPureBufferSemantics())
    return false;
  unsigned numInputs = op.getNumDpsInputs();
  Block *body = op.getBlock();
  auto isExtended = [&](Value value, unsigned input) {
    auto extension = value.getDefiningOp<arith::ExtFOp>();
    return extension && extension.getIn() == body->getArgument(input) &&
           extension.getIn().getType().isBF16() && extension.getType().isF32();
  };
  if (numInputs != 2 && numInputs != 3)
    return false;
  auto sum =
      body->getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  if (!sum || sum.getLhs() != body->getArgument(numInputs))
    return false;
  auto product = sum.getRhs().getDefiningOp<arith::MulFOp>();
  if (!product || !isExtended(product.getLhs(), 0))
    return false;
  if (numInputs == 2)
    return isExtended(product.getRhs(), 1);
  auto parts = product.getRhs().getDefiningOp<arith::AddFOp>();
  return parts && isExtended(parts.getLhs(), 1) &&
         isExtended(parts.getRhs(), 2);
}

static SmallVector<unsigned> getDims(AffineMap map) {
  SmallVector<unsigned> dims;
  for (AffineExpr expr : map.getResults())
    dims.push_back(cast<AffineDimExpr>(expr).getPosition());
  return dims;
}

/// `source`, indexed by `dims`, with its last `count` dimensions collapsed to
/// the elements of tile rows that `row` counts. Fails where they are not static
/// and contiguous.
static FailureOr<TileOperand> getTileOperand(OpBuilder &b, Location loc,
                                             Value source,
                                             ArrayRef<unsigned> dims,
                                             unsigned count, unsigned row) {
  auto type = cast<MemRefType>(source.getType());
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(type.getStridesAndOffset(strides, offset)) ||
      !type.areTrailingDimsContiguous(count) ||
      llvm::any_of(type.getShape().take_back(count), ShapedType::isDynamic))
    return failure();
  TileOperand operand;
  operand.dims.assign(dims.begin(), dims.end() - count);
  operand.row = row;
  operand.stride = strides[llvm::find(dims, row) - dims.begin()];
  if (ShapedType::isDynamic(operand.stride))
    return failure();
  SmallVector<ReassociationIndices> groups;
  int64_t kept = operand.dims.size();
  for (int64_t i = 0; i < kept; ++i)
    groups.push_back({i});
  groups.push_back(llvm::to_vector<2>(llvm::seq<int64_t>(kept, dims.size())));
  operand.source = memref::CollapseShapeOp::create(b, loc, source, groups);
  return operand;
}

/// Reads the roles of dimensions off the maps: A is (..., row, pair, 2), B is
/// (..., pair, lanes..., 2) and C is (..., row, lanes...), A up to dimensions
/// of size 1.
static FailureOr<TileContraction> matchContraction(linalg::LinalgOp op,
                                                   OpBuilder &b) {
  if (!isPairProduct(op))
    return failure();
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  if (!llvm::all_of(maps,
                    [](AffineMap map) { return map.isProjectedPermutation(); }))
    return failure();
  SmallVector<unsigned> aDims = getDims(maps.front()), bDims = getDims(maps[1]),
                        cDims = getDims(maps.back());
  SmallVector<int64_t> sizes = op.getStaticLoopRanges();
  if (aDims.size() < 3 || maps[1] != maps[maps.size() - 2])
    return failure();
  TileContraction t;
  t.op = op;
  unsigned inner = aDims.back();
  t.pairDim = aDims[aDims.size() - 2];
  auto row = llvm::find_if(llvm::drop_begin(llvm::reverse(aDims), 2),
                           [&](unsigned dim) { return sizes[dim] != 1; });
  if (row == llvm::reverse(aDims).end() || sizes[inner] != 2)
    return failure();
  t.rowDim = *row;
  auto rowInC = llvm::find(cDims, t.rowDim),
       pairInB = llvm::find(bDims, t.pairDim);
  if (rowInC == cDims.end() || pairInB == bDims.end())
    return failure();
  SmallVector<unsigned> lanes(rowInC + 1, cDims.end());
  SmallVector<unsigned> bTail(pairInB + 1, bDims.end());
  if (lanes.empty() || bTail.pop_back_val() != inner || bTail != lanes)
    return failure();

  t.numRows = sizes[t.rowDim];
  t.numPairs = sizes[t.pairDim];
  for (unsigned dim = 0; dim < sizes.size(); ++dim) {
    if (ShapedType::isDynamic(sizes[dim]))
      return failure();
    if (llvm::is_contained(lanes, dim)) {
      t.numLanes *= sizes[dim];
    } else if (dim != t.rowDim && dim != t.pairDim && dim != inner) {
      t.outerDims.push_back(dim);
      if (op.getIteratorTypesArray()[dim] != utils::IteratorType::parallel)
        return failure();
    }
  }
  if (t.numRows % tileSide != 0 || t.numPairs % tileSide != 0 ||
      t.numLanes % tileSide != 0)
    return failure();

  Location loc = op.getLoc();
  unsigned numInputs = op.getNumDpsInputs();
  auto a = getTileOperand(b, loc, op->getOperand(0), aDims, 2, t.rowDim);
  auto c = getTileOperand(b, loc, op->getOperand(numInputs), cDims,
                          lanes.size(), t.rowDim);
  if (failed(a) || failed(c))
    return failure();
  t.a = *a;
  t.c = *c;
  for (unsigned i = 1; i < numInputs; ++i) {
    auto part = getTileOperand(b, loc, op->getOperand(i), bDims,
                               lanes.size() + 1, t.pairDim);
    if (failed(part))
      return failure();
    t.b.push_back(*part);
  }
  return t;
}

static bool isAllocation(Value buffer) {
  return buffer.getDefiningOp<memref::AllocaOp>() ||
         buffer.getDefiningOp<memref::AllocOp>();
}

/// The op right before `op` that writes all of C, or null. In between nothing
/// touches memory, or, where `pastFills`, only fills of other allocations do.
static linalg::LinalgOp getWriterBefore(linalg::LinalgOp op, bool pastFills) {
  Value out = op.getDpsInits()[0];
  for (Operation *before = op->getPrevNode(); before;
       before = before->getPrevNode()) {
    auto linalgOp = dyn_cast<linalg::LinalgOp>(before);
    if (linalgOp && linalgOp.getNumDpsInits() == 1 &&
        linalgOp.getDpsInits()[0] == out)
      return linalgOp;
    auto fill = dyn_cast<linalg::FillOp>(before);
    bool apart = pastFills && fill && isAllocation(fill.getOutputs()[0]) &&
                 isAllocation(out);
    if (!apart && !isa<memref::AllocaOp>(before) && !isMemoryEffectFree(before))
      return {};
  }
  return {};
}

static bool isZeroFill(linalg::LinalgOp op) {
  auto fill = dyn_cast<linalg::FillOp>(op.getOperation());
  return fill && matchPattern(fill.getInputs()[0], m_AnyZeroFloat());
}

/// The factors of `op`, if it multiplies C in its place by a factor per lane.
static FailureOr<TileOperand> getLaneFactors(linalg::LinalgOp op,
                                             TileContraction &t, OpBuilder &b) {
  if (!isa<linalg::GenericOp>(op) || op.getNumDpsInputs() != 1 ||
      op.getNumLoops() != op.getNumParallelLoops() ||
      !llvm::hasNItems(*op.getBlock(), 2))
    return failure();
  Block *body = op.getBlock();
  auto product =
      body->getTerminator()->getOperand(0).getDefiningOp<arith::MulFOp>();
  if (!product || product.getLhs() == product.getRhs() ||
      !isa<BlockArgument>(product.getLhs()) ||
      !isa<BlockArgument>(product.getRhs()))
    return failure();
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  if (!maps[0].isProjectedPermutation() || !maps[1].isPermutation())
    return failure();
  // Its dimensions, named as the contraction's.
  SmallVector<unsigned> cDims = getDims(t.op.getIndexingMapsArray().back()),
                        dims;
  for (unsigned dim : getDims(maps[0]))
    dims.push_back(cDims[*maps[1].getResultPosition(
        getAffineDimExpr(dim, b.getContext()))]);
  unsigned numLanes = cDims.size() - t.c.dims.size();
  if (dims.size() < numLanes || llvm::is_contained(dims, t.rowDim) ||
      ArrayRef(dims).take_back(numLanes) != ArrayRef(cDims).take_back(numLanes))
    return failure();
  return getTileOperand(b, op.getLoc(), op->getOperand(0), dims, numLanes,
                        dims.front());
}

namespace {
/// Emits the loops over blocks and one block.
class TileEmitter {
public:
  /// `factors`: by what C is to be multiplied, lane by lane, if by anything.
  TileEmitter(TileContraction &t, bool overwrite,
              std::optional<TileOperand> factors)
      : t(t), loc(t.op.getLoc()), overwrite(overwrite), factors(factors),
        blockRows(t.numRows % (2 * tileSide) == 0 ? 2 : 1),
        blockLanes(t.numLanes % (2 * tileSide) == 0 ? 2 : 1) {}

  void run(OpBuilder &b) {
    if (!overwrite)
      allocateScratch(b);
    SmallVector<OpFoldResult> sizes;
    for (int64_t size : t.op.getStaticLoopRanges())
      sizes.push_back(b.getIndexAttr(size));
    SmallVector<Value> ivs(sizes.size());
    buildLoops(b, loc, sizes, t.outerDims, ivs, [&](OpBuilder &b) {
      // Lanes outside: the tiles of B of one block stay in the L1 cache while
      // all rows pass.
      auto lanes =
          scf::ForOp::create(b, loc, constant(b, 0), constant(b, t.numLanes),
                             constant(b, blockLanes * tileSide));
      b.setInsertionPoint(lanes.getBody()->getTerminator());
      auto rows =
          scf::ForOp::create(b, loc, constant(b, 0), constant(b, t.numRows),
                             constant(b, blockRows * tileSide));
      b.setInsertionPoint(rows.getBody()->getTerminator());
      emitBlock(b, ivs, rows.getInductionVar(), lanes.getInductionVar());
      b.setInsertionPointAfter(lanes);
    });
  }

private:
  Value constant(OpBuilder &b, int64_t value) {
    return arith::ConstantIndexOp::create(b, loc, value);
  }
  Value offset(OpBuilder &b, Value base, int64_t by) {
    if (by == 0)
      return base;
    return arith::AddIOp::create(b, loc, base, constant(b, by));
  }
  SmallVector<Value> getIndices(const TileOperand &operand, ArrayRef<Value> ivs,
                                Value row, Value column) {
    SmallVector<Value> indices;
    for (unsigned dim : operand.dims)
      indices.push_back(dim == operand.row ? row : ivs[dim]);
    indices.push_back(column);
    return indices;
  }
  Value loadTile(OpBuilder &b, const TileOperand &operand, ArrayRef<Value> ivs,
                 Value row, Value column) {
    auto type = amx::TileType::get({tileSide, 2 * tileSide}, b.getBF16Type());
    return amx::TileLoadOp::create(b, loc, type, operand.source,
                                   getIndices(operand, ivs, row, column),
                                   constant(b, operand.stride));
  }

  /// Memory for one block, where the other scratch of a grid point is.
  void allocateScratch(OpBuilder &b) {
    OpBuilder::InsertionGuard guard(b);
    if (auto forall = t.op->getParentOfType<scf::ForallOp>())
      b.setInsertionPointToStart(forall.getBody());
    else
      b.setInsertionPointToStart(
          &t.op->getParentOfType<func::FuncOp>().getBody().front());
    constexpr int64_t cacheLine = 64;
    auto type = MemRefType::get({blockRows * tileSide, blockLanes * tileSide},
                                b.getF32Type());
    scratch =
        memref::AllocaOp::create(b, loc, type, b.getI64IntegerAttr(cacheLine));
  }

  void emitBlock(OpBuilder &b, ArrayRef<Value> ivs, Value row, Value lane) {
    auto sumType = amx::TileType::get({tileSide, tileSide}, b.getF32Type());
    SmallVector<Value> sums;
    for (int64_t i = 0; i < blockRows * blockLanes; ++i)
      sums.push_back(amx::TileZeroOp::create(b, loc, sumType));
    for (int64_t pair = 0; pair < t.numPairs; pair += tileSide) {
      SmallVector<Value> a;
      for (int64_t i = 0; i < blockRows; ++i)
        a.push_back(loadTile(b, t.a, ivs, offset(b, row, i * tileSide),
                             constant(b, 2 * pair)));
      for (const TileOperand &part : t.b)
        for (int64_t j = 0; j < blockLanes; ++j) {
          Value column = offset(b, lane, j * tileSide);
          column = arith::MulIOp::create(b, loc, column, constant(b, 2));
          Value factor = loadTile(b, part, ivs, constant(b, pair), column);
          for (int64_t i = 0; i < blockRows; ++i) {
            Value &sum = sums[i * blockLanes + j];
            sum = amx::TileMulFOp::create(b, loc, sumType, a[i], factor, sum);
          }
        }
    }
    for (int64_t i = 0; i < blockRows; ++i)
      for (int64_t j = 0; j < blockLanes; ++j) {
        Value sum = sums[i * blockLanes + j];
        if (overwrite)
          amx::TileStoreOp::create(b, loc, t.c.source,
                                   getIndices(t.c, ivs,
                                              offset(b, row, i * tileSide),
                                              offset(b, lane, j * tileSide)),
                                   sum, constant(b, t.c.stride));
        else
          amx::TileStoreOp::create(
              b, loc, scratch,
              ValueRange{constant(b, i * tileSide), constant(b, j * tileSide)},
              sum);
      }
    if (!overwrite)
      addScratch(b, ivs, row, lane);
  }

  /// Adds the block in scratch to its place in C, C multiplied by the factors.
  void addScratch(OpBuilder &b, ArrayRef<Value> ivs, Value row, Value lane) {
    auto type = VectorType::get({tileSide}, b.getF32Type());
    SmallVector<Value> columns, scales;
    for (int64_t j = 0; j < blockLanes; ++j) {
      columns.push_back(offset(b, lane, j * tileSide));
      if (factors)
        scales.push_back(vector::LoadOp::create(
            b, loc, type, factors->source,
            getIndices(*factors, ivs, ivs[factors->row], columns[j])));
    }
    auto loop =
        scf::ForOp::create(b, loc, constant(b, 0),
                           constant(b, blockRows * tileSide), constant(b, 1));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(loop.getBody()->getTerminator());
    Value i = loop.getInductionVar();
    Value target = arith::AddIOp::create(b, loc, row, i);
    for (int64_t j = 0; j < blockLanes; ++j) {
      SmallVector<Value> at = getIndices(t.c, ivs, target, columns[j]);
      Value before = vector::LoadOp::create(b, loc, type, t.c.source, at);
      Value sum = vector::LoadOp::create(
          b, loc, type, scratch, ValueRange{i, constant(b, j * tileSide)});
      Value after;
      if (factors)
        after = vector::FMAOp::create(b, loc, before, scales[j], sum);
      else
        after = arith::AddFOp::create(b, loc, before, sum);
      vector::StoreOp::create(b, loc, after, t.c.source, at);
    }
  }

  TileContraction &t;
  Location loc;
  bool overwrite;
  std::optional<TileOperand> factors;
  /// Tiles of C in a block.
  int64_t blockRows, blockLanes;
  Value scratch;
};
} // namespace

LogicalResult mlir::diffattn::lowerPairContraction(linalg::LinalgOp op,
                                                   const CPUTarget &target,
                                                   RewriterBase &rewriter) {
  if (!target.hasAMXBF16)
    return failure();
  FailureOr<TileContraction> matched = matchContraction(op, rewriter);
  if (failed(matched))
    return failure();
  linalg::LinalgOp before = getWriterBefore(op, /*pastFills=*/true);
  bool overwrite = before && isZeroFill(before);
  std::optional<TileOperand> factors;
  if (!overwrite && (before = getWriterBefore(op, /*pastFills=*/false))) {
    FailureOr<TileOperand> found = getLaneFactors(before, *matched, rewriter);
    if (succeeded(found))
      factors = *found;
  }
  TileEmitter(*matched, overwrite, factors).run(rewriter);
  if (overwrite || factors)
    rewriter.eraseOp(before);
  rewriter.eraseOp(op);
  return success();
}

/// Linux saves tile registers only for processes that asked it to, once, before
/// the first tile instruction: arch_prctl(ARCH_REQ_XCOMP_PERM, XTILEDATA).
/// Asking again changes nothing, so a function with tiles asks at its entry,
/// which needs no initialiser to have run and costs a tenth of a microsecond.
void mlir::diffattn::requestTilePermission(func::FuncOp func) {
  bool usesTiles =
      func.walk([](amx::TileMulFOp) { return WalkResult::interrupt(); })
          .wasInterrupted();
  if (!usesTiles)
    return;
  OpBuilder b = OpBuilder::atBlockBegin(&func.getBody().front());
  Location loc = func.getLoc();
  constexpr int64_t archPrctl = 158, requestPermission = 0x1023, tileData = 18;
  auto integer = [&](int64_t value) -> Value {
    return LLVM::ConstantOp::create(b, loc, b.getI64Type(),
                                    b.getI64IntegerAttr(value));
  };
  LLVM::InlineAsmOp::create(
      b, loc, b.getI64Type(),
      ValueRange{integer(archPrctl), integer(requestPermission),
                 integer(tileData)},
      "syscall", "={ax},{ax},{di},{si},~{rcx},~{r11},~{memory}",
      /*has_side_effects=*/true, /*is_align_stack=*/false,
      LLVM::TailCallKind::None,
      LLVM::AsmDialectAttr::get(b.getContext(), LLVM::AsmDialect::AD_ATT),
      /*operand_attrs=*/ArrayAttr());
}
