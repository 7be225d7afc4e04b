# The reference of dialects and passes, written by mlir-tblgen into docs/ of the build folder from the same files that the
# code is made of: it cannot be older than the compiler. Part of `all`.
function(ds_docs page td)
  set(out ${CMAKE_BINARY_DIR}/docs/${page}.md)
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/docs)
  add_custom_command(OUTPUT ${out}
    COMMAND mlir-tblgen ${ARGN} -I ${MLIR_INCLUDE_DIRS} -I ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/${td} -o ${out}
            -d ${out}.d
    DEPFILE ${out}.d
    DEPENDS ${PROJECT_SOURCE_DIR}/${td}
    COMMENT "docs/${page}.md")
  add_custom_target(docs-${page} ALL DEPENDS ${out})
endfunction()

ds_docs(dialect-ds dialects/ds/IR/DsOps.td -gen-dialect-doc -dialect=ds)
ds_docs(dialect-onnx dialects/onnx/IR/OnnxOps.td -gen-dialect-doc -dialect=onnx)

# One page per list of passes: passes/Passes.td → passes, lowering/DsToLinalg/Passes.td → passes-DsToLinalg.
file(GLOB_RECURSE pass_lists RELATIVE ${PROJECT_SOURCE_DIR} CONFIGURE_DEPENDS
  ${PROJECT_SOURCE_DIR}/passes/Passes.td ${PROJECT_SOURCE_DIR}/lowering/*/Passes.td)
foreach(td ${pass_lists})
  cmake_path(GET td PARENT_PATH folder)
  cmake_path(GET folder FILENAME step)
  if(step STREQUAL "passes")
    ds_docs(passes ${td} -gen-pass-doc)
  else()
    ds_docs(passes-${step} ${td} -gen-pass-doc)
  endif()
endforeach()
