// RUN: not diffattn-opt %s --diffattn-cpu-vectorize=target=cpu-sse 2>&1 | FileCheck %s

// CHECK: error: unknown target 'cpu-sse', expected one of cpu, cpu-host, cpu-baseline, cpu-avx2, cpu-avx512, cpu-amx
func.func @f() {
  return
}
