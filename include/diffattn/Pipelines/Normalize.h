//===- Normalize.h - From a producer's IR to fused ops ----------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_PIPELINES_NORMALIZE_H
#define DIFFATTN_PIPELINES_NORMALIZE_H

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace mlir::diffattn {

/// Brings a producer's module into the form that `diffattn-fuse` reads: calls
/// inlined, constants folded, duplicates merged. Runs on a module, and leaves
/// the form of structured ops alone: the matchers need no particular one.
void buildNormalizePipeline(OpPassManager &pm);

/// The above, `diffattn-fuse`, and removal of what became dead.
void buildImportPipeline(OpPassManager &pm);

/// Registers buildImportPipeline as `diffattn-import-pipeline`.
void registerImportPipeline();

} // namespace mlir::diffattn

#endif // DIFFATTN_PIPELINES_NORMALIZE_H
