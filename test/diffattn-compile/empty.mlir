// No batch or no queries: nothing to write. No keys: zero, and a log-sum-exp of
// infinity, which marks rows that see none.

// DEFINE: %{batch} = 2
// DEFINE: %{queries} = 10
// DEFINE: %{keys} = 20
// DEFINE: %{shapes} = --input=random:0 --shape=0:%{batch}x%{queries}x4x64 --shape=1:%{batch}x%{keys}x1x64 --shape=2:%{batch}x%{keys}x1x64 --shape=3:%{batch}x%{queries}x2
// DEFINE: %{outs} = --shape=4:%{batch}x%{queries}x2x64 --shape=5:%{batch}x4x%{queries} --shape=6:%{batch}x%{queries}x2x64
// DEFINE: %{cpu} = diffattn-compile %s --run %{shapes} %{outs} --check
// DEFINE: %{gpu} = diffattn-eval %t.mlir --kernel %{shapes} --result-shape=0:%{batch}x%{queries}x2x64 --result-shape=1:%{batch}x4x%{queries} --result-shape=2:%{batch}x%{queries}x2x64 \
// DEFINE:   --compare=%s --tolerance=8e-3
// RUN: diffattn-compile %s --target=sm_80 --compile-to=tile -o %t.mlir
//
// REDEFINE: %{batch} = 0
// RUN: %{cpu} | FileCheck %s --check-prefixes=NONE
// RUN: %{gpu} | FileCheck %s --check-prefixes=NONE
// REDEFINE: %{batch} = 2
// REDEFINE: %{queries} = 0
// RUN: %{cpu} | FileCheck %s --check-prefixes=NONE
// RUN: %{gpu} | FileCheck %s --check-prefixes=NONE
// REDEFINE: %{queries} = 10
// REDEFINE: %{keys} = 0
// RUN: %{cpu} --output=%t.npy --output=%t.lse.npy --output=%t.noise.npy | FileCheck %s --check-prefixes=ZERO
// RUN: %{gpu} | FileCheck %s --check-prefixes=ZERO
// RUN: %python -c "import sys; print([hex(x) for x in sorted(set(open(sys.argv[1], 'rb').read()[-2560:]))])" %t.npy | FileCheck %s --check-prefix=BYTES
// RUN: %python -c "import struct, sys; print(set(struct.unpack('<80f', open(sys.argv[1], 'rb').read()[-320:])))" %t.lse.npy | FileCheck %s --check-prefix=LSE

// NONE: result 0{{.*}} over 0 elements
// NONE: result 1{{.*}} over 0 elements
// NONE: result 2{{.*}} over 0 elements
// ZERO: result 0{{.*}}max error 0.000e+00 {{.*}} over 2560 elements
// ZERO: result 1{{.*}}max error 0.000e+00 {{.*}} over 80 elements
// ZERO: result 2{{.*}}max error 0.000e+00 {{.*}} over 2560 elements
// BYTES: ['0x0']
// LSE: {inf}

!q = tensor<?x?x4x64xbf16>
!k = tensor<?x?x1x64xbf16>
!o = tensor<?x?x2x64xbf16>
func.func @layer(%q: !q, %k: !k, %v: !k, %l: tensor<?x?x2xbf16>, %o: !o, %lse: tensor<?x4x?xf32>, %n: !o) -> (!o, tensor<?x4x?xf32>, !o) {
  %r:3 = diffattn.attention query(%q : !q) key(%k : !k) value(%v : !k) lambda(%l : tensor<?x?x2xbf16>)
      outs(%o : !o) lse(%lse : tensor<?x4x?xf32>) noise(%n : !o) mask<causal>
  return %r#0, %r#1, %r#2 : !o, tensor<?x4x?xf32>, !o
}
