//===- CompilerInvocation.h - One compilation -------------------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Carries a module through the phases and emits the result. Tools and bindings
// are thin layers over this class; it prints nothing and writes nothing but
// the dump directory. Failures are reported as MLIR diagnostics, one each.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_COMPILER_COMPILERINVOCATION_H
#define DIFFATTN_COMPILER_COMPILERINVOCATION_H

#include "diffattn/Compiler/AttentionSummary.h"
#include "diffattn/Compiler/EntrySignature.h"
#include "diffattn/Compiler/GPUCode.h"
#include "diffattn/Pipelines/Pipelines.h"
#include "diffattn/Target/TargetDescription.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"

namespace mlir::diffattn {

struct CompilerOptions {
  /// The target, and overrides of the schedule.
  PipelineSettings pipeline;
  /// The function that is called from outside; if empty, the only public one.
  std::string entry;
  /// The phase that the input is in, and the last one to run; absent: the last
  /// one of the target.
  Phase from = Phase::Input;
  std::optional<Phase> to;
  /// Receives the IR of every phase, if not empty.
  std::string dumpDir;
};

class CompilerInvocation {
public:
  CompilerInvocation(MLIRContext &context, CompilerOptions options);

  /// Reads, verifies and takes stock of the input: target and entry exist.
  LogicalResult load(llvm::SourceMgr &sources);

  /// Runs the stages from phase `from` to phase `to`.
  LogicalResult runPhases();

  /// Runs all stages and emits the code of a GPU. Whether a schedule fits is a
  /// question of a few registers: the model ranks schedules, and where nobody
  /// asked for one, the first that the assembler finds no fault with is taken.
  /// If there is none, the fault of the first is the error.
  FailureOr<GPUCode> compileForGPU(const AssemblerOptions &assembler);

  /// For a second compilation of the same input, to code that accepts arguments
  /// that lie anywhere, with a schedule of its own, of so many warps (0 leaves
  /// them open); nothing if the input is past the choice of a schedule.
  std::optional<CompilerOptions> getElementwiseOptions(int64_t warps) const;

  /// What `--pass-pipeline=` of diffattn-opt repeats runPhases() with.
  std::string getPipelineString() const;

  /// After runPhases(): the module as text.
  std::string emitMLIR() const;
  /// After the fused phase, for a GPU: the legal schedules of each attention op
  /// and the class of its shape, as JSON.
  FailureOr<std::string> emitSchedules() const;
  /// After the last phase: optimised LLVM IR; for a CPU an object file.
  FailureOr<std::string> emitLLVMIR() const;
  FailureOr<std::unique_ptr<llvm::MemoryBuffer>> emitObject() const;

  /// The calling convention of the entry.
  FailureOr<EntrySignature> getSignature() const;

  /// One line on what fusion did, for people.
  std::string describeFusion() const;

  MLIRContext *getContext() const { return &context; }
  const TargetDescription &getTarget() const { return *target; }
  /// The entry in the module as it was read, for the reference evaluator; null
  /// if it is no func.func.
  func::FuncOp getInputEntry() const { return inputEntry; }
  /// The attention of the entry, where the compilation passed the fused phase.
  const AttentionSummary &getAttention() const { return attention; }
  /// The schedules of the module's attention ops, as text.
  ArrayRef<std::string> getSchedules() const { return schedules; }
  /// The kernels, where the compilation passed the tile phase.
  ArrayRef<GPUKernel> getKernels() const { return kernels; }

private:
  LogicalResult findEntry();
  LogicalResult checkPhases() const;
  /// The last phase to run.
  Phase getLast() const { return options.to.value_or(phases.back().phase); }
  LogicalResult dump(Phase phase) const;
  LogicalResult dump(const Twine &name, std::string contents) const;
  LogicalResult runStage(const PhaseInfo &info);
  /// Whether the choice of the schedule is the model's.
  bool mayChangeSchedule() const;
  /// Starts again from the input.
  void restart();
  /// After the last phase: code, written to the dump directory as well.
  FailureOr<GPUCode> emitGPUCode(const AssemblerOptions &assembler) const;
  /// Looks at the IR on its way past `phase`.
  void takeStock(Phase phase);
  FailureOr<std::unique_ptr<llvm::Module>>
  translate(llvm::LLVMContext &context) const;
  FailureOr<gpu::GPUModuleOp> getKernelModule() const;

  MLIRContext &context;
  CompilerOptions options;
  const TargetDescription *target = nullptr;
  /// The phases of the target.
  SmallVector<PhaseInfo> phases;
  OwningOpRef<ModuleOp> input;
  OwningOpRef<ModuleOp> module;
  func::FuncOp inputEntry;
  std::string entryName;
  AttentionSummary inputAttention;
  AttentionSummary attention;
  std::vector<std::string> schedules;
  std::vector<GPUKernel> kernels;
};

} // namespace mlir::diffattn

#endif // DIFFATTN_COMPILER_COMPILERINVOCATION_H
