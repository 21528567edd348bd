//===- TargetOption.h - The `target` option of passes -----------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_TARGET_TARGETOPTION_H
#define DIFFATTN_TARGET_TARGETOPTION_H

#include "diffattn/Target/TargetDescription.h"
#include "mlir/IR/Operation.h"

namespace mlir::diffattn {

/// The result of a lookup of targets, its error reported on `root`: what a
/// pass with a `target` option begins with.
template <typename Target>
FailureOr<const Target *> reportTargetError(Operation *root,
                                            llvm::Expected<const Target *> t) {
  if (t)
    return *t;
  return root->emitError() << llvm::toString(t.takeError());
}

} // namespace mlir::diffattn

#endif // DIFFATTN_TARGET_TARGETOPTION_H
