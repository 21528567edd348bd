# -DDIFFATTN_FUZZER=ON: coverage and sanitizers in our own code. The packaged
# LLVM and MLIR stay as they are, so this is no good for anything but fuzzing.
add_compile_options(
  -fsanitize=fuzzer-no-link,address,undefined
  # LLVM is built without type information, and calls through its own pointers.
  -fno-sanitize=vptr,function
  -fno-sanitize-recover=all)
add_link_options(-fsanitize=address,undefined)
