//===- RunProgram.cpp - The --run of diffattn-compile ---------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RunProgram.h"

#include "DiagnosticPrinter.h"

#include "diffattn/Reference/Compare.h"
#include "diffattn/Reference/Evaluator.h"
#include "diffattn/Reference/Inputs.h"
#include "diffattn/Reference/Npy.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::diffattn;
using reference::Array;

/// Work that the evaluator gets through in a few seconds; beyond it, --check
/// looks at a sample of the rows.
static constexpr double maxReferenceFlops = 2e9;

/// What reference::makeInputs takes: the arguments as tensors.
static FunctionType getTensorType(const EntrySignature &signature,
                                  func::FuncOp entry) {
  SmallVector<Type> arguments;
  for (auto [tensor, type] :
       llvm::zip(signature.arguments, entry.getArgumentTypes()))
    arguments.push_back(RankedTensorType::get(
        tensor.shape, cast<ShapedType>(type).getElementType()));
  return FunctionType::get(entry.getContext(), arguments, {});
}

static std::vector<SmallVector<int64_t>> getShapes(ArrayRef<Array> arrays) {
  std::vector<SmallVector<int64_t>> shapes;
  for (const Array &array : arrays)
    shapes.emplace_back(array.getShape());
  return shapes;
}

/// The rows to evaluate, if all would take too long and rows are apart.
static std::optional<reference::RowSample>
chooseRows(func::FuncOp entry, const std::optional<AttentionWork> &work,
           ArrayRef<Array> results) {
  if (!work || work->flops <= maxReferenceFlops || results.empty() ||
      results.front().getRank() != 4 || !reference::canSampleRows(entry))
    return std::nullopt;
  int64_t batches = results.front().getShape()[0];
  int64_t rows = results.front().getShape()[1];
  int64_t count = batches * rows * (maxReferenceFlops / work->flops);
  return reference::RowSample::random(batches, rows,
                                      std::max<int64_t>(count, 16),
                                      /*seed=*/0);
}

/// --check: returns the exit status.
static int checkResults(func::FuncOp entry, ArrayRef<Array> arguments,
                        ArrayRef<Array> results,
                        const std::optional<AttentionWork> &work,
                        const ToolOptions &options) {
  reference::EvaluatorOptions evaluation;
  evaluation.rowSample = chooseRows(entry, work, results);
  auto expected = reference::evaluate(entry, arguments, evaluation);
  if (!expected)
    return reportError("the reference evaluator cannot check this program: " +
                       llvm::toString(expected.takeError()));
  int status = 0;
  for (auto [i, result] : llvm::enumerate(results)) {
    auto comparison = reference::compareArrays(result, (*expected)[i]);
    if (!comparison)
      return reportError("result " + llvm::Twine(i) + ": " +
                         llvm::toString(comparison.takeError()));
    double tolerance = options.tolerance
                           ? *options.tolerance
                           : reference::getDefaultTolerance(result.getDType());
    bool passes = comparison->passes(tolerance);
    llvm::outs() << "check: result " << i << ": " << comparison->str();
    if (evaluation.rowSample)
      llvm::outs() << ", " << evaluation.rowSample->rows.size()
                   << " rows sampled";
    llvm::outs() << llvm::format(", tolerance %.2g: ", tolerance)
                 << (passes ? "ok" : "FAILED") << "\n";
    if (!passes)
      status = reportError("result " + llvm::Twine(i) +
                           " differs from the reference evaluator by more "
                           "than the tolerance");
  }
  return status;
}

/// --time: returns the exit status.
static int timeProgram(ProgramRunner &program,
                       llvm::MutableArrayRef<Array> arguments,
                       const std::optional<AttentionWork> &work) {
  auto timed = program.time(arguments);
  if (!timed)
    return reportError(llvm::toString(timed.takeError()));
  const std::vector<double> &seconds = *timed;
  double median = seconds[seconds.size() / 2];
  llvm::outs() << llvm::format(
      "time: median %.3f ms of %zu runs (fastest %.3f, slowest %.3f)",
      median * 1e3, seconds.size(), seconds.front() * 1e3,
      seconds.back() * 1e3);
  if (!work) {
    llvm::outs() << "; rate unknown: no attention whose sizes follow from the "
                    "arguments\n";
    return 0;
  }
  llvm::outs() << llvm::format(", %.1f GFLOP/s\n", work->flops / median * 1e-9);

  auto comparison = program.compareToMachine(*work, median);
  if (!comparison)
    return reportError(llvm::toString(comparison.takeError()));
  llvm::outs() << *comparison << "\n";
  return 0;
}

int mlir::diffattn::runProgram(const CompilerInvocation &invocation,
                               const EntrySignature &signature,
                               ProgramRunner &program,
                               const ToolOptions &options) {
  if (!options.outputs.empty() &&
      options.outputs.size() != signature.results.size())
    return reportError(llvm::Twine("expected one --output for each of the ") +
                       llvm::Twine(signature.results.size()) + " results of '" +
                       signature.name + "', but got " +
                       llvm::Twine(options.outputs.size()));
  func::FuncOp entry = invocation.getInputEntry();
  if (options.check && llvm::any_of(entry.getArgumentTypes(), [](Type type) {
        return !isa<TensorType>(type);
      }))
    return reportError("option '--check' needs an input on tensors (a phase "
                       "up to 'linalg'), but the arguments are buffers");

  reference::InputOptions inputOptions;
  inputOptions.inputs.assign(options.inputs.begin(), options.inputs.end());
  inputOptions.shapes.assign(options.shapes.begin(), options.shapes.end());
  inputOptions.dynamicDim = options.dynamicDim;
  auto arguments =
      reference::makeInputs(getTensorType(signature, entry), inputOptions);
  if (!arguments)
    return reportError(llvm::toString(arguments.takeError()));

  llvm::outs() << invocation.describeFusion() << "\n";
  auto results = program.run(*arguments);
  if (!results)
    return reportError(llvm::toString(results.takeError()));
  for (auto [i, result] : llvm::enumerate(*results))
    llvm::outs() << "result " << i << ": " << result.getTypeString() << "\n";
  for (auto [file, result] : llvm::zip(options.outputs, *results))
    if (llvm::Error error = reference::writeNpy(file, result))
      return reportError(llvm::toString(std::move(error)));

  std::optional<AttentionWork> work =
      invocation.getAttention().getWork(getShapes(*arguments));
  int status = 0;
  if (options.check)
    status = checkResults(entry, *arguments, *results, work, options);
  if (options.time && status == 0)
    status = timeProgram(program, *arguments, work);
  return status;
}
