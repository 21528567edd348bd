//===- Inputs.cpp - Arguments of a function from the command line ---------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Reference/Inputs.h"

#include "diffattn/Reference/Npy.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::diffattn;
using namespace mlir::diffattn::reference;

static std::string toString(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

//===----------------------------------------------------------------------===//
// Entry function
//===----------------------------------------------------------------------===//

llvm::Expected<func::FuncOp> reference::findEntry(ModuleOp module,
                                                  StringRef name) {
  SmallVector<func::FuncOp> candidates;
  std::string names;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.isExternal())
      continue;
    if (function.getName() == name)
      return function;
    if (!function.isPublic())
      continue;
    candidates.push_back(function);
    names += (names.empty() ? "" : ", ") + function.getName().str();
  }
  if (candidates.empty())
    names = "none";
  if (!name.empty())
    return llvm::createStringError("no function '" + name +
                                   "' with a body; public functions: " + names);
  if (candidates.size() == 1)
    return candidates.front();
  return llvm::createStringError("expected one public function with a body, or "
                                 "--entry=NAME; public functions: " +
                                 names);
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

static llvm::Expected<DType> getArgumentDType(Type type, const Twine &what) {
  auto shaped = dyn_cast<ShapedType>(type);
  std::optional<DType> dtype = getDType(getElementTypeOrSelf(type));
  if (!dtype || (shaped && !shaped.hasRank()))
    return llvm::createStringError(
        what + " has type " + toString(type) +
        ", expected a scalar or ranked tensor of f16, bf16, f32, f64, i1, i8, "
        "i16, i32, i64 or index");
  return *dtype;
}

llvm::Error reference::checkArrayType(const Array &array, Type type,
                                      const Twine &what) {
  llvm::Expected<DType> dtype = getArgumentDType(type, what);
  if (!dtype)
    return dtype.takeError();
  ArrayRef<int64_t> shape;
  if (auto shaped = dyn_cast<ShapedType>(type))
    shape = shaped.getShape();
  bool matches = array.getDType() == *dtype &&
                 succeeded(verifyCompatibleShape(array.getShape(), shape));
  if (matches)
    return llvm::Error::success();
  return llvm::createStringError(what + " expects " + toString(type) +
                                 ", but got " + array.getTypeString());
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

/// Reads ARGUMENT:2x64x8 options into `shapes`, one slot per argument.
static llvm::Error
parseShapes(ArrayRef<std::string> options,
            MutableArrayRef<std::optional<SmallVector<int64_t>>> shapes) {
  for (StringRef option : options) {
    auto [number, sizes] = option.split(':');
    unsigned argument;
    if (number.getAsInteger(10, argument) || sizes.empty())
      return llvm::createStringError("--shape expects ARGUMENT:2x64x8x64, but "
                                     "got '" +
                                     option + "'");
    if (argument >= shapes.size())
      return llvm::createStringError(
          "--shape=" + option + " names argument " + Twine(argument) +
          ", but there are " + Twine(shapes.size()) + " (counted from 0)");
    SmallVector<StringRef> parts;
    sizes.split(parts, 'x');
    SmallVector<int64_t> shape;
    for (StringRef part : parts)
      if (part.getAsInteger(10, shape.emplace_back()) || shape.back() < 0)
        return llvm::createStringError("--shape=" + option +
                                       " has a size that is not a number: '" +
                                       part + "'");
    shapes[argument] = std::move(shape);
  }
  return llvm::Error::success();
}

/// The shape of a random argument.
static llvm::Expected<SmallVector<int64_t>>
chooseShape(Type type, const std::optional<SmallVector<int64_t>> &given,
            int64_t dynamicDim, const Twine &what) {
  if (given)
    return *given;
  SmallVector<int64_t> shape;
  auto shaped = dyn_cast<ShapedType>(type);
  if (!shaped)
    return shape;
  shape.assign(shaped.getShape().begin(), shaped.getShape().end());
  for (int64_t &size : shape) {
    if (!ShapedType::isDynamic(size))
      continue;
    if (dynamicDim <= 0)
      return llvm::createStringError(
          what + " has type " + toString(type) +
          ", whose dynamic sizes need --dynamic-dim=N or "
          "--shape=ARGUMENT:SIZES");
    size = dynamicDim;
  }
  return shape;
}

//===----------------------------------------------------------------------===//
// Inputs
//===----------------------------------------------------------------------===//

/// Fills an array, the argument `number`.
using Filler = std::function<void(Array &, unsigned number)>;

/// What "random:SEED" and "value:NUMBER" fill an array with, nothing for a file
/// name.
static llvm::Expected<std::optional<Filler>> parseFiller(StringRef input) {
  if (input.consume_front("random:")) {
    uint64_t seed;
    if (input.getAsInteger(10, seed))
      return llvm::createStringError("--input=random:SEED expects a number, "
                                     "but got '" +
                                     input + "'");
    return [seed](Array &array, unsigned number) {
      fillRandom(array, seed, number);
    };
  }
  if (!input.consume_front("value:"))
    return std::nullopt;
  double value;
  if (input.getAsDouble(value))
    return llvm::createStringError("--input=value:NUMBER expects a number, but "
                                   "got '" +
                                   input + "'");
  return [value](Array &array, unsigned) {
    for (int64_t i = 0, e = array.getNumElements(); i < e; ++i) {
      if (isFloat(array.getDType()))
        array.setDouble(i, value);
      else
        array.setInt(i, static_cast<int64_t>(value));
    }
  };
}

static llvm::Expected<Array>
makeInput(Type type, unsigned number, StringRef input,
          const std::optional<SmallVector<int64_t>> &shape,
          const InputOptions &options) {
  std::string what = ("argument " + Twine(number)).str();
  llvm::Expected<DType> dtype = getArgumentDType(type, what);
  if (!dtype)
    return dtype.takeError();
  llvm::Expected<std::optional<Filler>> fill = parseFiller(input);
  if (!fill)
    return fill.takeError();
  if (!*fill) {
    if (shape)
      return llvm::createStringError("--shape is for random arguments, but " +
                                     what + " comes from '" + input + "'");
    llvm::Expected<Array> array = readNpy(input, *dtype, options.maxElements);
    if (!array)
      return array.takeError();
    if (llvm::Error error =
            checkArrayType(*array, type, what + " ('" + input + "')"))
      return error;
    return array;
  }
  auto sizes = chooseShape(type, shape, options.dynamicDim, what);
  if (!sizes)
    return sizes.takeError();
  llvm::Expected<Array> array =
      Array::create(*dtype, *sizes, options.maxElements);
  if (!array)
    return llvm::createStringError(what + ": " +
                                   llvm::toString(array.takeError()));
  if (llvm::Error error = checkArrayType(*array, type, what))
    return error;
  (**fill)(*array, number);
  return array;
}

llvm::Expected<SmallVector<Array>>
reference::makeInputs(FunctionType type, const InputOptions &options) {
  unsigned count = type.getNumInputs();
  bool isOneForAll = options.inputs.size() == 1 &&
                     StringRef(options.inputs.front()).starts_with("random:");
  if (!isOneForAll && options.inputs.size() != count)
    return llvm::createStringError(
        "expected one --input for each of " + Twine(count) +
        " arguments or a single --input=random:SEED, but got " +
        Twine(options.inputs.size()));
  SmallVector<std::optional<SmallVector<int64_t>>> shapes(count);
  if (llvm::Error error = parseShapes(options.shapes, shapes))
    return error;
  SmallVector<Array> arrays;
  for (unsigned i = 0; i < count; ++i) {
    llvm::Expected<Array> array =
        makeInput(type.getInput(i), i, options.inputs[isOneForAll ? 0 : i],
                  shapes[i], options);
    if (!array)
      return array.takeError();
    arrays.push_back(std::move(*array));
  }
  return arrays;
}
