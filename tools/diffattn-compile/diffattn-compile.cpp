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
  case EmitKind::Schedules:
    return invocation.emitSchedules();
  }
  llvm_unreachable("unknown kind of output");
}

/// The name of the second program's file beside one of the first.
static std::string getFallbackPath(StringRef path) {
  SmallString<128> result(path);
  StringRef extension = llvm::sys::path::extension(path);
  llvm::sys::path::replace_extension(result, ".elementwise" + extension);
  return std::string(result);
}

/// Compiles the input for arguments that the program refuses because of where
/// they lie: code and manifest. Says why there are none.
static FailureOr<std::pair<GPUCode, std::string>>
compileFallback(const CompilerInvocation &invocation, int64_t warps,
                const ToolOptions &options, llvm::SourceMgr &sources,
                StringRef image, std::string &why) {
  MLIRContext &context = *invocation.getContext();
  std::optional<CompilerOptions> settings =
      invocation.getElementwiseOptions(warps);
  if (!settings)
    return failure();
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() != DiagnosticSeverity::Error)
      return failure(); // on to the next handler
    why = diagnostic.str();
    return success();
  });
  CompilerInvocation other(context, *settings);
  if (failed(other.load(sources)))
    return failure();
  FailureOr<GPUCode> code = other.compileForGPU(options.assembler);
  if (failed(code))
    return failure();
  ImageFiles files;
  (options.emit == EmitKind::PTX ? files.ptx : files.cubin) =
      llvm::sys::path::filename(image).str();
  FailureOr<std::string> manifest = getGPUManifest(other, *code, files);
  if (failed(manifest))
    return failure();
  return std::pair(std::move(*code), std::move(*manifest));
}

/// Adds the files of such a program. Without one, nothing but the arguments
/// that it is for is lost.
static bool addFallback(const CompilerInvocation &invocation,
                        const ToolOptions &options, llvm::SourceMgr &sources,
                        OutputFiles &outputs) {
  std::string image = getFallbackPath(*options.outputFile), why;
  // Copies through registers take some: many warps have those to spare.
  for (int64_t warps : {8, 0}) {
    auto program =
        compileFallback(invocation, warps, options, sources, image, why);
    if (failed(program))
      continue;
    auto &[code, manifest] = *program;
    outputs.add(
        std::move(image),
        std::move(options.emit == EmitKind::PTX ? code.ptx : code.cubin));
    outputs.add(getFallbackPath(options.manifestFile), std::move(manifest));
    return true;
  }
  if (!why.empty())
    remark::missed(UnknownLoc::get(invocation.getContext()),
                   remark::RemarkOpts::name("fallback").category("compiler"))
        << remark::reason("no program for arguments that are not aligned: {0}",
                          why);
  return false;
}

/// The manifest beside the file that is written.
static FailureOr<std::string>
getManifestText(const CompilerInvocation &invocation, const Products &products,
                const ToolOptions &options, bool hasFallback) {
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
  ImageFiles files = {getImage(EmitKind::PTX), getImage(EmitKind::Cubin), ""};
  if (hasFallback)
    files.fallback =
        llvm::sys::path::filename(getFallbackPath(options.manifestFile)).str();
  return getGPUManifest(invocation, products.gpu, files);
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

static int compile(const ToolOptions &options, llvm::SourceMgr &sources,
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

  auto emits = [&](EmitKind kind) {
    return options.outputFile && options.emit == kind;
  };
  if (isGPU &&
      (options.run || emits(EmitKind::PTX) || emits(EmitKind::Cubin))) {
    auto emitted = invocation.compileForGPU(options.assembler);
    if (failed(emitted))
      return 1;
    products.gpu = std::move(*emitted);
  } else if (failed(invocation.runPhases())) {
    return 1;
  }
  if ((options.run && !isGPU) || emits(EmitKind::Object)) {
    auto emitted = invocation.emitObject();
    if (failed(emitted))
      return 1;
    products.object = std::move(*emitted);
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
    bool hasFallback = options.fallback && isGPU &&
                       (emits(EmitKind::PTX) || emits(EmitKind::Cubin)) &&
                       !isStream(*options.outputFile) &&
                       !isStream(options.manifestFile) &&
                       addFallback(invocation, options, sources, outputs);
    auto manifest = getManifestText(invocation, products, options, hasFallback);
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
