//===- diffattn-opt.cpp - Pass driver -------------------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/CPU/Passes.h"
#include "diffattn/Dialect/DiffAttn/IR/DiffAttn.h"
#include "diffattn/Dialect/DiffAttn/Transforms/Passes.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<mlir::diffattn::DiffAttnDialect>();
  mlir::registerAllPasses();
  mlir::diffattn::registerDiffAttnPasses();
  mlir::diffattn::registerDiffAttnCPUPasses();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "diffattn optimizer driver\n", registry));
}
