//===- Error.cpp - names in messages --------------------------------------===//

#include "Error.h"

std::string files::shown(std::string_view name) {
  std::string text(name.substr(0, 200));
  for (char &c : text)
    if (static_cast<unsigned char>(c) < ' ')
      c = '?';
  return "'" + text + "'";
}
