//===- EntrySignature.h - How compiled code is called -----------*- C++ -*-===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The calling convention of an entry point, seen from outside: what the C
// header declares, the manifest lists and `--run` uses.
//
//   void _mlir_ciface_<entry>(results, argument 0, argument 1, ...)
//
// Every parameter points to a memref descriptor: allocated and aligned pointer,
// offset, sizes, strides (in elements). `results` points to one descriptor, or
// to a struct of them, which the callee fills in; it is absent if the function
// returns nothing. Result memory comes from malloc and belongs to the caller,
// who releases it with free(allocated).
//
//===----------------------------------------------------------------------===//

#ifndef DIFFATTN_COMPILER_ENTRYSIGNATURE_H
#define DIFFATTN_COMPILER_ENTRYSIGNATURE_H

#include "diffattn/Reference/Array.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include <string>
#include <vector>

namespace mlir::diffattn {

/// A ranked tensor at the boundary; dynamic sizes are ShapedType::kDynamic.
struct BoundaryTensor {
  SmallVector<int64_t> shape;
  reference::DType dtype;

  /// "1x?x16x128xbf16"
  std::string str() const;
};

struct EntrySignature {
  std::string name;
  std::vector<BoundaryTensor> arguments;
  std::vector<BoundaryTensor> results;

  /// The C symbol.
  std::string getSymbol() const { return "_mlir_ciface_" + name; }

  /// The signature of `function`, on tensors or memrefs. Other types are
  /// reported on it.
  static FailureOr<EntrySignature> get(FunctionOpInterface function);
};

/// The C header that declares the entry point of an object file.
std::string getCHeader(const EntrySignature &signature, StringRef objectFile);

} // namespace mlir::diffattn

#endif // DIFFATTN_COMPILER_ENTRYSIGNATURE_H
