//===- MachinePeak.cpp - What this machine can do at most -----------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Two loops that never touch memory, made for the host with LLVM. Each works on
// enough independent registers to hide the latency of its instructions.
//
//===----------------------------------------------------------------------===//

#include "diffattn/Compiler/MachinePeak.h"

#include "diffattn/Target/JITProgram.h"
#include "diffattn/Target/LLVMEmission.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Intrinsics.h"
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <numeric>
#include <thread>
#include <vector>

using namespace mlir::diffattn;

/// Multiply-add latency times issue width is 8 to 10 on current cores, and
/// baseline targets have 16 registers.
static constexpr unsigned numChains = 10;

namespace {
/// One loop: `void name(i64 iterations, ptr data)`, where `step` is applied to
/// every chain once per iteration. The loop starts from and ends in `data`, so
/// that nothing folds.
class LoopBuilder {
public:
  LoopBuilder(llvm::Module &module, unsigned lanes)
      : builder(module.getContext()), module(module),
        type(llvm::FixedVectorType::get(builder.getFloatTy(), lanes)) {}

  template <typename Step>
  void build(llvm::StringRef name, Step step) {
    auto *function = llvm::Function::Create(
        llvm::FunctionType::get(builder.getVoidTy(),
                                {builder.getInt64Ty(), builder.getPtrTy()},
                                /*isVarArg=*/false),
        llvm::Function::ExternalLinkage, name, module);
    auto newBlock = [&] {
      return llvm::BasicBlock::Create(module.getContext(), "", function);
    };
    llvm::BasicBlock *entry = newBlock(), *body = newBlock(),
                     *exit = newBlock();
    llvm::Value *data = function->getArg(1);
    builder.SetInsertPoint(entry);
    llvm::SmallVector<llvm::Value *> starts;
    for (unsigned i = 0; i <= numChains; ++i)
      starts.push_back(builder.CreateAlignedLoad(
          type, builder.CreateConstGEP1_64(type, data, i), llvm::Align(4)));
    llvm::Value *operand = starts.pop_back_val();
    builder.CreateBr(body);

    builder.SetInsertPoint(body);
    llvm::PHINode *counter = builder.CreatePHI(builder.getInt64Ty(), 2);
    counter->addIncoming(function->getArg(0), entry);
    llvm::SmallVector<llvm::PHINode *> phis;
    for (llvm::Value *start : starts) {
      phis.push_back(builder.CreatePHI(type, 2));
      phis.back()->addIncoming(start, entry);
    }
    llvm::SmallVector<llvm::Value *> nexts;
    for (llvm::PHINode *phi : phis)
      nexts.push_back(step(*this, phi, operand));
    llvm::Value *left = builder.CreateSub(counter, builder.getInt64(1));
    counter->addIncoming(left, body);
    for (auto [phi, next] : llvm::zip(phis, nexts))
      phi->addIncoming(next, body);
    builder.CreateCondBr(builder.CreateICmpNE(left, builder.getInt64(0)), body,
                         exit);

    builder.SetInsertPoint(exit);
    for (auto [i, next] : llvm::enumerate(nexts))
      builder.CreateAlignedStore(
          next, builder.CreateConstGEP1_64(type, data, i), llvm::Align(4));
    builder.CreateRetVoid();
  }

  llvm::Value *constant(double value) {
    return llvm::ConstantFP::get(type, value);
  }
  llvm::Value *multiplyAdd(llvm::Value *a, llvm::Value *b, llvm::Value *c) {
    // fmuladd: one instruction where there is one, two where not.
    return builder.CreateIntrinsic(llvm::Intrinsic::fmuladd, {type}, {a, b, c});
  }
  /// 2^x for the x of a softmax: at most 0 and not far below.
  llvm::Value *exp2(llvm::Value *x) {
    llvm::Value *whole =
        builder.CreateUnaryIntrinsic(llvm::Intrinsic::roundeven, x);
    llvm::Value *rest = builder.CreateFSub(x, whole);
    llvm::Value *result = constant(1.3333558e-3);
    for (double c :
         {9.6181291e-3, 5.5504109e-2, 2.4022651e-1, 6.9314718e-1, 1.0})
      result = multiplyAdd(result, rest, constant(c));
    auto *intType = llvm::FixedVectorType::get(builder.getInt32Ty(),
                                               type->getNumElements());
    llvm::Value *exponent =
        builder.CreateShl(builder.CreateFPToSI(whole, intType), uint64_t(23));
    return builder.CreateBitCast(
        builder.CreateAdd(builder.CreateBitCast(result, intType), exponent),
        type);
  }

  llvm::IRBuilder<> builder;

private:
  llvm::Module &module;
  llvm::FixedVectorType *type;
};
} // namespace

using Loop = void (*)(int64_t, float *);

/// Iterations per second of `loop`, all threads together: for a tenth of a
/// second, each repeats a stretch of about a millisecond, and its best one
/// counts, since other load only ever takes away.
static double measureRate(Loop loop, unsigned numThreads, unsigned lanes) {
  using Clock = std::chrono::steady_clock;
  auto seconds = [](Clock::duration duration) {
    return std::chrono::duration<double>(duration).count();
  };
  constexpr int64_t iterations = 1 << 15;
  std::vector<double> best(numThreads, 0);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < numThreads; ++i)
    threads.emplace_back([&, i] {
      std::vector<float> data((numChains + 1) * lanes, -0.25f);
      Clock::time_point begin = Clock::now(), start = begin;
      while (seconds(start - begin) < 0.1) {
        loop(iterations, data.data());
        Clock::time_point end = Clock::now();
        best[i] = std::max(best[i], iterations / seconds(end - start));
        start = end;
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  return std::accumulate(best.begin(), best.end(), 0.0);
}

/// As many as an OpenMP program gets.
static unsigned getNumThreads() {
  if (const char *text = std::getenv("OMP_NUM_THREADS"))
    if (int count = std::atoi(text); count > 0)
      return count;
  return std::max(1u, std::thread::hardware_concurrency());
}

llvm::Expected<MachinePeak> mlir::diffattn::measureMachinePeak() {
  llvm::Expected<const CPUTarget *> host = lookupCPUTarget("cpu-host");
  if (!host)
    return host.takeError();
  const unsigned lanes = (*host)->getVectorLanes(32);
  llvm::LLVMContext context;
  llvm::Module module("peak", context);
  LoopBuilder loops(module, lanes);
  loops.build("multiply_add",
              [](LoopBuilder &b, llvm::Value *chain, llvm::Value *operand) {
                return b.multiplyAdd(chain, operand, operand);
              });
  loops.build("exp2", [](LoopBuilder &b, llvm::Value *chain, llvm::Value *) {
    // Back into the range of the next step; one more instruction of twelve.
    return b.builder.CreateFSub(b.exp2(chain), b.constant(1.0));
  });
  if (llvm::Error error = optimizeLLVMIR(module, **host))
    return std::move(error);
  auto object = emitObject(module, **host);
  if (!object)
    return object.takeError();
  llvm::Expected<JITProgram> program = JITProgram::load(**object);
  if (!program)
    return program.takeError();

  MachinePeak peak;
  peak.numThreads = getNumThreads();
  auto measure = [&](llvm::StringRef name,
                     double perIteration) -> llvm::Expected<double> {
    llvm::Expected<void *> loop = program->lookup(name);
    if (!loop)
      return loop.takeError();
    return perIteration *
           measureRate(reinterpret_cast<Loop>(*loop), peak.numThreads, lanes);
  };
  llvm::Expected<double> flops =
      measure("multiply_add", 2.0 * numChains * lanes);
  if (!flops)
    return flops.takeError();
  llvm::Expected<double> exponentials =
      measure("exp2", double(numChains) * lanes);
  if (!exponentials)
    return exponentials.takeError();
  peak.flopsPerSecond = *flops;
  peak.exponentialsPerSecond = *exponentials;
  return peak;
}
