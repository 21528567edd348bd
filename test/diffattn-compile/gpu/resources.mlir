// Kernels of the default schedules assemble without spills and stack, for
// sm_80 and for sm_90 that runs the same PTX, in the registers that their
// occupancy allows.
// REQUIRES: ptxas

// RUN: sed -e s/DIM/64/ -e s/MASK/mask\<causal\>/ %s > %t.64.mlir
// RUN: diffattn-compile %t.64.mlir --target=sm_80 --emit=ptx -o %t.64.ptx
// RUN: ptxas -v -arch=sm_80 %t.64.ptx -o %t.cubin 2>&1 | FileCheck %s
// RUN: ptxas -v -arch=sm_90 %t.64.ptx -o %t.cubin 2>&1 | FileCheck %s
// RUN: sed -e s/DIM/128/ -e s/MASK/mask\<causal\>/ %s > %t.128.mlir
// RUN: diffattn-compile %t.128.mlir --target=sm_80 --emit=ptx -o %t.128.ptx
// RUN: ptxas -v -arch=sm_80 %t.128.ptx -o %t.cubin 2>&1 | FileCheck %s
// RUN: ptxas -v -arch=sm_90 %t.128.ptx -o %t.cubin 2>&1 | FileCheck %s

// Two blocks of 128 threads share 65536 registers: 255 is what an instruction
// can name.
// CHECK:     Compiling entry function 'layer'
// CHECK:     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
// CHECK:     Used {{[12]?[0-9]?[0-9]}} registers

!query = tensor<?x?x32xDIMxbf16>
!key = tensor<?x?x8xDIMxbf16>
!output = tensor<?x?x16xDIMxbf16>
func.func @layer(%q: !query, %k: !key, %v: !key, %l: tensor<?x?x16xbf16>, %o: !output) -> !output {
  %0 = diffattn.attention query(%q : !query) key(%k : !key) value(%v : !key)
      lambda(%l : tensor<?x?x16xbf16>) outs(%o : !output) MASK
  return %0 : !output
}
