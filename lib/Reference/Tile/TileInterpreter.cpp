//===- TileInterpreter.cpp - Adversarial runs of tile kernels -------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Reference/TileInterpreter.h"

#include "Machine.h"
#include "diffattn/Reference/Inputs.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "llvm/Support/MathExtras.h"
#include <numeric>

using namespace mlir;
using namespace mlir::diffattn;
using namespace mlir::diffattn::reference;

//===----------------------------------------------------------------------===//
// Kernels and their parameters
//===----------------------------------------------------------------------===//

llvm::Expected<gpu::GPUFuncOp> reference::findKernel(ModuleOp module,
                                                     StringRef name) {
  gpu::GPUFuncOp found;
  std::string names;
  bool isUnique = true;
  module.walk([&](gpu::GPUFuncOp kernel) {
    names += (names.empty() ? "'" : ", '") + kernel.getName().str() + "'";
    if (!name.empty() && kernel.getName() != name)
      return;
    isUnique &= !found;
    found = kernel;
  });
  if (!found || !isUnique)
    return llvm::createStringError(
        (name.empty() ? "expects one kernel" : "no kernel '" + name + "'") +
        ", the module has " + (names.empty() ? "none" : names));
  if (!found.getBody().hasOneBlock())
    return llvm::createStringError(
        "kernel '" + found.getName() +
        "' has several blocks, expected structured control flow (scf)");
  return found;
}

bool reference::isWritten(gpu::GPUFuncOp kernel, unsigned parameter) {
  if (auto access =
          kernel.getArgAttrOfType<StringAttr>(parameter, tile::attr::access))
    return access.getValue() == "write";
  // Written by hand: follow the views to a store.
  SmallVector<Value> views = {kernel.getArgument(parameter)};
  while (!views.empty())
    for (Operation *user : views.pop_back_val().getUsers()) {
      if (isa<tile::StoreOp, tile::TensorStoreOp>(user))
        return true;
      for (Value result : user->getResults())
        if (isa<MemRefType>(result.getType()))
          views.push_back(result);
    }
  return false;
}

/// What `diffattn_tile.map` says of a tensor map. Without `argument` the map
/// describes an argument of its own.
struct MapInfo {
  std::optional<unsigned> argument;
  SmallVector<int64_t> dims;
};

static llvm::Expected<MapInfo> getMapInfo(gpu::GPUFuncOp kernel,
                                          unsigned parameter) {
  auto type =
      cast<tile::TensorMapType>(kernel.getArgument(parameter).getType());
  int64_t rank = type.getBox().size();
  MapInfo info;
  llvm::append_range(info.dims, llvm::seq(rank));
  auto attr =
      kernel.getArgAttrOfType<DictionaryAttr>(parameter, tile::attr::map);
  if (!attr)
    return info;
  if (auto dims = attr.getAs<DenseI64ArrayAttr>("dims"))
    info.dims = llvm::to_vector(dims.asArrayRef());
  bool isLegal = isPermutationVector(info.dims) &&
                 info.dims.size() == type.getBox().size();
  if (auto argument = attr.getAs<IntegerAttr>("argument")) {
    info.argument = argument.getInt();
    auto memref =
        *info.argument < kernel.getNumArguments()
            ? dyn_cast<MemRefType>(kernel.getArgument(*info.argument).getType())
            : MemRefType();
    isLegal &= memref && memref.getRank() == rank &&
               memref.getElementType() == type.getElementType();
  }
  if (!isLegal)
    return llvm::createStringError("parameter " + Twine(parameter) +
                                   " of kernel '" + kernel.getName() +
                                   "' has a malformed " + tile::attr::map);
  return info;
}

bool reference::isImplicit(gpu::GPUFuncOp kernel, unsigned parameter) {
  auto map =
      kernel.getArgAttrOfType<DictionaryAttr>(parameter, tile::attr::map);
  return (map && map.contains("argument")) ||
         kernel.getArgAttr(parameter, tile::attr::counters);
}

/// The numbers of parameters that are read, or of those written in the order of
/// the results that they stand for.
static SmallVector<unsigned> getParameters(gpu::GPUFuncOp kernel,
                                           bool written) {
  SmallVector<unsigned> numbers;
  for (unsigned i = 0, e = kernel.getNumArguments(); i < e; ++i)
    if (!isImplicit(kernel, i) && isWritten(kernel, i) == written)
      numbers.push_back(i);
  auto result = [&](unsigned i) {
    auto attr = kernel.getArgAttrOfType<IntegerAttr>(i, tile::attr::result);
    return attr ? attr.getInt() : int64_t(i);
  };
  llvm::sort(numbers, [&](unsigned a, unsigned b) {
    return written ? std::pair(result(a), a) < std::pair(result(b), b) : a < b;
  });
  return numbers;
}

/// The memory of a parameter; null for a number. What a tensor map describes
/// has neighbours in its last dimension.
static MemRefType getMemory(gpu::GPUFuncOp kernel, unsigned parameter) {
  Type type = kernel.getArgument(parameter).getType();
  auto map = dyn_cast<tile::TensorMapType>(type);
  if (!map)
    return dyn_cast<MemRefType>(type);
  SmallVector<int64_t> dynamic(map.getBox().size(), ShapedType::kDynamic);
  SmallVector<int64_t> strides(dynamic);
  strides.back() = 1;
  return MemRefType::get(dynamic, map.getElementType(),
                         StridedLayoutAttr::get(kernel.getContext(),
                                                ShapedType::kDynamic, strides));
}

static Type getTensorType(gpu::GPUFuncOp kernel, unsigned parameter) {
  MemRefType memory = getMemory(kernel, parameter);
  return memory
             ? RankedTensorType::get(memory.getShape(), memory.getElementType())
             : kernel.getArgument(parameter).getType();
}

SmallVector<Type> reference::getParameterTypes(gpu::GPUFuncOp kernel,
                                               bool written) {
  return llvm::map_to_vector(getParameters(kernel, written), [&](unsigned i) {
    return getTensorType(kernel, i);
  });
}

//===----------------------------------------------------------------------===//
// Global memory
//===----------------------------------------------------------------------===//

/// Strides for a parameter: each dimension whose stride the kernel does not
/// know may leave a gap, in steps of `chunk` elements.
static llvm::Expected<SmallVector<int64_t>>
chooseStrides(MemRefType type, ArrayRef<int64_t> shape, int64_t chunk,
              std::mt19937_64 &random) {
  SmallVector<int64_t> strides, fixed;
  int64_t offset, size = 1;
  if (failed(type.getStridesAndOffset(fixed, offset)))
    return llvm::createStringError("expects strided memory");
  strides.resize(shape.size());
  for (int64_t d = shape.size() - 1; d >= 0; --d) {
    if (ShapedType::isDynamic(fixed[d])) {
      strides[d] = llvm::divideCeil(size, chunk) * chunk + random() % 2 * chunk;
    } else {
      strides[d] = fixed[d];
    }
    size = std::max(size, strides[d] * shape[d]);
  }
  return strides;
}

static llvm::Expected<GlobalArray>
createGlobal(gpu::GPUFuncOp kernel, unsigned number, const Array &array,
             bool written, std::mt19937_64 &random) {
  MemRefType memref = getMemory(kernel, number);
  if (llvm::Error error = checkArrayType(array, getTensorType(kernel, number),
                                         "parameter " + Twine(number)))
    return error;
  int64_t width = getByteWidth(array.getDType());
  GlobalArray global = {number, array.getDType(), {}, {}, {}, {}, {}};
  llvm::append_range(global.shape, array.getShape());
  if (memref) {
    // What kernels access at a time, at most.
    int64_t chunk = kernel->hasAttr(tile::attr::elementwise)
                        ? 1
                        : std::max<int64_t>(1, 16 / width);
    auto strides = chooseStrides(memref, global.shape, chunk, random);
    if (!strides)
      return strides.takeError();
    global.strides = *strides;
  }
  int64_t count = 1;
  for (auto [size, stride] : llvm::zip_equal(global.shape, global.strides))
    count = std::max(count, size * stride);
  // One more row of nothing: accesses behind the end are seen.
  global.bytes.resize(count * width, char(0xff));
  global.isDefined.resize(count, false);
  global.writer.resize(count, -1);
  GlobalView view = {&global, 0, global.shape, global.strides};
  (void)forEachIndex(global.shape,
                     [&](ArrayRef<int64_t> index, int64_t position) {
                       int64_t place = view.getPosition(index);
                       global.writer[place] = 0;
                       global.isDefined[place] = !written;
                       if (!written)
                         std::copy_n(array.data() + position * width, width,
                                     global.bytes.data() + place * width);
                       return success();
                     });
  return global;
}

/// Copies a result out; every element must have been written.
static llvm::Error readResult(gpu::GPUFuncOp kernel, GlobalArray &global,
                              Array &array) {
  int64_t width = getByteWidth(global.dtype);
  GlobalView view = {&global, 0, global.shape, global.strides};
  std::string missing;
  (void)forEachIndex(global.shape,
                     [&](ArrayRef<int64_t> index, int64_t position) {
                       int64_t place = view.getPosition(index);
                       if (!global.isDefined[place]) {
                         missing = stringifyShape(index);
                         return failure();
                       }
                       std::copy_n(global.bytes.data() + place * width, width,
                                   array.data() + position * width);
                       return success();
                     });
  if (missing.empty())
    return llvm::Error::success();
  return llvm::createStringError("kernel '" + kernel.getName() +
                                 "' does not write element (" + missing +
                                 ") of parameter " + Twine(global.number));
}

//===----------------------------------------------------------------------===//
// Runs
//===----------------------------------------------------------------------===//

static llvm::Expected<int64_t>
countBlocks(gpu::GPUFuncOp kernel, ArrayRef<GlobalArray> parameters,
            const TileInterpreterOptions &options) {
  bool isPersistent = kernel->hasAttr(tile::attr::persistent);
  if (options.numBlocks && !isPersistent)
    return *options.numBlocks;
  auto grid = kernel->getAttrOfType<ArrayAttr>(tile::attr::grid);
  if (!grid)
    return llvm::createStringError("kernel '" + kernel.getName() + "' has no " +
                                   tile::attr::grid +
                                   "; give the number of blocks");
  int64_t count = 1;
  for (Attribute attr : grid) {
    auto factor = dyn_cast<DictionaryAttr>(attr);
    auto get = [&](StringRef name) -> std::optional<int64_t> {
      auto value = factor ? factor.getAs<IntegerAttr>(name) : IntegerAttr();
      if (!value)
        return std::nullopt;
      return value.getInt();
    };
    if (std::optional<int64_t> constant = get("constant")) {
      count *= *constant;
      continue;
    }
    auto argument = get("argument"), dim = get("dim");
    int64_t tile = get("tile").value_or(1);
    if (!argument || !dim || *argument < 0 || *dim < 0 || tile < 1 ||
        *argument >= static_cast<int64_t>(parameters.size()) ||
        *dim >= static_cast<int64_t>(parameters[*argument].shape.size()))
      return llvm::createStringError("kernel '" + kernel.getName() +
                                     "' has a malformed factor in " +
                                     tile::attr::grid);
    count *= llvm::divideCeil(parameters[*argument].shape[*dim], tile);
  }
  return std::min(count, options.numBlocks.value_or(count));
}

/// Counters for tiles dealt out at run time, zero before and after.
static llvm::Error createCounters(gpu::GPUFuncOp kernel,
                                  std::vector<GlobalArray> &parameters,
                                  std::mt19937_64 &random) {
  for (unsigned i = 0; i < kernel.getNumArguments(); ++i) {
    auto type = dyn_cast<MemRefType>(kernel.getArgument(i).getType());
    if (!type || !kernel.getArgAttr(i, tile::attr::counters))
      continue;
    if (!type.hasStaticShape() || !type.getElementType().isInteger(32))
      return llvm::createStringError("parameter " + Twine(i) +
                                     " is no memory of i32 for counters");
    auto zeros = Array::create(DType::I32, type.getShape());
    if (!zeros)
      return zeros.takeError();
    auto global = createGlobal(kernel, i, *zeros, /*written=*/false, random);
    if (!global)
      return global.takeError();
    parameters[i] = std::move(*global);
  }
  return llvm::Error::success();
}

static llvm::Error checkCounters(gpu::GPUFuncOp kernel,
                                 ArrayRef<GlobalArray> parameters) {
  for (auto [i, array] : llvm::enumerate(parameters)) {
    if (!kernel.getArgAttr(i, tile::attr::counters))
      continue;
    for (int64_t element = 0; element < array.getNumElements(); ++element) {
      int64_t count = decode(DType::I32, array.bytes.data() + 4 * element).i;
      if (array.isDefined[element] && count != 0)
        return llvm::createStringError("kernel '" + kernel.getName() +
                                       "' leaves " + Twine(count) +
                                       " in counter " + Twine(element));
    }
  }
  return llvm::Error::success();
}

/// What a block gets to see of the parameters.
static llvm::Expected<SmallVector<RuntimeValue>>
bindArguments(gpu::GPUFuncOp kernel, MutableArrayRef<GlobalArray> parameters) {
  SmallVector<RuntimeValue> values;
  for (auto [i, array] : llvm::enumerate(parameters)) {
    Type type = kernel.getArgument(i).getType();
    GlobalView view = {&array, 0, array.shape, array.strides};
    if (isa<MemRefType>(type)) {
      values.push_back(view);
      continue;
    }
    if (!isa<tile::TensorMapType>(type)) {
      Tensor scalar{ArrayRef<int64_t>()};
      *scalar.mutableData() = decode(array.dtype, array.bytes.data());
      values.push_back(scalar);
      continue;
    }
    auto info = getMapInfo(kernel, i);
    if (!info)
      return info.takeError();
    if (info->argument) {
      GlobalArray &base = parameters[*info->argument];
      view = {&base, 0, base.shape, base.strides};
    }
    applyPermutationToVector(view.sizes, info->dims);
    applyPermutationToVector(view.strides, info->dims);
    if (view.strides.back() != 1)
      return llvm::createStringError(
          "tensor map " + Twine(i) + " of kernel '" + kernel.getName() +
          "' has an innermost dimension whose elements are no neighbours");
    values.push_back(view);
  }
  return values;
}

llvm::Error reference::runKernel(gpu::GPUFuncOp kernel, ArrayRef<Array> inputs,
                                 MutableArrayRef<Array> results,
                                 const TileInterpreterOptions &options) {
  SmallVector<unsigned> read = getParameters(kernel, false),
                        written = getParameters(kernel, true);
  if (read.size() != inputs.size() || written.size() != results.size())
    return llvm::createStringError(
        "kernel '" + kernel.getName() + "' reads " + Twine(read.size()) +
        " parameters and writes " + Twine(written.size()) + ", but got " +
        Twine(inputs.size()) + " and " + Twine(results.size()));
  std::mt19937_64 random(options.seed);
  std::vector<GlobalArray> parameters(kernel.getNumArguments());
  for (bool isResult : {false, true})
    for (auto [i, number] : llvm::enumerate(isResult ? written : read)) {
      auto global = createGlobal(
          kernel, number, isResult ? results[i] : inputs[i], isResult, random);
      if (!global)
        return global.takeError();
      parameters[number] = std::move(*global);
    }
  if (llvm::Error error = createCounters(kernel, parameters, random))
    return error;
  auto arguments = bindArguments(kernel, parameters);
  if (!arguments)
    return arguments.takeError();
  auto numBlocks = countBlocks(kernel, parameters, options);
  if (!numBlocks)
    return numBlocks.takeError();

  Machine machine(kernel, options);
  if (failed(machine.prepare()))
    return llvm::createStringError(machine.getError());
  std::vector<int64_t> order(*numBlocks);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), random);
  for (int64_t block : order)
    if (failed(machine.runBlock(block, *numBlocks, *arguments)))
      return llvm::createStringError(machine.getError());
  if (llvm::Error error = checkCounters(kernel, parameters))
    return error;
  for (auto [number, result] : llvm::zip_equal(written, results))
    if (llvm::Error error = readResult(kernel, parameters[number], result))
      return error;
  return llvm::Error::success();
}
