//===- CRuntime.cpp - C interface of the GPU runtime ----------------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "diffattn/Runtime/Program.h"

using namespace mlir::diffattn::runtime;

static_assert(static_cast<int>(ErrorKind::DriverFailure) ==
                      DiffAttnDriverFailure &&
                  static_cast<int>(ErrorKind::WrongChip) == DiffAttnWrongChip,
              "the same numbers in C and C++");
static_assert(static_cast<int>(DType::BF16) == DiffAttnBF16 &&
                  static_cast<int>(DType::I64) == DiffAttnI64,
              "the same numbers in C and C++");

struct DiffAttnDriver {
  std::unique_ptr<Driver> driver;
};
struct DiffAttnProgram {
  std::shared_ptr<const Program> program;
};

static thread_local std::string lastError;

static DiffAttnStatus report(const Status &status) {
  if (!status.ok())
    lastError = status.getMessage();
  return static_cast<DiffAttnStatus>(status.getKind());
}

const char *diffattnGetLastError(void) { return lastError.c_str(); }

DiffAttnStatus diffattnDriverLoad(const char *library,
                                  DiffAttnDriver **driver) {
  Result<std::unique_ptr<Driver>> loaded = Driver::load(library);
  if (!loaded)
    return report(loaded.getStatus());
  *driver = new DiffAttnDriver{std::move(*loaded)};
  return DiffAttnSuccess;
}

void diffattnDriverRelease(DiffAttnDriver *driver) { delete driver; }

DiffAttnStatus diffattnProgramLoad(const DiffAttnDriver *driver,
                                   const char *const *manifests,
                                   size_t numManifests,
                                   DiffAttnProgram **program) {
  const Driver *used = driver ? driver->driver.get() : nullptr;
  if (!used) {
    Result<const Driver *> system = Driver::get();
    if (!system)
      return report(system.getStatus());
    used = *system;
  }
  Result<std::shared_ptr<const Program>> loaded =
      Program::load(*used, {manifests, manifests + numManifests});
  if (!loaded)
    return report(loaded.getStatus());
  *program = new DiffAttnProgram{std::move(*loaded)};
  return DiffAttnSuccess;
}

void diffattnProgramRelease(DiffAttnProgram *program) { delete program; }

DiffAttnStatus diffattnProgramLaunch(const DiffAttnProgram *program,
                                     const DiffAttnTensor *arguments,
                                     size_t numArguments, void *stream) {
  return report(program->program->launch(arguments, numArguments,
                                         static_cast<cuda::Stream>(stream)));
}

DiffAttnStatus diffattnProgramSelect(const DiffAttnProgram *program,
                                     const DiffAttnTensor *arguments,
                                     size_t numArguments, size_t *manifest) {
  Result<size_t> position = program->program->select(arguments, numArguments);
  if (!position)
    return report(position.getStatus());
  *manifest = *position;
  return DiffAttnSuccess;
}
