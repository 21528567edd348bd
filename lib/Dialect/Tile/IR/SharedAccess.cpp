//===- SharedAccess.cpp - Which banks threads access ----------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Dialect/Tile/IR/SharedAccess.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "llvm/ADT/TypeSwitch.h"
#include <array>

using namespace mlir;
using namespace mlir::diffattn::tile;

static constexpr int64_t warpSize = 32, chunkBytes = 16;

//===----------------------------------------------------------------------===//
// Banks
//===----------------------------------------------------------------------===//

int64_t mlir::diffattn::tile::countBankConflicts(ArrayRef<int64_t> offsets,
                                                 int64_t bytes) {
  constexpr int64_t banks = 32, wordBytes = 4;
  int64_t group = std::min(warpSize, banks * wordBytes / bytes);
  int64_t conflicts = 0;
  while (!offsets.empty()) {
    SmallVector<int64_t, banks> words;
    for (int64_t offset : offsets.take_front(group))
      for (int64_t word = offset / wordBytes;
           word <= (offset + bytes - 1) / wordBytes; ++word)
        words.push_back(word);
    llvm::sort(words);
    words.erase(llvm::unique(words), words.end());
    std::array<int64_t, banks> wanted = {};
    for (int64_t word : words)
      ++wanted[word % banks];
    conflicts += *llvm::max_element(wanted) - 1;
    offsets = offsets.drop_front(std::min<size_t>(group, offsets.size()));
  }
  return conflicts;
}

int64_t mlir::diffattn::tile::countBankConflicts(const SharedAccess &access) {
  int64_t most = 0;
  SmallVector<int64_t, warpSize> offsets(access.lanes);
  for (int64_t first = 0; first < access.threads; first += warpSize) {
    int64_t conflicts = 0;
    for (int64_t i = 0; i < access.count; ++i) {
      for (int64_t lane = 0; lane < access.lanes; ++lane)
        offsets[lane] = access.getOffset(first + lane, i);
      conflicts += countBankConflicts(offsets, access.bytes);
    }
    most = std::max(most, conflicts);
  }
  return most;
}

int64_t mlir::diffattn::tile::countWavefronts(const SharedAccess &access) {
  int64_t groups = llvm::divideCeil(access.lanes * access.bytes, 128);
  return access.count * groups + countBankConflicts(access);
}

//===----------------------------------------------------------------------===//
// Loads and stores of registers
//===----------------------------------------------------------------------===//

bool mlir::diffattn::tile::isPacked(RankedTensorType type) {
  return isa<Float16Type, BFloat16Type>(type.getElementType()) &&
         getLayout(type).getNumRegisters() % 2 == 0;
}

/// `position` moved by `offsets`, as a place in `buffer`.
static int64_t getPlace(BufferType buffer, SmallVector<int64_t> position,
                        ArrayRef<int64_t> offsets) {
  for (auto [value, offset] : llvm::zip(position, offsets))
    value += offset;
  return buffer.getLayout().getByteOffset(position, buffer.getElementBytes());
}

/// Whether each pair of registers is an 8 x 8 matrix of ldmatrix, and whether
/// its pairs run across memory.
static bool matchMatrices(FragmentAttr layout, BufferType buffer,
                          bool &transposed) {
  auto pair = split(layout.getRegisters(), 2);
  auto lanes = split(layout.getLanes(), 4);
  if (!pair || !lanes || pair->first.size() != 1 || lanes->first.size() != 1 ||
      lanes->second.empty())
    return false;
  Digit inPair = pair->first.front(), along = lanes->first.front(),
        across = lanes->second.front();
  if (inPair.stride != 1 || along.dim != inPair.dim || along.stride != 2)
    return false;
  const Digit &inner = buffer.getLayout().getDigits().front();
  if (inner.stride != 1 || inner.extent % 8)
    return false;
  transposed = inner.dim != inPair.dim;
  return !transposed ||
         (across == Digit{inner.dim, 8, 1} && lanes->second.size() == 1);
}

std::optional<MatrixAccess> mlir::diffattn::tile::getMatrixAccess(
    RankedTensorType tensor, BufferType buffer, ArrayRef<int64_t> offsets) {
  FragmentAttr layout = getLayout(tensor);
  bool transposed;
  if (!isPacked(tensor) || !matchMatrices(layout, buffer, transposed))
    return std::nullopt;
  int64_t matrices = layout.getNumRegisters() / 2;
  int64_t perAccess = matrices % 4 == 0 ? 4 : matrices % 2 == 0 ? 2 : 1;
  int64_t pairDim = layout.getRegisters().front().dim;
  SharedAccess access = {layout.getNumWarps() * warpSize,
                         8 * perAccess,
                         matrices / perAccess,
                         chunkBytes,
                         {}};
  access.getOffset = [=, rank = tensor.getRank(),
                      offsets = SmallVector<int64_t>(offsets)](int64_t thread,
                                                               int64_t i) {
    int64_t lane = thread % warpSize, row = lane % 8;
    bool isOrigin = i == SharedAccess::origin;
    int64_t matrix = (isOrigin ? 0 : i * perAccess) + lane / 8 % perAccess;
    SmallVector<int64_t> position = layout.getCoordinates(
        2 * matrix, transposed ? 0 : 4 * row, thread / warpSize, rank);
    if (transposed)
      position[pairDim] += row;
    return getPlace(buffer, position, isOrigin ? ArrayRef<int64_t>() : offsets);
  };
  return MatrixAccess{access, transposed, perAccess};
}

/// Whether each `width` registers are neighbours in memory, the first one at a
/// multiple of their size.
static bool areRuns(FragmentAttr layout, BufferType buffer,
                    ArrayRef<int64_t> offsets, int64_t width) {
  ArrayRef<Digit> memory = buffer.getLayout().getDigits();
  auto registers = split(layout.getRegisters(), width);
  if (memory.empty() || memory.front().extent % width || !registers ||
      registers->first != Digits{{memory.front().dim, width, 1}})
    return false;
  int64_t dim = memory.front().dim;
  auto isAligned = [&](const Digit &digit) {
    return digit.dim != dim || digit.stride % width == 0;
  };
  return llvm::all_of(registers->second, isAligned) &&
         llvm::all_of(layout.getLanes(), isAligned) &&
         llvm::all_of(layout.getWarps(), isAligned) &&
         (offsets.empty() || offsets[dim] % width == 0);
}

std::optional<MatrixAccess>
mlir::diffattn::tile::getStoreMatrixAccess(LocalStoreOp store,
                                           BufferType buffer) {
  if (!store->getParentOfType<RolesOp>())
    return std::nullopt;
  RankedTensorType type = store.getValue().getType();
  auto access =
      getMatrixAccess(type, buffer, SmallVector<int64_t>(type.getRank(), 0));
  return access && !access->transposed ? access : std::nullopt;
}

SharedAccess mlir::diffattn::tile::getVectorAccess(RankedTensorType tensor,
                                                   BufferType buffer,
                                                   ArrayRef<int64_t> offsets) {
  FragmentAttr layout = getLayout(tensor);
  int64_t elementBytes = buffer.getElementBytes();
  auto getOffset = [=, rank = tensor.getRank(),
                    offsets = SmallVector<int64_t>(offsets)](int64_t thread,
                                                             int64_t reg) {
    bool isOrigin = reg == SharedAccess::origin;
    return getPlace(buffer,
                    layout.getCoordinates(isOrigin ? 0 : reg, thread % warpSize,
                                          thread / warpSize, rank),
                    isOrigin ? ArrayRef<int64_t>() : offsets);
  };
  // Smaller elements than a register are accessed one by one, or in pairs.
  int64_t width = 1;
  if (elementBytes >= 4 || isPacked(tensor))
    width = chunkBytes / elementBytes;
  while (width > 1 && !areRuns(layout, buffer, offsets, width))
    width /= 2;
  return {layout.getNumWarps() * warpSize, warpSize,
          layout.getNumRegisters() / width, width * elementBytes,
          [=](int64_t thread, int64_t i) {
            return getOffset(thread, i == SharedAccess::origin ? i : i * width);
          }};
}

SharedAccess mlir::diffattn::tile::getLoadAccess(RankedTensorType tensor,
                                                 BufferType buffer,
                                                 ArrayRef<int64_t> offsets) {
  if (auto matrices = getMatrixAccess(tensor, buffer, offsets))
    return *matrices;
  return getVectorAccess(tensor, buffer, offsets);
}

//===----------------------------------------------------------------------===//
// Copies and products
//===----------------------------------------------------------------------===//

/// Bytes of the elements of one slot.
static int64_t countBytes(BufferType buffer) {
  int64_t bytes = buffer.getElementBytes();
  for (int64_t size : buffer.getShape())
    bytes *= size;
  return bytes;
}

SharedAccess mlir::diffattn::tile::getCopyAccess(BufferType buffer,
                                                 int64_t warps,
                                                 bool elementwise) {
  int64_t bytes = elementwise ? buffer.getElementBytes() : chunkBytes,
          chunks = countBytes(buffer) / bytes;
  int64_t threads = std::min(warps * warpSize, chunks);
  return {threads, std::min(threads, warpSize), chunks / threads, bytes,
          [=, layout = buffer.getLayout()](int64_t thread, int64_t pass) {
            int64_t chunk = thread + threads * std::max<int64_t>(pass, 0);
            return layout.applySwizzle(bytes * chunk);
          }};
}

/// What the matrix unit reads by descriptor, eight rows of one chunk each at a
/// time. A row is a swizzle span.
static SharedAccess getDescriptorAccess(BufferType buffer) {
  SharedAttr layout = buffer.getLayout();
  int64_t span = std::max(layout.getSwizzle(), chunkBytes), rows = 8,
          chunksPerRow = span / chunkBytes;
  return {rows, rows, countBytes(buffer) / (rows * chunkBytes), chunkBytes,
          [=](int64_t row, int64_t i) {
            int64_t group = i / chunksPerRow, chunk = i % chunksPerRow;
            return layout.applySwizzle((group * rows + row) * span +
                                       chunk * chunkBytes);
          }};
}

std::optional<SharedAccess>
mlir::diffattn::tile::getSharedAccess(Operation *op, BufferType slot) {
  using Access = std::optional<SharedAccess>;
  return llvm::TypeSwitch<Operation *, Access>(op)
      .Case([&](LocalLoadOp load) -> Access {
        RankedTensorType type = load.getResult().getType();
        if (!getLayout(type))
          return std::nullopt;
        return getLoadAccess(type, slot, load.getOffsets());
      })
      .Case([&](LocalStoreOp store) -> Access {
        RankedTensorType type = store.getValue().getType();
        if (!getLayout(type))
          return std::nullopt;
        if (auto matrices = getStoreMatrixAccess(store, slot))
          return *matrices;
        return getVectorAccess(type, slot, {});
      })
      .Case([&](AsyncCopyOp copy) -> Access {
        auto kernel = copy->getParentOfType<gpu::GPUFuncOp>();
        auto warps = kernel ? kernel->getAttrOfType<IntegerAttr>(attr::warps)
                            : IntegerAttr();
        if (!warps)
          return std::nullopt;
        return getCopyAccess(slot, warps.getInt(),
                             kernel->hasAttr(attr::elementwise));
      })
      .Case([&](DotAsyncOp) -> Access { return getDescriptorAccess(slot); })
      .Default(std::nullopt);
}
