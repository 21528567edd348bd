//===- DotKernels.h - Inner loops of products -------------------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_LIB_REFERENCE_DOTKERNELS_H
#define DIFFATTN_LIB_REFERENCE_DOTKERNELS_H

#include <cstdint>

namespace mlir::diffattn::reference {

/// sum_i a[i] * b[i]
double dot(const double *a, const double *b, int64_t n);

/// y[i] += alpha * x[i]
void axpy(double alpha, const double *x, double *y, int64_t n);

/// out[r] = <vector, row r of `rows`> for `numRows` rows, `stride` apart.
void dotRows(const double *vector, const double *rows, int64_t stride,
             int64_t numRows, int64_t n, double *out);

/// y += sum_r weights[r] * (row r of `rows`)
void accumulateRows(const double *weights, const double *rows, int64_t stride,
                    int64_t numRows, int64_t n, double *y);

} // namespace mlir::diffattn::reference

#endif // DIFFATTN_LIB_REFERENCE_DOTKERNELS_H
