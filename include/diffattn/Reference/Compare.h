//===- Compare.h - Error of an array against a reference --------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_REFERENCE_COMPARE_H
#define DIFFATTN_REFERENCE_COMPARE_H

#include "diffattn/Reference/Array.h"

namespace mlir::diffattn::reference {

/// How far an array is from its reference. Errors are over elements where both
/// are finite; elements that the reference left out (RowSample) are skipped.
struct Comparison {
  int64_t numCompared = 0;
  int64_t numSkipped = 0;
  /// Elements where one is NaN or infinite and the other is not so, or is an
  /// infinity of the other sign.
  int64_t numClassMismatches = 0;
  /// max |actual - reference|.
  double maxAbsError = 0;
  /// maxAbsError / max |reference|: attention averages values, so single
  /// elements near zero have no meaningful relative error.
  double maxRelError = 0;
  /// ||actual - reference||_2 / ||reference||_2.
  double rmsRelError = 0;
  /// Where the largest error is (a class mismatch counts as larger than any),
  /// and both values there.
  llvm::SmallVector<int64_t> worstIndex;
  double worstActual = 0;
  double worstReference = 0;

  bool passes(double tolerance) const {
    return numClassMismatches == 0 && maxRelError <= tolerance;
  }
  /// One line: "max error 1.2e-07 (relative 3e-08), rms 1e-08, ...".
  std::string str() const;
};

/// Compares arrays of one shape; element types may differ.
llvm::Expected<Comparison> compareArrays(const Array &actual,
                                         const Array &reference);

/// The bound on maxRelError for results computed and stored in `dtype` from
/// inputs of the same dtype: a small multiple of its unit roundoff.
double getDefaultTolerance(DType dtype);

} // namespace mlir::diffattn::reference

#endif // DIFFATTN_REFERENCE_COMPARE_H
