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

#include "diffattn/Compiler/GPUManifest.h"
#include "diffattn/Compiler/Manifest.h"
#include "diffattn/Compiler/OutputFiles.h"
#include "diffattn/InitAll.h"

#include "mlir/IR/Remarks.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::diffattn;

namespace {
/// What a compilation has produced, as far as it was asked for.
struct Products {
  EntrySignature signature;
  std::unique_ptr<llvm::MemoryBuffer> object;
  GPUCode gpu;
};
} // namespace

/// What `--emit` asks for.
static FailureOr<std::string> getContents(const CompilerInvocation &invocation,
                                          EmitKind kind,
                                          const Products &products) {
  switch (kind) {
  case EmitKind::MLIR:
    return invocation.emitMLIR();
  case EmitKind::LLVM:
    return invocation.emitLLVMIR();
  case EmitKind::Object:
    return products.object->getBuffer().str();
  case EmitKind::PTX:
    return products.gpu.ptx;
  case EmitKind::Cubin:
    return products.gpu.cubin;
  }
  llvm_unreachable("unknown kind of output");
}

/// The manifest beside the file that is written.
static FailureOr<std::string>
getManifestText(const CompilerInvocation &invocation, const Products &products,
                const ToolOptions &options) {
  auto getFile = [&](EmitKind kind) {
    return options.outputFile && options.emit == kind ? *options.outputFile
                                                      : std::string();
  };
  if (!invocation.getTarget().isGPU())
    return getManifest(invocation, products.signature,
                       getFile(EmitKind::Object));
  // The runtime looks for images beside the manifest.
  auto getImage = [&](EmitKind kind) {
    return llvm::sys::path::filename(getFile(kind)).str();
  };
  return getGPUManifest(invocation, products.gpu,
                        {getImage(EmitKind::PTX), getImage(EmitKind::Cubin)});
}

/// --run: returns the exit status.
static int run(const CompilerInvocation &invocation, const Products &products,
               const ToolOptions &options) {
  const TargetDescription &target = invocation.getTarget();
  auto program =
      target.isGPU()
          ? createGPURunner(invocation, products.gpu, products.signature)
          : createCPURunner(llvm::cast<CPUTarget>(target), *products.object,
                            products.signature);
  if (!program)
    return reportError(llvm::toString(program.takeError()));
  return runProgram(invocation, products.signature, **program, options);
}

/// Compiles with the schedule that `options` leave to the target or give.
static int compileOnce(const ToolOptions &options, llvm::SourceMgr &sources,
                       MLIRContext &context) {
  CompilerInvocation invocation(context, options.compiler);
  if (failed(invocation.load(sources)))
    return 1;
  const bool isGPU = invocation.getTarget().isGPU();
  const bool hasManifest = !options.manifestFile.empty();
  Products products;
  if (options.run || !options.headerFile.empty() || (!isGPU && hasManifest)) {
    FailureOr<EntrySignature> found = invocation.getSignature();
    if (failed(found))
      return 1;
    products.signature = *found;
  }
  if (failed(invocation.runPhases()))
    return 1;

  auto emits = [&](EmitKind kind) {
    return options.outputFile && options.emit == kind;
  };
  if ((options.run && !isGPU) || emits(EmitKind::Object)) {
    auto emitted = invocation.emitObject();
    if (failed(emitted))
      return 1;
    products.object = std::move(*emitted);
  }
  if ((options.run && isGPU) || emits(EmitKind::PTX) ||
      emits(EmitKind::Cubin)) {
    auto emitted = invocation.emitGPUCode(options.assembler);
    if (failed(emitted))
      return 1;
    products.gpu = std::move(*emitted);
  }

  // Nothing is written until everything has been produced.
  OutputFiles outputs;
  if (options.outputFile) {
    auto contents = getContents(invocation, options.emit, products);
    if (failed(contents))
      return 1;
    outputs.add(*options.outputFile, std::move(*contents));
  }
  if (!options.headerFile.empty())
    outputs.add(options.headerFile,
                getCHeader(products.signature,
                           emits(EmitKind::Object) ? *options.outputFile : ""));
  if (hasManifest) {
    auto manifest = getManifestText(invocation, products, options);
    if (failed(manifest))
      return 1;
    outputs.add(options.manifestFile, std::move(*manifest));
  }
  if (llvm::Error error = outputs.commit())
    return reportError(llvm::toString(std::move(error)));

  if (!options.run)
    return 0;
  return run(invocation, products, options);
}

/// The options, then variations of the schedule for kernels that spill. Which
/// schedules fit is a question of a few registers, and ptxas answers it; the
/// model ranks, the assembler decides. Schedules that were asked for stay.
static std::vector<ToolOptions> getAttempts(const ToolOptions &options) {
  std::vector<ToolOptions> attempts = {options};
  const CompilerOptions &given = options.compiler;
  if (given.from != Phase::Input || given.pipeline.keyTile ||
      given.pipeline.warps || given.pipeline.stages ||
      given.pipeline.teams ||
      !llvm::StringRef(given.pipeline.target).starts_with("sm_"))
    return attempts;
  struct Variation {
    int64_t keyTile, stages;
  };
  for (Variation variation :
       {Variation{64, 2}, Variation{0, 3}, Variation{32, 2}, Variation{32, 1},
        Variation{48, 2}, Variation{16, 2}}) {
    attempts.push_back(options);
    attempts.back().compiler.pipeline.keyTile = variation.keyTile;
    attempts.back().compiler.pipeline.stages = variation.stages;
  }
  return attempts;
}

static int compile(const ToolOptions &options, llvm::SourceMgr &sources,
                   MLIRContext &context) {
  std::vector<ToolOptions> attempts = getAttempts(options);
  std::optional<std::string> firstFailure;
  for (const ToolOptions &attempt : attempts) {
    bool spills = false, illegal = false;
    {
      ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
        std::string text = diagnostic.str();
        bool isRetry = firstFailure.has_value();
        spills |= StringRef(text).contains(" spills ");
        illegal |=
            isRetry && diagnostic.getSeverity() == DiagnosticSeverity::Error;
        if (spills && !firstFailure)
          firstFailure = text;
        // Others see what is no reason to go on.
        return success(spills || illegal);
      });
      int status = compileOnce(attempt, sources, context);
      if (!spills && !illegal)
        return status;
    }
  }
  emitError(UnknownLoc::get(&context)) << *firstFailure;
  return 1;
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
