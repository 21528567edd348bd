//===- CountersTest.cpp - Counters of launches ----------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RuntimeTest.h"
#include <set>
#include <thread>

using namespace mlir::diffattn::runtime;

/// Launches that the first allocation has counters for.
static constexpr int pageSlots = 4096;

namespace {
class CountersTest : public RuntimeTest {
protected:
  void SetUp() override {
    RuntimeTest::SetUp();
    write("attention.ptx", "kernel kernel0 16\n");
    Result<std::shared_ptr<const Program>> loaded =
        load({replaced(manifestText, "[0, 1, 2]", "[0, {\"counters\": 2}]")});
    ASSERT_TRUE(loaded) << loaded.getStatus().getMessage();
    program = *loaded;
  }

  /// Launches; the address of the counters.
  uint64_t launch(uintptr_t stream) {
    Arguments arguments;
    std::vector<TensorView> views = arguments.getViews();
    Status status = program->launch(views.data(), views.size(),
                                    reinterpret_cast<cuda::Stream>(stream));
    EXPECT_TRUE(status.ok()) << status.getMessage();
    return status.ok() ? getFakeCuda().launches.back().words[11] : 0;
  }

  std::shared_ptr<const Program> program;
};
} // namespace

TEST_F(CountersTest, AreZeroAndTheStreams) {
  uint64_t first = launch(0x10);
  EXPECT_EQ(*reinterpret_cast<uint64_t *>(first), 0u);
  const std::vector<uint64_t> &words = getFakeCuda().launches.back().words;
  EXPECT_EQ(std::vector<uint64_t>(words.begin() + 11, words.end()),
            (std::vector<uint64_t>{first, first, 0, 2, 1}));
  uint64_t second = launch(0x20);
  EXPECT_GE(second - first, 32u);
  EXPECT_EQ(launch(0x10), first);
  EXPECT_EQ(launch(0x20), second);
  // Another stream whose handle was used before.
  getFakeCuda().streamIds[reinterpret_cast<void *>(0x10)] = 99;
  uint64_t third = launch(0x10);
  EXPECT_NE(third, first);
  EXPECT_NE(third, second);
}

TEST_F(CountersTest, AreFoundWithoutAllocation) {
  getFakeCuda().calls.clear();
  launch(0x10);
  launch(0x10);
  const std::vector<std::string> once = {"cuStreamIsCapturing", "cuStreamGetId",
                                         "cuLaunchKernel"};
  std::vector<std::string> twice = once;
  twice.insert(twice.end(), once.begin(), once.end());
  EXPECT_EQ(getFakeCuda().calls, twice);
}

TEST_F(CountersTest, OfCapturedLaunchesAreNotGivenAgain) {
  uint64_t eager = launch(0x10);
  getFakeCuda().captured.insert(reinterpret_cast<void *>(0x10));
  std::set<uint64_t> taken = {eager};
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(taken.insert(launch(0x10)).second);
  getFakeCuda().captured.clear();
  EXPECT_EQ(launch(0x10), eager);
  EXPECT_TRUE(taken.insert(launch(0x20)).second);
}

TEST_F(CountersTest, GrowEvenInACapture) {
  EXPECT_EQ(getFakeCuda().allocations, 1);
  getFakeCuda().captured.insert(reinterpret_cast<void *>(0x10));
  std::set<uint64_t> taken;
  for (int i = 0; i < pageSlots; ++i)
    taken.insert(launch(0x10));
  EXPECT_EQ(getFakeCuda().allocations, 1);
  for (int i = 0; i < 2; ++i) {
    uint64_t address = launch(0x10);
    EXPECT_EQ(*reinterpret_cast<uint64_t *>(address), 0u);
    taken.insert(address);
  }
  EXPECT_EQ(getFakeCuda().allocations, 2);
  EXPECT_EQ(taken.size(), size_t(pageSlots) + 2);

  program.reset(); // while something is captured, as it may be elsewhere
  EXPECT_EQ(getFakeCuda().allocations, 0);
}

TEST_F(CountersTest, AreToldApartWithoutIdentities) {
  // As a driver before CUDA 12 has it.
  const_cast<DriverFunctions *>(driver->operator->())->cuStreamGetId = nullptr;
  std::set<uint64_t> taken = {launch(0x10), launch(0x20),
                              launch(cuda::StreamPerThread)};
  EXPECT_EQ(launch(0x10), *taken.begin());
  std::thread([&] { taken.insert(launch(cuda::StreamPerThread)); }).join();
  EXPECT_EQ(taken.size(), 4u);
}

TEST_F(CountersTest, SayWhatTheDriverRefuses) {
  getFakeCuda().failures["cuStreamIsCapturing"] = 906;
  Arguments arguments;
  std::vector<TensorView> views = arguments.getViews();
  EXPECT_EQ(program->launch(views.data(), views.size(), nullptr).getMessage(),
            "cannot identify the stream of a launch: something is wrong (CUDA "
            "error 906)");
  EXPECT_TRUE(getFakeCuda().launches.empty());

  program.reset();
  getFakeCuda().failures["cuMemAlloc_v2"] = cuda::ErrorOutOfMemory;
  Status status =
      load({replaced(manifestText, "[0, 1, 2]", "[0, {\"counters\": 2}]")})
          .getStatus();
  EXPECT_EQ(status.getKind(), ErrorKind::OutOfMemory);
  EXPECT_EQ(status.getMessage(), "cannot allocate counters on the GPU: out of "
                                 "memory (CUDA error 2)");
  EXPECT_EQ(getFakeCuda().modules, 0);
  EXPECT_EQ(getFakeCuda().allocations, 0);
}
