//===- Error.h - what the runtime throws inside ---------------------------===//
//
// Inside the library a failure is an exception that carries the status the C
// API returns and one line saying what was wrong and where. None crosses the
// C boundary (CApi.cpp catches them all).
//
//===----------------------------------------------------------------------===//
#ifndef DS_RUNTIME_SRC_ERROR_H
#define DS_RUNTIME_SRC_ERROR_H

#include "ds/ds_runtime.h"

#include <stdexcept>
#include <string>

namespace dsrt {

class Error : public std::runtime_error {
public:
  Error(ds_result result, const std::string &message)
      : std::runtime_error(message), code(result) {}
  ds_result result() const { return code; }

private:
  ds_result code;
};

} // namespace dsrt

#endif // DS_RUNTIME_SRC_ERROR_H
