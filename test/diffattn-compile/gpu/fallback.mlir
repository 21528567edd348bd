// A manifest names a second program, for arguments that tensor copies and copies
// of 16 bytes cannot take: any address and strides of its element type.

// RUN: rm -rf %t && mkdir %t
// RUN: diffattn-compile %s --target=sm_90a --no-ptxas --emit=ptx -o %t/layer.ptx --manifest=%t/layer.json
// RUN: FileCheck %s --check-prefix=FIRST --input-file=%t/layer.json
// RUN: FileCheck %s --check-prefixes=SECOND,HOPPER --input-file=%t/layer.elementwise.json
// RUN: FileCheck %s --check-prefixes=PTX,SM90 --input-file=%t/layer.elementwise.ptx
// Without tensor copies.
// RUN: diffattn-compile %s --target=sm_80 --no-ptxas --emit=ptx -o %t/layer.ptx --manifest=%t/layer.json
// RUN: FileCheck %s --check-prefix=FIRST --input-file=%t/layer.json
// RUN: FileCheck %s --check-prefixes=SECOND,AMPERE --input-file=%t/layer.elementwise.json
// RUN: FileCheck %s --check-prefixes=PTX,SM80 --input-file=%t/layer.elementwise.ptx
// What was asked of the schedule of the first is not asked of the second.
// RUN: diffattn-compile %s --target=sm_90a --no-ptxas --teams=2 --key-tile=80 --emit=ptx -o %t/layer.ptx --manifest=%t/layer.json
// RUN: FileCheck %s --check-prefixes=SECOND,HOPPER --input-file=%t/layer.elementwise.json

// FIRST:      "alignment": 16,
// FIRST-NEXT: "stride_multiple": 8
// FIRST:      "fallback": "layer.elementwise.json"

// SECOND:       "version": 1,
// HOPPER:       "target": "sm_90",
// AMPERE:       "target": "sm_80",
// SECOND:       "entry": "layer",
// SECOND-NOT:   tensor_map
// SECOND-NOT:   counters
// SECOND-COUNT-4: "alignment": 2,
// SECOND:       "access": "write",
// SECOND-NEXT:  "alignment": 2,
// SECOND-NEXT:  "stride_multiple": 1
// SECOND-NOT:   "min"
// SECOND:       "ptx": "layer.elementwise.ptx"
// SECOND-NOT:   fallback
// SECOND-NOT:   teams =

// SM90:    .target sm_90{{$}}
// SM80:    .target sm_80{{$}}
// PTX-NOT: cp.async.c
// PTX:     ld.global.b16
// PTX:     st.shared.b16
// PTX-NOT: st.global.b32
// PTX:     st.global.b16
// PTX-NOT: st.global.b32

// Left out on request, without a manifest, and where nothing can be beside it.
// RUN: rm -rf %t && mkdir %t
// RUN: diffattn-compile %s --target=sm_90a --no-ptxas --no-fallback --emit=ptx -o %t/layer.ptx --manifest=%t/layer.json
// RUN: not grep fallback %t/layer.json
// RUN: diffattn-compile %s --target=sm_90a --no-ptxas --emit=ptx -o %t/layer.ptx
// RUN: diffattn-compile %s --target=sm_90a --no-ptxas --emit=ptx -o %t/layer.ptx --manifest=- | not grep fallback
// RUN: not ls %t/layer.elementwise.ptx
// RUN: not ls %t/layer.elementwise.json
// RUN: not diffattn-compile %s --target=cpu --no-fallback 2>&1 | FileCheck %s --check-prefix=CPU
// CPU: option '--no-fallback' needs a GPU target, but got 'cpu

!q = tensor<?x?x4x64xbf16>
!k = tensor<?x?x1x64xbf16>
!o = tensor<?x?x2x64xbf16>
func.func @layer(%q: !q, %k: !k, %v: !k, %l: tensor<?x?x2xbf16>, %o: !o) -> !o {
  %r = diffattn.attention query(%q : !q) key(%k : !k) value(%v : !k) lambda(%l : tensor<?x?x2xbf16>)
      outs(%o : !o) mask<causal>
  return %r : !o
}
