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
  std::string target = "cpu";
  /// The function that is called from outside; if empty, the only public one.
  std::string entry;
  /// The phase that the input is in, and the last one to run.
  Phase from = Phase::Input;
  Phase to = Phase::LLVM;
  /// Overrides of the schedule; 0 leaves the choice to the target.
  int64_t queryTile = 0, pairs = 0, keyTile = 0;
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

  /// What `--pass-pipeline=` of diffattn-opt repeats runPhases() with.
  std::string getPipelineString() const;

  /// After runPhases(): the module as text, as optimised LLVM IR, or as an
  /// object file. The last two need `to` to be the LLVM phase.
  std::string emitMLIR() const;
  FailureOr<std::string> emitLLVMIR() const;
  FailureOr<std::unique_ptr<llvm::MemoryBuffer>> emitObject() const;

  /// The calling convention of the entry.
  FailureOr<EntrySignature> getSignature() const;

  /// One line on what fusion did, for people.
  std::string describeFusion() const;

  const CPUTarget &getTarget() const { return *target; }
  /// The entry in the module as it was read, for the reference evaluator; null
  /// if it is no func.func.
  func::FuncOp getInputEntry() const { return inputEntry; }
  /// The attention of the entry, where the compilation passed the fused phase.
  const AttentionSummary &getAttention() const { return attention; }
  /// The schedules of the module's attention ops, as text.
  ArrayRef<std::string> getSchedules() const { return schedules; }

private:
  LogicalResult findEntry();
  void initializeOptions(CPUPipelineOptions &pipelineOptions) const;
  LogicalResult dump(Phase phase) const;
  /// Looks at the IR on its way past `phase`.
  void takeStock(Phase phase);
  FailureOr<std::unique_ptr<llvm::Module>>
  translate(llvm::LLVMContext &context) const;

  MLIRContext &context;
  CompilerOptions options;
  const CPUTarget *target = nullptr;
  OwningOpRef<ModuleOp> input;
  OwningOpRef<ModuleOp> module;
  func::FuncOp inputEntry;
  std::string entryName;
  AttentionSummary inputAttention;
  AttentionSummary attention;
  std::vector<std::string> schedules;
};

} // namespace mlir::diffattn

#endif // DIFFATTN_COMPILER_COMPILERINVOCATION_H
