//===- diffattn-compile.cpp - Compiler driver -----------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A thin layer: options, files and messages. The work is in lib/Compiler.
//
//===----------------------------------------------------------------------===//

#include "DiagnosticPrinter.h"
#include "Options.h"
#include "RunProgram.h"

#include "diffattn/Compiler/Manifest.h"
#include "diffattn/Compiler/OutputFiles.h"
#include "diffattn/InitAll.h"

#include "mlir/IR/Remarks.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::diffattn;

/// What `--emit` asks for.
static FailureOr<std::string> getContents(const CompilerInvocation &invocation,
                                          EmitKind kind,
                                          const llvm::MemoryBuffer *object) {
  switch (kind) {
  case EmitKind::MLIR:
    return invocation.emitMLIR();
  case EmitKind::LLVM:
    return invocation.emitLLVMIR();
  case EmitKind::Object:
    return object->getBuffer().str();
  }
  llvm_unreachable("unknown kind of output");
}

static int compile(const ToolOptions &options, llvm::SourceMgr &sources,
                   MLIRContext &context) {
  CompilerInvocation invocation(context, options.compiler);
  if (failed(invocation.load(sources)))
    return 1;
  EntrySignature signature;
  if (options.run || !options.headerFile.empty() ||
      !options.manifestFile.empty()) {
    FailureOr<EntrySignature> found = invocation.getSignature();
    if (failed(found))
      return 1;
    signature = *found;
  }
  if (failed(invocation.runPhases()))
    return 1;

  const bool emitsObject =
      options.outputFile && options.emit == EmitKind::Object;
  std::unique_ptr<llvm::MemoryBuffer> object;
  if (options.run || emitsObject) {
    auto emitted = invocation.emitObject();
    if (failed(emitted))
      return 1;
    object = std::move(*emitted);
  }

  // Nothing is written until everything has been produced.
  OutputFiles outputs;
  if (options.outputFile) {
    auto contents = getContents(invocation, options.emit, object.get());
    if (failed(contents))
      return 1;
    outputs.add(*options.outputFile, std::move(*contents));
  }
  std::string objectFile = emitsObject ? *options.outputFile : "";
  if (!options.headerFile.empty())
    outputs.add(options.headerFile, getCHeader(signature, objectFile));
  if (!options.manifestFile.empty())
    outputs.add(options.manifestFile,
                getManifest(invocation, signature, objectFile));
  if (llvm::Error error = outputs.commit())
    return reportError(llvm::toString(std::move(error)));

  if (!options.run)
    return 0;
  return runProgram(invocation, signature, *object, options);
}

int main(int argc, char **argv) {
  llvm::InitLLVM initialize(argc, argv);
  llvm::Expected<ToolOptions> options = parseOptions(argc, argv);
  if (!options)
    return reportError(llvm::toString(options.takeError()));

  auto file = llvm::MemoryBuffer::getFileOrSTDIN(options->inputFile,
                                                 /*IsText=*/true);
  if (!file)
    return reportError("cannot read '" + options->inputFile +
                       "': " + file.getError().message());
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(std::move(*file), llvm::SMLoc());

  DialectRegistry registry;
  registerAllDialects(registry);
  // One small module: a thread pool would cost more than it gives.
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.printOpOnDiagnostic(false);
  DiagnosticPrinter printer(sources, context);
  if (options->remarks) {
    const std::string all = ".*";
    remark::RemarkCategories categories{all, all, all, all, all};
    if (failed(remark::enableOptimizationRemarks(
            context, /*streamer=*/nullptr,
            std::make_unique<remark::RemarkEmittingPolicyAll>(), categories,
            /*printAsEmitRemarks=*/true)))
      return 1;
  }
  return compile(*options, sources, context);
}
