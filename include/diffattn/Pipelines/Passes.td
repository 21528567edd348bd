//===- Passes.td - Passes that pipelines need ---------------*- tablegen -*-==//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_PIPELINES_PASSES_TD
#define DIFFATTN_PIPELINES_PASSES_TD

include "mlir/Pass/PassBase.td"

def CanonicalizeGridPass : Pass<"diffattn-canonicalize-grid"> {
  let summary = "Canonicalize, but keep an scf.forall of one iteration";
  let description = [{
    Requires: nothing. Produces: what the canonicalizer does, except that an
    `scf.forall` with a single iteration stays.

    Why: the loop over tiles becomes the grid of a kernel. Upstream's
    canonicalization replaces it by its body if static sizes leave one tile, and
    with it would go which values are blocks of the kernel's arguments.
  }];
}

def ExpandCopiesPass : Pass<"diffattn-expand-copies"> {
  let summary = "Turn strided memref.copy into linalg.copy";
  let description = [{
    Requires: memrefs. Produces: a `linalg.copy` for each `memref.copy` between
    buffers that are not both contiguous; the others stay, and become `memcpy`.

    Why: upstream lowers a strided copy to a call of MLIR's C runner library,
    and an object file of ours must need nothing but the C library and OpenMP.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect"];
}

def SeparateResultsPass : Pass<"diffattn-separate-results", "::mlir::func::FuncOp"> {
  let summary = "Return a buffer once";
  let description = [{
    Requires: memrefs with deallocation in place. Produces, in public functions:
    a copy of every result that may share memory with a result before it.

    Why: each result belongs to the caller, who frees it. Upstream's
    deallocation sees to it that a function owns what it returns, but not that
    two results are different buffers, as they are not where a program returns a
    value twice, or a tensor and a slice of it.
  }];
  let dependentDialects = ["::mlir::memref::MemRefDialect"];
}

#endif // DIFFATTN_PIPELINES_PASSES_TD
