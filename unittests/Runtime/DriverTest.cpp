//===- DriverTest.cpp - Finding the CUDA driver ---------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RuntimeTest.h"

using namespace mlir::diffattn::runtime;
using DriverTest = RuntimeTest;

TEST_F(DriverTest, SaysThatThereIsNone) {
  Result<std::unique_ptr<Driver>> loaded = Driver::load("libno-such-cuda.so.1");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.getStatus().getKind(), ErrorKind::NoDriver);
  EXPECT_EQ(loaded.getStatus().getMessage().rfind(
                "there is no CUDA driver on this machine: ", 0),
            0u);
}

TEST_F(DriverTest, NamesAMissingFunction) {
  Result<std::unique_ptr<Driver>> loaded = Driver::load(NOT_CUDA_LIBRARY);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.getStatus().getKind(), ErrorKind::NoDriver);
  EXPECT_NE(
      loaded.getStatus().getMessage().find("is too old: it has no 'cuInit'"),
      std::string::npos);
}

TEST_F(DriverTest, SaysThatThereIsNoGPU) {
  getFakeCuda().deviceCount = 0;
  Result<std::unique_ptr<Driver>> loaded = Driver::load(FAKE_CUDA_LIBRARY);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.getStatus().getKind(), ErrorKind::NoDevice);
  EXPECT_EQ(loaded.getStatus().getMessage(),
            "there is a CUDA driver on this machine, but no GPU");

  getFakeCuda().failures["cuInit"] = cuda::ErrorNoDevice;
  EXPECT_EQ(Driver::load(FAKE_CUDA_LIBRARY).getStatus().getKind(),
            ErrorKind::NoDevice);
}

TEST_F(DriverTest, PassesOnWhatTheDriverSays) {
  getFakeCuda().failures["cuInit"] = 999;
  EXPECT_EQ(Driver::load(FAKE_CUDA_LIBRARY).getStatus().getMessage(),
            "cannot initialise the CUDA driver: something is wrong (CUDA error "
            "999)");
}
