//===- TargetDescription.cpp - Lookup of targets by name ------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Target/TargetDescription.h"

#include "CPU/CPUTargets.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir::diffattn;

llvm::Expected<const TargetDescription *>
mlir::diffattn::lookupTarget(llvm::StringRef name) {
  if (name == "cpu" || name == "cpu-host")
    return detail::getHostTarget();

  llvm::SmallVector<llvm::StringRef> known = {"cpu", "cpu-host"};
  for (const TargetDescription &target : getCPUTargets()) {
    if (target.name == name)
      return &target;
    known.push_back(target.name);
  }

  llvm::StringRef nearest = known.front();
  for (llvm::StringRef candidate : known)
    if (name.edit_distance(candidate) < name.edit_distance(nearest))
      nearest = candidate;
  return llvm::createStringError(
      "unknown target '" + name + "', expected one of " +
      llvm::join(known, ", ") + "; did you mean '" + nearest + "'?");
}
