//===- Handles.h - what callers name objects by ---------------*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_API_HANDLES_H
#define TOOLS_PTX_EMULATOR_API_HANDLES_H

#include "tools/ptx-emulator/api/Types.h"

#include <map>
#include <memory>
#include <string>

namespace cuda {

/// Thrown by a call that cannot be made: what it returns, and why.
struct Failure {
  CUresult result;
  /// Empty: the code alone says it, and is no mistake of the caller.
  std::string why;
};

/// A number that no other handle of the process ever was or will be, and where
/// there is no memory.
uintptr_t newHandleNumber();

/// Objects of one kind by their handles. A handle is looked up and never
/// followed, so that any number may come as one.
template <class T, class Handle> class Registry {
public:
  explicit Registry(const char *kind) : kind(kind) {}

  Handle add(std::shared_ptr<T> object) {
    uintptr_t number = newHandleNumber();
    objects[number] = std::move(object);
    return reinterpret_cast<Handle>(number);
  }
  /// Null: there is none, or it was removed.
  std::shared_ptr<T> find(Handle handle) const {
    auto found = objects.find(reinterpret_cast<uintptr_t>(handle));
    return found == objects.end() ? nullptr : found->second;
  }
  /// Throws Failure.
  std::shared_ptr<T> get(Handle handle) const {
    if (std::shared_ptr<T> object = find(handle))
      return object;
    throw Failure{CUDA_ERROR_INVALID_HANDLE,
                  std::string("there is no ") + kind + " of that handle"};
  }
  std::shared_ptr<T> remove(Handle handle) {
    std::shared_ptr<T> object = get(handle);
    objects.erase(reinterpret_cast<uintptr_t>(handle));
    return object;
  }
  template <class Predicate> void removeIf(Predicate predicate) {
    std::erase_if(objects,
                  [&](const auto &each) { return predicate(*each.second); });
  }
  template <class Function> void forEach(Function function) const {
    for (const auto &[number, object] : objects)
      function(object);
  }
  size_t size() const { return objects.size(); }

private:
  const char *kind;
  /// In the order in which they were made: runs repeat.
  std::map<uintptr_t, std::shared_ptr<T>> objects;
};

} // namespace cuda

#endif // TOOLS_PTX_EMULATOR_API_HANDLES_H
