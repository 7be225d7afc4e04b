# Warnings are errors. Foreign headers come in by -isystem, so these flags judge only our own code.
add_library(ds_warnings INTERFACE)
target_compile_options(ds_warnings INTERFACE
  -Wall -Wextra -Werror -Wno-unused-parameter
  $<$<CXX_COMPILER_ID:Clang>:-Wimplicit-fallthrough>)

if(DS_SANITIZE)
  # vptr needs RTTI of every class it meets; LLVM's anonymous classes do not export theirs. function reads a signature in front of what is
  # called, which code that ds-compile made has not: where it starts a page that read is a fault.
  add_compile_options(-fsanitize=address,undefined -fno-sanitize=vptr,function -fno-sanitize-recover=undefined
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()
