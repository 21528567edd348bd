//===- JITProgram.h - An object file, loaded and callable -------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_TARGET_JITPROGRAM_H
#define DIFFATTN_TARGET_JITPROGRAM_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"
#include <memory>
#include <string>

namespace llvm::orc {
class LLJIT;
} // namespace llvm::orc

namespace mlir::diffattn {

/// Links object bytes into this process. It is the very object that would be
/// written to a file, so what `--run` checks is what ships.
class JITProgram {
public:
  /// Loads `object`, and the OpenMP runtime if the object calls it.
  static llvm::Expected<JITProgram> load(llvm::MemoryBufferRef object);

  JITProgram(JITProgram &&);
  ~JITProgram();

  /// The address of a symbol of the object.
  llvm::Expected<void *> lookup(llvm::StringRef symbol);

  /// A caller for a function of `numParameters` pointers and no result: takes
  /// them as an array.
  using Caller = void (*)(void **parameters);
  llvm::Expected<Caller> getCaller(llvm::StringRef symbol,
                                   unsigned numParameters);

  /// From now on, memory that the program allocates is filled with bytes 0xff
  /// first, a NaN in every floating-point type: what it reads before writing,
  /// or returns without writing, shows.
  static void setPoisonAllocations(bool poison);

private:
  explicit JITProgram(std::unique_ptr<llvm::orc::LLJIT> jit);

  std::unique_ptr<llvm::orc::LLJIT> jit;
  /// Why linking failed. ORC tells its session, and callers only that it did.
  std::shared_ptr<std::string> linkError;
};

} // namespace mlir::diffattn

#endif // DIFFATTN_TARGET_JITPROGRAM_H
