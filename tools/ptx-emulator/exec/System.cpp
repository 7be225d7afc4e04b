//===- System.cpp - functions of the device's system ----------------------===//
#include "tools/ptx-emulator/exec/System.h"
#include "tools/ptx-emulator/exec/Access.h"
#include "tools/ptx-emulator/exec/Block.h"

#include <cstdio>

namespace ptx {

/// Longer texts are a pointer that points to none.
static constexpr size_t longestText = 1 << 16;

template <class T>
static T readGeneric(Warp &warp, uint64_t address, unsigned lane) {
  Cell cell = locate(warp, Space::Generic, address, sizeof(T), lane, reading);
  checkDefined(warp, cell, address, sizeof(T), lane);
  T value;
  std::memcpy(&value, cell.bytes, sizeof value);
  return value;
}

static std::string readText(Warp &warp, uint64_t address, unsigned lane) {
  std::string text;
  while (text.size() < longestText) {
    char each = char(readGeneric<uint8_t>(warp, address++, lane));
    if (!each)
      return text;
    text += each;
  }
  throw Fault(FaultKind::IllegalAddress,
              "a text of more than " + std::to_string(longestText) + " bytes",
              int(lane));
}

/// Argument of a call, in the frame of the caller.
template <class T>
static T argument(Warp &warp, const Step &step, size_t number, unsigned lane) {
  const CallSite &site = warp.kernel.calls[step.target];
  if (number >= site.arguments.size() ||
      site.arguments[number].bytes != sizeof(T))
    throw Fault(FaultKind::IllegalInstruction,
                "a function of the system is called with other arguments");
  T value;
  std::memcpy(&value,
              warp.local(lane).bytes.data() + warp.current().frame->local +
                  site.arguments[number].from,
              sizeof value);
  return value;
}

//===-- vprintf -----------------------------------------------------------===//

namespace {
/// Formats one call of a lane: what printf of C does, whose arguments lie in
/// memory, each at its natural alignment.
class Formatter {
public:
  Formatter(Warp &warp, unsigned lane, uint64_t arguments)
      : warp(warp), lane(lane), next(arguments) {}

  std::string format(const std::string &text) {
    std::string result;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '%')
        result += text[i];
      else if (i + 1 < text.size() && text[i + 1] == '%')
        result += text[++i];
      else
        result += directive(text, i);
    }
    return result;
  }
  int count() const { return taken; }

private:
  template <class T> T take() {
    next = (next + sizeof(T) - 1) / sizeof(T) * sizeof(T);
    T value = readGeneric<T>(warp, next, lane);
    next += sizeof(T);
    ++taken;
    return value;
  }

  template <class... T> static std::string printed(const char *spec, T... in) {
    char text[512];
    std::snprintf(text, sizeof text, spec, in...);
    return text;
  }

  /// One from its % on; leaves `i` at its last character.
  std::string directive(const std::string &text, size_t &i) {
    std::string spec = "%";
    bool isLong = false;
    for (++i; i < text.size(); ++i) {
      char each = text[i];
      if (each == '*') {
        spec += std::to_string(take<int32_t>());
      } else if (std::string_view("-+ #0123456789.").find(each) !=
                 std::string_view::npos) {
        spec += each;
      } else if (each == 'l' || each == 'z' || each == 'j' || each == 't') {
        isLong = true;
      } else if (each != 'h') {
        break;
      }
    }
    if (i == text.size() || spec.size() > 32)
      return spec;
    char kind = text[i];
    switch (kind) {
    case 'd':
    case 'i':
      return isLong ? printed((spec + "lld").c_str(),
                              static_cast<long long>(take<int64_t>()))
                    : printed((spec + "d").c_str(), take<int32_t>());
    case 'u':
    case 'x':
    case 'X':
    case 'o':
      return isLong ? printed((spec + "ll" + kind).c_str(),
                              static_cast<unsigned long long>(take<uint64_t>()))
                    : printed((spec + kind).c_str(), take<uint32_t>());
    case 'c':
      return printed((spec + "c").c_str(), int(take<int32_t>()));
    case 's':
      return printed((spec + "s").c_str(),
                     readText(warp, take<uint64_t>(), lane).c_str());
    case 'p':
      return printed("0x%llx",
                     static_cast<unsigned long long>(take<uint64_t>()));
    case 'f':
    case 'F':
    case 'e':
    case 'E':
    case 'g':
    case 'G':
    case 'a':
    case 'A':
      return printed((spec + kind).c_str(), take<double>());
    default:
      return spec + kind;
    }
  }

  Warp &warp;
  unsigned lane;
  uint64_t next;
  int taken = 0;
};
} // namespace

static void print(Warp &warp, const Step &step) {
  const CallSite &site = warp.kernel.calls[step.target];
  forLanes(warp.active, [&](unsigned lane) {
    uint64_t text = argument<uint64_t>(warp, step, 0, lane);
    uint64_t arguments = argument<uint64_t>(warp, step, 1, lane);
    Formatter formatter(warp, lane, arguments);
    std::string line = formatter.format(readText(warp, text, lane));
    const Options &options = warp.block.grid.options;
    if (options.print)
      options.print(line);
    int32_t count = formatter.count();
    if (site.results.size() == 1 && site.results[0].bytes == sizeof count) {
      uint64_t place = warp.current().frame->local + site.results[0].to;
      Warp::Local &local = warp.local(lane);
      std::memcpy(local.bytes.data() + place, &count, sizeof count);
      std::memset(local.defined.data() + place, written, sizeof count);
    }
  });
}

/// __assertfail(message, file, line, function, size of a character).
static void failAssertion(Warp &warp, const Step &step) {
  unsigned lane = unsigned(std::countr_zero(warp.active));
  std::string message =
      readText(warp, argument<uint64_t>(warp, step, 0, lane), lane);
  std::string file =
      readText(warp, argument<uint64_t>(warp, step, 1, lane), lane);
  uint32_t line = argument<uint32_t>(warp, step, 2, lane);
  throw Fault(FaultKind::Assertion, "assertion failed: " + message, int(lane))
      .with("at " + file + ":" + std::to_string(line));
}

Handler systemFunction(std::string_view name) {
  if (name == "vprintf")
    return &print;
  if (name == "__assertfail")
    return &failAssertion;
  return nullptr;
}

} // namespace ptx
