# Debian's LLVM/MLIR 22, linked as the two shared libraries. MLIRConfig does not say so itself, and mixing libMLIR.so
# with an archive of it would give duplicate type ids, so every library of ours links by mlir_target_link_libraries.
find_package(MLIR 22.1 REQUIRED CONFIG)
find_package(LLD REQUIRED CONFIG)
set(MLIR_LINK_MLIR_DYLIB ON)
list(APPEND CMAKE_MODULE_PATH "${MLIR_CMAKE_DIR}" "${LLVM_CMAKE_DIR}")
include(TableGen)
include(AddLLVM)
include(AddMLIR)

set(DS_GENERATED_DIR ${CMAKE_BINARY_DIR}/generated)

# ds_mlir_library(NAME SOURCES a.cpp … DEPENDS gen … LINK DsDialect …)
# A static library of compiler code: LLVM's headers, own warnings, the shared precompiled header.
function(ds_mlir_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  ds_mlir_settings(${name})
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
  target_link_libraries(${name} PUBLIC ${ARG_LINK})
endfunction()

# ds_mlir_executable(NAME SOURCES … LINK …)
function(ds_mlir_executable name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  if(DS_SANITIZE)
    target_sources(${name} PRIVATE ${PROJECT_SOURCE_DIR}/cmake/SanitizerOptions.cpp)
  endif()
  ds_mlir_settings(${name})
  # -fPIC as in the libraries, not -fPIE: a precompiled header serves only one of them.
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${name} PRIVATE -fPIC)
  target_link_libraries(${name} PRIVATE ${ARG_LINK})
endfunction()

function(ds_mlir_settings name)
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR} ${DS_GENERATED_DIR})
  target_include_directories(${name} SYSTEM PUBLIC ${MLIR_INCLUDE_DIRS} ${LLVM_INCLUDE_DIRS})
  separate_arguments(defs NATIVE_COMMAND "${LLVM_DEFINITIONS}")
  target_compile_definitions(${name} PUBLIC ${defs})
  target_link_libraries(${name} PRIVATE ds_warnings)
  mlir_target_link_libraries(${name} PUBLIC MLIRIR)
  target_link_libraries(${name} PUBLIC LLVM)
  # -fno-exceptions is what Debian's LLVM was built with; RTTI stays on, also as there.
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions>)
  if(NOT name STREQUAL "DsPrecompiled")
    target_precompile_headers(${name} REUSE_FROM DsPrecompiled)
  endif()
endfunction()

# ds_tablegen(TARGET file.td -gen-…=out …): each further argument is "flags=output", the output relative to generated/.
function(ds_tablegen target td)
  cmake_path(GET td PARENT_PATH dir)
  set(LLVM_TARGET_DEFINITIONS ${PROJECT_SOURCE_DIR}/${td})
  file(MAKE_DIRECTORY ${DS_GENERATED_DIR}/${dir})
  set(outputs)
  foreach(rule ${ARGN})
    string(REGEX MATCH "^(.*)=([^=]+)$" _ "${rule}")
    separate_arguments(flags NATIVE_COMMAND "${CMAKE_MATCH_1}")
    set(out ${DS_GENERATED_DIR}/${dir}/${CMAKE_MATCH_2})
    add_custom_command(OUTPUT ${out}
      COMMAND mlir-tblgen ${flags} -I ${MLIR_INCLUDE_DIRS} -I ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/${td} -o ${out}
              --write-if-changed -d ${out}.d
      DEPFILE ${out}.d
      DEPENDS ${PROJECT_SOURCE_DIR}/${td}
      COMMENT "tablegen ${dir}/${CMAKE_MATCH_2}")
    list(APPEND outputs ${out})
  endforeach()
  add_custom_target(${target} DEPENDS ${outputs})
endfunction()

# One precompiled header for all compiler code: 17 s per file become about 2.
add_library(DsPrecompiled STATIC ${PROJECT_SOURCE_DIR}/cmake/Precompiled.cpp)
ds_mlir_settings(DsPrecompiled)
target_precompile_headers(DsPrecompiled PRIVATE ${PROJECT_SOURCE_DIR}/cmake/Precompiled.h)
# ccache can only share a header that carries no time stamp.
target_compile_options(DsPrecompiled PRIVATE $<$<CXX_COMPILER_ID:Clang>:SHELL:-Xclang -fno-pch-timestamp>)
