//===- Cpu.h - what this processor can run --------------------------------===//
#ifndef DS_RUNTIME_SRC_CPU_H
#define DS_RUNTIME_SRC_CPU_H

#include <string>
#include <string_view>

namespace dsrt {

/// Of a comma-separated list of features spelled as in /proc/cpuinfo, those
/// this processor and its operating system lack, again comma separated; "" if
/// it has all. A name this function does not know counts as lacking: better no
/// code than an illegal instruction.
std::string missingCpuFeatures(std::string_view features);

} // namespace dsrt

#endif // DS_RUNTIME_SRC_CPU_H
