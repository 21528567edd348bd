//===- GenerateIR.cpp - Attention ops from bytes --------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Text, not an OpBuilder: the parser is fuzzed as well, and what was found can
// be printed and becomes a test as it is.
//
//===----------------------------------------------------------------------===//

#include "GenerateIR.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir::diffattn;
using llvm::ArrayRef;
using llvm::SmallVector;
using llvm::StringRef;

namespace {
constexpr int64_t dynamic = -1;

/// A function argument: name without %, and type.
struct Argument {
  std::string name;
  std::string type;
};

class Generator {
public:
  explicit Generator(ByteReader &bytes) : bytes(bytes) {}
  std::string attention();
  std::string step(bool finalize);

private:
  /// `size`, or now and then another one.
  int64_t mostly(int64_t size) {
    static constexpr int64_t others[] = {
        0, 1, 2, 3, 5, 7, 12, 16, 33, 64, dynamic, 1000000, int64_t(1) << 40};
    return bytes.oneIn(64) ? bytes.pick<int64_t>(others) : size;
  }
  StringRef mostly(StringRef element) {
    static constexpr StringRef others[] = {"f64",      "i8",  "index",
                                           "f8E4M3FN", "f32", "bf16"};
    return bytes.oneIn(64) ? bytes.pick<StringRef>(others) : element;
  }
  StringRef floatType() {
    return bytes.pick<StringRef>({"f32", "bf16", "f16"});
  }
  int64_t length() {
    return bytes.pick<int64_t>({dynamic, 1, 16, 64, 100, 4096, 7, 0});
  }

  std::string tensor(ArrayRef<int64_t> shape, StringRef element) {
    std::string type = "tensor<";
    for (int64_t size : shape) {
      size = mostly(size);
      type += (size == dynamic ? "?" : std::to_string(size)) + "x";
    }
    return type + mostly(element).str() + ">";
  }

  /// Adds an argument; gives `%name`.
  std::string use(StringRef name, std::string type) {
    arguments.push_back({name.str(), std::move(type)});
    return "%" + name.str();
  }
  std::string typeOf(StringRef use) {
    return llvm::find_if(
               arguments,
               [&](const Argument &a) { return use.drop_front() == a.name; })
        ->type;
  }
  /// `%name : type`.
  std::string typed(StringRef use) { return use.str() + " : " + typeOf(use); }

  std::string clauses(bool withScale, bool scaleRequired);
  std::string function(StringRef op, ArrayRef<std::string> resultTypes);

  ByteReader &bytes;
  SmallVector<Argument> arguments;
};
} // namespace

/// The attributes that ops share, in the order of the assembly format.
std::string Generator::clauses(bool withScale, bool scaleRequired) {
  static constexpr StringRef bounds[] = {
      "0", "*", "1", "15", "511", "-1", "9223372036854775807"};
  static constexpr StringRef scales[] = {"0.125",
                                         "1.0",
                                         "0.0",
                                         "-1.0",
                                         "1.0e308",
                                         "1.0e-320",
                                         "0x7FF0000000000000",
                                         "0x7FF8000000000000"};
  static constexpr StringRef sizes[] = {"16", "32",  "1", "2",  "3",
                                        "64", "100", "0", "-1", "1048576"};
  std::string text;
  switch (bytes.next() % 4) {
  case 1:
    text += " mask<causal>";
    break;
  case 2:
    text += " mask<none>";
    break;
  case 3:
    text += (" mask<window " + bytes.pick<StringRef>(bounds) + ", " +
             bytes.pick<StringRef>(bounds) + ">")
                .str();
    break;
  }
  if (withScale) {
    if (scaleRequired || bytes.oneIn(4))
      text += (" scale(" + bytes.pick<StringRef>(scales) + ")").str();
    if (bytes.oneIn(4))
      text += (" softcap(" + bytes.pick<StringRef>(scales) + ")").str();
  }
  if (bytes.oneIn(3))
    text += (" schedule<query_tile = " + bytes.pick<StringRef>(sizes) +
             ", pairs = " + bytes.pick<StringRef>({"1", "2", "3", "0", "4"}) +
             ", key_tile = " + bytes.pick<StringRef>(sizes) + ">")
                .str();
  return text;
}

std::string Generator::function(StringRef op,
                                ArrayRef<std::string> resultTypes) {
  std::string text = "func.func @f(";
  llvm::raw_string_ostream os(text);
  llvm::interleaveComma(arguments, os, [&](const Argument &a) {
    os << "%" << a.name << ": " << a.type;
  });
  os << ") -> (" << llvm::join(resultTypes, ", ")
     << ") {\n  %r:" << resultTypes.size() << " = " << op << "\n  return ";
  llvm::interleaveComma(llvm::seq<size_t>(resultTypes.size()), os,
                        [&](size_t i) { os << "%r#" << i; });
  os << " : " << llvm::join(resultTypes, ", ") << "\n}\n";
  return text;
}

std::string Generator::attention() {
  bool differential = !bytes.oneIn(4);
  int64_t batch = bytes.pick<int64_t>({1, 2, dynamic, 0}), nq = length(),
          nk = length();
  int64_t kvHeads = bytes.pick<int64_t>({1, 2, 4, 3});
  int64_t pairs = kvHeads * bytes.pick<int64_t>({1, 2, 6, 12});
  int64_t heads = differential ? 2 * pairs : pairs;
  static constexpr int64_t dims[] = {64, 8, 128, 16, 96, 192, 256, 24};
  int64_t d = bytes.pick<int64_t>(dims),
          dv = bytes.oneIn(4) ? bytes.pick<int64_t>(dims) : d;
  StringRef element = floatType();

  std::string q = use("query", tensor({batch, nq, heads, d}, element));
  std::string k = use("key", tensor({batch, nk, kvHeads, d}, element));
  std::string v = use("value", tensor({batch, nk, kvHeads, dv}, element));
  std::string op = "diffattn.attention query(" + typed(q) + ") key(" +
                   typed(k) + ") value(" + typed(v) + ")";
  if (differential)
    op += " lambda(" +
          typed(use("lambda", tensor({batch, nq, pairs}, floatType()))) + ")";

  SmallVector<std::string> results;
  auto destination = [&](StringRef clause, StringRef name, std::string type) {
    op += " " + clause.str() + "(" + typed(use(name, type)) + ")";
    results.push_back(type);
  };
  destination("outs", "out", tensor({batch, nq, pairs, dv}, element));
  if (bytes.oneIn(3))
    destination("lse", "lse", tensor({batch, heads, nq}, "f32"));
  if (differential ? bytes.oneIn(3) : bytes.oneIn(32))
    destination("noise", "noise", tensor({batch, nq, pairs, dv}, floatType()));
  op += clauses(/*withScale=*/true, /*scaleRequired=*/false);
  return function(op, results);
}

/// One `online_attention`, or the `finalize` after it, with operands in an
/// order of dimensions of its own each.
std::string Generator::step(bool finalize) {
  enum Dim { B, H, P, R, M, K, D, N };
  bool differential = !bytes.oneIn(4);
  int64_t sizes[] = {bytes.pick<int64_t>({1, 2, dynamic}),
                     bytes.pick<int64_t>({1, 2, 3}),
                     bytes.pick<int64_t>({1, 2, 6}),
                     differential ? 2 : 1,
                     length(),
                     length(),
                     bytes.pick<int64_t>({64, 8, 128}),
                     bytes.pick<int64_t>({64, 8, 128})};
  StringRef element = floatType();
  SmallVector<std::string> maps;
  // finalize has no key and head dimension: value is its sixth.
  auto mapDim = [&](int dim) { return finalize && dim == N ? 5 : dim; };
  auto operand = [&](StringRef name, SmallVector<int> dims, StringRef type) {
    for (size_t i = dims.size(); i > 1; --i)
      if (bytes.oneIn(4))
        std::swap(dims[i - 1], dims[bytes.next() % i]);
    SmallVector<int64_t> shape;
    std::string map = finalize ? "affine_map<(a, b, c, d, e, f) -> ("
                               : "affine_map<(a, b, c, d, e, f, g, h) -> (";
    for (auto [i, dim] : llvm::enumerate(dims)) {
      shape.push_back(sizes[dim]);
      map += std::string(i ? ", " : "") +
             char('a' + mapDim(dim) % (bytes.oneIn(64) ? 3 : 8));
    }
    maps.push_back(map + ")>");
    return name.empty() ? "" : use(name, tensor(shape, type));
  };
  auto accumulators = [&] {
    std::string acc = operand("acc", {B, M, H, P, R, N}, "f32");
    std::string max = operand("max", {B, M, H, P, R}, "f32");
    std::string sum = operand("sum", {B, M, H, P, R}, "f32");
    return "(" + acc + ", " + max + ", " + sum + " : " + typeOf(acc) + ", " +
           typeOf(max) + ", " + typeOf(sum) + ")";
  };

  std::string op;
  SmallVector<std::string> results;
  if (!finalize) {
    std::string q = operand("query", {B, M, H, P, R, D}, element);
    std::string k = operand("key", {B, K, H, D}, element);
    std::string v = operand("value", {B, K, H, N}, element);
    op = "diffattn.online_attention query(" + typed(q) + ") key(" + typed(k) +
         ") value(" + typed(v) + ") outs" + accumulators();
    results = {typeOf("%acc"), typeOf("%max"), typeOf("%sum")};
  } else {
    op = "diffattn.finalize acc" + accumulators();
    std::string lambda =
        operand(differential ? "lambda" : "", {B, M, H, P}, floatType());
    if (differential)
      op += " lambda(" + typed(lambda) + ")";
    auto destination = [&](StringRef clause, StringRef name,
                           SmallVector<int> dims, StringRef type, bool wanted) {
      std::string use = operand(wanted ? name : "", dims, type);
      if (!wanted)
        return;
      op += " " + clause.str() + "(" + typed(use) + ")";
      results.push_back(typeOf(use));
    };
    destination("outs", "out", {B, M, H, P, N}, element, true);
    destination("lse", "lse", {B, H, P, R, M}, "f32", bytes.oneIn(3));
    destination("noise", "noise", {B, M, H, P, N}, element, bytes.oneIn(3));
  }
  for (StringRef name : {"m0", "nq", "k0", "nk"})
    use(name, "index");
  op += finalize ? " at(%m0 of %nq, %nk)" : " at(%m0 of %nq, %k0 of %nk)";
  op += clauses(/*withScale=*/!finalize, /*scaleRequired=*/true);
  op += " maps [" + llvm::join(maps, ", ") + "]";
  return function(op, results);
}

std::string mlir::diffattn::generateIR(ByteReader &bytes) {
  Generator generator(bytes);
  switch (bytes.next() % 4) {
  case 2:
    return generator.step(/*finalize=*/false);
  case 3:
    return generator.step(/*finalize=*/true);
  default:
    return generator.attention();
  }
}
