//===- DeviceSessionTest.cpp - Memory, launches and timing on one GPU -----===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Runtime/DeviceSession.h"
#include "RuntimeTest.h"
#include <algorithm>
#include <cstring>

using namespace mlir::diffattn::runtime;

namespace {
class DeviceSessionTest : public RuntimeTest {
protected:
  void SetUp() override {
    RuntimeTest::SetUp();
    Result<std::unique_ptr<DeviceSession>> created =
        DeviceSession::create(*driver);
    ASSERT_TRUE(created) << created.getStatus().getMessage();
    session = std::move(*created);
  }
  DeviceTensor allocate(std::vector<int64_t> sizes) {
    return std::move(*session->allocate(DType::BF16, std::move(sizes)));
  }

  std::unique_ptr<DeviceSession> session;
};
} // namespace

TEST_F(DeviceSessionTest, DescribesTheGPU) {
  EXPECT_EQ(session->getDeviceName(), "Fake GPU");
  EXPECT_EQ(session->getComputeCapability().getChip(), "sm_90");
  Result<std::unique_ptr<DeviceSession>> other =
      DeviceSession::create(*driver, 3);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.getStatus().getKind(), ErrorKind::NoDevice);
}

TEST_F(DeviceSessionTest, PoisonsMemory) {
  {
    DeviceTensor tensor = allocate({2, 3});
    EXPECT_EQ(tensor.getNumBytes(), 12u);
    std::vector<unsigned char> bytes(12);
    ASSERT_TRUE(session->download(tensor, bytes.data()).ok());
    EXPECT_TRUE(std::all_of(bytes.begin(), bytes.end(),
                            [](unsigned char byte) { return byte == 0xff; }));
    EXPECT_EQ(getFakeCuda().allocations, 1);
  }
  EXPECT_EQ(getFakeCuda().allocations, 0);
}

TEST_F(DeviceSessionTest, CopiesInAndOut) {
  DeviceTensor tensor = allocate({4});
  const uint16_t in[4] = {1, 2, 3, 4};
  uint16_t out[4] = {};
  ASSERT_TRUE(session->upload(tensor, in).ok());
  ASSERT_TRUE(session->download(tensor, out).ok());
  EXPECT_EQ(std::memcmp(in, out, sizeof(in)), 0);
  DeviceTensor empty = allocate({0, 4});
  EXPECT_TRUE(session->upload(empty, nullptr).ok());
  EXPECT_TRUE(session->checkGuards(empty).ok());
}

TEST_F(DeviceSessionTest, FindsWritesBesideATensor) {
  DeviceTensor tensor = allocate({4});
  auto *data = static_cast<unsigned char *>(tensor.getView().data);
  EXPECT_TRUE(session->checkGuards(tensor).ok());
  data[9] = 0;
  EXPECT_EQ(session->checkGuards(tensor).getMessage(),
            "the program wrote 1 bytes past the end of a tensor");
  data[-4] = 0;
  EXPECT_EQ(session->checkGuards(tensor).getMessage(),
            "the program wrote 4 bytes before the start of a tensor");
}

TEST_F(DeviceSessionTest, RefusesImpossibleSizes) {
  EXPECT_EQ(session->allocate(DType::F32, {-1}).getStatus().getMessage(),
            "a tensor has a negative size, -1");
  Status status =
      session->allocate(DType::F32, {int64_t(1) << 40, int64_t(1) << 40})
          .getStatus();
  EXPECT_EQ(status.getKind(), ErrorKind::OutOfMemory);
  EXPECT_EQ(status.getMessage(),
            "a tensor has more elements than any GPU can hold");
  EXPECT_TRUE(session->allocate(DType::F32, {int64_t(1) << 60, 0}));
  getFakeCuda().failures["cuMemAlloc_v2"] = cuda::ErrorOutOfMemory;
  EXPECT_EQ(session->allocate(DType::F32, {4}).getStatus().getMessage(),
            "cannot allocate 1040 bytes on Fake GPU: out of memory (CUDA error "
            "2)");
}

TEST_F(DeviceSessionTest, RunsAndTimesAProgram) {
  Result<std::shared_ptr<const Program>> program = load({manifestText});
  ASSERT_TRUE(program);
  DeviceTensor query = allocate({1, 3, 8, 64}), key = allocate({1, 5, 2, 64}),
               output = allocate({1, 3, 4, 64});
  getFakeCuda().execute = [](const FakeCuda::Launch &launch) {
    *reinterpret_cast<uint16_t *>(launch.words[22]) = 0x3f80;
  };
  std::vector<TensorView> views = {query.getView(), key.getView(),
                                   output.getView()};
  ASSERT_TRUE(session->run(**program, views).ok());
  std::vector<uint16_t> out(3 * 4 * 64);
  ASSERT_TRUE(session->download(output, out.data()).ok());
  EXPECT_EQ(out[0], 0x3f80);
  EXPECT_EQ(out[1], 0xffff);
  EXPECT_EQ(getFakeCuda().launches[0].stream, session->getStream());

  Result<std::vector<double>> samples =
      session->time(**program, views, /*minSeconds=*/1e-4);
  ASSERT_TRUE(samples);
  EXPECT_GE(samples->size(), 5u);
  EXPECT_TRUE(std::is_sorted(samples->begin(), samples->end()));
}
