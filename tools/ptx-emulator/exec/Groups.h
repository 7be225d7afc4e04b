//===- Groups.h - asynchronous operations in groups -----------*- C++ -*-===//
#ifndef TOOLS_PTX_EMULATOR_EXEC_GROUPS_H
#define TOOLS_PTX_EMULATOR_EXEC_GROUPS_H

#include <cstddef>
#include <cstdint>
#include <deque>

namespace ptx {

/// Operations join the open group; a commit closes it, empty or not; a wait is
/// for all but the most recent closed groups.
template <class T> class Groups {
public:
  void add(T operation) {
    operations.push_back(std::move(operation));
    ++open;
  }
  void commit() {
    closed.push_back(open);
    open = 0;
  }
  /// Calls visit() for those of all groups but the last `pending` closed ones.
  template <class Visit> void forOldest(size_t pending, Visit visit) {
    size_t at = 0;
    for (size_t i = 0; i + pending < closed.size(); ++i)
      for (uint32_t j = 0; j < closed[i]; ++j)
        visit(operations[at++]);
  }
  /// The same, and they are gone. True: there were such groups.
  template <class Visit> bool complete(size_t pending, Visit visit) {
    bool isAny = closed.size() > pending;
    for (; closed.size() > pending; closed.pop_front())
      for (uint32_t i = 0; i < closed.front(); ++i) {
        visit(operations.front());
        operations.pop_front();
      }
    return isAny;
  }
  void clear() { *this = {}; }

  bool isEmpty() const { return operations.empty(); }
  auto begin() { return operations.begin(); }
  auto end() { return operations.end(); }
  auto begin() const { return operations.begin(); }
  auto end() const { return operations.end(); }

private:
  /// The oldest first; those of the open group are the last.
  std::deque<T> operations;
  std::deque<uint32_t> closed; // how many are in each
  uint32_t open = 0;
};

} // namespace ptx

#endif // TOOLS_PTX_EMULATOR_EXEC_GROUPS_H
