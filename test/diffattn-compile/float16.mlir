// 16-bit arithmetic outside attention is computed in f32, on every target, with
// no call into the compiler's runtime library.

// RUN: diffattn-compile %s --target=cpu-baseline --emit=llvm \
// RUN:   | FileCheck %s --check-prefix=BASELINE
// RUN: diffattn-compile %s --target=cpu-baseline --run --input=random:0 --check
// RUN: diffattn-compile %s --target=cpu-host --run --input=random:0 --check

// BASELINE-NOT: fptrunc {{.*}} to {{.*}}bfloat

func.func @gate(%x: tensor<40xbf16>, %y: tensor<40xbf16>, %z: tensor<40xf16>)
    -> (tensor<40xbf16>, tensor<40xf16>) {
  %empty = tensor.empty() : tensor<40xbf16>
  %0 = linalg.mul ins(%x, %y : tensor<40xbf16>, tensor<40xbf16>)
      outs(%empty : tensor<40xbf16>) -> tensor<40xbf16>
  %1 = linalg.exp ins(%0 : tensor<40xbf16>) outs(%empty : tensor<40xbf16>)
      -> tensor<40xbf16>
  %empty16 = tensor.empty() : tensor<40xf16>
  %2 = linalg.tanh ins(%z : tensor<40xf16>) outs(%empty16 : tensor<40xf16>)
      -> tensor<40xf16>
  return %1, %2 : tensor<40xbf16>, tensor<40xf16>
}
