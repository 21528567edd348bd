//===- diffattn-eval.cpp - Run functions in the reference evaluator -------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Evaluates a function in float64, or compares a function of two files: that is
// how a pass is tested for keeping the meaning of what it rewrites. Kernels of
// the tile dialect run in the adversarial interpreter.
//
//===----------------------------------------------------------------------===//

#include "diffattn/Dialect/DiffAttn/IR/DiffAttn.h"
#include "diffattn/Dialect/Tile/IR/Tile.h"
#include "diffattn/Reference/Compare.h"
#include "diffattn/Reference/Evaluator.h"
#include "diffattn/Reference/Inputs.h"
#include "diffattn/Reference/Npy.h"
#include "diffattn/Reference/TileInterpreter.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Support/FileUtilities.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>

using namespace mlir;
using namespace mlir::diffattn::reference;
namespace cl = llvm::cl;

static cl::OptionCategory category("diffattn-eval options");

static cl::opt<std::string> inputFile(cl::Positional, cl::desc("IN.mlir"),
                                      cl::init("-"), cl::cat(category));
static cl::opt<std::string>
    entryName("entry", cl::value_desc("name"), cl::cat(category),
              cl::desc("Function to evaluate (default: the only public one)"));
static cl::list<std::string>
    inputs("input", cl::value_desc("FILE.npy|random:SEED|value:NUMBER"),
           cl::cat(category),
           cl::desc("One per argument, in order; a single random:SEED serves "
                    "all arguments"));
static cl::list<std::string>
    shapes("shape", cl::value_desc("ARGUMENT:2x64x8x64"), cl::cat(category),
           cl::desc("Shape of a random argument, counted from 0"));
static cl::opt<int64_t>
    dynamicDim("dynamic-dim", cl::value_desc("N"), cl::cat(category),
               cl::desc("Size of dynamic dimensions of random arguments"));
static cl::list<std::string>
    outputs("output", cl::value_desc("FILE.npy"), cl::cat(category),
            cl::desc("One per result, in order (floats as f64); without it "
                     "results are summed up on standard output"));
static cl::opt<std::string>
    compareFile("compare", cl::value_desc("OTHER.mlir"), cl::cat(category),
                cl::desc("Evaluate the same function of this file on the same "
                         "inputs and fail if a result differs"));
static cl::opt<double>
    tolerance("tolerance", cl::init(1e-9), cl::cat(category),
              cl::desc("Greatest error relative to the largest value that "
                       "--compare accepts (default 1e-9; forms with constants "
                       "rounded to f32 need about 1e-6)"));
static cl::opt<std::string>
    kernelName("kernel", cl::value_desc("name"), cl::ValueOptional,
               cl::cat(category),
               cl::desc("Run a gpu.func of the tile dialect in the adversarial "
                        "interpreter (default: the only one). Arguments are "
                        "the parameters that it reads; --compare names the "
                        "function that it must agree with"));
static cl::opt<uint64_t> firstSeed("seed", cl::value_desc("S"), cl::init(0),
                                   cl::cat(category),
                                   cl::desc("First order of blocks and warps"));
static cl::opt<unsigned>
    numSchedules("schedules", cl::value_desc("N"), cl::init(1),
                 cl::cat(category),
                 cl::desc("Run the kernel with N seeds; all must give the same "
                          "bits"));
static cl::list<std::string>
    resultShapes("result-shape", cl::value_desc("RESULT:2x64x8x64"),
                 cl::cat(category),
                 cl::desc("Shape of a dynamic result of a kernel (default: "
                          "that of the function compared with)"));
static cl::opt<int64_t>
    numBlocks("blocks", cl::value_desc("N"), cl::init(0), cl::cat(category),
              cl::desc("Blocks of the kernel (default: diffattn_tile.grid); of "
                       "a persistent one at most"));
static cl::opt<bool>
    mutate("mutate-synchronization", cl::cat(category),
           cl::desc("Remove or weaken each synchronisation of the kernel in "
                    "turn and fail if a change goes unnoticed"));
static cl::opt<int64_t>
    maxElements("max-elements", cl::init(defaultMaxElements), cl::cat(category),
                cl::desc("Refuse tensors with more elements than this"));

/// Parses and verifies `path`; the parser reports what is wrong and where.
static llvm::Expected<OwningOpRef<ModuleOp>> parseModule(MLIRContext &context,
                                                         StringRef path) {
  std::string message;
  std::unique_ptr<llvm::MemoryBuffer> buffer = openInputFile(path, &message);
  if (!buffer)
    return llvm::createStringError(message);
  llvm::SourceMgr sourceMgr;
  sourceMgr.AddNewSourceBuffer(std::move(buffer), llvm::SMLoc());
  SourceMgrDiagnosticHandler handler(sourceMgr, &context);
  ParserConfig config(&context);
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(sourceMgr, config);
  if (!module)
    return llvm::createStringError("cannot read '" + path + "'");
  return module;
}

static llvm::Expected<SmallVector<Array>> evaluateFile(ModuleOp module,
                                                       ArrayRef<Array> args) {
  llvm::Expected<func::FuncOp> entry = findEntry(module, entryName);
  if (!entry)
    return entry.takeError();
  FunctionType type = entry->getFunctionType();
  if (args.size() != type.getNumInputs())
    return llvm::createStringError("function '" + entry->getName() +
                                   "' expects " + Twine(type.getNumInputs()) +
                                   " arguments, but got " + Twine(args.size()));
  for (auto [i, array] : llvm::enumerate(args))
    if (llvm::Error error =
            checkArrayType(array, type.getInput(i), "argument " + Twine(i)))
      return error;
  EvaluatorOptions options;
  options.maxElements = maxElements;
  return evaluate(*entry, args, options);
}

/// A result in few lines: type, sum and absolute sum, first elements. NaN
/// elements are counted and left out of the sums.
static void printSummary(unsigned number, const Array &array) {
  constexpr int64_t maxShown = 16;
  double sum = 0, absSum = 0;
  int64_t numNan = 0, count = array.getNumElements();
  for (int64_t i = 0; i < count; ++i) {
    double value = array.getDouble(i);
    if (value != value) {
      ++numNan;
      continue;
    }
    sum += value;
    absSum += std::abs(value);
  }
  llvm::outs() << "result " << number << ": " << array.getTypeString() << "\n"
               << llvm::format("  sum %.6g, absolute %.6g", sum, absSum);
  if (numNan)
    llvm::outs() << ", " << numNan << " nan";
  llvm::outs() << "\n  [";
  for (int64_t i = 0; i < std::min(count, maxShown); ++i) {
    // One spelling of NaN, whatever its sign.
    double value = array.getDouble(i);
    llvm::outs() << (i ? ", " : "");
    if (value != value)
      llvm::outs() << "nan";
    else
      llvm::outs() << llvm::format("%.6g", value);
  }
  llvm::outs() << (count > maxShown ? ", ...]\n" : "]\n");
}

static llvm::Error writeOutputs(ArrayRef<Array> results) {
  if (outputs.empty()) {
    for (auto [i, result] : llvm::enumerate(results))
      printSummary(i, result);
    return llvm::Error::success();
  }
  if (outputs.size() != results.size())
    return llvm::createStringError(
        "expected one --output for each of " + Twine(results.size()) +
        " results, but got " + Twine(outputs.size()));
  for (auto [path, result] : llvm::zip_equal(outputs, results))
    if (llvm::Error error = writeNpy(path, result))
      return error;
  return llvm::Error::success();
}

static llvm::Error compareResults(ArrayRef<Array> found,
                                  ArrayRef<Array> expected) {
  if (found.size() != expected.size())
    return llvm::createStringError(compareFile + " has " + Twine(found.size()) +
                                   " results, expected " +
                                   Twine(expected.size()));
  for (auto [i, actual, reference] : llvm::enumerate(found, expected)) {
    llvm::Expected<Comparison> comparison = compareArrays(actual, reference);
    if (!comparison)
      return comparison.takeError();
    if (!comparison->passes(tolerance))
      return llvm::createStringError("result " + Twine(i) +
                                     " differs: " + comparison->str());
    llvm::outs() << "result " << i << " agrees: " << comparison->str() << "\n";
  }
  return llvm::Error::success();
}

static llvm::Expected<SmallVector<Array>> makeArgs(FunctionType type) {
  InputOptions options;
  options.inputs.assign(inputs.begin(), inputs.end());
  options.shapes.assign(shapes.begin(), shapes.end());
  options.dynamicDim = dynamicDim;
  options.maxElements = maxElements;
  return makeInputs(type, options);
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

/// Room for the results of a kernel: of the shapes given, or of `expected`.
static llvm::Expected<SmallVector<Array>>
makeResults(gpu::GPUFuncOp kernel, ArrayRef<Array> expected) {
  SmallVector<Type> types = getParameterTypes(kernel, /*written=*/true);
  if (expected.empty()) {
    InputOptions options;
    options.inputs.push_back("random:0");
    options.shapes.assign(resultShapes.begin(), resultShapes.end());
    options.dynamicDim = dynamicDim;
    options.maxElements = maxElements;
    return makeInputs(FunctionType::get(kernel.getContext(), types, {}),
                      options);
  }
  if (types.size() != expected.size())
    return llvm::createStringError("kernel '" + kernel.getName() + "' has " +
                                   Twine(types.size()) + " results, expected " +
                                   Twine(expected.size()));
  SmallVector<Array> results;
  for (auto [type, array] : llvm::zip_equal(types, expected)) {
    auto dtype = getDType(getElementTypeOrSelf(type));
    if (!dtype)
      return llvm::createStringError("a result has an unknown element type");
    auto result = Array::create(*dtype, array.getShape(), maxElements);
    if (!result)
      return result.takeError();
    results.push_back(std::move(*result));
  }
  return results;
}

static llvm::Error runMutations(gpu::GPUFuncOp kernel, ArrayRef<Array> args,
                                ArrayRef<Array> results,
                                const TileInterpreterOptions &options) {
  auto report = mutateSynchronization(kernel, args, results, options);
  if (!report)
    return report.takeError();
  for (const SurvivingMutation &survivor : report->survivors)
    survivor.op->emitError("can be ") << survivor.change << " unnoticed";
  if (!report->survivors.empty())
    return llvm::createStringError(Twine(report->survivors.size()) + " of " +
                                   Twine(report->numMutations) +
                                   " mutations of the synchronisation go "
                                   "unnoticed");
  llvm::outs() << "all " << report->numMutations
               << " mutations of the synchronisation are noticed";
  if (report->numUnreached)
    llvm::outs() << ", " << report->numUnreached << " ops are not reached";
  llvm::outs() << "\n";
  return llvm::Error::success();
}

static bool haveSameBits(ArrayRef<Array> a, ArrayRef<Array> b) {
  return llvm::equal(a, b, [](const Array &x, const Array &y) {
    return StringRef(x.data(), x.getNumBytes()) ==
           StringRef(y.data(), y.getNumBytes());
  });
}

/// Runs the kernel on `args` with every seed.
static llvm::Expected<SmallVector<Array>> runSchedules(gpu::GPUFuncOp kernel,
                                                       ArrayRef<Array> args,
                                                       ArrayRef<Array> room) {
  SmallVector<Array> first;
  for (unsigned i = 0; i < std::max(1u, unsigned(numSchedules)); ++i) {
    TileInterpreterOptions options;
    options.seed = firstSeed + i;
    if (numBlocks)
      options.numBlocks = numBlocks;
    SmallVector<Array> results(room);
    if (llvm::Error error = runKernel(kernel, args, results, options))
      return error;
    if (i == 0)
      first = results;
    else if (!haveSameBits(first, results))
      return llvm::createStringError("seed " + Twine(options.seed) +
                                     " gives other results than seed " +
                                     Twine(firstSeed));
    if (i == 0 && mutate)
      if (llvm::Error error = runMutations(kernel, args, room, options))
        return error;
  }
  return first;
}

/// What the function of --compare makes of the inputs of `kernel`. Where the
/// kernel has memory for a result, the function may have its destination.
static llvm::Expected<SmallVector<Array>>
evaluateComparison(MLIRContext &context, gpu::GPUFuncOp kernel,
                   ArrayRef<Array> inputs) {
  auto module = parseModule(context, compareFile);
  if (!module)
    return module.takeError();
  llvm::Expected<func::FuncOp> entry = findEntry(**module, entryName);
  if (!entry)
    return entry.takeError();
  SmallVector<Array> args(inputs);
  size_t numResults = getParameterTypes(kernel, /*written=*/true).size();
  if (entry->getNumArguments() == args.size() + numResults) {
    auto destinations = makeResults(kernel, {});
    if (!destinations)
      return destinations.takeError();
    auto next = destinations->begin();
    unsigned position = 0;
    for (unsigned i = 0; i < kernel.getNumArguments(); ++i) {
      if (isImplicit(kernel, i))
        continue;
      if (isWritten(kernel, i))
        args.insert(args.begin() + position, std::move(*next++));
      ++position;
    }
  }
  return evaluateFile(**module, args);
}

static llvm::Error runKernelFile(MLIRContext &context, ModuleOp module) {
  llvm::Expected<gpu::GPUFuncOp> kernel = findKernel(module, kernelName);
  if (!kernel)
    return kernel.takeError();
  auto args = makeArgs(FunctionType::get(
      &context, getParameterTypes(*kernel, /*written=*/false), {}));
  if (!args)
    return args.takeError();
  SmallVector<Array> expected;
  if (!compareFile.empty()) {
    auto results = evaluateComparison(context, *kernel, *args);
    if (!results)
      return results.takeError();
    expected = std::move(*results);
  }
  auto room = makeResults(*kernel, expected);
  if (!room)
    return room.takeError();
  auto results = runSchedules(*kernel, *args, *room);
  if (!results)
    return results.takeError();
  return compareFile.empty() ? writeOutputs(*results)
                             : compareResults(*results, expected);
}

static llvm::Error run(MLIRContext &context) {
  auto module = parseModule(context, inputFile);
  if (!module)
    return module.takeError();
  if (kernelName.getNumOccurrences())
    return runKernelFile(context, **module);
  llvm::Expected<func::FuncOp> entry = findEntry(**module, entryName);
  if (!entry)
    return entry.takeError();
  auto args = makeArgs(entry->getFunctionType());
  if (!args)
    return args.takeError();
  auto results = evaluateFile(**module, *args);
  if (!results)
    return results.takeError();
  if (compareFile.empty())
    return writeOutputs(*results);

  auto other = parseModule(context, compareFile);
  if (!other)
    return other.takeError();
  auto otherResults = evaluateFile(**other, *args);
  if (!otherResults)
    return otherResults.takeError();
  return compareResults(*otherResults, *results);
}

int main(int argc, char **argv) {
  llvm::InitLLVM initLLVM(argc, argv);
  cl::HideUnrelatedOptions(category);
  cl::ParseCommandLineOptions(
      argc, argv,
      "diffattn reference evaluator: runs a function in float64\n\n"
      "  diffattn-eval f.mlir --input=random:1\n"
      "  diffattn-eval f.mlir --input=q.npy --input=k.npy --output=o.npy\n"
      "  diffattn-eval f.mlir --compare=lowered.mlir --input=random:1\n"
      "  diffattn-eval k.mlir --kernel --compare=f.mlir --input=random:1\n");
  DialectRegistry registry;
  registerAllDialects(registry);
  registerAllExtensions(registry);
  registry.insert<diffattn::DiffAttnDialect, diffattn::tile::TileDialect>();
  MLIRContext context(registry);
  if (llvm::Error error = run(context)) {
    llvm::errs() << "diffattn-eval: error: " << llvm::toString(std::move(error))
                 << "\n";
    return 1;
  }
  return 0;
}
