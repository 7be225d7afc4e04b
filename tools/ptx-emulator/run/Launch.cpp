//===- Launch.cpp - a kernel run from the command line --------------------===//
#include "tools/ptx-emulator/run/Launch.h"
#include "tools/ptx-emulator/exec/LoadedModule.h"
#include "tools/ptx-emulator/mem/TensorMap.h"
#include "tools/ptx-emulator/ptx/Lexer.h"
#include "tools/ptx-emulator/run/Arguments.h"

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

namespace ptx {

std::string readText(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::string text;
  char block[65536];
  while (file.read(block, sizeof block) || file.gcount() > 0)
    text.append(block, size_t(file.gcount()));
  if (!file.is_open() || file.bad())
    throw std::runtime_error("cannot read '" + path +
                             "': " + std::strerror(errno));
  return text;
}

static const Function &entryOf(const Module &module, const std::string &name) {
  std::string entries;
  const Function *found = nullptr;
  size_t count = 0;
  for (const Function &each : module.functions) {
    if (!each.isEntry || !each.hasBody)
      continue;
    entries += (count++ ? ", " : "") + each.name;
    if (name.empty() || name == each.name)
      found = &each;
  }
  if (name.empty() && count > 1)
    throw std::runtime_error("--entry: the file has " + std::to_string(count) +
                             " entries: " + entries);
  if (!found)
    throw std::runtime_error(name.empty() ? "the file has no entry"
                                          : "no entry '" + name +
                                                "', the file has: " + entries);
  return *found;
}

namespace {
struct Dump {
  size_t argument;
  std::string path; // empty: to the standard output
};
} // namespace

static Dump parseDump(const std::string &text,
                      const std::vector<Argument> &arguments) {
  size_t equals = text.find('=');
  Dump dump = {0, equals == std::string::npos ? "" : text.substr(equals + 1)};
  const char *end = text.data() + std::min(equals, text.size());
  auto [at, error] = std::from_chars(text.data(), end, dump.argument);
  if (error != std::errc() || at != end)
    throw std::runtime_error("--dump " + text +
                             ": expected the number of an argument, from 0");
  if (dump.argument >= arguments.size() || !arguments[dump.argument].isBuffer)
    throw std::runtime_error("--dump " + text + ": that argument is no buffer");
  return dump;
}

static void write(const Dump &dump, const Argument &argument,
                  const Allocation &allocation) {
  if (!dump.path.empty()) {
    std::ofstream file(dump.path, std::ios::binary);
    file.write(reinterpret_cast<const char *>(allocation.data),
               std::streamsize(allocation.size));
    file.close();
    if (!file)
      throw std::runtime_error("cannot write '" + dump.path + "'");
    return;
  }
  std::printf("argument %zu: %s[%llu]\n", dump.argument,
              std::string(nameOf(argument.type)).c_str(),
              static_cast<unsigned long long>(argument.count));
  unsigned width = bitsOf(argument.type) / 8;
  for (uint64_t i = 0; i < argument.count; ++i) {
    const uint8_t *bytes = allocation.data + i * width;
    bool isDefined =
        !std::memchr(allocation.defined + i * width, neverWritten, width);
    if (i % 8 == 0)
      std::printf("%s%llu:", i ? "\n" : "", static_cast<unsigned long long>(i));
    std::printf(" %s",
                isDefined ? elementText(argument.type, bytes).c_str() : "?");
  }
  std::printf("\n");
}

/// The 128 bytes of a map.
static std::vector<uint8_t>
encode(const TensorArgument &tensor,
       const std::vector<const Allocation *> &buffers) {
  if (tensor.buffer >= buffers.size() || !buffers[tensor.buffer])
    throw std::runtime_error("argument " + std::to_string(tensor.buffer) +
                             " is no buffer before this one");
  std::vector<uint64_t> strides = tensor.strides;
  uint64_t next = tensorElementBytes(tensor.type);
  for (size_t i = 0; tensor.strides.empty() && i + 1 < tensor.dims.size(); ++i)
    strides.push_back(next *= tensor.dims[i]);
  TensorMap map;
  TensorMapRefusal refusal = encodeTensorMap(
      {tensor.type, unsigned(tensor.dims.size()), buffers[tensor.buffer]->base,
       tensor.dims.data(), strides.data(), tensor.box.data(),
       tensor.elementStrides.data(), 0, tensor.swizzle, 0, tensor.fill},
      map);
  if (!refusal.why.empty())
    throw std::runtime_error(refusal.why);
  std::vector<uint8_t> bytes(sizeof map);
  std::memcpy(bytes.data(), &map, sizeof map);
  return bytes;
}

void launch(const LaunchRequest &request) {
  std::vector<Argument> arguments;
  for (const std::string &each : request.arguments) {
    try {
      arguments.push_back(parseArgument(each));
    } catch (const std::runtime_error &error) {
      throw std::runtime_error("--arg " + each + ": " + error.what());
    }
  }
  std::vector<Dump> dumps;
  for (const std::string &each : request.dumps)
    dumps.push_back(parseDump(each, arguments));

  DeviceMemory memory(request.options.seed);
  std::string source = readText(request.file);
  const Kernel *kernel = nullptr;
  std::unique_ptr<LoadedModule> module;
  try {
    module = std::make_unique<LoadedModule>(source, memory);
    kernel = module->kernel(entryOf(module->module(), request.entry).name);
  } catch (const Error &error) {
    throw std::runtime_error(request.file + ": " + error.what());
  }

  const std::vector<Variable> &parameters = kernel->entry->parameters;
  if (parameters.size() != arguments.size())
    throw std::runtime_error("entry '" + kernel->entry->name + "' takes " +
                             std::to_string(parameters.size()) +
                             " arguments, --arg gives " +
                             std::to_string(arguments.size()));
  std::vector<uint8_t> bytes(kernel->parameterBytes);
  std::vector<const Allocation *> buffers(arguments.size());
  for (size_t i = 0; i < arguments.size(); ++i) {
    const Argument &each = arguments[i];
    uint64_t width = bitsOf(each.type) / 8;
    std::vector<uint8_t> value = each.bytes;
    if (each.tensor) {
      try {
        value = encode(*each.tensor, buffers);
      } catch (const std::runtime_error &error) {
        throw std::runtime_error("--arg " + request.arguments[i] + ": " +
                                 error.what());
      }
    }
    if (each.isBuffer) {
      Allocation &buffer =
          memory.allocate(each.count * width, "argument " + std::to_string(i));
      buffers[i] = &buffer;
      if (!each.bytes.empty()) {
        std::memcpy(buffer.data, each.bytes.data(), each.bytes.size());
        std::memset(buffer.defined, written, each.bytes.size());
      }
      value.resize(sizeof buffer.base);
      std::memcpy(value.data(), &buffer.base, sizeof buffer.base);
    }
    if (value.size() != parameters[i].size())
      throw std::runtime_error("--arg " + request.arguments[i] +
                               ": parameter '" + parameters[i].name + "' has " +
                               std::to_string(parameters[i].size()) +
                               " bytes, not " + std::to_string(value.size()));
    std::memcpy(&bytes[kernel->parameterOffsets[i]], value.data(),
                value.size());
  }

  LaunchShape shape = request.shape;
  shape.cluster = clusterOf(*kernel->entry, shape);
  shape.allowsLargeClusters = true;
  DeviceLimits limits = limitsOf(kernel->module->architecture >= 90 ? 90 : 80);
  if (Refusal refusal = refusalOf(*kernel, shape, limits))
    throw std::runtime_error(refusal.why);
  Grid(*kernel, shape, bytes, memory, limits, request.options).run();
  for (const Dump &each : dumps)
    write(each, arguments[each.argument], *buffers[each.argument]);
}

} // namespace ptx
