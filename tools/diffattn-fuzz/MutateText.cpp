//===- MutateText.cpp - Changes to IR text --------------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Flipping bytes gives text that the lexer turns down. These changes get past
// it more often, and past the verifier now and then.
//
//===----------------------------------------------------------------------===//

#include "MutateText.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir::diffattn;
using llvm::SmallVector;
using llvm::StringRef;

/// Splits into words, numbers, names, and single other characters.
static SmallVector<std::string> tokenize(StringRef text) {
  SmallVector<std::string> tokens;
  while (!text.empty()) {
    StringRef word = text.take_while(
        [](char c) { return llvm::isAlnum(c) || c == '_' || c == '.'; });
    word = text.take_front(std::max<size_t>(word.size(), 1));
    // In shapes, 4x8xf32, every size is a token of its own.
    if (size_t x = word.find('x');
        x != StringRef::npos && llvm::isDigit(word[0]) && x > 0)
      word = word.take_front(x);
    tokens.push_back(word.str());
    text = text.drop_front(word.size());
  }
  return tokens;
}

/// Something of the same kind as `token`, if it has one.
static std::string replacement(StringRef token, std::minstd_rand &random) {
  static constexpr StringRef numbers[] = {
      "0",  "1",  "2",   "3",    "7",          "8",
      "16", "64", "128", "1023", "1073741824", "9223372036854775807",
      "?",  "-1", "*"};
  static constexpr StringRef types[] = {"f32",   "bf16", "f16", "f64",
                                        "index", "i32",  "i1"};
  static constexpr StringRef masks[] = {"causal", "none", "window 3, 0",
                                        "window *, 5"};
  auto pick = [&](llvm::ArrayRef<StringRef> choices) {
    return choices[random() % choices.size()].str();
  };
  if (llvm::isDigit(token[0]) || token == "?")
    return pick(numbers);
  if (llvm::is_contained(types, token))
    return pick(types);
  if (token == "causal" || token == "none" || token == "window")
    return pick(masks);
  return "";
}

std::string mlir::diffattn::mutateText(StringRef text,
                                       std::minstd_rand &random) {
  if (text.empty())
    return "";
  if (random() % 3 == 0) {
    SmallVector<StringRef> lines;
    text.split(lines, '\n');
    size_t i = random() % lines.size(), j = random() % lines.size();
    switch (random() % 3) {
    case 0:
      lines.erase(lines.begin() + i);
      break;
    case 1:
      lines.insert(lines.begin() + i, StringRef(lines[j]));
      break;
    default:
      std::swap(lines[i], lines[j]);
    }
    return llvm::join(lines, "\n");
  }

  SmallVector<std::string> tokens = tokenize(text);
  // Aim at something that has a replacement; one in eight changes is wild.
  size_t i = random() % tokens.size();
  for (unsigned tries = 0; tries < 64 && replacement(tokens[i], random).empty();
       ++tries)
    i = random() % tokens.size();
  std::string with = random() % 8 ? replacement(tokens[i], random)
                                  : tokens[random() % tokens.size()];
  if (random() % 2) {
    std::string old = tokens[i];
    for (std::string &token : tokens)
      if (token == old)
        token = with;
  } else {
    tokens[i] = with;
  }
  return llvm::join(tokens, "");
}
