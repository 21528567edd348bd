//===- CPUTargets.cpp - Generations of x86-64, and the host ---------------===//
//
// Part of the diffattn project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Everything the compiler knows about CPUs. A new generation is one entry.
//
//===----------------------------------------------------------------------===//

#include "CPUTargets.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"
#include <algorithm>
#include <unistd.h>

using namespace mlir::diffattn;

/// The features that code for a generation relies on; the host check reads
/// them too. `-prefer-256-bit` makes LLVM's vectorisers use full registers:
/// our loops are long enough that the lower clock of 512-bit code pays.
static const char avx2Features[] = "+avx2,+fma,+f16c,+bmi,+bmi2,+lzcnt,+movbe";
static const char avx512Features[] =
    "+avx2,+fma,+f16c,+bmi,+bmi2,+lzcnt,+movbe,"
    "+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl,-prefer-256-bit";
static const char amxFeatures[] =
    "+avx2,+fma,+f16c,+bmi,+bmi2,+lzcnt,+movbe,"
    "+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl,-prefer-256-bit,"
    "+avx512bf16,+amx-tile,+amx-bf16";

llvm::ArrayRef<CPUTarget> mlir::diffattn::getCPUTargets() {
  static const CPUTarget targets[] = {
      {{TargetDescription::Kind::CPU, "cpu-baseline",
        "x86-64 with SSE2: runs on every 64-bit PC"},
       /*vectorBits=*/128,
       /*numVectorRegisters=*/16,
       /*hasFMA=*/false,
       /*hasAVX512BF16=*/false,
       /*hasAMXBF16=*/false,
       /*l1Bytes=*/32 << 10,
       /*l2Bytes=*/256 << 10,
       "x86-64",
       ""},
      {{TargetDescription::Kind::CPU, "cpu-avx2",
        "x86-64 with AVX2 and FMA (Haswell, Zen and later)"},
       /*vectorBits=*/256,
       /*numVectorRegisters=*/16,
       /*hasFMA=*/true,
       /*hasAVX512BF16=*/false,
       /*hasAMXBF16=*/false,
       /*l1Bytes=*/32 << 10,
       /*l2Bytes=*/256 << 10,
       "haswell",
       avx2Features},
      {{TargetDescription::Kind::CPU, "cpu-avx512",
        "x86-64 with AVX-512 (Skylake-X, Zen 4 and later)"},
       /*vectorBits=*/512,
       /*numVectorRegisters=*/32,
       /*hasFMA=*/true,
       /*hasAVX512BF16=*/false,
       /*hasAMXBF16=*/false,
       /*l1Bytes=*/32 << 10,
       /*l2Bytes=*/1 << 20,
       "x86-64-v4",
       avx512Features},
      {{TargetDescription::Kind::CPU, "cpu-amx",
        "x86-64 with AVX-512, bf16 and AMX (Sapphire Rapids)"},
       /*vectorBits=*/512,
       /*numVectorRegisters=*/32,
       /*hasFMA=*/true,
       /*hasAVX512BF16=*/true,
       /*hasAMXBF16=*/true,
       /*l1Bytes=*/48 << 10,
       /*l2Bytes=*/2 << 20,
       "sapphirerapids",
       amxFeatures},
  };
  return targets;
}

/// The first feature that `features` asks for and the host lacks, or "".
static llvm::StringRef findMissingFeature(llvm::StringRef features) {
  const llvm::StringMap<bool> host = llvm::sys::getHostCPUFeatures();
  llvm::SmallVector<llvm::StringRef> parts;
  features.split(parts, ',', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  for (llvm::StringRef part : parts)
    if (part.consume_front("+") && !host.lookup(part))
      return part;
  return "";
}

static bool isHostX86() {
  return llvm::Triple(llvm::sys::getProcessTriple()).getArch() ==
         llvm::Triple::x86_64;
}

/// `sysconf` where it knows, `otherwise` where it does not (it gives 0 or -1
/// in containers and on some hypervisors).
static int64_t getCacheSize(int query, int64_t otherwise) {
  long size = sysconf(query);
  return size > 0 ? size : otherwise;
}

/// The host's own feature string, sorted so that it is the same in each run.
static std::string getHostFeatureString() {
  llvm::SmallVector<std::string> parts;
  for (const auto &feature : llvm::sys::getHostCPUFeatures())
    parts.push_back((feature.second ? "+" : "-") + feature.first().str());
  std::sort(parts.begin(), parts.end());
  parts.push_back("-prefer-256-bit");
  std::string joined;
  for (const std::string &part : parts)
    joined += (joined.empty() ? "" : ",") + part;
  return joined;
}

static CPUTarget describeHost() {
  const CPUTarget *newest = &getCPUTargets().front();
  for (const CPUTarget &target : getCPUTargets())
    if (findMissingFeature(target.llvmFeatures).empty())
      newest = &target;

  CPUTarget host = *newest;
  host.name = "cpu-host";
  host.summary = "this machine";
  // A generation in between has some of the next one's instructions.
  host.hasAVX512BF16 = llvm::sys::getHostCPUFeatures().lookup("avx512bf16");
  host.l1Bytes = getCacheSize(_SC_LEVEL1_DCACHE_SIZE, newest->l1Bytes);
  host.l2Bytes = getCacheSize(_SC_LEVEL2_CACHE_SIZE, newest->l2Bytes);
  host.llvmCPU = llvm::sys::getHostCPUName().str();
  host.llvmFeatures = getHostFeatureString();
  return host;
}

llvm::Expected<const CPUTarget *> mlir::diffattn::detail::getHostTarget() {
  if (!isHostX86())
    return llvm::createStringError(
        "target 'cpu-host' expects an x86-64 machine, but this one is '" +
        llvm::sys::getProcessTriple() +
        "'; name a target, such as cpu-baseline, to compile for another");
  static const CPUTarget host = describeHost();
  return &host;
}

llvm::Error mlir::diffattn::checkRunsOnHost(const CPUTarget &target) {
  if (!isHostX86())
    return llvm::createStringError("target '" + target.name +
                                   "' expects an x86-64 machine, but this one "
                                   "is '" +
                                   llvm::sys::getProcessTriple() + "'");
  llvm::StringRef missing = findMissingFeature(target.llvmFeatures);
  if (missing.empty())
    return llvm::Error::success();
  return llvm::createStringError(
      "code for target '" + target.name + "' needs the CPU feature '" +
      missing + "', which this machine lacks; use --target=cpu-host");
}
