//===- Launch.cpp - a kernel run from the command line --------------------===//
#include "tools/ptx-emulator/run/Launch.h"
#include "tools/ptx-emulator/exec/LoadedModule.h"
#include "tools/ptx-emulator/mem/TensorMap.h"
#include "tools/ptx-emulator/ptx/Lexer.h"
#include "tools/ptx-emulator/run/Arguments.h"

#include <cerrno>
#include <charconv>
#include <chrono>
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
/// An argument or an extra buffer, and where a buffer is.
struct Value {
  Argument argument;
  const Allocation *allocation = nullptr;
};
struct Dump {
  bool isExtra = false;
  size_t number = 0;
  std::string path; // empty: to the standard output
};
} // namespace

static Dump parseDump(const std::string &text,
                      const std::vector<Value> &arguments,
                      const std::vector<Value> &extra) {
  size_t equals = text.find('=');
  Dump dump;
  if (equals != std::string::npos)
    dump.path = text.substr(equals + 1);
  dump.isExtra = text.starts_with('b');
  const char *end = text.data() + std::min(equals, text.size());
  auto [at, error] =
      std::from_chars(text.data() + dump.isExtra, end, dump.number);
  if (error != std::errc() || at != end)
    throw std::runtime_error("--dump " + text +
                             ": expected the number of an argument, from 0, or "
                             "b and that of an extra buffer");
  const std::vector<Value> &list = dump.isExtra ? extra : arguments;
  if (dump.number >= list.size() || !list[dump.number].argument.isBuffer)
    throw std::runtime_error("--dump " + text + ": that is no buffer");
  return dump;
}

static void write(const Dump &dump, const Value &value) {
  const Argument &argument = value.argument;
  const Allocation &allocation = *value.allocation;
  if (!dump.path.empty()) {
    std::ofstream file(dump.path, std::ios::binary);
    file.write(reinterpret_cast<const char *>(allocation.data),
               std::streamsize(allocation.size));
    file.close();
    if (!file)
      throw std::runtime_error("cannot write '" + dump.path + "'");
    return;
  }
  std::printf("%s %zu: %s[%llu]\n", dump.isExtra ? "buffer" : "argument",
              dump.number, std::string(nameOf(argument.type)).c_str(),
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
static std::vector<uint8_t> encode(const TensorArgument &tensor,
                                   const std::vector<Value> &buffers) {
  if (tensor.buffer >= buffers.size() || !buffers[tensor.buffer].allocation)
    throw std::runtime_error("there is no buffer " +
                             std::to_string(tensor.buffer));
  std::vector<uint64_t> strides = tensor.strides;
  uint64_t next = tensorElementBytes(tensor.type);
  for (size_t i = 0; tensor.strides.empty() && i + 1 < tensor.dims.size(); ++i)
    strides.push_back(next *= tensor.dims[i]);
  TensorMap map;
  TensorMapRefusal refusal = encodeTensorMap(
      {tensor.type, unsigned(tensor.dims.size()),
       buffers[tensor.buffer].allocation->base, tensor.dims.data(),
       strides.data(), tensor.box.data(), tensor.elementStrides.data(), 0,
       tensor.swizzle, 0, tensor.fill},
      map);
  if (!refusal.why.empty())
    throw std::runtime_error(refusal.why);
  std::vector<uint8_t> bytes(sizeof map);
  std::memcpy(bytes.data(), &map, sizeof map);
  return bytes;
}

static std::vector<Value> parseAll(const std::vector<std::string> &texts,
                                   const char *option) {
  std::vector<Value> values;
  for (const std::string &each : texts) {
    try {
      values.push_back({parseArgument(each)});
    } catch (const std::runtime_error &error) {
      throw std::runtime_error(std::string(option) + " " + each + ": " +
                               error.what());
    }
  }
  return values;
}

/// Allocates the buffers among them.
static void allocate(std::vector<Value> &values, const std::string &name,
                     DeviceMemory &memory) {
  for (size_t i = 0; i < values.size(); ++i) {
    const Argument &each = values[i].argument;
    if (!each.isBuffer)
      continue;
    Allocation &buffer = memory.allocate(each.count * bitsOf(each.type) / 8,
                                         name + " " + std::to_string(i));
    values[i].allocation = &buffer;
    if (!each.bytes.empty()) {
      std::memcpy(buffer.data, each.bytes.data(), each.bytes.size());
      std::memset(buffer.defined, written, each.bytes.size());
    }
  }
}

/// The bytes of an argument.
static std::vector<uint8_t> bytesOf(const Value &value,
                                    const std::vector<Value> &arguments,
                                    const std::vector<Value> &extra) {
  const Argument &argument = value.argument;
  if (argument.tensor)
    return encode(*argument.tensor,
                  argument.tensor->isExtra ? extra : arguments);
  if (!argument.isBuffer)
    return argument.bytes;
  std::vector<uint8_t> bytes(sizeof value.allocation->base);
  std::memcpy(bytes.data(), &value.allocation->base, bytes.size());
  return bytes;
}

void launch(const LaunchRequest &request) {
  std::vector<Value> arguments = parseAll(request.arguments, "--arg");
  std::vector<Value> extra = parseAll(request.buffers, "--buffer");
  for (size_t i = 0; i < extra.size(); ++i)
    if (!extra[i].argument.isBuffer)
      throw std::runtime_error("--buffer " + request.buffers[i] +
                               ": that is no buffer");
  std::vector<Dump> dumps;
  for (const std::string &each : request.dumps)
    dumps.push_back(parseDump(each, arguments, extra));

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
  allocate(arguments, "argument", memory);
  allocate(extra, "buffer", memory);
  for (size_t i = 0; i < arguments.size(); ++i) {
    std::string prefix = "--arg " + request.arguments[i] + ": ";
    std::vector<uint8_t> value;
    try {
      value = bytesOf(arguments[i], arguments, extra);
    } catch (const std::runtime_error &error) {
      throw std::runtime_error(prefix + error.what());
    }
    if (value.size() != parameters[i].size())
      throw std::runtime_error(prefix + "parameter '" + parameters[i].name +
                               "' has " + std::to_string(parameters[i].size()) +
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
  Grid grid(*kernel, shape, bytes, memory, limits, request.options);
  auto start = std::chrono::steady_clock::now();
  grid.run();
  std::chrono::duration<double> seconds =
      std::chrono::steady_clock::now() - start;
  if (request.printsSpeed)
    std::fprintf(stderr,
                 "%.3f million instructions of warps, %.1f million of lanes in "
                 "%.3f s: %.1f million of lanes a second\n",
                 double(grid.executed) / 1e6, double(grid.lanesExecuted) / 1e6,
                 seconds.count(),
                 double(grid.lanesExecuted) / 1e6 / seconds.count());
  for (const Dump &each : dumps)
    write(each, (each.isExtra ? extra : arguments)[each.number]);
}

} // namespace ptx
