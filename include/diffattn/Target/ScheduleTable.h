//===- ScheduleTable.h - Schedules that were measured -----------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A table says which schedule was measured to be the fastest for a class of
// shapes on a GPU. benchmarks/gpu/tune.py writes it; the one that comes with
// the compiler is lib/Target/GPU/ScheduleTable.json. docs/tuning.md has the
// format.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_TARGET_SCHEDULETABLE_H
#define DIFFATTN_TARGET_SCHEDULETABLE_H

#include "diffattn/Target/GPUSchedule.h"

namespace llvm::json {
class OStream;
} // namespace llvm::json

namespace mlir::diffattn {

/// What of an attention its row is found by.
struct GPUShapeClass {
  int64_t branches = 0, headDim = 0, valueDim = 0;
  /// "none", "causal" (one side is open), "window".
  std::string mask;
  /// Keys of a window besides the row's own, and query rows where their number
  /// is known: the next powers of two. 0 otherwise.
  int64_t window = 0, length = 0;

  bool operator==(const GPUShapeClass &other) const;
};
GPUShapeClass getShapeClass(const GPUProblem &problem);

/// The members of an object as a row has them.
void printShapeClass(llvm::json::OStream &json, const GPUShapeClass &shape);
void printSchedule(llvm::json::OStream &json, const GPUSchedule &schedule);

struct ScheduleRow {
  std::string target;
  GPUShapeClass shape;
  GPUSchedule schedule;
  /// "row 3 of FILE".
  std::string where;
  /// What it was measured on, when, and the rate.
  std::string device, date;
  double tflops = 0;
};

class ScheduleTable {
public:
  /// The table in `file`; the one that comes with the compiler if that is
  /// empty; one without rows if it is "none". The error names file and row.
  static llvm::Expected<ScheduleTable> load(llvm::StringRef file);
  static llvm::Expected<ScheduleTable> parse(llvm::StringRef text,
                                             llvm::StringRef file);

  /// The row for `problem`, or null. One that tells no length serves all but
  /// short queries.
  const ScheduleRow *find(const GPUTarget &target,
                          const GPUProblem &problem) const;

  llvm::ArrayRef<ScheduleRow> getRows() const { return rows; }

private:
  std::vector<ScheduleRow> rows;
};

} // namespace mlir::diffattn

#endif // DIFFATTN_TARGET_SCHEDULETABLE_H
