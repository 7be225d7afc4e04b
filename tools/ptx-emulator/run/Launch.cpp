//===- Launch.cpp - a kernel run from the command line --------------------===//
#include "tools/ptx-emulator/run/Launch.h"
#include "tools/ptx-emulator/mem/TensorMap.h"
#include "tools/ptx-emulator/ptx/Lexer.h"
#include "tools/ptx-emulator/ptx/Parser.h"
#include "tools/ptx-emulator/run/Arguments.h"
#include "tools/ptx-emulator/run/Machine.h"

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
/// An argument or an extra buffer, and where a buffer is.
struct Value {
  Argument argument;
  uint64_t address = 0;
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

static uint64_t bytesOf(const Argument &buffer) {
  return buffer.count * (bitsOf(buffer.type) / 8);
}

static void write(const Dump &dump, const Argument &argument,
                  const Contents &contents) {
  if (!dump.path.empty()) {
    std::ofstream file(dump.path, std::ios::binary);
    file.write(reinterpret_cast<const char *>(contents.bytes.data()),
               std::streamsize(contents.bytes.size()));
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
    const uint8_t *bytes = &contents.bytes[i * width];
    bool isDefined =
        contents.defined.empty() ||
        !std::memchr(&contents.defined[i * width], neverWritten, width);
    if (i % 8 == 0)
      std::printf("%s%llu:", i ? "\n" : "", static_cast<unsigned long long>(i));
    std::printf(" %s",
                isDefined ? elementText(argument.type, bytes).c_str() : "?");
  }
  std::printf("\n");
}

/// The 128 bytes of a map.
static std::vector<uint8_t> encode(Machine &machine,
                                   const TensorArgument &tensor,
                                   const std::vector<Value> &buffers) {
  if (tensor.buffer >= buffers.size() || !buffers[tensor.buffer].address)
    throw std::runtime_error("there is no buffer " +
                             std::to_string(tensor.buffer));
  std::vector<uint64_t> strides = tensor.strides;
  uint64_t next = tensorElementBytes(tensor.type);
  for (size_t i = 0; tensor.strides.empty() && i + 1 < tensor.dims.size(); ++i)
    strides.push_back(next *= tensor.dims[i]);
  return machine.encode({tensor.type, unsigned(tensor.dims.size()),
                         buffers[tensor.buffer].address, tensor.dims.data(),
                         strides.data(), tensor.box.data(),
                         tensor.elementStrides.data(), 0, tensor.swizzle, 0,
                         tensor.fill});
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
                     Machine &machine) {
  for (size_t i = 0; i < values.size(); ++i) {
    const Argument &each = values[i].argument;
    if (!each.isBuffer)
      continue;
    values[i].address =
        machine.allocate(bytesOf(each), name + " " + std::to_string(i));
    if (!each.bytes.empty())
      machine.write(values[i].address, each.bytes);
  }
}

/// The bytes of an argument.
static std::vector<uint8_t> bytesOf(Machine &machine, const Value &value,
                                    const std::vector<Value> &arguments,
                                    const std::vector<Value> &extra) {
  const Argument &argument = value.argument;
  if (argument.tensor)
    return encode(machine, *argument.tensor,
                  argument.tensor->isExtra ? extra : arguments);
  if (!argument.isBuffer)
    return argument.bytes;
  std::vector<uint8_t> bytes(sizeof value.address);
  std::memcpy(bytes.data(), &value.address, bytes.size());
  return bytes;
}

/// The module's text on what it is to run on.
static std::unique_ptr<Machine> machineFor(const LaunchRequest &request,
                                           const std::string &source,
                                           const Module &module,
                                           const Function &entry) {
  if (request.driver.empty())
    return emulate(source, entry.name, request.options, request.printsSpeed);
  if (request.printsSpeed)
    throw std::runtime_error("--speed: a driver does not count instructions");
  return openDriver(request.driver, source, module, entry.name,
                    request.options);
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

  std::string source = readText(request.file);
  Module module;
  const Function *entry = nullptr;
  std::unique_ptr<Machine> machine;
  try {
    module = parseModule(source);
    entry = &entryOf(module, request.entry);
    machine = machineFor(request, source, module, *entry);
  } catch (const Error &error) {
    throw std::runtime_error(request.file + ": " + error.what());
  }

  const std::vector<Variable> &parameters = entry->parameters;
  if (parameters.size() != arguments.size())
    throw std::runtime_error("entry '" + entry->name + "' takes " +
                             std::to_string(parameters.size()) +
                             " arguments, --arg gives " +
                             std::to_string(arguments.size()));
  allocate(arguments, "argument", *machine);
  allocate(extra, "buffer", *machine);
  std::vector<std::vector<uint8_t>> values(arguments.size());
  for (size_t i = 0; i < arguments.size(); ++i) {
    std::string prefix = "--arg " + request.arguments[i] + ": ";
    try {
      values[i] = bytesOf(*machine, arguments[i], arguments, extra);
    } catch (const std::runtime_error &error) {
      throw std::runtime_error(prefix + error.what());
    }
    if (values[i].size() != parameters[i].size())
      throw std::runtime_error(prefix + "parameter '" + parameters[i].name +
                               "' has " + std::to_string(parameters[i].size()) +
                               " bytes, not " +
                               std::to_string(values[i].size()));
  }

  LaunchShape shape = request.shape;
  shape.cluster = clusterOf(*entry, shape);
  shape.allowsLargeClusters = true;
  machine->launch(shape, values);
  for (const Dump &each : dumps) {
    const Value &value = (each.isExtra ? extra : arguments)[each.number];
    write(each, value.argument,
          machine->read(value.address, bytesOf(value.argument)));
  }
}

} // namespace ptx
