//===- Preconditions.cpp - Does a variant accept these arguments? ---------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Preconditions.h"

using namespace mlir::diffattn::runtime;
using Kind = Mismatch::Kind;

/// Strides and the address of a tensor that has elements. The stride of a
/// dimension of size 1 is never used, and frameworks leave anything there.
static std::optional<Mismatch> checkLayout(const Parameter &parameter,
                                           const TensorView &tensor,
                                           unsigned argument) {
  if (!tensor.data)
    return Mismatch{Kind::NullPointer, {argument, 0}};
  int64_t excess = reinterpret_cast<uintptr_t>(tensor.data) %
                   static_cast<uint64_t>(parameter.alignment);
  if (excess)
    return Mismatch{
        Kind::Alignment, {argument, 0}, excess, parameter.alignment};
  for (unsigned dim = 0; dim < tensor.rank; ++dim) {
    int64_t stride = tensor.strides[dim];
    if (tensor.sizes[dim] <= 1)
      continue;
    if (dim + 1 == tensor.rank) {
      if (stride != 1)
        return Mismatch{Kind::LastStride, {argument, dim}, stride, 1};
      continue;
    }
    if (stride % parameter.strideMultiple)
      return Mismatch{Kind::StrideMultiple,
                      {argument, dim},
                      stride,
                      parameter.strideMultiple};
    if (stride == 0 && parameter.isWritten)
      return Mismatch{Kind::WrittenTwice, {argument, dim}};
  }
  return std::nullopt;
}

static std::optional<Mismatch> checkTensor(const Parameter &parameter,
                                           const TensorView &tensor,
                                           unsigned argument) {
  if (tensor.dtype != static_cast<uint32_t>(parameter.dtype))
    return Mismatch{Kind::DType, {argument, 0}, tensor.dtype};
  if (tensor.rank != parameter.shape.size())
    return Mismatch{Kind::Rank,
                    {argument, 0},
                    tensor.rank,
                    static_cast<int64_t>(parameter.shape.size())};
  bool isEmpty = false;
  for (unsigned dim = 0; dim < tensor.rank; ++dim) {
    int64_t size = tensor.sizes[dim], expected = parameter.shape[dim];
    if (size < 0)
      return Mismatch{Kind::NegativeSize, {argument, dim}, size};
    if (expected != dynamicSize && size != expected)
      return Mismatch{Kind::StaticSize, {argument, dim}, size, expected};
    isEmpty |= size == 0;
  }
  if (isEmpty)
    return std::nullopt;
  return checkLayout(parameter, tensor, argument);
}

std::optional<Mismatch>
mlir::diffattn::runtime::findMismatch(const Manifest &manifest,
                                      const TensorView *arguments,
                                      size_t numArguments) {
  if (numArguments != manifest.parameters.size())
    return Mismatch{Kind::Count,
                    {},
                    static_cast<int64_t>(numArguments),
                    static_cast<int64_t>(manifest.parameters.size())};
  for (unsigned i = 0; i < numArguments; ++i)
    if (std::optional<Mismatch> mismatch =
            checkTensor(manifest.parameters[i], arguments[i], i))
      return mismatch;
  auto getSize = [&](DimRef ref) {
    return arguments[ref.argument].sizes[ref.dim];
  };
  for (const SizePrecondition &size : manifest.sizes) {
    int64_t found = getSize(size.size);
    if (found < size.min)
      return Mismatch{Kind::MinSize, size.size, found, size.min};
    if (found > size.max)
      return Mismatch{Kind::MaxSize, size.size, found, size.max};
    if (found % size.multiple)
      return Mismatch{Kind::MultipleSize, size.size, found, size.multiple};
  }
  for (const std::vector<DimRef> &dims : manifest.equal)
    for (DimRef ref : dims)
      if (getSize(ref) != getSize(dims.front()))
        return Mismatch{Kind::EqualSizes, ref, getSize(ref),
                        getSize(dims.front()), dims.front()};
  return std::nullopt;
}

std::string
mlir::diffattn::runtime::stringifyMismatch(const Manifest &manifest,
                                           const Mismatch &mismatch) {
  const std::string found = std::to_string(mismatch.found);
  const std::string expected = std::to_string(mismatch.expected);
  if (mismatch.kind == Kind::Count)
    return "it takes " + expected + " arguments, but got " + found;

  const Parameter &parameter = manifest.parameters[mismatch.where.argument];
  auto dimOf = [&](DimRef ref) {
    return "dimension " + std::to_string(ref.dim) + " of " +
           manifest.parameters[ref.argument].name;
  };
  const std::string dim = dimOf(mismatch.where);
  switch (mismatch.kind) {
  case Kind::Count:
    break;
  case Kind::DType:
    return parameter.name + " has dtype " +
           (mismatch.found <= static_cast<int64_t>(DType::I64)
                ? stringifyDType(static_cast<DType>(mismatch.found))
                : "number " + found) +
           ", expected " + stringifyDType(parameter.dtype);
  case Kind::Rank:
    return parameter.name + " has rank " + found + ", expected " + expected;
  case Kind::NegativeSize:
    return dim + " has a negative size, " + found;
  case Kind::StaticSize:
    return dim + " has size " + found + ", expected " + expected;
  case Kind::NullPointer:
    return parameter.name + " is a null pointer";
  case Kind::Alignment:
    return "the address of " + parameter.name + " is " + found +
           " bytes past a multiple of " + expected;
  case Kind::LastStride:
    return "the last dimension of " + parameter.name + " has stride " + found +
           ", expected 1";
  case Kind::StrideMultiple:
    return dim + " has stride " + found + ", expected a multiple of " +
           expected;
  case Kind::WrittenTwice:
    return dim + " has stride 0, but " + parameter.name + " is written";
  case Kind::MinSize:
    return dim + " has size " + found + ", expected at least " + expected;
  case Kind::MaxSize:
    return dim + " has size " + found + ", expected at most " + expected;
  case Kind::MultipleSize:
    return dim + " has size " + found + ", expected a multiple of " + expected;
  case Kind::EqualSizes:
    return dim + " has size " + found + ", but " + dimOf(mismatch.other) +
           " has " + expected;
  }
  return "it does not accept the arguments";
}
