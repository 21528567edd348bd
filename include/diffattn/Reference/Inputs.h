//===- Inputs.h - Arguments of a function from the command line -*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The meaning of --input=, --shape= and --dynamic-dim=, shared by the tools
// that run functions.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_REFERENCE_INPUTS_H
#define DIFFATTN_REFERENCE_INPUTS_H

#include "diffattn/Reference/Array.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"

namespace mlir::diffattn::reference {

struct InputOptions {
  /// --input=: FILE.npy, random:SEED or value:NUMBER, one per argument; a
  /// single random:SEED serves all arguments.
  llvm::SmallVector<std::string> inputs;
  /// --shape=: ARGUMENT:2x64x8x64, the shape of a random argument.
  llvm::SmallVector<std::string> shapes;
  /// --dynamic-dim=: size of dynamic dimensions of random arguments that no
  /// shape is given for; 0 if not given.
  int64_t dynamicDim = 0;
  int64_t maxElements = defaultMaxElements;
};

/// The function to run: `name`, or without a name the only public function that
/// has a body. The message of a failure lists what there is.
llvm::Expected<func::FuncOp> findEntry(ModuleOp module, llvm::StringRef name);

/// The arguments of a function of `type`. Errors name the argument (from 0),
/// the file, what was expected and what was found.
llvm::Expected<llvm::SmallVector<Array>>
makeInputs(FunctionType type, const InputOptions &options);

/// Checks that `array` can be passed where `type` is expected (element type,
/// rank, static sizes). `what` begins the message, e.g. "argument 2".
llvm::Error checkArrayType(const Array &array, Type type,
                           const llvm::Twine &what);

} // namespace mlir::diffattn::reference

#endif // DIFFATTN_REFERENCE_INPUTS_H
