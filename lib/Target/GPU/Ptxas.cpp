//===- Ptxas.cpp - NVIDIA's assembler, and what it says -------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Target/Ptxas.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir::diffattn;

//===----------------------------------------------------------------------===//
// Report
//===----------------------------------------------------------------------===//

/// The number before `unit` in a list such as "0 bytes stack frame, 8 bytes
/// spill stores"; 0 if there is none.
static unsigned getAmount(llvm::StringRef line, llvm::StringRef unit) {
  llvm::SmallVector<llvm::StringRef> parts;
  line.split(parts, ',');
  for (llvm::StringRef part : parts) {
    part = part.trim();
    unsigned amount = 0;
    if (part.consume_back(unit) && !part.trim().getAsInteger(10, amount))
      return amount;
  }
  return 0;
}

/// Whether a message such as "(C7510) Potential Performance Loss: ..." is
/// about matrix instructions.
static bool isMatrixWarning(llvm::StringRef message) {
  return message.size() > 6 && message.starts_with("(C75") &&
         llvm::isDigit(message[4]) && llvm::isDigit(message[5]) &&
         message[6] == ')';
}

/// The text between the last pair of single quotes.
static llvm::StringRef getQuoted(llvm::StringRef line) {
  size_t end = line.rfind('\'');
  if (end == llvm::StringRef::npos)
    return "";
  size_t begin = line.rfind('\'', end);
  return begin == llvm::StringRef::npos ? "" : line.slice(begin + 1, end);
}

std::vector<FunctionResources>
mlir::diffattn::parsePtxasReport(llvm::StringRef report) {
  std::vector<FunctionResources> functions;
  auto get = [&](llvm::StringRef name) -> FunctionResources & {
    auto it = llvm::find_if(
        functions, [&](const FunctionResources &f) { return f.name == name; });
    if (it != functions.end())
      return *it;
    functions.push_back({});
    functions.back().name = name.str();
    return functions.back();
  };

  // Lines without a name are about the function that was named last.
  std::string current;
  llvm::SmallVector<llvm::StringRef> lines;
  report.split(lines, '\n');
  for (llvm::StringRef line : lines) {
    line = line.trim();
    bool isInfo = line.consume_front("ptxas") && line.contains(':');
    llvm::StringRef message = isInfo ? line.split(':').second.trim() : line;
    if (isMatrixWarning(message)) {
      get(getQuoted(message)).matrixWarnings.push_back(message.str());
    } else if (isInfo && message.starts_with("Compiling entry function")) {
      current = message.split('\'').second.split('\'').first.str();
    } else if (isInfo && message.consume_front("Function properties for ")) {
      current = message.trim().str();
      get(current);
    } else if (isInfo && message.consume_front("Used ")) {
      FunctionResources &function = get(current);
      function.registers = getAmount(message, "registers");
      function.sharedBytes = getAmount(message, "bytes smem");
    } else if (message.contains("bytes stack frame") && !current.empty()) {
      FunctionResources &function = get(current);
      function.stackBytes = getAmount(message, "bytes stack frame");
      function.spillStoreBytes = getAmount(message, "bytes spill stores");
      function.spillLoadBytes = getAmount(message, "bytes spill loads");
    }
  }
  return functions;
}

std::optional<ResourceFault>
mlir::diffattn::findFault(llvm::ArrayRef<FunctionResources> functions,
                          llvm::StringRef chip) {
  using Kind = ResourceFault::Kind;
  for (const FunctionResources &function : functions) {
    auto makeFault = [&](Kind kind, unsigned bytes) {
      ResourceFault fault{
          kind, function.name, chip.str(), function.registers, bytes, ""};
      if (kind == Kind::WaitingProducts)
        fault.warning = function.matrixWarnings.front();
      return fault;
    };
    if (function.spillStoreBytes || function.spillLoadBytes)
      return makeFault(Kind::Spills, std::max(function.spillStoreBytes,
                                              function.spillLoadBytes));
    if (function.stackBytes)
      return makeFault(Kind::Stack, function.stackBytes);
    if (!function.matrixWarnings.empty())
      return makeFault(Kind::WaitingProducts, 0);
  }
  return std::nullopt;
}

std::string ResourceFault::describe(llvm::StringRef schedule) const {
  std::string what;
  switch (kind) {
  case Kind::Spills:
    what =
        "spills " + std::to_string(bytes) + " bytes of registers of a thread";
    break;
  case Kind::Stack:
    what = "needs " + std::to_string(bytes) + " bytes of stack of a thread";
    break;
  case Kind::WaitingProducts:
    what = "has matrix instructions that wait: " + warning;
    break;
  }
  return ("kernel '" + function + "' with " + schedule + " " + what +
          " when assembled for " + chip + " (" + llvm::Twine(registers) +
          " registers used); another schedule may fit: see --query-tile, "
          "--key-tile and --warps")
      .str();
}

//===----------------------------------------------------------------------===//
// Program
//===----------------------------------------------------------------------===//

llvm::Expected<std::string> mlir::diffattn::findPtxas(llvm::StringRef path) {
  if (!path.empty()) {
    if (llvm::sys::fs::can_execute(path))
      return path.str();
    return llvm::createStringError("ptxas is not at '" + path + "'");
  }
  if (auto found = llvm::sys::findProgramByName("ptxas"))
    return *found;
  for (const char *variable : {"CUDA_HOME", "CUDA_PATH"}) {
    std::optional<std::string> root = llvm::sys::Process::GetEnv(variable);
    if (!root)
      continue;
    llvm::SmallString<128> candidate(*root);
    llvm::sys::path::append(candidate, "bin", "ptxas");
    if (llvm::sys::fs::can_execute(candidate))
      return candidate.str().str();
  }
  return llvm::createStringError(
      "ptxas, the assembler of the CUDA toolkit, is neither in $PATH nor in "
      "$CUDA_HOME/bin; --ptxas=PATH says where it is");
}

/// A file with a unique name, removed in the end.
static llvm::Expected<std::unique_ptr<llvm::FileRemover>>
createTemporary(llvm::StringRef suffix, llvm::SmallString<128> &path,
                llvm::StringRef contents = "") {
  int descriptor;
  if (std::error_code error = llvm::sys::fs::createTemporaryFile(
          "diffattn", suffix, descriptor, path))
    return llvm::createStringError("cannot create a temporary file: " +
                                   error.message());
  auto remover = std::make_unique<llvm::FileRemover>(path);
  llvm::raw_fd_ostream stream(descriptor, /*shouldClose=*/true);
  stream << contents;
  stream.close();
  if (std::error_code error = stream.error()) {
    stream.clear_error();
    return llvm::createStringError("cannot write '" + path +
                                   "': " + error.message());
  }
  return remover;
}

static std::string readFile(llvm::StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  return buffer ? (*buffer)->getBuffer().str() : std::string();
}

/// The first message of a failed run that says what is wrong.
static llvm::StringRef getFirstError(llvm::StringRef log) {
  llvm::SmallVector<llvm::StringRef> lines;
  log.split(lines, '\n', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  for (llvm::StringRef line : lines)
    if (line.contains("error") || line.contains("fatal"))
      return line.trim();
  return lines.empty() ? "no message" : lines.front().trim();
}

llvm::Expected<AssembledCode> mlir::diffattn::assemble(llvm::StringRef ptxas,
                                                       llvm::StringRef ptx,
                                                       llvm::StringRef chip) {
  llvm::SmallString<128> input, output, log;
  auto inputFile = createTemporary("ptx", input, ptx);
  if (!inputFile)
    return inputFile.takeError();
  auto outputFile = createTemporary("cubin", output);
  if (!outputFile)
    return outputFile.takeError();
  auto logFile = createTemporary("log", log);
  if (!logFile)
    return logFile.takeError();

  std::string arch = ("-arch=" + chip).str();
  llvm::StringRef arguments[] = {ptxas, "-v", arch, input, "-o", output};
  std::optional<llvm::StringRef> redirects[] = {llvm::StringRef(""), log.str(),
                                                log.str()};
  std::string message;
  int status = llvm::sys::ExecuteAndWait(ptxas, arguments, std::nullopt,
                                         redirects, /*SecondsToWait=*/0,
                                         /*MemoryLimit=*/0, &message);
  if (!message.empty())
    return llvm::createStringError("cannot run '" + ptxas + "': " + message);
  std::string report = readFile(log);
  if (status != 0)
    return llvm::createStringError("ptxas failed for " + chip + ": " +
                                   getFirstError(report));
  return AssembledCode{readFile(output), parsePtxasReport(report)};
}
