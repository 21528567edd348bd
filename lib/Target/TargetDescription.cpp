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
#include "llvm/Support/Casting.h"

using namespace mlir::diffattn;

/// The names that `--target=` takes, of one kind or all.
static llvm::SmallVector<llvm::StringRef>
getTargetNames(std::optional<TargetDescription::Kind> kind = std::nullopt) {
  llvm::SmallVector<llvm::StringRef> names;
  if (kind != TargetDescription::Kind::GPU) {
    names = {"cpu", "cpu-host"};
    for (const CPUTarget &target : getCPUTargets())
      names.push_back(target.name);
  }
  if (kind != TargetDescription::Kind::CPU)
    for (const GPUTarget &target : getGPUTargets())
      names.push_back(target.name);
  return names;
}

llvm::Expected<const TargetDescription *>
mlir::diffattn::lookupTarget(llvm::StringRef name) {
  if (name == "cpu" || name == "cpu-host")
    return detail::getHostTarget();
  for (const CPUTarget &target : getCPUTargets())
    if (target.name == name)
      return &target;
  for (const GPUTarget &target : getGPUTargets())
    if (target.name == name)
      return &target;

  llvm::SmallVector<llvm::StringRef> known = getTargetNames();
  llvm::StringRef nearest = known.front();
  for (llvm::StringRef candidate : known)
    if (name.edit_distance(candidate) < name.edit_distance(nearest))
      nearest = candidate;
  return llvm::createStringError(
      "unknown target '" + name + "', expected one of " +
      llvm::join(known, ", ") + "; did you mean '" + nearest + "'?");
}

/// `lookupTarget` for one kind of target, which diagnostics call `what`.
template <typename Target>
static llvm::Expected<const Target *>
lookupKind(llvm::StringRef name, TargetDescription::Kind kind,
           llvm::StringRef what, llvm::StringRef other) {
  llvm::Expected<const TargetDescription *> target = lookupTarget(name);
  if (!target)
    return target.takeError();
  if (const auto *found = llvm::dyn_cast<Target>(*target))
    return found;
  return llvm::createStringError("expected a " + what + " target, one of " +
                                 llvm::join(getTargetNames(kind), ", ") +
                                 ", but got the " + other + " target '" + name +
                                 "'");
}

llvm::Expected<const CPUTarget *>
mlir::diffattn::lookupCPUTarget(llvm::StringRef name) {
  return lookupKind<CPUTarget>(name, TargetDescription::Kind::CPU, "CPU",
                               "GPU");
}

llvm::Expected<const GPUTarget *>
mlir::diffattn::lookupGPUTarget(llvm::StringRef name) {
  return lookupKind<GPUTarget>(name, TargetDescription::Kind::GPU, "GPU",
                               "CPU");
}
