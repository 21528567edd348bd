// Code is made for the target named, with its features and no others.

// RUN: diffattn-compile %s --emit=llvm --target=cpu-baseline \
// RUN:   | FileCheck %s --check-prefix=BASELINE
// RUN: diffattn-compile %s --emit=llvm --target=cpu-avx2 \
// RUN:   | FileCheck %s --check-prefix=AVX2
// RUN: diffattn-compile %s --emit=llvm --target=cpu-avx512 \
// RUN:   | FileCheck %s --check-prefix=AVX512
// RUN: diffattn-compile %s --emit=object --target=cpu-amx -o %t.o
// RUN: diffattn-compile %s --target=cpu-host --run --input=random:0 --check
// RUN: diffattn-compile %s --target=cpu-baseline --run --input=random:0 --check

// BASELINE-NOT: <8 x float>
// BASELINE: "target-cpu"="x86-64"
// AVX2-NOT: <16 x float>
// AVX2: "target-cpu"="haswell" "target-features"="{{.*}}+avx2,+fma
// AVX512: <16 x float>
// AVX512: "target-cpu"="x86-64-v4" "target-features"="{{.*}}+avx512f

func.func @layer(%q: tensor<1x40x4x16xbf16>, %k: tensor<1x40x1x16xbf16>,
                 %v: tensor<1x40x1x16xbf16>, %l: tensor<1x40x2xbf16>)
    -> tensor<1x40x2x16xbf16> {
  %init = tensor.empty() : tensor<1x40x2x16xbf16>
  %0 = diffattn.attention query(%q : tensor<1x40x4x16xbf16>)
      key(%k : tensor<1x40x1x16xbf16>) value(%v : tensor<1x40x1x16xbf16>)
      lambda(%l : tensor<1x40x2xbf16>) outs(%init : tensor<1x40x2x16xbf16>)
      mask<causal>
  return %0 : tensor<1x40x2x16xbf16>
}
