//===- ScheduleList.cpp - The schedules one may choose from ---------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Compiler/ScheduleList.h"

#include "diffattn/Dialect/DiffAttn/Transforms/GPUProblem.h"
#include "diffattn/Target/ScheduleTable.h"

#include "llvm/Support/JSON.h"

using namespace mlir;
using namespace mlir::diffattn;

static void printChoices(llvm::json::OStream &json, const GPUTarget &target,
                         const GPUProblem &problem,
                         const ScheduleTable &table) {
  std::optional<GPUSchedule> first;
  if (const ScheduleRow *row = table.find(target, problem))
    first = row->schedule;
  json.object([&] {
    json.attribute("target", target.name);
    json.attributeObject(
        "shape", [&] { printShapeClass(json, getShapeClass(problem)); });
    json.attributeArray("schedules", [&] {
      for (const GPUSchedule &schedule :
           rankSchedules(target, problem, /*fixed=*/{}, first))
        json.object([&] { printSchedule(json, schedule); });
    });
  });
}

FailureOr<std::string> mlir::diffattn::listSchedules(ModuleOp module,
                                                     const GPUTarget &target,
                                                     StringRef scheduleTable) {
  llvm::Expected<ScheduleTable> table = ScheduleTable::load(scheduleTable);
  if (!table)
    return emitError(UnknownLoc::get(module.getContext()))
           << llvm::toString(table.takeError());
  std::string text;
  llvm::raw_string_ostream os(text);
  llvm::json::OStream json(os, /*IndentSize=*/1);
  WalkResult result = WalkResult::advance();
  json.array([&] {
    result = module.walk([&](AttentionOp op) {
      FailureOr<GPUProblem> problem = getGPUProblem(op, target);
      if (failed(problem))
        return WalkResult::interrupt();
      printChoices(json, target, *problem, *table);
      return WalkResult::advance();
    });
  });
  if (result.wasInterrupted())
    return failure();
  return text + "\n";
}
