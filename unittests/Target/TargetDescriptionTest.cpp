//===- TargetDescriptionTest.cpp - Lookup of targets, their facts ---------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Target/TargetDescription.h"

#include "llvm/Support/Casting.h"
#include "gtest/gtest.h"

using namespace mlir::diffattn;

TEST(TargetDescription, findsEveryName) {
  for (const CPUTarget &target : getCPUTargets()) {
    auto found = lookupTarget(target.name);
    ASSERT_TRUE(bool(found));
    EXPECT_TRUE(llvm::isa<CPUTarget>(*found));
  }
  for (const GPUTarget &target : getGPUTargets()) {
    auto found = lookupTarget(target.name);
    ASSERT_TRUE(bool(found));
    EXPECT_TRUE(llvm::isa<GPUTarget>(*found));
    EXPECT_EQ((*found)->name, target.name);
  }
}

TEST(TargetDescription, suggestsTheNearestName) {
  auto found = lookupTarget("sm90a");
  ASSERT_FALSE(bool(found));
  std::string message = llvm::toString(found.takeError());
  EXPECT_NE(message.find("did you mean 'sm_90a'?"), std::string::npos)
      << message;
}

TEST(TargetDescription, keepsKindsApart) {
  auto gpu = lookupGPUTarget("cpu-avx2");
  ASSERT_FALSE(bool(gpu));
  EXPECT_EQ(llvm::toString(gpu.takeError()),
            "expected a GPU target, one of sm_80, sm_86, sm_89, sm_90, sm_90a, "
            "sm_120, but got the CPU target 'cpu-avx2'");
  auto cpu = lookupCPUTarget("sm_80");
  ASSERT_FALSE(bool(cpu));
  EXPECT_EQ(llvm::toString(cpu.takeError()),
            "expected a CPU target, one of cpu, cpu-host, cpu-baseline, "
            "cpu-avx2, cpu-avx512, cpu-amx, but got the GPU target 'sm_80'");
}

TEST(TargetDescription, hasConsistentFacts) {
  for (const GPUTarget &target : getGPUTargets()) {
    EXPECT_EQ(target.sharedBytesPerSM,
              target.sharedBytesPerBlock + target.reservedSharedBytes);
    EXPECT_GE(target.threadsPerSM, target.threadsPerBlock);
    EXPECT_FALSE(target.assembledFor.empty());
    EXPECT_EQ(target.assembledFor.front(), target.name);
  }
  auto hopper = lookupGPUTarget("sm_90a");
  ASSERT_TRUE(bool(hopper));
  EXPECT_EQ((*hopper)->sharedBytesPerBlock, 232448);
  EXPECT_EQ((*hopper)->matrixInstruction, MatrixInstruction::WGMMA);
}
