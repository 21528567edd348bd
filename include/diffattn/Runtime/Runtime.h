//===- Runtime.h - C interface of the GPU runtime ---------------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Loads compiled programs and launches them on CUDA streams. The library needs
// neither LLVM nor the CUDA toolkit; the driver is looked up at run time.
//
//   DiffAttnProgram *program;
//   const char *manifests[] = {"attention.json"};
//   if (diffattnProgramLoad(NULL, manifests, 1, &program))
//     fprintf(stderr, "%s\n", diffattnGetLastError());
//   diffattnProgramLaunch(program, arguments, 5, stream);
//
// All functions may be called from any thread. A launch makes one driver call a
// kernel and at most a few quick ones, allocates nothing (but for counters, see
// docs/runtime.md), copies nothing and can be captured in a CUDA graph.
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_RUNTIME_RUNTIME_H
#define DIFFATTN_RUNTIME_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DIFFATTN_RUNTIME_EXPORT __attribute__((visibility("default")))

/// Zero or what kind of failure; diffattnGetLastError has the sentence.
typedef enum DiffAttnStatus {
  DiffAttnSuccess = 0,
  DiffAttnNoDriver = 1,
  DiffAttnNoDevice = 2,
  DiffAttnWrongChip = 3,
  DiffAttnOutOfMemory = 4,
  DiffAttnBadManifest = 5,
  DiffAttnBadArgument = 6,
  DiffAttnDriverFailure = 7
} DiffAttnStatus;

/// Element types.
typedef enum DiffAttnDType {
  DiffAttnF16 = 0,
  DiffAttnBF16 = 1,
  DiffAttnF32 = 2,
  DiffAttnF64 = 3,
  DiffAttnI1 = 4,
  DiffAttnI8 = 5,
  DiffAttnI16 = 6,
  DiffAttnI32 = 7,
  DiffAttnI64 = 8
} DiffAttnDType;

/// A strided tensor in device memory. The runtime does not own anything of it
/// and reads the structure only during the call.
typedef struct DiffAttnTensor {
  /// Of the first element.
  void *data;
  const int64_t *sizes;
  /// In elements.
  const int64_t *strides;
  uint32_t rank;
  /// A DiffAttnDType.
  uint32_t dtype;
} DiffAttnTensor;

/// A CUDA driver that was loaded from a named file.
typedef struct DiffAttnDriver DiffAttnDriver;
/// One entry of a compiled program in one CUDA context.
typedef struct DiffAttnProgram DiffAttnProgram;

/// The sentence of this thread's last failure, valid until its next one. Never
/// null.
DIFFATTN_RUNTIME_EXPORT const char *diffattnGetLastError(void);

/// Loads a driver from another place than where the system has it.
DIFFATTN_RUNTIME_EXPORT DiffAttnStatus
diffattnDriverLoad(const char *library, DiffAttnDriver **driver);
/// Its programs must have been released.
DIFFATTN_RUNTIME_EXPORT void diffattnDriverRelease(DiffAttnDriver *driver);

/// Loads a program into the calling thread's current CUDA context; without one,
/// the primary context of device 0 becomes current. `manifests` are variants of
/// one entry; a launch takes the first one whose preconditions hold. Variants
/// for other chips are left out. A null `driver` is the system's. Loading the
/// same files again while the program is in use returns the loaded one.
DIFFATTN_RUNTIME_EXPORT DiffAttnStatus
diffattnProgramLoad(const DiffAttnDriver *driver, const char *const *manifests,
                    size_t numManifests, DiffAttnProgram **program);
/// Its launches must have finished.
DIFFATTN_RUNTIME_EXPORT void diffattnProgramRelease(DiffAttnProgram *program);

/// Checks the arguments and launches the kernels on `stream` (a CUstream or
/// cudaStream_t). A problem without rows launches nothing.
DIFFATTN_RUNTIME_EXPORT DiffAttnStatus diffattnProgramLaunch(
    const DiffAttnProgram *program, const DiffAttnTensor *arguments,
    size_t numArguments, void *stream);

/// Sets `manifest` to the position, among those that were given to
/// diffattnProgramLoad, of the variant that a launch would take, or whose
/// fallback.
DIFFATTN_RUNTIME_EXPORT DiffAttnStatus diffattnProgramSelect(
    const DiffAttnProgram *program, const DiffAttnTensor *arguments,
    size_t numArguments, size_t *manifest);

#ifdef __cplusplus
} // extern "C"
#endif

#endif // DIFFATTN_RUNTIME_RUNTIME_H
