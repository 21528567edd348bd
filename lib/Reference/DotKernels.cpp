//===- DotKernels.cpp - Inner loops of products ---------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The only loops of the evaluator whose additions may be reassociated, so that
// they vectorise, and that are compiled for several vector widths.
//
//===----------------------------------------------------------------------===//

#include "DotKernels.h"

#if defined(__x86_64__) && defined(__clang__)
#define MULTIVERSION                                                           \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MULTIVERSION
#endif

#define INLINE static inline __attribute__((always_inline))

using namespace mlir::diffattn;

INLINE double dotLoop(const double *a, const double *b, int64_t n) {
#pragma clang fp reassociate(on) contract(fast)
  double sum = 0;
  for (int64_t i = 0; i < n; ++i)
    sum += a[i] * b[i];
  return sum;
}

INLINE void axpyLoop(double alpha, const double *__restrict x,
                     double *__restrict y, int64_t n) {
#pragma clang fp contract(fast)
  for (int64_t i = 0; i < n; ++i)
    y[i] += alpha * x[i];
}

MULTIVERSION double reference::dot(const double *a, const double *b,
                                   int64_t n) {
  return dotLoop(a, b, n);
}

MULTIVERSION void reference::axpy(double alpha, const double *x, double *y,
                                  int64_t n) {
  axpyLoop(alpha, x, y, n);
}

MULTIVERSION void reference::dotRows(const double *vector, const double *rows,
                                     int64_t stride, int64_t numRows, int64_t n,
                                     double *out) {
  for (int64_t r = 0; r < numRows; ++r)
    out[r] = dotLoop(vector, rows + r * stride, n);
}

MULTIVERSION void reference::accumulateRows(const double *weights,
                                            const double *rows, int64_t stride,
                                            int64_t numRows, int64_t n,
                                            double *y) {
  int64_t r = 0;
  // Four rows at a time: y is loaded and stored once for four products.
  for (; r + 4 <= numRows; r += 4) {
#pragma clang fp contract(fast)
    const double *__restrict x0 = rows + r * stride;
    const double *__restrict x1 = x0 + stride;
    const double *__restrict x2 = x1 + stride;
    const double *__restrict x3 = x2 + stride;
    double *__restrict out = y;
    for (int64_t i = 0; i < n; ++i)
      out[i] += weights[r] * x0[i] + weights[r + 1] * x1[i] +
                weights[r + 2] * x2[i] + weights[r + 3] * x3[i];
  }
  for (; r < numRows; ++r)
    axpyLoop(weights[r], rows + r * stride, y, n);
}
