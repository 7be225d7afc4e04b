//===- WeightsFile.cpp - parameters to NAME.weights.safetensors -----------===//
//
// The file is mapped and every parameter is written straight to its place:
// copied from its source, or computed there by the parameter program. Pages
// are let go as soon as a parameter is done, so memory does not grow with the
// model. Tensors start at multiples of 64 bytes of the file.
//
//===----------------------------------------------------------------------===//
#include "dialects/ds/IR/DsDialect.h"
#include "lowering/Link/ParameterBytes.h"
#include "lowering/Link/ParameterProgram.h"
#include "mlir/IR/Diagnostics.h"
#include "runtime/include/ds/model_abi.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

using namespace mlir;
using namespace mlir::ds;

static const char *typeName(uint32_t type) {
  switch (type) {
  case DS_TYPE_F32:
    return "F32";
  case DS_TYPE_F64:
    return "F64";
  case DS_TYPE_F16:
    return "F16";
  case DS_TYPE_BF16:
    return "BF16";
  case DS_TYPE_I16:
    return "I16";
  case DS_TYPE_I32:
    return "I32";
  case DS_TYPE_I64:
    return "I64";
  case DS_TYPE_U16:
    return "U16";
  case DS_TYPE_U32:
    return "U32";
  case DS_TYPE_U64:
    return "U64";
  case DS_TYPE_BOOL:
    return "BOOL";
  case DS_TYPE_F8_E4M3:
    return "F8_E4M3";
  case DS_TYPE_F8_E5M2:
    return "F8_E5M2";
  case DS_TYPE_I8:
    return "I8";
  default:
    return "U8";
  }
}

/// Sets the parameters' offsets and returns the file's first bytes: the length
/// of the header and the header, padded so that the data starts at a multiple
/// of 64.
static std::string layOut(std::vector<EntryParameter> &parameters,
                          uint64_t &fileBytes) {
  // The header's length depends on offsets; offsets count from its end.
  llvm::json::Object header;
  uint64_t offset = 0;
  for (EntryParameter &parameter : parameters) {
    offset = llvm::alignTo(offset, 64);
    parameter.offset = offset;
    llvm::json::Array shape;
    for (int64_t size : parameter.value.dims)
      shape.push_back(size);
    header[parameter.value.name] = llvm::json::Object{
        {"dtype", typeName(parameter.value.type)},
        {"shape", std::move(shape)},
        {"data_offsets", llvm::json::Array{int64_t(offset),
                                           int64_t(offset + parameter.bytes)}}};
    offset += parameter.bytes;
  }
  std::string text(8, 0);
  llvm::raw_string_ostream(text) << llvm::json::Value(std::move(header));
  text.resize(llvm::alignTo(text.size(), 64), ' ');
  uint64_t length = text.size() - 8;
  std::memcpy(text.data(), &length, 8);
  for (EntryParameter &parameter : parameters)
    parameter.offset += text.size();
  fileBytes = text.size() + offset;
  return text;
}

namespace {

/// A new file of known size, mapped for writing. Its space is reserved at
/// once: a full disk is an error here, not a signal at the first write.
class MappedOutput {
public:
  LogicalResult open(Location loc, const std::string &path, uint64_t size) {
    auto fail = [&](int reason) {
      return emitError(loc)
             << "cannot write '" << path << "': " << std::strerror(reason)
             << " (it takes " << size << " bytes)";
    };
    file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0)
      return fail(errno);
    if (int reason = ::posix_fallocate(file, 0, off_t(size)))
      return fail(reason);
    void *start =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (start == MAP_FAILED)
      return fail(errno);
    bytes = {static_cast<char *>(start), size};
    return success();
  }
  ~MappedOutput() {
    if (!bytes.empty())
      ::munmap(bytes.data(), bytes.size());
    if (file >= 0)
      ::close(file);
  }

  char *at(uint64_t offset) { return bytes.data() + offset; }

  /// Lets go of the pages before `end`; what they hold is the file's.
  void releaseBefore(uint64_t end) {
    uint64_t page = uint64_t(::sysconf(_SC_PAGESIZE)),
             stop = llvm::alignDown(end, page);
    if (stop > released)
      ::madvise(at(released), stop - released, MADV_DONTNEED);
    released = std::max(released, stop);
  }

private:
  int file = -1;
  MutableArrayRef<char> bytes;
  uint64_t released = 0;
};

/// One line on a terminal that waits for more than a second.
class Progress {
public:
  explicit Progress(uint64_t total) : total(total) {}
  ~Progress() {
    if (shown)
      llvm::errs() << "\r\033[K";
  }
  void advance(uint64_t bytes) {
    done += bytes;
    auto now = std::chrono::steady_clock::now();
    if (!isTerminal || now < next)
      return;
    next = now + std::chrono::milliseconds(100);
    shown = true;
    llvm::errs() << "\rwriting weights: " << (done >> 20) << " of "
                 << (total >> 20) << " MB";
  }

private:
  uint64_t total, done = 0;
  bool isTerminal = ::isatty(STDERR_FILENO), shown = false;
  std::chrono::steady_clock::time_point next =
      std::chrono::steady_clock::now() + std::chrono::seconds(1);
};

} // namespace

LogicalResult mlir::ds::writeWeights(Location loc,
                                     ModelDescription &description,
                                     const ParameterProgram *program,
                                     const std::string &path,
                                     uint64_t &fileBytes) {
  std::string header = layOut(description.parameters, fileBytes);
  MappedOutput out;
  if (failed(out.open(loc, path, fileBytes)))
    return failure();
  std::memcpy(out.at(0), header.data(), header.size());
  Progress progress(fileBytes);
  for (EntryParameter &parameter : description.parameters) {
    char *to = out.at(parameter.offset);
    bool isComputed = isa<ComputedAttr>(parameter.source);
    if (isComputed && !program)
      return emitError(loc) << "parameter '" << parameter.value.name
                            << "' is computed, but there is no program";
    if (failed(isComputed ? program->compute(loc, parameter, to)
                          : copyParameter(loc, parameter, to)))
      return failure();
    parameter.checksum = XXH3_64bits(to, parameter.bytes);
    out.releaseBefore(parameter.offset + parameter.bytes);
    progress.advance(parameter.bytes);
  }
  return success();
}
