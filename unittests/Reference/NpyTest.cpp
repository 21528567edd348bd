//===- NpyTest.cpp - NumPy array files ------------------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Reference/Npy.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"

using namespace mlir::diffattn::reference;

namespace {
/// A directory of its own for every test.
class Npy : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("npy", directory));
    path = directory;
    llvm::sys::path::append(path, "a.npy");
  }
  void TearDown() override { llvm::sys::fs::remove_directories(directory); }

  void writeBytes(llvm::StringRef bytes) {
    std::error_code error;
    llvm::raw_fd_ostream(path, error) << bytes;
    ASSERT_FALSE(error);
  }
  /// A version 1 file with `dictionary` as its header.
  void writeFile(llvm::StringRef dictionary, llvm::StringRef data) {
    std::string bytes("\x93NUMPY\x01\0", 8);
    bytes += char(dictionary.size());
    bytes += '\0';
    writeBytes(bytes + dictionary.str() + data.str());
  }
  /// The message of a failed read without the path.
  std::string readError(std::optional<DType> expected = std::nullopt) {
    llvm::Expected<Array> array = readNpy(path, expected);
    if (array)
      return "";
    std::string message = llvm::toString(array.takeError());
    llvm::StringRef rest = message;
    EXPECT_TRUE(rest.consume_front(("'" + path + "': ").str())) << message;
    return rest.str();
  }

  llvm::SmallString<128> directory, path;
};
} // namespace

TEST_F(Npy, RoundTrip) {
  using Shape = llvm::SmallVector<int64_t>;
  for (DType dtype :
       {DType::F16, DType::BF16, DType::F32, DType::F64, DType::I1, DType::I8,
        DType::I16, DType::I32, DType::I64, DType::Index})
    for (const Shape &shape :
         {Shape{}, Shape{3}, Shape{2, 3, 4}, Shape{2, 0}}) {
      Array array = llvm::cantFail(Array::create(dtype, shape));
      fillRandom(array, 1, 2);
      ASSERT_FALSE(llvm::errorToBool(writeNpy(path, array)));
      llvm::Expected<Array> read = readNpy(path, dtype);
      ASSERT_TRUE(bool(read)) << llvm::toString(read.takeError());
      EXPECT_EQ(read->getDType(), dtype);
      ASSERT_EQ(read->getShape(), llvm::ArrayRef(shape));
      EXPECT_EQ(llvm::StringRef(read->data(), read->getNumBytes()),
                llvm::StringRef(array.data(), array.getNumBytes()));
    }
}

TEST_F(Npy, NothingIsLeftBesideTheFile) {
  Array array = llvm::cantFail(Array::create(DType::F32, {2}));
  ASSERT_FALSE(llvm::errorToBool(writeNpy(path, array)));
  std::error_code error;
  unsigned count = 0;
  for (llvm::sys::fs::directory_iterator it(directory, error), end;
       it != end && !error; it.increment(error))
    ++count;
  EXPECT_EQ(count, 1u);
}

TEST_F(Npy, BFloatEncodings) {
  for (llvm::StringRef descr : {"<u2", "|V2"}) {
    writeFile(
        ("{'descr': '" + descr + "', 'fortran_order': False, 'shape': (1,), }")
            .str(),
        llvm::StringRef("\x80\x3f", 2));
    llvm::Expected<Array> array = readNpy(path);
    ASSERT_TRUE(bool(array)) << llvm::toString(array.takeError());
    EXPECT_EQ(array->getDType(), DType::BF16);
    EXPECT_EQ(array->getDouble(0), 1.0);
  }
}

TEST_F(Npy, Version2AndAnyKeyOrder) {
  std::string dictionary =
      "{\"shape\":(2L,),\"fortran_order\":False,\"descr\":\"<i4\"}";
  std::string bytes("\x93NUMPY\x02\0", 8);
  bytes += char(dictionary.size());
  bytes += std::string(3, '\0') + dictionary + std::string(8, '\1');
  writeBytes(bytes);
  llvm::Expected<Array> array = readNpy(path);
  ASSERT_TRUE(bool(array)) << llvm::toString(array.takeError());
  EXPECT_EQ(array->getInt(1), 0x01010101);
}

TEST_F(Npy, MalformedFiles) {
  writeBytes("hello");
  EXPECT_EQ(readError(), "not a .npy file");
  writeBytes("\x93NUMPY");
  EXPECT_EQ(readError(), "truncated .npy header");
  writeBytes(llvm::StringRef("\x93NUMPY\x03\0\x01\0", 10));
  EXPECT_EQ(readError(), "expected .npy format version 1 or 2, but found 3");
  writeBytes(llvm::StringRef("\x93NUMPY\x01\0\xff\x01{", 11));
  EXPECT_EQ(readError(), "truncated .npy header");
  writeFile("", "");
  EXPECT_EQ(readError(), "malformed .npy header: expected '{' before ''");
  writeFile("{'descr': '<f4', 'shape': (2,)}", "");
  EXPECT_EQ(readError(), "malformed .npy header: expected 'descr', "
                         "'fortran_order' and 'shape' before ''");
  writeFile("{'descr': '<f4', 'descr': '<f4'}", "");
  EXPECT_EQ(readError(),
            "malformed .npy header: expected each of 'descr', 'fortran_order', "
            "'shape' once before ' '<f4'}'");
  writeFile("{'descr': '<f4', 'fortran_order': False, 'shape': (2", "");
  EXPECT_EQ(readError(),
            "malformed .npy header: expected a tuple of sizes before ''");
  writeFile("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}",
            "");
  EXPECT_NE(readError().find("a quoted element type"), std::string::npos);
}

TEST_F(Npy, WrongContents) {
  writeFile("{'descr': '>f4', 'fortran_order': False, 'shape': (1,)}", "abcd");
  EXPECT_EQ(readError(DType::F32),
            "expected element type f32 ('<f4'), but found '>f4'");
  writeFile("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", "abcd");
  EXPECT_EQ(readError(DType::BF16),
            "expected element type bf16 ('<u2'), but found '<f4'");
  writeFile("{'descr': '<f4', 'fortran_order': True, 'shape': (1,)}", "abcd");
  EXPECT_EQ(readError(), "expected C order, but found Fortran order; save "
                         "numpy.ascontiguousarray(x)");
  writeFile("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "abcd");
  EXPECT_EQ(readError(), "expected 8 bytes of data for 2xf32, but found 4");
  writeFile("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", "");
  EXPECT_EQ(readError(), "array of shape -1 has a negative size");
  writeFile("{'descr': '<f4', 'fortran_order': False, 'shape': "
            "(99999999999,)}",
            "");
  EXPECT_EQ(readError(), "array of shape 99999999999 has more than the "
                         "2147483648 elements allowed");
  llvm::sys::fs::remove(path);
  EXPECT_EQ(readError(), "No such file or directory");
}

TEST_F(Npy, UnwritablePath) {
  Array array = llvm::cantFail(Array::create(DType::F32, {2}));
  llvm::SmallString<128> missing = directory;
  llvm::sys::path::append(missing, "no", "such", "a.npy");
  EXPECT_TRUE(llvm::errorToBool(writeNpy(missing, array)));
  // A directory is in the way: the temporary file goes, too.
  EXPECT_TRUE(llvm::errorToBool(writeNpy(directory, array)));
  EXPECT_FALSE(llvm::sys::fs::exists(path));
}
