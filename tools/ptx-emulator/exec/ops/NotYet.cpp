//===- NotYet.cpp - instructions that are read but not executed -----------===//
//
// A kernel with one of them is refused when it is decoded.
//
//===----------------------------------------------------------------------===//
#include "tools/ptx-emulator/exec/Selection.h"

namespace ptx {

#define NOT_YET(opcode)                                                        \
  Selection select_##opcode(const Modifiers &) { return {}; }

NOT_YET(griddepcontrol)
NOT_YET(setmaxnreg)

#undef NOT_YET

} // namespace ptx
