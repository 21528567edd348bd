//===- InitAll.h - Register what diffattn consists of -----------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every front door calls these two. Only what the pipelines use is registered,
// so that `--help` stays readable and start-up takes milliseconds.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_INITALL_H
#define DIFFATTN_INITALL_H

namespace mlir {
class DialectRegistry;

namespace diffattn {

/// Our dialect, the upstream dialects that inputs and phases are written in,
/// their interface implementations, and translation to LLVM IR.
void registerAllDialects(DialectRegistry &registry);

/// Our passes and pipelines, and the upstream passes they are made of.
void registerAllPasses();

} // namespace diffattn
} // namespace mlir

#endif // DIFFATTN_INITALL_H
