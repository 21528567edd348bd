//===- DiagnosticPrinter.h - One clear diagnostic ---------------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_TOOLS_DIFFATTN_COMPILE_DIAGNOSTICPRINTER_H
#define DIFFATTN_TOOLS_DIFFATTN_COMPILE_DIAGNOSTICPRINTER_H

#include "mlir/IR/Diagnostics.h"

namespace mlir::diffattn {

/// Prints diagnostics to standard error, with the source line where they have
/// one and after the tool's name where not. Of errors it prints the first: what
/// follows is mostly its echo in enclosing ops.
class DiagnosticPrinter : public SourceMgrDiagnosticHandler {
public:
  DiagnosticPrinter(llvm::SourceMgr &sources, MLIRContext &context);

private:
  void print(Diagnostic &diagnostic);
  bool seenError = false;
};

/// "diffattn-compile: error: ...". Returns the exit status for errors.
int reportError(const llvm::Twine &message);

} // namespace mlir::diffattn

#endif // DIFFATTN_TOOLS_DIFFATTN_COMPILE_DIAGNOSTICPRINTER_H
