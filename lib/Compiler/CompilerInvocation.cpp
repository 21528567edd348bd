//===- CompilerInvocation.cpp - One compilation ---------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Compiler/CompilerInvocation.h"

#include "diffattn/Compiler/OutputFiles.h"
#include "diffattn/Compiler/ScheduleList.h"
#include "diffattn/Dialect/DiffAttn/IR/DiffAttn.h"
#include "diffattn/Reference/Inputs.h"
#include "diffattn/Target/LLVMEmission.h"
#include "diffattn/Target/PTXEmission.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassInstrumentation.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace mlir::diffattn;

CompilerInvocation::CompilerInvocation(MLIRContext &context,
                                       CompilerOptions options)
    : context(context), options(std::move(options)) {}

//===----------------------------------------------------------------------===//
// Input
//===----------------------------------------------------------------------===//

LogicalResult CompilerInvocation::checkPhases() const {
  Location unknown = UnknownLoc::get(&context);
  for (Phase phase : {options.from, getLast()})
    if (llvm::none_of(phases, [&](const PhaseInfo &info) {
          return info.phase == phase;
        })) {
      SmallVector<StringRef> names;
      for (const PhaseInfo &info : phases)
        names.push_back(info.name);
      return emitError(unknown)
             << "target '" << target->name << "' has no phase '"
             << getPhaseName(phase) << "', expected one of "
             << llvm::join(names, ", ");
    }
  if (getLast() < options.from)
    return emitError(unknown)
           << "cannot compile from phase '" << getPhaseName(options.from)
           << "' to phase '" << getPhaseName(getLast())
           << "', which comes before it";
  return success();
}

LogicalResult CompilerInvocation::load(llvm::SourceMgr &sources) {
  Location unknown = UnknownLoc::get(&context);
  llvm::Expected<const TargetDescription *> found =
      lookupTarget(options.pipeline.target);
  if (!found)
    return emitError(unknown) << llvm::toString(found.takeError());
  target = *found;
  phases = getPhases(target->kind);
  if (failed(checkPhases()))
    return failure();

  module = parseSourceFile<ModuleOp>(sources, &context);
  if (!module || failed(findEntry()))
    return failure();
  input = module->clone();
  if (!entryName.empty())
    inputEntry = input->lookupSymbol<func::FuncOp>(entryName);
  takeStock(options.from);
  return success();
}

LogicalResult CompilerInvocation::findEntry() {
  // The LLVM dialect and kernels have entry points already, and what stops
  // before the last phase may be called or not.
  if (options.from == Phase::LLVM || options.from >= Phase::Tile ||
      (getLast() != phases.back().phase && options.entry.empty()))
    return success();
  llvm::Expected<func::FuncOp> entry =
      reference::findEntry(*module, options.entry);
  if (!entry)
    return emitError(UnknownLoc::get(&context))
           << llvm::toString(entry.takeError());
  entryName = entry->getName().str();

  // The rest of the module is compiled as far as the entry needs it.
  for (auto function : module->getOps<func::FuncOp>())
    function.setVisibility(function == *entry
                               ? SymbolTable::Visibility::Public
                               : SymbolTable::Visibility::Private);
  if (target->isGPU())
    return success();
  (*entry)->setAttr(LLVM::LLVMDialect::getEmitCWrapperAttrName(),
                    UnitAttr::get(&context));
  // Arguments are the caller's: bufferisation must not take them for scratch.
  for (unsigned i = 0, e = entry->getNumArguments(); i < e; ++i)
    if (isa<TensorType>(entry->getArgument(i).getType()))
      entry->setArgAttr(i,
                        bufferization::BufferizationDialect::kWritableAttrName,
                        BoolAttr::get(&context, false));
  return success();
}

FailureOr<EntrySignature> CompilerInvocation::getSignature() const {
  if (inputEntry)
    return EntrySignature::get(inputEntry);
  return emitError(UnknownLoc::get(&context))
         << "the calling convention of the program is not known: the input "
            "must be in a phase before 'llvm', where the entry is a func.func";
}

//===----------------------------------------------------------------------===//
// Phases
//===----------------------------------------------------------------------===//

void CompilerInvocation::takeStock(Phase phase) {
  if (phase == Phase::Tile)
    (*module).walk([&](gpu::GPUFuncOp op) {
      if (std::optional<GPUKernel> kernel = GPUKernel::get(op))
        kernels.push_back(std::move(*kernel));
    });
  auto entry = entryName.empty()
                   ? func::FuncOp()
                   : module->lookupSymbol<func::FuncOp>(entryName);
  if (entry && phase == Phase::Input)
    inputAttention = AttentionSummary::get(entry);
  if (entry && phase == Phase::Fused)
    attention = AttentionSummary::get(entry);
}

namespace {
/// Notes the schedules that are chosen: tiling uses them up.
struct ScheduleRecorder : PassInstrumentation {
  ScheduleRecorder(std::vector<std::string> &schedules)
      : schedules(schedules) {}

  void runAfterPass(Pass *pass, Operation *root) override {
    if (pass->getArgument() != "diffattn-assign-schedule")
      return;
    root->walk([&](AttentionOp op) {
      if (!op.getSchedule())
        return;
      llvm::raw_string_ostream stream(schedules.emplace_back());
      stream << op.getScheduleAttr();
    });
  }

  std::vector<std::string> &schedules;
};
} // namespace

LogicalResult CompilerInvocation::dump(const Twine &name,
                                       std::string contents) const {
  if (options.dumpDir.empty())
    return success();
  SmallString<128> path(options.dumpDir);
  llvm::sys::path::append(path, name);
  if (llvm::Error error = writeFile(path, std::move(contents)))
    return emitError(UnknownLoc::get(&context))
           << llvm::toString(std::move(error));
  return success();
}

LogicalResult CompilerInvocation::dump(Phase phase) const {
  if (options.dumpDir.empty())
    return success();
  for (auto [i, info] : llvm::enumerate(phases))
    if (info.phase == phase)
      return dump("0" + Twine(i) + "-" + info.name + ".mlir", emitMLIR());
  return success();
}

std::string CompilerInvocation::getPipelineString() const {
  PassManager pm(&context, ModuleOp::getOperationName());
  for (const PhaseInfo &info : phases)
    if (info.phase > options.from && info.phase <= getLast())
      buildStageTo(target->kind, info.phase, pm, options.pipeline);
  std::string text;
  llvm::raw_string_ostream stream(text);
  pm.printAsTextualPipeline(stream);
  return text;
}

LogicalResult CompilerInvocation::runStage(const PhaseInfo &info) {
  PassManager pm(&context, ModuleOp::getOperationName());
  buildStageTo(target->kind, info.phase, pm, options.pipeline);
  pm.addInstrumentation(std::make_unique<ScheduleRecorder>(schedules));
  bool reported = false;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    reported |= diagnostic.getSeverity() == DiagnosticSeverity::Error;
    return failure(); // on to the next handler
  });
  if (succeeded(pm.run(*module)))
    return success();
  if (!reported)
    emitError(UnknownLoc::get(&context))
        << "lowering to phase '" << info.name
        << "' failed without a diagnostic, which is a bug in diffattn";
  return failure();
}

LogicalResult CompilerInvocation::runPhases() {
  if (!options.dumpDir.empty()) {
    if (std::error_code error =
            llvm::sys::fs::create_directories(options.dumpDir))
      return emitError(UnknownLoc::get(&context))
             << "cannot create directory '" << options.dumpDir
             << "': " << error.message();
    if (failed(dump("pipeline.txt", getPipelineString() + "\n")))
      return failure();
  }
  if (failed(dump(options.from)))
    return failure();
  for (const PhaseInfo &info : phases)
    if (info.phase > options.from && info.phase <= getLast()) {
      if (failed(runStage(info)))
        return failure();
      takeStock(info.phase);
      if (failed(dump(info.phase)))
        return failure();
    }
  return success();
}

//===----------------------------------------------------------------------===//
// Output
//===----------------------------------------------------------------------===//

std::string CompilerInvocation::describeFusion() const {
  if (options.from > Phase::Fused)
    return std::string("fusion not run: the input is in phase '") +
           getPhaseName(options.from).str() + "'";
  unsigned now = attention.getNumDifferential();
  unsigned before =
      options.from == Phase::Fused ? now : inputAttention.getNumDifferential();
  std::string found = attention.describe(/*differentialOnly=*/true);
  if (now > before)
    return "fused " + found;
  if (now > 0)
    return "nothing to fuse: the input has " + found;
  if (!attention.sites.empty())
    return "nothing was fused: the program has " +
           attention.describe(/*differentialOnly=*/false) +
           " and no differential attention (--remarks says what was missing)";
  return "nothing was fused: no differential attention was recognised "
         "(--remarks says what was missing)";
}

std::string CompilerInvocation::emitMLIR() const {
  std::string text;
  llvm::raw_string_ostream stream(text);
  (*module)->print(stream);
  return text;
}

FailureOr<std::string> CompilerInvocation::emitSchedules() const {
  return listSchedules(*module, llvm::cast<GPUTarget>(*target),
                       options.pipeline.scheduleTable);
}

FailureOr<std::unique_ptr<llvm::Module>>
CompilerInvocation::translate(llvm::LLVMContext &llvmContext) const {
  return translateToLLVMIR(*module, llvmContext,
                           llvm::cast<CPUTarget>(*target));
}

FailureOr<gpu::GPUModuleOp> CompilerInvocation::getKernelModule() const {
  auto modules = llvm::to_vector((*module).getOps<gpu::GPUModuleOp>());
  if (modules.size() == 1)
    return modules.front();
  return emitError(UnknownLoc::get(&context))
         << "expects one gpu.module to make code of, but the program has "
         << modules.size();
}

FailureOr<GPUCode>
CompilerInvocation::emitGPUCode(const AssemblerOptions &assembler) const {
  FailureOr<gpu::GPUModuleOp> kernels = getKernelModule();
  if (failed(kernels))
    return failure();
  FailureOr<GPUCode> code = diffattn::emitGPUCode(
      *kernels, llvm::cast<GPUTarget>(*target), assembler);
  if (failed(code) ||
      failed(dump("0" + Twine(phases.size()) + "-ptx.ptx", code->ptx)))
    return failure();
  return code;
}

bool CompilerInvocation::mayChangeSchedule() const {
  const PipelineSettings &given = options.pipeline;
  return options.from == Phase::Input && !given.keyTile && !given.warps &&
         !given.stages && !given.teams && given.order.empty();
}

void CompilerInvocation::restart() {
  module = input->clone();
  schedules.clear();
  kernels.clear();
  takeStock(options.from);
}

FailureOr<GPUCode>
CompilerInvocation::compileForGPU(const AssemblerOptions &assembler) {
  // Each takes seconds of the assembler.
  constexpr int64_t maxAttempts = 8;
  std::string firstFault;
  options.pipeline.rank = 0;
  // Storing through shared memory takes registers of the producer, which has
  // the fewest: a schedule gets a second chance without.
  const bool mayStoreOtherwise =
      options.pipeline.store.empty() &&
      llvm::cast<GPUTarget>(*target).matrixInstruction ==
          MatrixInstruction::WGMMA;
  bool storesOtherwise = false;
  for (int64_t attempt = 0; attempt < maxAttempts; ++attempt) {
    // That there is no further schedule is not what to report.
    ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
      return success(attempt > 0 &&
                     diagnostic.getSeverity() == DiagnosticSeverity::Error);
    });
    if (attempt > 0)
      restart();
    if (mayStoreOtherwise)
      options.pipeline.store = storesOtherwise ? "registers" : "";
    FailureOr<GPUCode> code = failure();
    if (succeeded(runPhases()))
      code = emitGPUCode(assembler);
    if (failed(code) && attempt == 0)
      return failure();
    if (failed(code))
      break;
    if (!code->fault)
      return code;
    std::string fault = code->fault->describe(
        schedules.empty() ? "its schedule" : llvm::join(schedules, ", "));
    remark::missed(UnknownLoc::get(&context),
                   remark::RemarkOpts::name("schedule").category("assembler"))
        << remark::reason("{0}", fault);
    if (firstFault.empty())
      firstFault = fault;
    // Only persistent kernels have teams, which store either way.
    bool hasTeams = llvm::any_of(
        kernels, [](const GPUKernel &kernel) { return kernel.isPersistent; });
    storesOtherwise = mayStoreOtherwise && hasTeams && !storesOtherwise;
    if (storesOtherwise)
      continue;
    if (!mayChangeSchedule())
      break;
    ++options.pipeline.rank;
  }
  return emitError(UnknownLoc::get(&context)) << firstFault;
}

std::optional<CompilerOptions>
CompilerInvocation::getElementwiseOptions(int64_t warps) const {
  if (options.from > Phase::Fused)
    return std::nullopt;
  CompilerOptions result;
  result.entry = options.entry;
  result.from = options.from;
  StringRef other = llvm::cast<GPUTarget>(*target).elementwiseTarget;
  result.pipeline.target = other.empty() ? target->name : other.str();
  result.pipeline.elementwise = true;
  result.pipeline.warps = warps;
  return result;
}

FailureOr<std::string> CompilerInvocation::emitLLVMIR() const {
  if (auto *gpu = llvm::dyn_cast<GPUTarget>(target)) {
    FailureOr<gpu::GPUModuleOp> kernels = getKernelModule();
    if (failed(kernels))
      return failure();
    return emitDeviceLLVMIR(*kernels, *gpu);
  }
  llvm::LLVMContext llvmContext;
  auto llvmModule = translate(llvmContext);
  if (failed(llvmModule))
    return failure();
  std::string text;
  llvm::raw_string_ostream stream(text);
  (*llvmModule)->print(stream, /*AAW=*/nullptr);
  return text;
}

FailureOr<std::unique_ptr<llvm::MemoryBuffer>>
CompilerInvocation::emitObject() const {
  llvm::LLVMContext llvmContext;
  auto llvmModule = translate(llvmContext);
  if (failed(llvmModule))
    return failure();
  auto object =
      diffattn::emitObject(**llvmModule, llvm::cast<CPUTarget>(*target));
  if (!object)
    return emitError(UnknownLoc::get(&context))
           << llvm::toString(object.takeError());
  return std::move(*object);
}
