//===- Options.cpp - Command line of diffattn-compile ---------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Options.h"

#include "diffattn/Version.h"

#include "llvm/Config/llvm-config.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::diffattn;
namespace cl = llvm::cl;

static const char overview[] =
    R"(diffattn-compile - compile differential attention to native code or PTX

Reads MLIR on tensors, recognises attention over paired heads followed by
o1 - sigmoid(lambda) * o2, fuses and tiles it, and writes LLVM IR or an object
file for a CPU, PTX or a cubin for a GPU, or runs it at once.

EXAMPLES
  Compile to an object file with a C header:
    diffattn-compile layer.mlir --emit=object -o layer.o --header=layer.h
  Make a shared object of it:
    clang -shared layer.o -o liblayer.so -lomp -lm
  Compile to PTX with a manifest that says how to launch it:
    diffattn-compile layer.mlir --target=sm_80 --emit=ptx -o layer.ptx \
      --manifest=layer.json
  Run on random inputs, compare with the float64 evaluator, and time:
    diffattn-compile layer.mlir --run --input=random:0 --check --time
  The same on a GPU:
    diffattn-compile layer.mlir --target=sm_80 --run --input=random:0 --check
  Run with sizes for dynamic dimensions, here 512 queries and 4096 keys:
    diffattn-compile layer.mlir --run --input=random:0 --dynamic-dim=4096 \
      --shape=0:1x512x16x128 --shape=3:1x512x8
  Run on NumPy files, one --input per argument and one --output per result:
    diffattn-compile layer.mlir --run --input=q.npy --input=k.npy \
      --input=v.npy --input=lambda.npy --output=out.npy
  See the IR of every phase:
    diffattn-compile layer.mlir --dump-dir=phases --emit=object -o layer.o
  Stop after fusion, and go on from there:
    diffattn-compile layer.mlir --compile-to=fused -o fused.mlir
    diffattn-compile fused.mlir --compile-from=fused --emit=object -o layer.o
)";

static llvm::Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(message);
}

/// The values of `--compile-from=` and `--compile-to=`.
static void addPhases(cl::opt<Phase> &option) {
  for (const PhaseInfo &info : getPhases())
    option.getParser().addLiteralOption(info.name, info.phase, info.summary);
}

namespace {
/// All options, made when the command line is parsed: libraries of LLVM define
/// globals of their own, which stay hidden.
struct CommandLine {
  cl::OptionCategory compile{"Compilation"};
  cl::OptionCategory execute{"Execution"};

  cl::opt<std::string> inputFile{cl::Positional, cl::desc("<input .mlir>"),
                                 cl::init("-"), cl::cat(compile)};
  cl::opt<std::string> outputFile{
      "o", cl::desc("Write to FILE (- is standard output)"),
      cl::value_desc("FILE"), cl::cat(compile)};
  cl::opt<EmitKind> emit{
      "emit", cl::desc("What to write:"),
      cl::values(
          clEnumValN(EmitKind::MLIR, "mlir",
                     "MLIR of the last phase (default)"),
          clEnumValN(EmitKind::LLVM, "llvm", "optimised LLVM IR"),
          clEnumValN(EmitKind::Object, "object",
                     "an object file (CPU targets)"),
          clEnumValN(EmitKind::PTX, "ptx",
                     "PTX, checked by ptxas if there is one (GPU)"),
          clEnumValN(EmitKind::Cubin, "cubin", "machine code from ptxas (GPU)"),
          clEnumValN(EmitKind::Schedules, "schedules",
                     "legal schedules as JSON, the best first (GPU)")),
      cl::init(EmitKind::MLIR), cl::cat(compile)};
  cl::opt<std::string> target{
      "target",
      cl::desc("Machine to compile for: cpu (this one), cpu-host, "
               "cpu-baseline, cpu-avx2, cpu-avx512, cpu-amx, or a GPU: sm_80, "
               "sm_86, sm_89, sm_90, sm_90a, sm_120"),
      cl::value_desc("NAME"), cl::init("cpu"), cl::cat(compile)};
  cl::opt<std::string> entry{
      "entry",
      cl::desc("Function to call from outside; may be left out if only one "
               "is public"),
      cl::value_desc("NAME"), cl::cat(compile)};
  cl::opt<Phase> from{"compile-from", cl::desc("Phase that the input is in:"),
                      cl::init(Phase::Input), cl::cat(compile)};
  cl::opt<Phase> to{
      "compile-to",
      cl::desc("Last phase to run (default: the last one of the target):"),
      cl::init(Phase::LLVM), cl::cat(compile)};
  cl::opt<int64_t> queryTile{
      "query-tile", cl::desc("Query rows of a tile (default: target decides)"),
      cl::value_desc("ROWS"), cl::init(0), cl::cat(compile)};
  cl::opt<int64_t> pairs{
      "pairs", cl::desc("Head pairs of a tile (default: target decides)"),
      cl::value_desc("N"), cl::init(0), cl::cat(compile)};
  cl::opt<int64_t> keyTile{
      "key-tile", cl::desc("Keys of one step (default: target decides)"),
      cl::value_desc("KEYS"), cl::init(0), cl::cat(compile)};
  cl::opt<int64_t> warps{
      "warps",
      cl::desc("Warps that compute a tile on a GPU (default: target decides)"),
      cl::value_desc("N"), cl::init(0), cl::cat(compile)};
  cl::opt<int64_t> stages{
      "stages",
      cl::desc("Key tiles in shared memory at a time on a GPU (default: target "
               "decides)"),
      cl::value_desc("N"), cl::init(0), cl::cat(compile)};
  cl::opt<int64_t> teams{
      "teams",
      cl::desc("Tiles of a block, with a warpgroup for each, on targets with "
               "wgmma (default: target decides)"),
      cl::value_desc("N"), cl::init(0), cl::cat(compile)};
  cl::opt<std::string> order{
      "order",
      cl::desc("How teams share the matrix unit: overlap, turns or sections "
               "(default: target decides)"),
      cl::value_desc("ORDER"), cl::cat(compile)};
  cl::opt<std::string> scheduleTable{
      "schedule-table",
      cl::desc("Measured schedules of a GPU (default: those that come with the "
               "compiler; none: no table)"),
      cl::value_desc("FILE.json|none"), cl::cat(compile)};
  cl::opt<int64_t> cluster{
      "cluster",
      cl::desc("Blocks that copy keys and values to each other, with teams, 1 "
               "or 2 (default: 1)"),
      cl::value_desc("N"), cl::init(0), cl::cat(compile)};
  cl::opt<std::string> store{
      "store",
      cl::desc("How teams store results: from registers, or through shared "
               "memory (default: shared, and registers where that spills)"),
      cl::value_desc("registers|shared"), cl::cat(compile)};
  cl::opt<std::string> ptxas{
      "ptxas",
      cl::desc("The assembler of the CUDA toolkit (default: from $PATH, "
               "$CUDA_HOME or $CUDA_PATH)"),
      cl::value_desc("PATH"), cl::cat(compile)};
  cl::opt<bool> noPtxas{
      "no-ptxas",
      cl::desc("Write PTX without checking its registers with ptxas"),
      cl::cat(compile)};
  cl::opt<bool> noFallback{
      "no-fallback",
      cl::desc("Write no second GPU program beside that of --manifest, for "
               "arguments that are not aligned to 16 bytes"),
      cl::cat(compile)};
  cl::opt<std::string> dumpDir{
      "dump-dir",
      cl::desc("Write the IR of every phase to DIR/NN-phase.mlir, and the "
               "pipeline to DIR/pipeline.txt"),
      cl::value_desc("DIR"), cl::cat(compile)};
  cl::opt<std::string> manifest{
      "manifest",
      cl::desc("Write entry, shapes, target and schedule as JSON to FILE"),
      cl::value_desc("FILE.json"), cl::cat(compile)};
  cl::opt<std::string> header{
      "header", cl::desc("Write the C header of the entry to FILE"),
      cl::value_desc("FILE.h"), cl::cat(compile)};
  cl::opt<bool> remarks{
      "remarks",
      cl::desc("Print what was fused and chosen, and why something was not"),
      cl::cat(compile)};

  cl::opt<bool> run{"run",
                    cl::desc("Run the entry on this machine, or on its GPU"),
                    cl::cat(execute)};
  cl::list<std::string> inputs{
      "input",
      cl::desc("Argument from FILE.npy, random:SEED or value:X (X everywhere), "
               "once per argument in order; one random:SEED serves all"),
      cl::value_desc("FILE.npy|random:SEED|value:X"), cl::cat(execute)};
  cl::list<std::string> shapes{
      "shape", cl::desc("Shape of a random argument, such as 0:1x512x8x64"),
      cl::value_desc("ARG:SHAPE"), cl::cat(execute)};
  cl::opt<int64_t> dynamicDim{
      "dynamic-dim",
      cl::desc("Size of the dynamic dimensions of random arguments that "
               "--shape does not name"),
      cl::value_desc("N"), cl::init(0), cl::cat(execute)};
  cl::list<std::string> outputs{
      "output",
      cl::desc("Write a result to FILE.npy, once per result in order"),
      cl::value_desc("FILE.npy"), cl::cat(execute)};
  cl::opt<bool> check{
      "check",
      cl::desc("Compare the results with the float64 evaluator run on the "
               "input; exit status 1 if they differ by more than rounding"),
      cl::cat(execute)};
  cl::opt<double> tolerance{
      "tolerance",
      cl::desc("Largest error that --check accepts, relative to the largest "
               "result (default: by element type)"),
      cl::value_desc("X"), cl::cat(execute)};
  cl::opt<bool> time{
      "time",
      cl::desc("Time the program and, on a CPU, compare with the peak of this "
               "machine, measured now"),
      cl::cat(execute)};
};
} // namespace

static void printVersion(llvm::raw_ostream &os) {
  os << "diffattn-compile " << DIFFATTN_VERSION << "\nLLVM "
     << LLVM_VERSION_STRING << "\n";
}

/// Options that are for one kind of target, or for its last phase.
static llvm::Error checkForTarget(const ToolOptions &options) {
  const CompilerOptions &compiler = options.compiler;
  llvm::Expected<const TargetDescription *> target =
      lookupTarget(compiler.pipeline.target);
  if (!target)
    return target.takeError();
  const bool isGPU = (*target)->isGPU();
  auto emits = [&](EmitKind kind) { return options.emit == kind; };
  struct Wish {
    bool given;
    StringRef name;
    bool onCPU, onGPU, lastPhase;
  };
  const Wish wishes[] = {
      {options.run, "--run", true, true, true},
      {emits(EmitKind::LLVM), "--emit=llvm", true, true, true},
      {emits(EmitKind::Object), "--emit=object", true, false, true},
      {emits(EmitKind::PTX), "--emit=ptx", false, true, true},
      {emits(EmitKind::Cubin), "--emit=cubin", false, true, true},
      {!options.headerFile.empty(), "--header", true, false, false},
      {compiler.pipeline.warps != 0, "--warps", false, true, false},
      {compiler.pipeline.stages != 0, "--stages", false, true, false},
      {compiler.pipeline.teams != 0, "--teams", false, true, false},
      {!compiler.pipeline.order.empty(), "--order", false, true, false},
      {!compiler.pipeline.scheduleTable.empty(), "--schedule-table", false,
       true, false},
      {emits(EmitKind::Schedules), "--emit=schedules", false, true, false},
      {compiler.pipeline.cluster != 0, "--cluster", false, true, false},
      {!compiler.pipeline.store.empty(), "--store", false, true, false},
      {!options.assembler.path.empty(), "--ptxas", false, true, false},
      {!options.assembler.use, "--no-ptxas", false, true, false},
      {!options.fallback, "--no-fallback", false, true, false}};
  Phase last = getPhases((*target)->kind).back().phase;
  for (const Wish &wish : wishes) {
    if (!wish.given)
      continue;
    if (!(isGPU ? wish.onGPU : wish.onCPU))
      return makeError("option '" + wish.name + "' needs a " +
                       (isGPU ? "CPU" : "GPU") + " target, but got '" +
                       (*target)->name + "'");
    if (wish.lastPhase && compiler.to.value_or(last) != last)
      return makeError("option '" + wish.name +
                       "' needs --compile-to=" + getPhaseName(last) +
                       ", but got '" + getPhaseName(*compiler.to) + "'");
  }
  if (emits(EmitKind::Schedules) && compiler.to != Phase::Fused)
    return makeError("option '--emit=schedules' needs --compile-to=fused, but "
                     "got '" +
                     getPhaseName(*compiler.to) + "'");
  if (emits(EmitKind::Cubin) && !options.assembler.use)
    return makeError("option '--emit=cubin' needs ptxas: leave out --no-ptxas");
  return llvm::Error::success();
}

/// Options that need others.
static llvm::Error checkCombination(const ToolOptions &options,
                                    bool hasTolerance) {
  auto needsRun = [&](bool given, StringRef name) {
    return given && !options.run
               ? makeError("option '" + name + "' needs --run")
               : llvm::Error::success();
  };
  for (auto [given, name] :
       {std::pair<bool, StringRef>(!options.inputs.empty(), "--input"),
        {!options.shapes.empty(), "--shape"},
        {options.dynamicDim != 0, "--dynamic-dim"},
        {!options.outputs.empty(), "--output"},
        {options.check, "--check"},
        {options.time, "--time"}})
    if (llvm::Error error = needsRun(given, name))
      return error;
  if (hasTolerance && !options.check)
    return makeError("option '--tolerance' needs --check");
  const PipelineSettings &pipeline = options.compiler.pipeline;
  for (auto [value, name] :
       {std::pair<int64_t, StringRef>(pipeline.queryTile, "--query-tile"),
        {pipeline.pairs, "--pairs"},
        {pipeline.keyTile, "--key-tile"},
        {pipeline.warps, "--warps"},
        {pipeline.stages, "--stages"},
        {pipeline.teams, "--teams"},
        {pipeline.cluster, "--cluster"},
        {options.dynamicDim, "--dynamic-dim"}})
    if (value < 0)
      return makeError("option '" + name +
                       "' expects a positive number, but got " +
                       llvm::Twine(value));
  return checkForTarget(options);
}

llvm::Expected<ToolOptions> mlir::diffattn::parseOptions(int argc,
                                                         char **argv) {
  // Never destroyed: LLVM keeps references to options until the process ends.
  static CommandLine &line = *new CommandLine();
  addPhases(line.from);
  addPhases(line.to);
  cl::HideUnrelatedOptions({&line.compile, &line.execute});
  cl::SetVersionPrinter(printVersion);
  cl::ParseCommandLineOptions(argc, argv, overview);

  ToolOptions options;
  PipelineSettings &pipeline = options.compiler.pipeline;
  pipeline.target = line.target;
  pipeline.queryTile = line.queryTile;
  pipeline.pairs = line.pairs;
  pipeline.keyTile = line.keyTile;
  pipeline.warps = line.warps;
  pipeline.stages = line.stages;
  pipeline.teams = line.teams;
  pipeline.order = line.order;
  pipeline.scheduleTable = line.scheduleTable;
  pipeline.store = line.store;
  pipeline.cluster = line.cluster;
  options.compiler.entry = line.entry;
  options.compiler.from = line.from;
  if (line.to.getNumOccurrences())
    options.compiler.to = line.to;
  else if (line.emit == EmitKind::Schedules)
    options.compiler.to = Phase::Fused;
  options.compiler.dumpDir = line.dumpDir;
  options.inputFile = line.inputFile;
  options.emit = line.emit;
  options.manifestFile = line.manifest;
  options.headerFile = line.header;
  options.assembler.path = line.ptxas;
  options.assembler.use = !line.noPtxas;
  options.assembler.needsCubin = options.emit == EmitKind::Cubin;
  options.remarks = line.remarks;
  options.fallback = !line.noFallback;
  options.run = line.run;
  options.inputs = line.inputs;
  options.shapes = line.shapes;
  options.dynamicDim = line.dynamicDim;
  options.outputs = line.outputs;
  options.check = line.check;
  options.time = line.time;
  if (line.tolerance.getNumOccurrences())
    options.tolerance = line.tolerance;

  // Without another wish, text goes to standard output.
  if (line.outputFile.getNumOccurrences())
    options.outputFile = line.outputFile;
  else if (!options.run && options.compiler.dumpDir.empty() &&
           options.manifestFile.empty() && options.headerFile.empty())
    options.outputFile = "-";
  if (!options.outputFile && line.emit.getNumOccurrences())
    return makeError("option '--emit' needs an output file: -o FILE");
  bool isBinary =
      options.emit == EmitKind::Object || options.emit == EmitKind::Cubin;
  if (options.outputFile == "-" && isBinary && llvm::outs().is_displayed())
    return makeError("machine code is not for a terminal: -o FILE");
  if (llvm::Error error =
          checkCombination(options, line.tolerance.getNumOccurrences()))
    return std::move(error);
  return options;
}
