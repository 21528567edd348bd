//===- Compare.cpp - Error of an array against a reference ----------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Reference/Compare.h"

#include "diffattn/Reference/Evaluator.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>

using namespace mlir;
using namespace mlir::diffattn;
using namespace mlir::diffattn::reference;

/// True unless both are finite, both NaN, or the same infinity.
static bool differInClass(double a, double b) {
  if (std::isfinite(a) && std::isfinite(b))
    return false;
  return !(std::isnan(a) && std::isnan(b)) && a != b;
}

static SmallVector<int64_t> delinearize(int64_t position,
                                        ArrayRef<int64_t> shape) {
  SmallVector<int64_t> index(shape.size());
  for (int64_t d = shape.size() - 1; d >= 0; --d) {
    index[d] = position % shape[d];
    position /= shape[d];
  }
  return index;
}

llvm::Expected<Comparison> reference::compareArrays(const Array &actual,
                                                    const Array &reference) {
  if (actual.getShape() != reference.getShape())
    return llvm::createStringError(
        "expected shape " + stringifyShape(reference.getShape()) +
        " to compare, but found " + stringifyShape(actual.getShape()));
  Comparison result;
  double maxReference = 0, sumSquares = 0, sumErrorSquares = 0;
  int64_t worst = -1;
  for (int64_t i = 0, e = reference.getNumElements(); i < e; ++i) {
    double expected = reference.getDouble(i), found = actual.getDouble(i);
    if (isNotEvaluated(expected)) {
      ++result.numSkipped;
      continue;
    }
    ++result.numCompared;
    if (differInClass(found, expected)) {
      if (result.numClassMismatches++ == 0)
        worst = i;
      continue;
    }
    if (!std::isfinite(expected))
      continue;
    double error = std::abs(found - expected);
    maxReference = std::max(maxReference, std::abs(expected));
    sumSquares += expected * expected;
    sumErrorSquares += error * error;
    if (error > result.maxAbsError || worst < 0) {
      result.maxAbsError = std::max(error, result.maxAbsError);
      if (result.numClassMismatches == 0)
        worst = i;
    }
  }
  // Against a reference of zeros every error is infinitely large.
  auto ratio = [](double error, double size) {
    return error == 0 ? 0 : error / size;
  };
  result.maxRelError = ratio(result.maxAbsError, maxReference);
  result.rmsRelError = ratio(std::sqrt(sumErrorSquares), std::sqrt(sumSquares));
  if (worst >= 0) {
    result.worstIndex = delinearize(worst, reference.getShape());
    result.worstActual = actual.getDouble(worst);
    result.worstReference = reference.getDouble(worst);
  }
  return result;
}

std::string Comparison::str() const {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << llvm::format("max error %.3e (relative %.3e), rms %.3e", maxAbsError,
                     maxRelError, rmsRelError)
     << " over " << numCompared << " elements";
  if (numSkipped)
    os << " (" << numSkipped << " not evaluated)";
  if (numClassMismatches)
    os << ", " << numClassMismatches << " NaN or infinity mismatches";
  if (!worstIndex.empty()) {
    os << ", worst at [";
    llvm::interleave(worstIndex, os, ", ");
    os << llvm::format("]: %.9g, expected %.9g", worstActual, worstReference);
  }
  return text;
}

double reference::getDefaultTolerance(DType dtype) {
  // The unit roundoff of the result times eight: the rounding of inputs to the
  // products (the probabilities), of the result, and cancellation between the
  // branches. A long f32 sum adds some hundred roundoffs of its own.
  switch (dtype) {
  case DType::F16:
    return 0x1p-11 * 8;
  case DType::BF16:
    return 0x1p-8 * 8;
  case DType::F32:
    return 0x1p-24 * 256;
  case DType::F64:
    return 1e-12;
  default:
    return 0;
  }
}
