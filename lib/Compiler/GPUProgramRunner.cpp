//===- GPUProgramRunner.cpp - Calls kernels -------------------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Compiler/GPUManifest.h"
#include "diffattn/Compiler/OutputFiles.h"
#include "diffattn/Compiler/ProgramRunner.h"
#include "diffattn/Runtime/DeviceSession.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::diffattn;
using reference::Array;

static llvm::Error toError(const runtime::Status &status) {
  return status.ok() ? llvm::Error::success()
                     : llvm::createStringError(status.getMessage());
}

namespace {
class GPURunner : public ProgramRunner {
public:
  using Session = std::unique_ptr<runtime::DeviceSession>;
  using Program = std::shared_ptr<const runtime::Program>;

  GPURunner(Session session, Program program, EntrySignature signature,
            std::vector<unsigned> resultParameters)
      : session(std::move(session)), program(std::move(program)),
        signature(std::move(signature)),
        resultParameters(std::move(resultParameters)) {}

  llvm::Expected<std::vector<Array>>
  run(llvm::MutableArrayRef<Array> arguments) override;
  llvm::Expected<std::vector<double>>
  time(llvm::MutableArrayRef<Array> arguments) override;
  llvm::Expected<std::string> compareToMachine(const AttentionWork &work,
                                               double seconds) override;

private:
  using Tensors = std::vector<runtime::DeviceTensor>;
  /// Memory for all parameters, with the arguments in those that are read.
  llvm::Expected<Tensors> upload(llvm::ArrayRef<Array> arguments);

  Session session;
  Program program;
  EntrySignature signature;
  /// The parameter that receives each result.
  std::vector<unsigned> resultParameters;
};
} // namespace

static std::vector<runtime::TensorView>
getViews(llvm::ArrayRef<runtime::DeviceTensor> tensors) {
  std::vector<runtime::TensorView> views;
  for (const runtime::DeviceTensor &tensor : tensors)
    views.push_back(tensor.getView());
  return views;
}

llvm::Expected<GPURunner::Tensors>
GPURunner::upload(llvm::ArrayRef<Array> arguments) {
  const runtime::Manifest &manifest = program->getVariants().front().manifest;
  std::vector<std::vector<int64_t>> shapes(manifest.parameters.size());
  for (auto [shape, argument] : llvm::zip(shapes, arguments))
    shape.assign(argument.getShape().begin(), argument.getShape().end());
  if (runtime::Status status = manifest.inferShapes(shapes); !status.ok())
    return toError(status);
  Tensors tensors;
  tensors.reserve(shapes.size());
  for (auto [i, parameter] : llvm::enumerate(manifest.parameters)) {
    auto tensor = session->allocate(parameter.dtype, shapes[i]);
    if (!tensor)
      return toError(tensor.getStatus());
    tensors.push_back(std::move(*tensor));
    if (parameter.isWritten)
      continue; // poison stays where the kernel forgets to write
    if (runtime::Status status =
            session->upload(tensors.back(), arguments[i].data());
        !status.ok())
      return toError(status);
  }
  return tensors;
}

llvm::Expected<std::vector<Array>>
GPURunner::run(llvm::MutableArrayRef<Array> arguments) {
  llvm::Expected<Tensors> tensors = upload(arguments);
  if (!tensors)
    return tensors.takeError();
  std::vector<runtime::TensorView> views = getViews(*tensors);
  if (runtime::Status status = session->run(*program, views); !status.ok())
    return toError(status);
  for (const runtime::DeviceTensor &tensor : *tensors)
    if (runtime::Status status = session->checkGuards(tensor); !status.ok())
      return toError(status);
  std::vector<Array> results;
  for (auto [i, type] : llvm::enumerate(signature.results)) {
    unsigned parameter = resultParameters[i];
    const runtime::TensorView &view = views[parameter];
    llvm::Expected<Array> result =
        Array::create(type.dtype, llvm::ArrayRef(view.sizes, view.rank));
    if (!result)
      return result.takeError();
    if (runtime::Status status =
            session->download((*tensors)[parameter], result->data());
        !status.ok())
      return toError(status);
    results.push_back(std::move(*result));
  }
  return results;
}

llvm::Expected<std::vector<double>>
GPURunner::time(llvm::MutableArrayRef<Array> arguments) {
  llvm::Expected<Tensors> tensors = upload(arguments);
  if (!tensors)
    return tensors.takeError();
  auto seconds = session->time(*program, getViews(*tensors));
  if (!seconds)
    return toError(seconds.getStatus());
  return *seconds;
}

llvm::Expected<std::string>
GPURunner::compareToMachine(const AttentionWork &work, double seconds) {
  std::string text;
  llvm::raw_string_ostream(text)
      << "gpu: " << session->getDeviceName() << " ("
      << session->getComputeCapability().getChip() << "), "
      << llvm::format("%.1f TFLOP/s", work.flops / seconds * 1e-12);
  return text;
}

/// Writes the program to `directory` and loads it from there.
static llvm::Expected<std::shared_ptr<const runtime::Program>>
loadProgram(const runtime::Driver &driver, const CompilerInvocation &invocation,
            const GPUCode &code, llvm::StringRef directory) {
  ImageFiles images;
  images.ptx = "program.ptx";
  if (!code.cubin.empty())
    images.cubin = "program.cubin";
  FailureOr<std::string> manifest = getGPUManifest(invocation, code, images);
  if (failed(manifest))
    return llvm::createStringError("the program cannot be launched");
  auto getPath = [&](llvm::StringRef name) {
    SmallString<128> path(directory);
    llvm::sys::path::append(path, name);
    return std::string(path);
  };
  OutputFiles files;
  files.add(getPath(images.ptx), code.ptx);
  if (!images.cubin.empty())
    files.add(getPath(images.cubin), code.cubin);
  files.add(getPath("program.json"), *manifest);
  if (llvm::Error error = files.commit())
    return std::move(error);
  auto program = runtime::Program::load(driver, {getPath("program.json")});
  if (!program)
    return toError(program.getStatus());
  return *program;
}

llvm::Expected<std::unique_ptr<ProgramRunner>>
mlir::diffattn::createGPURunner(const CompilerInvocation &invocation,
                                const GPUCode &code,
                                const EntrySignature &signature) {
  auto driver = runtime::Driver::get();
  if (!driver)
    return toError(driver.getStatus());
  auto session = runtime::DeviceSession::create(**driver);
  if (!session)
    return toError(session.getStatus());

  SmallString<128> directory;
  if (std::error_code error =
          llvm::sys::fs::createUniqueDirectory("diffattn", directory))
    return llvm::createStringError("cannot create a temporary directory: " +
                                   error.message());
  llvm::scope_exit remove(
      [&] { llvm::sys::fs::remove_directories(directory); });
  auto program = loadProgram(**driver, invocation, code, directory);
  if (!program)
    return program.takeError();

  std::vector<unsigned> resultParameters(signature.results.size());
  for (auto [i, parameter] :
       llvm::enumerate(invocation.getKernels().front().parameters))
    if (parameter.result)
      resultParameters[*parameter.result] = i;
  return std::make_unique<GPURunner>(std::move(*session), std::move(*program),
                                     signature, std::move(resultParameters));
}
