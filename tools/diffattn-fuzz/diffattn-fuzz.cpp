//===- diffattn-fuzz.cpp - Fuzzer over parser, verifier and pipelines -----===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Input that starts with byte 1 is a list of choices, from which an op of the
// dialect is generated; anything else is IR text, mutated from the tests. Both
// are parsed and verified; what is valid must survive printing and parsing, and
// every pipeline must either succeed or say why not. DIFFATTN_FUZZ_PRINT=1
// prints the IR of an input, to be turned into a test.
//
//===----------------------------------------------------------------------===//

#include "GenerateIR.h"
#include "MutateText.h"

#include "diffattn/InitAll.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include <cstdlib>
#include <cstring>

using namespace mlir;

/// The first byte of input that is a list of choices.
static constexpr uint8_t generatedTag = 1;

/// Each starts from what was parsed.
static constexpr StringLiteral pipelines[] = {
    "builtin.module(canonicalize,cse)",
    "builtin.module(func.func(diffattn-decompose),canonicalize)",
    "builtin.module(func.func(diffattn-to-online,diffattn-decompose-tiles))",
    "builtin.module(diffattn-cpu-pipeline{target=cpu-avx2})",
};

/// Ops whose parser in LLVM 22 itself fails on malformed text: the first two
/// dereference null where the array of dimensions is wrong, the third allocates
/// as many operands as its type has elements. Text that has one is left out, or
/// every run would end there.
static constexpr StringLiteral brokenUpstream[] = {
    "linalg.transpose", "linalg.broadcast", "tensor.from_elements"};

/// True for text on which LLVM 22's own parser fails: one of the ops above, or
/// a result number of many digits (`%r#4294967295`), for which it allocates one
/// entry each and runs out of memory.
static bool isBrokenUpstream(StringRef text) {
  if (llvm::any_of(brokenUpstream,
                   [&](StringRef op) { return text.contains(op); }))
    return true;
  constexpr size_t maxDigits = 5;
  for (size_t i = text.find('#'); i != StringRef::npos;
       i = text.find('#', i + 1))
    if (text.drop_front(i + 1).take_while(llvm::isDigit).size() > maxDigits)
      return true;
  return false;
}

/// libMLIR is not instrumented: it hands out memory of allocators that our code
/// poisons and it does not unpoison.
extern "C" const char *__asan_default_options() {
  return "allow_user_poisoning=0:detect_leaks=0";
}

[[noreturn]] static void reportBug(const Twine &what, StringRef text) {
  llvm::errs() << "diffattn-fuzz: " << what << "\n" << text << "\n";
  std::abort();
}

/// A context for some hundreds of inputs: making one takes as long as an input,
/// and one for all would grow without end.
static MLIRContext &getContext() {
  static DialectRegistry *registry = [] {
    diffattn::registerAllPasses();
    auto *registry = new DialectRegistry;
    diffattn::registerAllDialects(*registry);
    return registry;
  }();
  static std::unique_ptr<MLIRContext> context;
  static unsigned uses = 0;
  if (uses++ % 256 == 0)
    context = std::make_unique<MLIRContext>(*registry,
                                            MLIRContext::Threading::DISABLED);
  return *context;
}

static void runPipeline(StringRef pipeline, ModuleOp module, unsigned &errors,
                        StringRef text) {
  OwningOpRef<ModuleOp> copy = module.clone();
  FailureOr<OpPassManager> passes = parsePassPipeline(pipeline);
  if (failed(passes))
    reportBug("no such pipeline: " + pipeline, "");
  PassManager manager(module.getContext());
  static_cast<OpPassManager &>(manager) = *passes;
  errors = 0;
  if (failed(manager.run(*copy)) && errors == 0)
    reportBug(pipeline + " failed and did not say why", text);
}

static void runOnText(const std::string &text) {
  MLIRContext &context = getContext();
  unsigned errors = 0;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    errors += diagnostic.getSeverity() == DiagnosticSeverity::Error;
    return success();
  });
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &context);
  if (!module) {
    if (errors == 0)
      reportBug("the parser failed and did not say why", text);
    return;
  }
  std::string printed;
  llvm::raw_string_ostream(printed) << *module;
  if (!parseSourceString<ModuleOp>(printed, &context))
    reportBug("what was printed does not parse", printed);
  for (StringRef pipeline : pipelines)
    runPipeline(pipeline, *module, errors, text);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string text;
  if (size > 0 && data[0] == generatedTag) {
    diffattn::ByteReader bytes(ArrayRef<uint8_t>(data + 1, size - 1));
    text = diffattn::generateIR(bytes);
  } else {
    text.assign(reinterpret_cast<const char *>(data), size);
    if (isBrokenUpstream(text))
      return -1; // Not for the corpus.
  }
  static const bool print = std::getenv("DIFFATTN_FUZZ_PRINT") != nullptr;
  if (print)
    llvm::outs() << text << "\n";
  runOnText(text);
  return 0;
}

extern "C" size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t maxSize);

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size,
                                          size_t maxSize, unsigned seed) {
  std::minstd_rand random(seed);
  bool generated = size > 0 && data[0] == generatedTag;
  if (generated && maxSize > 1)
    return 1 + LLVMFuzzerMutate(data + 1, size - 1, maxSize - 1);
  if (random() % 8 == 0)
    return LLVMFuzzerMutate(data, size, maxSize);
  std::string text(reinterpret_cast<const char *>(data), size);
  for (unsigned changes = 1 + random() % 3; changes > 0; --changes)
    text = diffattn::mutateText(text, random);
  text.resize(std::min(text.size(), maxSize));
  std::memcpy(data, text.data(), text.size());
  return text.size();
}
