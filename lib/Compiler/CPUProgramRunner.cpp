//===- CPUProgramRunner.cpp - Calls object files --------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Compiler/MachinePeak.h"
#include "diffattn/Compiler/ProgramRunner.h"
#include "diffattn/Target/JITProgram.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>

using namespace mlir;
using namespace mlir::diffattn;
using reference::Array;

// A memref descriptor as 64-bit words: allocated, aligned, offset, then `rank`
// sizes and `rank` strides.
static constexpr size_t allocatedWord = 0, alignedWord = 1, offsetWord = 2,
                        sizesWord = 3;
static size_t getNumWords(size_t rank) { return sizesWord + 2 * rank; }

namespace {
class CPURunner : public ProgramRunner {
public:
  CPURunner(JITProgram program, EntrySignature signature,
            JITProgram::Caller caller)
      : program(std::move(program)), signature(std::move(signature)),
        caller(caller) {}

  llvm::Expected<std::vector<Array>>
  run(llvm::MutableArrayRef<Array> arguments) override;
  llvm::Expected<std::vector<double>>
  time(llvm::MutableArrayRef<Array> arguments) override;
  llvm::Expected<std::string> compareToMachine(const AttentionWork &work,
                                               double seconds) override;

private:
  /// One call; fills in `results`, the descriptors in a row.
  void call(llvm::MutableArrayRef<Array> arguments,
            std::vector<int64_t> &results) const;
  void freeResults(llvm::ArrayRef<int64_t> results) const;

  JITProgram program;
  EntrySignature signature;
  JITProgram::Caller caller;
};
} // namespace

llvm::Expected<std::unique_ptr<ProgramRunner>>
mlir::diffattn::createCPURunner(const CPUTarget &target,
                                llvm::MemoryBufferRef object,
                                const EntrySignature &signature) {
  if (llvm::Error error = checkRunsOnHost(target))
    return std::move(error);
  llvm::Expected<JITProgram> program = JITProgram::load(object);
  if (!program)
    return program.takeError();
  llvm::Expected<JITProgram::Caller> caller = program->getCaller(
      signature.getSymbol(),
      signature.arguments.size() + (signature.results.empty() ? 0 : 1));
  if (!caller)
    return caller.takeError();
  return std::make_unique<CPURunner>(std::move(*program), signature, *caller);
}

/// The descriptor of a row-major array.
static std::vector<int64_t> getDescriptor(Array &array) {
  ArrayRef<int64_t> shape = array.getShape();
  std::vector<int64_t> words(getNumWords(shape.size()));
  words[allocatedWord] = words[alignedWord] =
      reinterpret_cast<intptr_t>(array.data());
  int64_t stride = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    words[sizesWord + i] = shape[i];
    words[sizesWord + shape.size() + i] = stride;
    stride *= shape[i];
  }
  return words;
}

void CPURunner::call(llvm::MutableArrayRef<Array> arguments,
                     std::vector<int64_t> &results) const {
  size_t numWords = 0;
  for (const BoundaryTensor &result : signature.results)
    numWords += getNumWords(result.shape.size());
  results.assign(numWords, 0);
  std::vector<std::vector<int64_t>> descriptors;
  for (Array &argument : arguments)
    descriptors.push_back(getDescriptor(argument));
  std::vector<void *> parameters;
  if (!signature.results.empty())
    parameters.push_back(results.data());
  for (std::vector<int64_t> &descriptor : descriptors)
    parameters.push_back(descriptor.data());
  caller(parameters.data());
}

void CPURunner::freeResults(llvm::ArrayRef<int64_t> results) const {
  for (const BoundaryTensor &result : signature.results) {
    std::free(reinterpret_cast<void *>(results[allocatedWord]));
    results = results.drop_front(getNumWords(result.shape.size()));
  }
}

/// Copies what a descriptor describes, in row-major order.
static llvm::Expected<Array> copyResult(const BoundaryTensor &type,
                                        llvm::ArrayRef<int64_t> words) {
  size_t rank = type.shape.size();
  ArrayRef<int64_t> sizes = words.slice(sizesWord, rank);
  ArrayRef<int64_t> strides = words.slice(sizesWord + rank, rank);
  llvm::Expected<Array> array = Array::create(type.dtype, sizes);
  if (!array)
    return array.takeError();
  const size_t width = reference::getByteWidth(type.dtype);
  const char *source = reinterpret_cast<const char *>(words[alignedWord]) +
                       words[offsetWord] * width;
  std::vector<int64_t> index(rank, 0);
  for (int64_t i = 0, e = array->getNumElements(); i < e; ++i) {
    int64_t position = 0;
    for (size_t dim = 0; dim < rank; ++dim)
      position += index[dim] * strides[dim];
    std::memcpy(array->data() + i * width, source + position * width, width);
    for (size_t dim = rank; dim-- > 0 && ++index[dim] == sizes[dim];)
      index[dim] = 0;
  }
  return array;
}

llvm::Expected<std::vector<Array>>
CPURunner::run(llvm::MutableArrayRef<Array> arguments) {
  std::vector<int64_t> words;
  JITProgram::setPoisonAllocations(true);
  call(arguments, words);
  JITProgram::setPoisonAllocations(false);

  std::vector<Array> results;
  llvm::Error error = llvm::Error::success();
  llvm::ArrayRef<int64_t> rest = words;
  for (const BoundaryTensor &type : signature.results) {
    llvm::Expected<Array> result = copyResult(type, rest);
    if (!result) {
      error = llvm::joinErrors(std::move(error), result.takeError());
      break;
    }
    results.push_back(std::move(*result));
    rest = rest.drop_front(getNumWords(type.shape.size()));
  }
  freeResults(words);
  if (error)
    return std::move(error);
  return results;
}

llvm::Expected<std::vector<double>>
CPURunner::time(llvm::MutableArrayRef<Array> arguments) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> seconds;
  std::vector<int64_t> words;
  double total = 0;
  constexpr size_t minCalls = 5, maxCalls = 10000;
  for (size_t calls = 0;
       calls <= minCalls || (total < 0.5 && calls <= maxCalls); ++calls) {
    Clock::time_point start = Clock::now();
    call(arguments, words);
    double elapsed =
        std::chrono::duration<double>(Clock::now() - start).count();
    freeResults(words);
    if (calls == 0)
      continue; // page faults, thread start
    seconds.push_back(elapsed);
    total += elapsed;
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds;
}

llvm::Expected<std::string>
CPURunner::compareToMachine(const AttentionWork &work, double seconds) {
  llvm::Expected<MachinePeak> peak = measureMachinePeak();
  if (!peak)
    return llvm::createStringError("cannot measure the machine's peak: " +
                                   llvm::toString(peak.takeError()));
  double products = work.flops / peak->flopsPerSecond;
  double bound = products + work.exponentials / peak->exponentialsPerSecond;
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format(
      "peak: %.1f GFLOP/s f32 multiply-add and %.2f G exp/s measured on %u "
      "threads; products run at %.0f%% of peak, products and exponentials at "
      "%.0f%%",
      peak->flopsPerSecond * 1e-9, peak->exponentialsPerSecond * 1e-9,
      peak->numThreads, 100 * products / seconds, 100 * bound / seconds);
  return text;
}
