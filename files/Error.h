//===- Error.h - what reading and writing files throws --------------------===//
//
// One line that says what was wrong and where. It leaves neither the runtime,
// whose C ABI turns it into a status, nor the compiler's readers, which turn it
// into a diagnostic.
//
//===----------------------------------------------------------------------===//
#ifndef FILES_ERROR_H
#define FILES_ERROR_H

#include <stdexcept>
#include <string>
#include <string_view>

namespace files {

/// A name for a message: in quotes, cut where it is long, control characters
/// as '?'. Hostile names may be megabytes of anything.
std::string shown(std::string_view name);

enum class Fault {
  File,     // the system refused to open, map, read or write
  Format,   // the content is not what its format says
  Argument, // the caller's mistake
};

class Error : public std::runtime_error {
public:
  Error(Fault fault, const std::string &message)
      : std::runtime_error(message), kind(fault) {}
  Fault fault() const { return kind; }

private:
  Fault kind;
};

} // namespace files

#endif // FILES_ERROR_H
