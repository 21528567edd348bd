gpu.module @kernels {
  llvm.func @stack(%p: !llvm.ptr<1>, %i: i32, %j: i32) attributes {gpu.kernel, nvvm.kernel} {
    %n = llvm.mlir.constant(64 : i32) : i32
    %a = llvm.alloca %n x i32 : (i32) -> !llvm.ptr
    %e = llvm.getelementptr %a[%i] : (!llvm.ptr, i32) -> !llvm.ptr, i32
    llvm.store volatile %j, %e : i32, !llvm.ptr
    %f = llvm.getelementptr %a[%j] : (!llvm.ptr, i32) -> !llvm.ptr, i32
    %v = llvm.load volatile %f : !llvm.ptr -> i32
    llvm.store %v, %p : i32, !llvm.ptr<1>
    llvm.return
  }
}
