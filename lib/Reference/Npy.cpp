//===- Npy.cpp - NumPy array files ----------------------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Reference/Npy.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::diffattn;
using namespace mlir::diffattn::reference;

static_assert(llvm::endianness::native == llvm::endianness::little,
              "arrays are stored as they lie in memory");

/// "\x93NUMPY", and where the fixed part of a version 1 header ends.
static constexpr llvm::StringLiteral magic("\x93NUMPY");
static constexpr size_t version1HeaderStart = 10;

namespace {
/// What a header says.
struct Header {
  std::string descr;
  bool fortranOrder = false;
  SmallVector<int64_t> shape;
};

/// Parses the Python dictionary of a header. Takes the three keys in any order
/// and ignores nothing: a key it does not know is an error.
class HeaderParser {
public:
  explicit HeaderParser(StringRef text) : rest(text) {}

  llvm::Expected<Header> parse() {
    if (!consume("{"))
      return fail("'{'");
    bool sawDescr = false, sawOrder = false, sawShape = false;
    while (!consume("}")) {
      std::optional<StringRef> key = parseString();
      if (!key || !consume(":"))
        return fail("a quoted key and ':'");
      if (*key == "descr" && !sawDescr) {
        std::optional<StringRef> descr = parseString();
        if (!descr)
          return fail("a quoted element type (records are not supported)");
        header.descr = descr->str();
        sawDescr = true;
      } else if (*key == "fortran_order" && !sawOrder) {
        header.fortranOrder = consume("True");
        if (!header.fortranOrder && !consume("False"))
          return fail("True or False");
        sawOrder = true;
      } else if (*key == "shape" && !sawShape) {
        if (!parseShape())
          return fail("a tuple of sizes");
        sawShape = true;
      } else {
        return fail("each of 'descr', 'fortran_order', 'shape' once");
      }
      if (!consume(",") && !peek('}'))
        return fail("',' or '}'");
    }
    if (!sawDescr || !sawOrder || !sawShape)
      return fail("'descr', 'fortran_order' and 'shape'");
    return header;
  }

private:
  llvm::Error fail(const Twine &expected) {
    return llvm::createStringError("malformed .npy header: expected " +
                                   expected + " before '" +
                                   rest.take_front(20).rtrim() + "'");
  }
  bool peek(char c) {
    rest = rest.ltrim();
    return rest.starts_with(StringRef(&c, 1));
  }
  bool consume(StringRef token) {
    rest = rest.ltrim();
    return rest.consume_front(token);
  }
  std::optional<StringRef> parseString() {
    rest = rest.ltrim();
    if (rest.empty() || (rest[0] != '\'' && rest[0] != '"'))
      return std::nullopt;
    size_t end = rest.find(rest[0], 1);
    if (end == StringRef::npos)
      return std::nullopt;
    StringRef text = rest.slice(1, end);
    rest = rest.drop_front(end + 1);
    return text;
  }
  bool parseShape() {
    if (!consume("("))
      return false;
    while (!consume(")")) {
      int64_t size;
      rest = rest.ltrim();
      if (rest.consumeInteger(10, size))
        return false;
      // Python 2 wrote sizes as long integers.
      consume("L");
      header.shape.push_back(size);
      if (!consume(",") && !peek(')'))
        return false;
    }
    return true;
  }

  StringRef rest;
  Header header;
};
} // namespace

/// The element type of a NumPy type string. |V2 is what NumPy makes of a bf16
/// extension type, <u2 what tools without that extension write.
static std::optional<DType> parseDescr(StringRef descr) {
  return llvm::StringSwitch<std::optional<DType>>(descr)
      .Case("<f2", DType::F16)
      .Cases({"<u2", "|V2", "<V2"}, DType::BF16)
      .Case("<f4", DType::F32)
      .Case("<f8", DType::F64)
      .Case("|b1", DType::I1)
      .Cases({"|i1", "<i1"}, DType::I8)
      .Case("<i2", DType::I16)
      .Case("<i4", DType::I32)
      .Case("<i8", DType::I64)
      .Default(std::nullopt);
}

static StringRef getDescr(DType dtype) {
  switch (dtype) {
  case DType::F16:
    return "<f2";
  case DType::BF16:
    return "<u2";
  case DType::F32:
    return "<f4";
  case DType::F64:
    return "<f8";
  case DType::I1:
    return "|b1";
  case DType::I8:
    return "|i1";
  case DType::I16:
    return "<i2";
  case DType::I32:
    return "<i4";
  case DType::I64:
  case DType::Index:
    return "<i8";
  }
  llvm_unreachable("unknown dtype");
}

/// Splits a file into header and data, or says what is wrong with it.
static llvm::Expected<std::pair<Header, StringRef>> splitFile(StringRef bytes) {
  if (!bytes.starts_with(magic))
    return llvm::createStringError("not a .npy file");
  if (bytes.size() < version1HeaderStart)
    return llvm::createStringError("truncated .npy header");
  unsigned version = static_cast<uint8_t>(bytes[6]);
  if (version != 1 && version != 2)
    return llvm::createStringError(
        "expected .npy format version 1 or 2, but found " + Twine(version));
  size_t lengthBytes = version == 1 ? 2 : 4;
  StringRef rest = bytes.drop_front(8);
  if (rest.size() < lengthBytes)
    return llvm::createStringError("truncated .npy header");
  size_t length = version == 1 ? llvm::support::endian::read16le(rest.data())
                               : llvm::support::endian::read32le(rest.data());
  rest = rest.drop_front(lengthBytes);
  if (rest.size() < length)
    return llvm::createStringError("truncated .npy header");
  llvm::Expected<Header> header = HeaderParser(rest.take_front(length)).parse();
  if (!header)
    return header.takeError();
  return std::pair(std::move(*header), rest.drop_front(length));
}

static bool isCompatible(DType found, DType expected) {
  return found == expected || (found == DType::I64 && expected == DType::Index);
}

static llvm::Expected<Array>
parseNpy(StringRef bytes, std::optional<DType> expected, int64_t maxElements) {
  auto parts = splitFile(bytes);
  if (!parts)
    return parts.takeError();
  auto &[header, data] = *parts;
  std::optional<DType> dtype = parseDescr(header.descr);
  std::string wanted = "a little-endian f2, f4, f8, i1, i2, i4, i8, a bool, or "
                       "u2 or V2 for bf16";
  if (expected)
    wanted =
        (stringifyDType(*expected) + " ('" + getDescr(*expected) + "')").str();
  if (!dtype || (expected && !isCompatible(*dtype, *expected)))
    return llvm::createStringError("expected element type " + wanted +
                                   ", but found '" + header.descr + "'");
  if (header.fortranOrder)
    return llvm::createStringError("expected C order, but found Fortran order; "
                                   "save numpy.ascontiguousarray(x)");
  llvm::Expected<Array> array =
      Array::create(expected.value_or(*dtype), header.shape, maxElements);
  if (!array)
    return array.takeError();
  if (data.size() != array->getNumBytes())
    return llvm::createStringError(
        "expected " + Twine(array->getNumBytes()) + " bytes of data for " +
        array->getTypeString() + ", but found " + Twine(data.size()));
  std::copy(data.begin(), data.end(), array->data());
  return array;
}

llvm::Expected<Array> reference::readNpy(StringRef path,
                                         std::optional<DType> expected,
                                         int64_t maxElements) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!buffer)
    return llvm::createFileError(path, buffer.getError());
  llvm::Expected<Array> array =
      parseNpy((*buffer)->getBuffer(), expected, maxElements);
  if (!array)
    return llvm::createFileError(path, array.takeError());
  return array;
}

/// The header of `array`, padded so that the data begins at a multiple of 64.
static std::string formatHeader(const Array &array) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "{'descr': '" << getDescr(array.getDType())
     << "', 'fortran_order': False, 'shape': (";
  // Python reads "(2,)" and "(2,3,)" as tuples, and "()" for rank 0.
  for (int64_t size : array.getShape())
    os << size << ",";
  os << "), }";
  // NumPy parses the shape with Python's rules, where "(2,3,)" is fine and
  // "(,)" cannot occur: rank 0 is "()".
  size_t padded = llvm::alignTo(version1HeaderStart + text.size() + 1, 64);
  text.append(padded - version1HeaderStart - text.size() - 1, ' ');
  text.push_back('\n');
  return text;
}

llvm::Error reference::writeNpy(StringRef path, const Array &array) {
  std::string header = formatHeader(array);
  if (header.size() > UINT16_MAX)
    return llvm::createFileError(
        path, llvm::createStringError("shape too long for a .npy header"));
  auto file = llvm::sys::fs::TempFile::create(path + ".tmp%%%%%%");
  if (!file)
    return llvm::createFileError(path, file.takeError());
  std::error_code error;
  {
    llvm::raw_fd_ostream os(file->FD, /*shouldClose=*/false);
    char length[2];
    llvm::support::endian::write16le(length, header.size());
    os << magic << '\x01' << '\0' << StringRef(length, 2) << header;
    if (array.getNumElements() != 0)
      os.write(array.data(), array.getNumBytes());
    os.flush();
    error = os.error();
    os.clear_error();
  }
  llvm::Error result =
      error ? llvm::joinErrors(llvm::errorCodeToError(error), file->discard())
            : file->keep(path);
  if (result)
    return llvm::createFileError(path, std::move(result));
  return llvm::Error::success();
}
