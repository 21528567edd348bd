// bf16 compiles to matrix tiles where the target has them, on any host; other
// element types and head dimensions compile to vectors as elsewhere.
//
// RUN: diffattn-compile %s --entry=bf16 --target=cpu-amx --emit=llvm | FileCheck %s --check-prefix=TILES
// RUN: diffattn-compile %s --entry=bf16 --target=cpu-amx --emit=object -o %t.o
// RUN: diffattn-compile %s --entry=bf16 --target=cpu-avx512 --emit=llvm | FileCheck %s --check-prefix=VECTORS
// RUN: diffattn-compile %s --entry=f16 --target=cpu-amx --emit=llvm | FileCheck %s --check-prefix=VECTORS
// RUN: diffattn-compile %s --entry=narrow --target=cpu-amx --emit=llvm | FileCheck %s --check-prefix=VECTORS

// TILES-DAG: define {{.*}}@_mlir_ciface_bf16
// TILES-DAG: call i64 asm sideeffect "syscall"
// TILES-DAG: call x86_amx @llvm.x86.tdpbf16ps.internal
// VECTORS-NOT: x86_amx
// VECTORS: @llvm.fmuladd.v16f32

func.func @bf16(%q: tensor<1x?x4x64xbf16>, %k: tensor<1x?x1x64xbf16>,
                %l: tensor<1x?x2xbf16>, %o: tensor<1x?x2x64xbf16>) -> tensor<1x?x2x64xbf16> {
  %r = diffattn.attention query(%q : tensor<1x?x4x64xbf16>)
      key(%k : tensor<1x?x1x64xbf16>) value(%k : tensor<1x?x1x64xbf16>)
      lambda(%l : tensor<1x?x2xbf16>) outs(%o : tensor<1x?x2x64xbf16>)
  return %r : tensor<1x?x2x64xbf16>
}

func.func @f16(%q: tensor<1x?x4x64xf16>, %k: tensor<1x?x1x64xf16>,
               %l: tensor<1x?x2xf16>, %o: tensor<1x?x2x64xf16>) -> tensor<1x?x2x64xf16> {
  %r = diffattn.attention query(%q : tensor<1x?x4x64xf16>)
      key(%k : tensor<1x?x1x64xf16>) value(%k : tensor<1x?x1x64xf16>)
      lambda(%l : tensor<1x?x2xf16>) outs(%o : tensor<1x?x2x64xf16>)
  return %r : tensor<1x?x2x64xf16>
}

func.func @narrow(%q: tensor<1x?x4x72xbf16>, %k: tensor<1x?x1x72xbf16>,
                  %l: tensor<1x?x2xbf16>, %o: tensor<1x?x2x72xbf16>) -> tensor<1x?x2x72xbf16> {
  %r = diffattn.attention query(%q : tensor<1x?x4x72xbf16>)
      key(%k : tensor<1x?x1x72xbf16>) value(%k : tensor<1x?x1x72xbf16>)
      lambda(%l : tensor<1x?x2xbf16>) outs(%o : tensor<1x?x2x72xbf16>)
  return %r : tensor<1x?x2x72xbf16>
}
