# Wrappers that keep every CMakeLists.txt below to a few lines.

# One precompiled header for the whole project: a pass file includes ~15 s worth
# of MLIR headers, most of them the same ones.
set(DIFFATTN_PCH_HEADERS
  <mlir/Dialect/Arith/IR/Arith.h>
  <mlir/Dialect/Func/IR/FuncOps.h>
  <mlir/Dialect/Linalg/IR/Linalg.h>
  <mlir/Dialect/Math/IR/Math.h>
  <mlir/Dialect/MemRef/IR/MemRef.h>
  <mlir/Dialect/SCF/IR/SCF.h>
  <mlir/Dialect/Tensor/IR/Tensor.h>
  <mlir/Dialect/Vector/IR/VectorOps.h>
  <mlir/IR/Builders.h>
  <mlir/IR/PatternMatch.h>
  <mlir/Pass/Pass.h>)

function(diffattn_enable_pch target)
  if(NOT TARGET diffattn_pch)
    file(WRITE ${CMAKE_BINARY_DIR}/diffattn_pch.cpp "// Owns the precompiled header.\n")
    add_library(diffattn_pch OBJECT ${CMAKE_BINARY_DIR}/diffattn_pch.cpp)
    set_target_properties(diffattn_pch PROPERTIES POSITION_INDEPENDENT_CODE ON)
    target_precompile_headers(diffattn_pch PRIVATE ${DIFFATTN_PCH_HEADERS})
  endif()
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_precompile_headers(${target} REUSE_FROM diffattn_pch)
endfunction()

# add_diffattn_library(Name sources... [DEPENDS targets...] [LINK_LIBS libs...])
# A static library with the precompiled header, linked to the MLIR shared library.
function(add_diffattn_library name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LINK_LIBS" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  diffattn_enable_pch(${name})
  if(DIFFATTN_WERROR)
    target_compile_options(${name} PRIVATE -Wall -Wextra -Wno-unused-parameter -Werror)
  endif()
  add_dependencies(${name} diffattn-headers)
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
  target_link_libraries(${name} PUBLIC ${ARG_LINK_LIBS} MLIR LLVM)
endfunction()

# add_diffattn_tool(name sources... [LINK_LIBS libs...])
function(add_diffattn_tool name)
  cmake_parse_arguments(ARG "" "" "LINK_LIBS" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  diffattn_enable_pch(${name})
  # An executable is -fPIE by default, and then cannot share the -fPIC header.
  target_compile_options(${name} PRIVATE -fPIC)
  add_dependencies(${name} diffattn-headers)
  target_link_libraries(${name} PRIVATE ${ARG_LINK_LIBS} MLIR LLVM)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endfunction()

# diffattn_tablegen(TARGET file.td OUTPUT.inc -flag... )  — adds to the headers target.
function(diffattn_tablegen td)
  set(LLVM_TARGET_DEFINITIONS ${td})
  set(pairs ${ARGN})
  list(LENGTH pairs n)
  math(EXPR last "${n} - 1")
  foreach(i RANGE 0 ${last} 2)
    list(GET pairs ${i} out)
    math(EXPR j "${i} + 1")
    list(GET pairs ${j} flags)
    separate_arguments(flags)
    mlir_tablegen(${out} ${flags})
  endforeach()
  get_filename_component(stem ${td} NAME_WE)
  string(MD5 id "${CMAKE_CURRENT_SOURCE_DIR}/${td}")
  string(SUBSTRING ${id} 0 6 id)
  add_public_tablegen_target(diffattn-${stem}-${id}-gen)
  add_dependencies(diffattn-headers diffattn-${stem}-${id}-gen)
endfunction()

# diffattn_doc(stem file.td generator...) — Markdown reference into docs/ of the
# build tree; utils/gen_docs.sh copies it to the source tree, CI compares.
function(diffattn_doc stem td)
  set(LLVM_TARGET_DEFINITIONS ${td})
  tablegen(MLIR ${stem}.md ${ARGN} "-I${MLIR_MAIN_INCLUDE_DIR}" "-I${MLIR_INCLUDE_DIR}")
  set(out ${CMAKE_BINARY_DIR}/docs/${stem}.md)
  add_custom_command(OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -E copy ${CMAKE_CURRENT_BINARY_DIR}/${stem}.md ${out}
    DEPENDS ${CMAKE_CURRENT_BINARY_DIR}/${stem}.md)
  add_custom_target(diffattn-doc-${stem} DEPENDS ${out})
  add_dependencies(diffattn-docs diffattn-doc-${stem})
endfunction()
