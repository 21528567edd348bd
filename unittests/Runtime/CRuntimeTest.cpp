//===- CRuntimeTest.cpp - C interface of the GPU runtime ------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RuntimeTest.h"

using namespace mlir::diffattn::runtime;
using CRuntime = RuntimeTest;

TEST_F(CRuntime, LoadsSelectsAndLaunches) {
  DiffAttnDriver *cDriver = nullptr;
  ASSERT_EQ(diffattnDriverLoad(FAKE_CUDA_LIBRARY, &cDriver), DiffAttnSuccess);
  const std::string path = write("m.json", manifestText);
  const char *manifests[] = {path.c_str()};
  DiffAttnProgram *program = nullptr;
  ASSERT_EQ(diffattnProgramLoad(cDriver, manifests, 1, &program),
            DiffAttnSuccess)
      << diffattnGetLastError();
  Arguments arguments;
  std::vector<TensorView> views = arguments.getViews();
  size_t position = 7;
  EXPECT_EQ(diffattnProgramSelect(program, views.data(), 3, &position),
            DiffAttnSuccess);
  EXPECT_EQ(position, 0u);
  EXPECT_EQ(diffattnProgramLaunch(program, views.data(), 3, nullptr),
            DiffAttnSuccess);
  EXPECT_EQ(getFakeCuda().launches.size(), 1u);
  EXPECT_EQ(diffattnProgramLaunch(program, views.data(), 1, nullptr),
            DiffAttnBadArgument);
  EXPECT_STREQ(
      diffattnGetLastError(),
      "'attention' does not accept the arguments: it takes 3 arguments, "
      "but got 1");
  diffattnProgramRelease(program);
  EXPECT_EQ(getFakeCuda().modules, 0);
  diffattnDriverRelease(cDriver);
}

TEST_F(CRuntime, ReportsFailures) {
  DiffAttnDriver *cDriver = nullptr;
  EXPECT_EQ(diffattnDriverLoad("libno-such-cuda.so.1", &cDriver),
            DiffAttnNoDriver);
  EXPECT_EQ(cDriver, nullptr);
  const char *manifests[] = {"no/such.json"};
  ASSERT_EQ(diffattnDriverLoad(FAKE_CUDA_LIBRARY, &cDriver), DiffAttnSuccess);
  DiffAttnProgram *program = nullptr;
  EXPECT_EQ(diffattnProgramLoad(cDriver, manifests, 1, &program),
            DiffAttnBadManifest);
  EXPECT_EQ(diffattnProgramLoad(cDriver, nullptr, 0, &program),
            DiffAttnBadManifest);
  EXPECT_STREQ(diffattnGetLastError(), "a program needs a manifest");
  diffattnDriverRelease(cDriver);
}
