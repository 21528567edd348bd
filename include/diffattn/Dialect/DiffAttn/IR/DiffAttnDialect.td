//===- DiffAttnDialect.td - The diffattn dialect -----------*- tablegen -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_DIALECT_TD
#define DIFFATTN_DIALECT_TD

include "mlir/IR/OpBase.td"

def DiffAttn_Dialect : Dialect {
  let name = "diffattn";
  let cppNamespace = "::mlir::diffattn";
  let summary = "Differential attention on tensors: what is computed";
  let description = [{
    The dialect says *what* is computed, and with `online_attention` and
    `finalize` in which algebraic form, never on which hardware. Three ops:

    | op | level |
    |---|---|
    | `diffattn.attention` | the operator: attention over paired heads, sigmoid gate, subtraction |
    | `diffattn.online_attention` | one step of the online softmax, tilable over keys |
    | `diffattn.finalize` | the epilogue: normalise both branches, gate, subtract, round once |

    Words used everywhere: a *pair* is the two query heads `2j` (signal branch,
    0) and `2j+1` (noise branch, 1); a *group* is the query heads that share a
    key/value head; *rows* are query tokens. Source of the operator:
    Differential Transformer V2 (microsoft/unilm, Diff-Transformer-V2).
  }];
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect",
    "::mlir::affine::AffineDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::math::MathDialect"
  ];
}

#endif // DIFFATTN_DIALECT_TD
