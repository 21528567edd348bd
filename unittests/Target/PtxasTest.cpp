//===- PtxasTest.cpp - Reports of ptxas, and finding it -------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The reports were recorded with ptxas 13.0.88.
//
//===----------------------------------------------------------------------===//

#include "diffattn/Target/Ptxas.h"

#include "gtest/gtest.h"

using namespace mlir::diffattn;

static std::string check(llvm::StringRef report) {
  auto fault = findFault(parsePtxasReport(report), "sm_80");
  return fault ? fault->describe("query_tile = 64") : "";
}

static const char good[] = R"(ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'scale' for 'sm_80'
ptxas info    : Function properties for scale
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 8 registers, used 1 barriers, 1024 bytes smem, 364 bytes cmem[0]
ptxas info    : Compile time = 26.755 ms
)";

static const char spills[] = R"(ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'spills' for 'sm_80'
ptxas info    : Function properties for spills
    432 bytes stack frame, 428 bytes spill stores, 424 bytes spill loads
ptxas info    : Used 32 registers, used 0 barriers, 432 bytes cumulative stack size, 360 bytes cmem[0]
ptxas info    : Compile time = 30.568 ms
)";

static const char stack[] = R"(ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'stack' for 'sm_80'
ptxas info    : Function properties for stack
    256 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 9 registers, used 0 barriers, 256 bytes cumulative stack size, 364 bytes cmem[0]
ptxas info    : Compile time = 2.954 ms
)";

static const char waits[] =
    R"(ptxas info    : (C7517) warpgroup.wait is injected in around line 16 by compiler to allow use of registers defined by GMMA in function 'serial'
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'serial' for 'sm_90a'
ptxas info    : Function properties for serial
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 30 registers, used 0 barriers
ptxas info    : Compile time = 32.524 ms
)";

TEST(Ptxas, parsesResources) {
  std::vector<FunctionResources> functions = parsePtxasReport(good);
  ASSERT_EQ(functions.size(), 1u);
  EXPECT_EQ(functions[0].name, "scale");
  EXPECT_EQ(functions[0].registers, 8u);
  EXPECT_EQ(functions[0].sharedBytes, 1024u);
  EXPECT_EQ(functions[0].stackBytes, 0u);
  EXPECT_EQ(check(good), "");
}

TEST(Ptxas, parsesSeveralFunctions) {
  std::vector<FunctionResources> functions =
      parsePtxasReport(std::string(good) + spills);
  ASSERT_EQ(functions.size(), 2u);
  EXPECT_EQ(functions[0].spillStoreBytes, 0u);
  EXPECT_EQ(functions[1].name, "spills");
  EXPECT_EQ(functions[1].registers, 32u);
  EXPECT_EQ(functions[1].stackBytes, 432u);
  EXPECT_EQ(functions[1].spillStoreBytes, 428u);
  EXPECT_EQ(functions[1].spillLoadBytes, 424u);
}

TEST(Ptxas, rejectsSpills) {
  EXPECT_EQ(check(spills),
            "kernel 'spills' with query_tile = 64 spills 428 bytes of "
            "registers of a thread when assembled for sm_80 (32 registers "
            "used); another schedule may fit: see --query-tile, --key-tile and "
            "--warps");
}

TEST(Ptxas, rejectsStack) {
  EXPECT_NE(check(stack).find("kernel 'stack' with query_tile = 64 needs 256 "
                              "bytes of stack of a thread"),
            std::string::npos);
}

TEST(Ptxas, rejectsSerialisedMatrixInstructions) {
  std::vector<FunctionResources> functions = parsePtxasReport(waits);
  ASSERT_EQ(functions.size(), 1u);
  EXPECT_EQ(functions[0].name, "serial");
  EXPECT_EQ(functions[0].registers, 30u);
  ASSERT_EQ(functions[0].matrixWarnings.size(), 1u);
  EXPECT_NE(check(waits).find("kernel 'serial' with query_tile = 64 has matrix "
                              "instructions that wait: (C7517) warpgroup.wait "
                              "is injected"),
            std::string::npos);
}

TEST(Ptxas, acceptsOtherText) {
  EXPECT_TRUE(parsePtxasReport("").empty());
  EXPECT_TRUE(parsePtxasReport("no report\nUsed 3 registers\n(C75").empty());
  // A message number that is no warning about matrix instructions.
  EXPECT_EQ(check("ptxas info    : (C7601) something in function 'f'"), "");
}

TEST(Ptxas, findsNothingAtWrongPath) {
  auto path = findPtxas("/no/such/ptxas");
  ASSERT_FALSE(bool(path));
  EXPECT_EQ(llvm::toString(path.takeError()),
            "ptxas is not at '/no/such/ptxas'");
}
