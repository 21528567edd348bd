//===- RuntimeTest.h - Files and a driver for the runtime's tests -*- C++
//-*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_UNITTESTS_RUNTIME_RUNTIMETEST_H
#define DIFFATTN_UNITTESTS_RUNTIME_RUNTIMETEST_H

#include "FakeCuda.h"
#include "diffattn/Runtime/Program.h"
#include "gtest/gtest.h"
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace mlir::diffattn::runtime {

/// A copy of `text` with the first `from` replaced; a test that replaces
/// nothing tests nothing.
inline std::string replaced(std::string text, const std::string &from,
                            const std::string &to) {
  size_t position = text.find(from);
  EXPECT_NE(position, std::string::npos) << from;
  return text.replace(position, from.size(), to);
}

/// An attention of static heads and dynamic batch and lengths; query, key and
/// output only.
inline const char *const manifestText = R"({
  "version": 1, "target": "sm_80", "entry": "attention",
  "kernels": [{
    "name": "kernel0", "threads": 128, "shared_bytes": 65536, "registers": 168,
    "grid": [{"argument": 0, "dim": 0}, {"constant": 4},
             {"argument": 0, "dim": 1, "tile": 64}],
    "parameters": [0, 1, 2]}],
  "parameters": [
    {"name": "query", "dtype": "bf16", "shape": [null, null, 8, 64],
     "access": "read", "alignment": 16, "stride_multiple": 8},
    {"name": "key", "dtype": "bf16", "shape": [null, null, 2, 64],
     "access": "read", "alignment": 16, "stride_multiple": 8},
    {"name": "output", "dtype": "bf16", "shape": [null, null, 4, 64],
     "access": "write", "alignment": 4, "stride_multiple": 2}],
  "preconditions": [{"equal": [[0, 0], [1, 0], [2, 0]]},
                    {"equal": [[0, 1], [2, 1]]}],
  "image": {"ptx": "attention.ptx", "cubin": "attention.cubin"}
})";

/// A fresh fake driver and a folder of files for every test.
class RuntimeTest : public testing::Test {
protected:
  void SetUp() override {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "runtime-XXXXXX").string();
    ASSERT_TRUE(mkdtemp(pattern.data()));
    folder = pattern + "/";
    getFakeCuda() = FakeCuda();
    Result<std::unique_ptr<Driver>> loaded = Driver::load(FAKE_CUDA_LIBRARY);
    ASSERT_TRUE(loaded) << loaded.getStatus().getMessage();
    driver = std::move(*loaded);
    write("attention.ptx", "kernel kernel0 33\n");
    write("attention.cubin", "kernel kernel0 33 ");
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  std::string write(const std::string &name, const std::string &text) {
    std::ofstream(folder + name) << text;
    return folder + name;
  }

  /// The program of one or more manifests, given as text.
  Result<std::shared_ptr<const Program>>
  load(const std::vector<std::string> &texts) {
    std::vector<std::string> paths;
    for (const std::string &text : texts)
      paths.push_back(
          write("variant" + std::to_string(paths.size()) + ".json", text));
    return Program::load(*driver, paths);
  }

  std::string folder;
  std::unique_ptr<Driver> driver;
};

/// A tensor whose memory is never touched.
struct Tensor {
  std::vector<int64_t> sizes, strides;
  DType dtype = DType::BF16;
  uintptr_t address = 0x1000;

  explicit Tensor(std::vector<int64_t> tensorSizes)
      : sizes(std::move(tensorSizes)), strides(sizes.size()) {
    int64_t stride = 1;
    for (size_t dim = sizes.size(); dim-- > 0; stride *= sizes[dim])
      strides[dim] = stride;
  }
  TensorView getView() const {
    return {reinterpret_cast<void *>(address), sizes.data(), strides.data(),
            static_cast<uint32_t>(sizes.size()), static_cast<uint32_t>(dtype)};
  }
};

/// Arguments of manifestText.
struct Arguments {
  Tensor query, key, output;

  Arguments(int64_t batch = 2, int64_t queries = 100, int64_t keys = 300)
      : query({batch, queries, 8, 64}), key({batch, keys, 2, 64}),
        output({batch, queries, 4, 64}) {
    key.address = 0x2000;
    output.address = 0x3000;
  }
  std::vector<TensorView> getViews() const {
    return {query.getView(), key.getView(), output.getView()};
  }
};

} // namespace mlir::diffattn::runtime

#endif // DIFFATTN_UNITTESTS_RUNTIME_RUNTIMETEST_H
