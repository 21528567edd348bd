//===- ProgramTest.cpp - Loading, checking and launching programs ---------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RuntimeTest.h"
#include <thread>

using namespace mlir::diffattn::runtime;

namespace {
class ProgramTest : public RuntimeTest {
protected:
  /// Loads manifestText with changes applied by the caller.
  std::shared_ptr<const Program> loadOne(const std::string &text) {
    Result<std::shared_ptr<const Program>> program = load({text});
    EXPECT_TRUE(program) << program.getStatus().getMessage();
    return program ? *program : nullptr;
  }

  Status launch(const Program &program, const Arguments &arguments) {
    std::vector<TensorView> views = arguments.getViews();
    return program.launch(views.data(), views.size(), stream);
  }

  /// Why the arguments are refused, without "'attention' does not accept ...".
  std::string getRefusal(const Program &program, const Arguments &arguments) {
    Status status = launch(program, arguments);
    EXPECT_EQ(status.getKind(), ErrorKind::BadArgument);
    EXPECT_TRUE(getFakeCuda().launches.empty());
    const std::string prefix = "'attention' does not accept the arguments: ";
    EXPECT_EQ(status.getMessage().rfind(prefix, 0), 0u) << status.getMessage();
    return status.getMessage().substr(prefix.size());
  }

  cuda::Stream stream = reinterpret_cast<cuda::Stream>(0x77);
};
} // namespace

//===----------------------------------------------------------------------===//
// Loading
//===----------------------------------------------------------------------===//

TEST_F(ProgramTest, LoadsTheImageForTheDevice) {
  auto program = loadOne(manifestText);
  ASSERT_TRUE(program);
  EXPECT_EQ(getFakeCuda().images.back(), "kernel kernel0 33\n");
  EXPECT_EQ(program->getVariants()[0].kernels[0].registers, 168);
  EXPECT_EQ((getFakeCuda().attributes.at(
                {"kernel0", cuda::FuncAttributeMaxDynamicSharedSizeBytes})),
            65536);

  program.reset();
  getFakeCuda().major = 8;
  program = loadOne(manifestText);
  EXPECT_EQ(getFakeCuda().images.back(), "kernel kernel0 33 ");
}

TEST_F(ProgramTest, IsLoadedOnceForAContext) {
  auto first = loadOne(manifestText), second = loadOne(manifestText);
  EXPECT_EQ(first, second);
  EXPECT_EQ(getFakeCuda().count("cuModuleLoadDataEx"), 1u);

  getFakeCuda().context = 2;
  auto other = loadOne(manifestText);
  EXPECT_NE(first, other);
  EXPECT_EQ(getFakeCuda().modules, 2);
  first.reset();
  EXPECT_EQ(getFakeCuda().modules, 2);
  second.reset();
  EXPECT_EQ(getFakeCuda().modules, 1);
  other.reset();
  EXPECT_EQ(getFakeCuda().modules, 0);
}

TEST_F(ProgramTest, IsLoadedOnceByManyThreads) {
  const std::string path = write("m.json", manifestText);
  std::vector<std::shared_ptr<const Program>> programs(8);
  std::vector<std::thread> threads;
  for (std::shared_ptr<const Program> &program : programs)
    threads.emplace_back([&] { program = *Program::load(*driver, {path}); });
  for (std::thread &thread : threads)
    thread.join();
  for (const std::shared_ptr<const Program> &program : programs)
    EXPECT_EQ(program, programs.front());
  EXPECT_EQ(getFakeCuda().modules, 1);
}

TEST_F(ProgramTest, MakesThePrimaryContextCurrentIfThereIsNone) {
  getFakeCuda().context = 0;
  auto program = loadOne(manifestText);
  EXPECT_EQ(getFakeCuda().context, 100u);
}

TEST_F(ProgramTest, SaysThatTheChipIsWrong) {
  Result<std::shared_ptr<const Program>> program =
      load({replaced(manifestText, "sm_80", "sm_120")});
  ASSERT_FALSE(program);
  EXPECT_EQ(program.getStatus().getKind(), ErrorKind::WrongChip);
  EXPECT_EQ(program.getStatus().getMessage(),
            "'attention' is compiled for sm_120, but Fake GPU is sm_90");
}

TEST_F(ProgramTest, LeavesOutVariantsForOtherChips) {
  Result<std::shared_ptr<const Program>> program =
      load({replaced(manifestText, "sm_80", "sm_120"), manifestText});
  ASSERT_TRUE(program);
  Arguments arguments;
  std::vector<TensorView> views = arguments.getViews();
  EXPECT_EQ(*(*program)->select(views.data(), views.size()), 1u);
}

TEST_F(ProgramTest, SaysThatSharedMemoryIsTooSmall) {
  getFakeCuda().sharedLimit = 49152;
  Result<std::shared_ptr<const Program>> program = load({manifestText});
  ASSERT_FALSE(program);
  EXPECT_EQ(program.getStatus().getKind(), ErrorKind::WrongChip);
  EXPECT_EQ(program.getStatus().getMessage(),
            "kernel 'kernel0' needs 65536 bytes of shared memory, but Fake GPU "
            "has 49152 for a block");
  EXPECT_EQ(getFakeCuda().modules, 0);
}

TEST_F(ProgramTest, PassesOnWhatThePtxCompilerSays) {
  getFakeCuda().failures["cuModuleLoadDataEx"] = cuda::ErrorInvalidPtx;
  getFakeCuda().jitLog = "ptxas fatal: line 1\nmore";
  EXPECT_EQ(load({manifestText}).getStatus().getMessage(),
            "cannot load '" + folder +
                "attention.ptx': something is wrong (CUDA error 218): ptxas "
                "fatal: line 1");
}

TEST_F(ProgramTest, SaysThatMemoryIsExhausted) {
  getFakeCuda().failures["cuModuleLoadDataEx"] = cuda::ErrorOutOfMemory;
  EXPECT_EQ(load({manifestText}).getStatus().getKind(), ErrorKind::OutOfMemory);
}

TEST_F(ProgramTest, SaysWhichFileOrKernelIsMissing) {
  EXPECT_EQ(load({replaced(manifestText, "attention.ptx", "none.ptx")})
                .getStatus()
                .getMessage(),
            "cannot read the image '" + folder + "none.ptx'");
  EXPECT_EQ(
      load({replaced(manifestText, "\"kernel0\"", "\"kernel1\"")})
          .getStatus()
          .getMessage(),
      "cannot load kernel 'kernel1': something is wrong (CUDA error 500)");
  EXPECT_EQ(
      load({manifestText, replaced(manifestText, "\"attention\"", "\"other\"")})
          .getStatus()
          .getMessage(),
      "cannot read '" + folder +
          "variant1.json': its entry is 'other', but the others' is "
          "'attention'");
  EXPECT_EQ(getFakeCuda().modules, 0);
}

TEST_F(ProgramTest, RefusesMoreParametersThanAKernelHas) {
  std::string parameters = "0";
  for (int i = 0; i < 50; ++i)
    parameters += ", 1";
  Result<std::shared_ptr<const Program>> program =
      load({replaced(manifestText, "[0, 1, 2]", "[" + parameters + "]")});
  ASSERT_FALSE(program);
  EXPECT_NE(program.getStatus().getMessage().find(
                "kernel 'kernel0' has 4488 bytes of parameters, at most 4096"),
            std::string::npos)
      << program.getStatus().getMessage();
}

TEST_F(ProgramTest, RefusesMoreTensorMapsThanALaunchDescribes) {
  const std::string map = "{\"tensor_map\": 0, \"dims\": [3, 1, 2, 0], "
                          "\"box\": [64, 8, 2, 1], \"swizzle\": 128}";
  std::string parameters = map;
  for (int i = 0; i < 8; ++i)
    parameters += ", " + map;
  EXPECT_EQ(load({replaced(manifestText, "[0, 1, 2]", "[" + parameters + "]")})
                .getStatus()
                .getMessage(),
            "cannot read '" + folder +
                "variant0.json': kernel 'kernel0' has 9 tensor maps, at most 8 "
                "are possible");
}

//===----------------------------------------------------------------------===//
// Launching
//===----------------------------------------------------------------------===//

TEST_F(ProgramTest, PacksDescriptorsAndCountsBlocks) {
  auto program = loadOne(manifestText);
  Arguments arguments;
  // Heads in front of tokens, as a transposed view has them.
  arguments.query.strides = {51200, 64, 6400, 1};
  ASSERT_TRUE(launch(*program, arguments).ok());
  ASSERT_EQ(getFakeCuda().launches.size(), 1u);
  const FakeCuda::Launch &launched = getFakeCuda().launches[0];
  EXPECT_EQ(launched.kernel, "kernel0");
  EXPECT_EQ(launched.blocks, 2u * 4u * 2u); // ceil(100 / 64) is 2
  EXPECT_EQ(launched.threads, 128u);
  EXPECT_EQ(launched.sharedBytes, 65536u);
  EXPECT_EQ(launched.stream, stream);
  EXPECT_EQ(launched.words,
            (std::vector<uint64_t>{
                0x1000, 0x1000, 0, 2, 100, 8, 64, 51200, 64,  6400, 1, //
                0x2000, 0x2000, 0, 2, 300, 2, 64, 38400, 128, 64,   1, //
                0x3000, 0x3000, 0, 2, 100, 4, 64, 25600, 256, 64,   1}));
}

TEST_F(ProgramTest, MakesOneDriverCallALaunch) {
  auto program = loadOne(manifestText);
  Arguments arguments;
  getFakeCuda().calls.clear();
  ASSERT_TRUE(launch(*program, arguments).ok());
  ASSERT_TRUE(launch(*program, arguments).ok());
  EXPECT_EQ(getFakeCuda().calls,
            (std::vector<std::string>{"cuLaunchKernel", "cuLaunchKernel"}));
}

TEST_F(ProgramTest, LaunchesNothingForAnEmptyProblem) {
  auto program = loadOne(manifestText);
  Arguments noBatch(0), noQueries(2, 0);
  noBatch.query.address = noBatch.key.address = noBatch.output.address = 0;
  getFakeCuda().calls.clear();
  EXPECT_TRUE(launch(*program, noBatch).ok());
  EXPECT_TRUE(launch(*program, noQueries).ok());
  EXPECT_TRUE(getFakeCuda().calls.empty());
  // Rows without keys have results.
  EXPECT_TRUE(launch(*program, Arguments(2, 100, 0)).ok());
  EXPECT_EQ(getFakeCuda().launches.size(), 1u);
}

TEST_F(ProgramTest, LaunchesFromManyThreads) {
  auto program = loadOne(manifestText);
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&, i] {
      Arguments arguments(1 + i);
      for (int j = 0; j < 100; ++j)
        EXPECT_TRUE(launch(*program, arguments).ok());
    });
  for (std::thread &thread : threads)
    thread.join();
  ASSERT_EQ(getFakeCuda().launches.size(), 800u);
  for (const FakeCuda::Launch &launched : getFakeCuda().launches) {
    EXPECT_EQ(launched.blocks, 8 * launched.words[3]);
    EXPECT_EQ(launched.words[3], launched.words[25]);
  }
}

TEST_F(ProgramTest, LaunchesAllKernelsInOrder) {
  write("attention.ptx", "kernel split 11\nkernel merge 22\n");
  auto program = loadOne(replaced(
      replaced(manifestText, "\"kernel0\"", "\"split\""),
      "\"parameters\": [0, 1, 2]}]",
      "\"parameters\": [1]}, {\"name\": \"merge\", \"threads\": 32, \"grid\": "
      "[{\"argument\": 0, \"dim\": 1, \"tile\": 8}], \"parameters\": [2, "
      "0]}]"));
  ASSERT_TRUE(program);
  ASSERT_TRUE(launch(*program, Arguments()).ok());
  ASSERT_EQ(getFakeCuda().launches.size(), 2u);
  EXPECT_EQ(getFakeCuda().launches[0].kernel, "split");
  EXPECT_EQ(getFakeCuda().launches[0].words.front(), 0x2000u);
  EXPECT_EQ(getFakeCuda().launches[1].kernel, "merge");
  EXPECT_EQ(getFakeCuda().launches[1].blocks, 13u);
  EXPECT_EQ(getFakeCuda().launches[1].sharedBytes, 0u);
  EXPECT_EQ(getFakeCuda().launches[1].words.front(), 0x3000u);
}

TEST_F(ProgramTest, DescribesTensorsToTheMemoryAccelerator) {
  write("attention.ptx", "kernel kernel0 12\n");
  auto program = loadOne(
      replaced(manifestText, "[0, 1, 2]",
               "[{\"tensor_map\": 0, \"dims\": [3, 1, 2, 0], \"box\": [64, 8, "
               "2, 1], \"swizzle\": 128}, 2]"));
  ASSERT_TRUE(program);
  Arguments arguments(1);
  arguments.query.strides[0] = 3; // of a dimension of size 1
  getFakeCuda().calls.clear();
  ASSERT_TRUE(launch(*program, arguments).ok());
  EXPECT_EQ(
      getFakeCuda().calls,
      (std::vector<std::string>{"cuTensorMapEncodeTiled", "cuLaunchKernel"}));
  EXPECT_EQ(getFakeCuda().maps[0],
            (std::vector<uint64_t>{0x1000, 9, 3, 64, 100, 8, 1, // sizes
                                   1024, 128, 16,               // strides
                                   64, 8, 2, 1}));
  EXPECT_EQ(getFakeCuda().launches[0].words[0], 1001u);
  EXPECT_EQ(getFakeCuda().launches[0].words[1], 0x3000u);

  getFakeCuda().failures["cuTensorMapEncodeTiled"] = 1;
  EXPECT_EQ(launch(*program, arguments).getMessage(),
            "cannot describe query to the tensor memory accelerator: something "
            "is wrong (CUDA error 1)");
}

TEST_F(ProgramTest, LaunchesPersistentBlocksOnceForAMultiprocessor) {
  auto program = loadOne(replaced(manifestText, "\"threads\": 128",
                                  "\"threads\": 128, \"persistent\": true"));
  ASSERT_TRUE(program);
  getFakeCuda().calls.clear();
  for (int64_t queries : {0, 64, 5000})
    ASSERT_TRUE(launch(*program, Arguments(2, queries)).ok());
  // 2 x 4 x ceil(queries / 64), none for 0.
  ASSERT_EQ(getFakeCuda().launches.size(), 2u);
  EXPECT_EQ(getFakeCuda().launches[0].blocks, 8u);
  EXPECT_EQ(getFakeCuda().launches[1].blocks, 132u);
  EXPECT_EQ(getFakeCuda().count("cuDeviceGetAttribute"), 0u);
}

TEST_F(ProgramTest, LaunchesWholeClusters) {
  auto program = loadOne(replaced(manifestText, "\"threads\": 128",
                                  "\"threads\": 128, \"persistent\": true, "
                                  "\"cluster\": 8"));
  ASSERT_TRUE(program);
  for (int64_t queries : {64, 5000})
    ASSERT_TRUE(launch(*program, Arguments(2, queries)).ok());
  ASSERT_EQ(getFakeCuda().launches.size(), 2u);
  EXPECT_EQ(getFakeCuda().launches[0].blocks, 8u);
  // 132 multiprocessors hold 16 clusters.
  EXPECT_EQ(getFakeCuda().launches[1].blocks, 128u);
}

TEST_F(ProgramTest, RefusesGridsThatDoNotFit) {
  auto program = loadOne(manifestText);
  Arguments arguments(int64_t(1) << 40, int64_t(1) << 40);
  Status status = launch(*program, arguments);
  EXPECT_EQ(status.getKind(), ErrorKind::BadArgument);
  EXPECT_EQ(status.getMessage(),
            "kernel 'kernel0' would need more blocks than a launch can have");
  EXPECT_TRUE(getFakeCuda().launches.empty());
}

TEST_F(ProgramTest, SaysThatTheContextIsAnotherOne) {
  auto program = loadOne(manifestText);
  getFakeCuda().failures["cuLaunchKernel"] = cuda::ErrorInvalidHandle;
  EXPECT_EQ(
      launch(*program, Arguments()).getMessage(),
      "cannot launch kernel 'kernel0': something is wrong (CUDA error "
      "400); the program was loaded into another context than the current "
      "one");
}

//===----------------------------------------------------------------------===//
// Preconditions
//===----------------------------------------------------------------------===//

TEST_F(ProgramTest, SaysWhichPreconditionFails) {
  auto program = loadOne(manifestText);
  auto refusal = [&](auto change) {
    Arguments arguments;
    change(arguments);
    return getRefusal(*program, arguments);
  };
  using A = Arguments &;
  EXPECT_EQ(refusal([](A a) { a.query.dtype = DType::F16; }),
            "query has dtype f16, expected bf16");
  EXPECT_EQ(refusal([](A a) { a.query.dtype = static_cast<DType>(99); }),
            "query has dtype number 99, expected bf16");
  EXPECT_EQ(refusal([](A a) { a.key = Tensor({2, 300, 128}); }),
            "key has rank 3, expected 4");
  EXPECT_EQ(refusal([](A a) { a.query.sizes[3] = 128; }),
            "dimension 3 of query has size 128, expected 64");
  EXPECT_EQ(refusal([](A a) { a.query.sizes[0] = -1; }),
            "dimension 0 of query has a negative size, -1");
  EXPECT_EQ(refusal([](A a) { a.key.address = 0; }), "key is a null pointer");
  EXPECT_EQ(refusal([](A a) { a.key.address = 0x1008; }),
            "the address of key is 8 bytes past a multiple of 16");
  EXPECT_EQ(refusal([](A a) { a.query.strides[3] = 2; }),
            "the last dimension of query has stride 2, expected 1");
  EXPECT_EQ(refusal([](A a) { a.query.strides[1] = 516; }),
            "dimension 1 of query has stride 516, expected a multiple of 8");
  EXPECT_EQ(refusal([](A a) { a.output.strides[0] = 0; }),
            "dimension 0 of output has stride 0, but output is written");
  EXPECT_EQ(refusal([](A a) { a.key.sizes[0] = 3; }),
            "dimension 0 of key has size 3, but dimension 0 of query has 2");
  EXPECT_EQ(refusal([](A a) { a.output.sizes[1] = 99; }),
            "dimension 1 of output has size 99, but dimension 1 of query has "
            "100");

  Arguments arguments;
  std::vector<TensorView> views = arguments.getViews();
  EXPECT_EQ(program->launch(views.data(), 2, stream).getMessage(),
            "'attention' does not accept the arguments: it takes 3 arguments, "
            "but got 2");
}

TEST_F(ProgramTest, IgnoresStridesThatAreNotUsed) {
  auto program = loadOne(manifestText);
  Arguments arguments(1, 1, 300);
  arguments.query.strides = {7, 3, 64, 1};
  arguments.output.strides[0] = 0;
  EXPECT_TRUE(launch(*program, arguments).ok());
  // Broadcast inputs are fine.
  Arguments broadcast;
  broadcast.key.strides[0] = 0;
  EXPECT_TRUE(launch(*program, broadcast).ok());
}

TEST_F(ProgramTest, TakesTheFirstVariantThatAccepts) {
  auto limited = [](const std::string &precondition) {
    return replaced(manifestText, "\"preconditions\": [",
                    "\"preconditions\": [" + precondition + ", ");
  };
  Result<std::shared_ptr<const Program>> program =
      load({limited(R"({"argument": 0, "dim": 1, "max": 1})"),
            limited(R"({"argument": 0, "dim": 1, "multiple": 64})"),
            limited(R"({"argument": 0, "dim": 1, "min": 100, "max": 1000})")});
  ASSERT_TRUE(program) << program.getStatus().getMessage();
  auto select = [&](int64_t queries) -> int64_t {
    Arguments arguments(2, queries);
    std::vector<TensorView> views = arguments.getViews();
    Result<size_t> position = (*program)->select(views.data(), views.size());
    return position ? static_cast<int64_t>(*position) : -1;
  };
  EXPECT_EQ(select(1), 0);
  EXPECT_EQ(select(128), 1);
  EXPECT_EQ(select(100), 2);
  EXPECT_EQ(select(1000), 2);
  EXPECT_EQ(select(99), -1);
  EXPECT_EQ(select(1001), -1);

  Status status = launch(**program, Arguments(2, 99));
  EXPECT_EQ(status.getKind(), ErrorKind::BadArgument);
  const std::string where = "dimension 1 of query has size 99, expected ";
  EXPECT_EQ(status.getMessage(),
            "no variant of 'attention' accepts the arguments: " + folder +
                "variant0.json: " + where + "at most 1; " + folder +
                "variant1.json: " + where + "a multiple of 64; " + folder +
                "variant2.json: " + where + "at least 100");
}

//===----------------------------------------------------------------------===//
// Fallbacks
//===----------------------------------------------------------------------===//

namespace {
class FallbackTest : public ProgramTest {
protected:
  void SetUp() override {
    ProgramTest::SetUp();
    write("other.ptx", "kernel other 33\n");
    write("other.cubin", "kernel other 33 ");
    std::string text = manifestText;
    for (const char *alignment : {"16", "16", "4"})
      text = replaced(text, std::string("\"alignment\": ") + alignment,
                      "\"alignment\": 2");
    for (const char *multiple : {"8", "8", "2"})
      text = replaced(text, std::string("\"stride_multiple\": ") + multiple,
                      "\"stride_multiple\": 1");
    text = replaced(text, "\"name\": \"kernel0\"", "\"name\": \"other\"");
    text = replaced(text, "attention.ptx", "other.ptx");
    other = replaced(text, "attention.cubin", "other.cubin");
    write("other.json", other);
  }

  static std::string withFallback(const std::string &text) {
    return replaced(text, "\"version\": 1",
                    "\"version\": 1, \"fallback\": \"other.json\"");
  }
  std::string other;
};
} // namespace

TEST_F(FallbackTest, TakesWhatTheProgramRefuses) {
  auto program = loadOne(withFallback(manifestText));
  ASSERT_TRUE(program);
  ASSERT_EQ(program->getVariants().size(), 2u);
  getFakeCuda().calls.clear();
  Arguments aligned, address, stride;
  address.key.address += 2;
  stride.query.strides[1] = 513;
  for (const Arguments &arguments : {aligned, address, stride})
    ASSERT_TRUE(launch(*program, arguments).ok());
  const auto &launches = getFakeCuda().launches;
  ASSERT_EQ(launches.size(), 3u);
  EXPECT_EQ(launches[0].kernel, "kernel0");
  EXPECT_EQ(launches[1].kernel, "other");
  EXPECT_EQ(launches[2].kernel, "other");
  // No call for the choice, nothing is copied.
  EXPECT_EQ(getFakeCuda().calls.size(), 3u);
  // It is found with the manifest that names it.
  std::vector<TensorView> views = address.getViews();
  Result<size_t> position = program->select(views.data(), views.size());
  ASSERT_TRUE(position);
  EXPECT_EQ(*position, 0u);
}

TEST_F(FallbackTest, TakesProblemsWithoutKeys) {
  // Which a tensor map cannot describe.
  auto program = loadOne(withFallback(replaced(
      manifestText, "\"preconditions\": [",
      "\"preconditions\": [{\"argument\": 1, \"dim\": 1, \"min\": 1}, ")));
  ASSERT_TRUE(program);
  ASSERT_TRUE(launch(*program, Arguments(2, 100, 1)).ok());
  ASSERT_TRUE(launch(*program, Arguments(2, 100, 0)).ok());
  // Without rows there is nothing to launch, with or without keys.
  ASSERT_TRUE(launch(*program, Arguments(2, 0, 0)).ok());
  ASSERT_TRUE(launch(*program, Arguments(0, 100, 0)).ok());
  ASSERT_TRUE(launch(*program, Arguments(0, 100, 300)).ok());
  ASSERT_EQ(getFakeCuda().launches.size(), 2u);
  EXPECT_EQ(getFakeCuda().launches[0].kernel, "kernel0");
  EXPECT_EQ(getFakeCuda().launches[1].kernel, "other");
}

TEST_F(FallbackTest, ComesAfterAllThatWereGiven) {
  std::string second = replaced(
      other, "\"preconditions\": [",
      "\"preconditions\": [{\"argument\": 0, \"dim\": 1, \"max\": 8}, ");
  Result<std::shared_ptr<const Program>> program =
      load({withFallback(manifestText), second});
  ASSERT_TRUE(program) << program.getStatus().getMessage();
  auto select = [&](int64_t queries) {
    Arguments arguments(2, queries);
    arguments.key.address += 2;
    std::vector<TensorView> views = arguments.getViews();
    return *(*program)->select(views.data(), views.size());
  };
  EXPECT_EQ(select(8), 1u);
  EXPECT_EQ(select(9), 0u);
}

TEST_F(FallbackTest, SaysWhyNeitherAccepts) {
  auto program = loadOne(withFallback(manifestText));
  Arguments arguments;
  arguments.key.address += 1;
  EXPECT_EQ(launch(*program, arguments).getMessage(),
            "no variant of 'attention' accepts the arguments: " + folder +
                "variant0.json: the address of key is 1 bytes past a multiple "
                "of 16; " +
                folder +
                "other.json: the address of key is 1 bytes past a multiple of "
                "2");
}

TEST_F(FallbackTest, IsNotLoadedWithoutTheProgram) {
  // A chip of another generation gets an error, not a slow program.
  std::string text =
      replaced(withFallback(manifestText), "\"sm_80\"", "\"sm_120\"");
  Status status = load({text}).getStatus();
  EXPECT_EQ(status.getKind(), ErrorKind::WrongChip);
  EXPECT_EQ(
      status.getMessage().rfind("'attention' is compiled for sm_120, ", 0), 0u)
      << status.getMessage();
}

TEST_F(FallbackTest, HasToBeThere) {
  std::filesystem::remove(folder + "other.json");
  EXPECT_EQ(load({withFallback(manifestText)}).getStatus().getMessage(),
            "cannot read '" + folder +
                "other.json': there is no such file, or it cannot be opened");
}
