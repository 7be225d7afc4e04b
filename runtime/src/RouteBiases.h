//===- RouteBiases.h - the routing biases of a session --------*- C++ -*-===//
//
// What a session may change of a model's parameters: it has a copy of each
// bias, and calls of the model read that instead.
//
//===----------------------------------------------------------------------===//
#ifndef DS_RUNTIME_SRC_ROUTEBIASES_H
#define DS_RUNTIME_SRC_ROUTEBIASES_H

#include "Caches.h"
#include "Routers.h"

namespace dsrt {

class RouteBiases {
public:
  /// Of the model's routers and those of its layers for drafts, as the model
  /// has them. Throws MEMORY.
  explicit RouteBiases(std::shared_ptr<const Model> model);

  /// DsStepCall.parameters with these biases.
  const void *const *parameters() const { return pointers.data(); }

  /// As ds_session_route_bias(), by the number of the router.
  std::span<const float> operator[](int64_t router) const;
  void set(int64_t router, std::span<const float> values);
  /// As ds_update_route_bias().
  void update(const Routers &routers, float gamma);
  /// As ds_session_load_route_bias(), ds_session_save_route_bias().
  void load(const std::string &path);
  void save(const std::string &path) const;

private:
  std::span<float> find(int64_t router) const;
  void requireAny() const;
  void checkNumbers(std::span<const float> values,
                    const std::string &where) const;

  std::shared_ptr<const Model> owner;
  std::vector<const DsRouter *> routers;
  AlignedMemory memory;
  std::vector<std::span<float>> values; // empty: a router without bias
  std::vector<const void *> pointers;
};

} // namespace dsrt

#endif // DS_RUNTIME_SRC_ROUTEBIASES_H
