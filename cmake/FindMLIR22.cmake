# Locates LLVM/MLIR 22 and loads its CMake helpers. The one place that knows the
# supported major version and where Debian's packages put it.
set(DIFFATTN_LLVM_MAJOR 22)

find_package(MLIR CONFIG HINTS /usr/lib/llvm-${DIFFATTN_LLVM_MAJOR}/lib/cmake/mlir)
if(NOT MLIR_FOUND)
  message(FATAL_ERROR
    "MLIR ${DIFFATTN_LLVM_MAJOR} was not found. On Debian install "
    "libmlir-22-dev mlir-22-tools llvm-22-dev llvm-22-tools (utils/setup.sh does), "
    "or set MLIR_DIR to a build's lib/cmake/mlir.")
endif()
if(NOT LLVM_VERSION_MAJOR EQUAL DIFFATTN_LLVM_MAJOR)
  message(FATAL_ERROR
    "LLVM ${LLVM_VERSION} was found in ${LLVM_DIR}, but diffattn needs LLVM "
    "${DIFFATTN_LLVM_MAJOR}; set MLIR_DIR to a matching installation.")
endif()

list(APPEND CMAKE_MODULE_PATH "${MLIR_CMAKE_DIR}" "${LLVM_CMAKE_DIR}")
include(TableGen)
include(AddLLVM)
include(AddMLIR)
include(HandleLLVMOptions)

# Everything links the one shared library. A static copy beside it would
# register every dialect and command-line option a second time.
set(MLIR_LINK_MLIR_DYLIB ${LLVM_LINK_LLVM_DYLIB})

# HandleLLVMOptions has put -DNDEBUG or not according to how *LLVM* was built;
# our own assertions are a separate choice.
if(DIFFATTN_ENABLE_ASSERTIONS)
  add_compile_options(-UNDEBUG)
endif()
