//===- DiagnosticPrinter.cpp - One clear diagnostic -----------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DiagnosticPrinter.h"

#include "llvm/Support/WithColor.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::diffattn;

static const char toolName[] = "diffattn-compile";

int mlir::diffattn::reportError(const llvm::Twine &message) {
  llvm::outs().flush(); // the two streams may end in one place
  llvm::WithColor::error(llvm::errs(), toolName) << message << "\n";
  return 1;
}

DiagnosticPrinter::DiagnosticPrinter(llvm::SourceMgr &sources,
                                     MLIRContext &context)
    : SourceMgrDiagnosticHandler(sources, &context) {
  setHandler([this](Diagnostic &diagnostic) {
    print(diagnostic);
    return success();
  });
}

void DiagnosticPrinter::print(Diagnostic &diagnostic) {
  bool isError = diagnostic.getSeverity() == DiagnosticSeverity::Error;
  if (isError && seenError)
    return;
  seenError |= isError;
  if (!isa<UnknownLoc>(diagnostic.getLocation()))
    return emitDiagnostic(diagnostic);
  switch (diagnostic.getSeverity()) {
  case DiagnosticSeverity::Error:
    llvm::WithColor::error(llvm::errs(), toolName);
    break;
  case DiagnosticSeverity::Warning:
    llvm::WithColor::warning(llvm::errs(), toolName);
    break;
  default:
    llvm::WithColor::remark(llvm::errs(), toolName);
    break;
  }
  llvm::errs() << diagnostic.str() << "\n";
}
