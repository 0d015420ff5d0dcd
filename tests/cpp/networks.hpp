/// Networks with data to go through them, and all that a gradient call gives.
#pragma once

#include <cmath>

#include "bpnet/network.hpp"
#include "numbers.hpp"

namespace networks {

using namespace bpnet;
using ::Index;

/// m rows of n numbers, side by side in memory.
template <class Scalar>
Samples samples_of(const std::vector<Scalar>& values, Index m, Index n) {
  const auto bytes = static_cast<std::ptrdiff_t>(sizeof(Scalar));
  return {values.data(), m, n, n * bytes, bytes, element_type<Scalar>(), false};
}
inline Samples samples_of(const std::vector<std::int64_t>& classes) {
  return {classes.data(), static_cast<Index>(classes.size()), 1, 8, 8, ElementType::int64, false};
}

template <class Scalar>
Batch<Scalar> batch_of(const Samples& x, const Targets& y, const Cost& cost = "quadratic") {
  return {x, y, {}, {0, x.count, nullptr}, {cost, nullptr}};
}

/// Every array a gradient call can fill.
template <class Scalar>
struct Everything {
  double cost = 0;
  std::vector<Scalar> nabla, x;
  std::vector<std::vector<Scalar>> deltas, activations;

  Everything(const Network<Scalar>& net, const Batch<Scalar>& batch, Reduction reduction, const Call& call = {})
      : nabla(to_size(net.n_parameters())), x(to_size(batch.x.count * net.n_inputs())) {
    GradientRows<Scalar> rows{nabla.data(), x.data(), {}, {}};
    for (const Index n : net.sizes()) activations.emplace_back(to_size(batch.x.count * n));
    deltas.assign(activations.begin() + 1, activations.end());
    for (auto& array : deltas) rows.deltas.push_back(array.data());
    for (auto& array : activations) rows.activations.push_back(array.data());
    cost = net.gradient(batch, reduction, rows, call);
  }
};

template <class Scalar>
bool is_wide(const Network<Scalar>& net) {
  return net.n_parameters() > 100000;
}
/// A wide network sums the samples' costs in another order where dC/dtheta is asked for too: then to the last digits.
template <class Scalar>
bool same_cost(const Network<Scalar>& net, double a, double b) {
  return is_wide(net) ? std::abs(a - b) <= 1e-14 * std::abs(b) : a == b;
}

struct Case {
  std::vector<Index> sizes;
  std::vector<Activation> activations;
  const char* cost;
};

inline const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {{3, 2}, {"identity"}, "quadratic"},
      {{4, 7, 3}, {"sigmoid", "sigmoid"}, "quadratic"},
      {{5, 17, 9, 2}, {"tanh", "relu", "sigmoid"}, "binary_cross_entropy"},
      {{6, 33, 4}, {"relu", "softmax"}, "cross_entropy"},
      {{3, 5, 20, 6, 1}, {"tanh", "softmax", "sigmoid", "identity"}, "log_cosh"},
      {{6, 10, 5}, {"tanh", "softmax"}, "quadratic"},
      {{11, 21, 36, 7}, {"relu", "tanh", "sigmoid"}, "quadratic"},
      {{9, 18, 36, 2}, {"sigmoid", "tanh", "identity"}, "quadratic"},  // outputs that fill little of a last register
  };
  return all;
}

/// More than a megabyte of weights, which are walked block by block for many tiles together.
inline const std::vector<Case>& wide_cases() {
  static const std::vector<Case> all{{{500, 490, 30, 3}, {"tanh", "relu", "identity"}, "quadratic"},
                                     {{70, 1030, 180}, {"sigmoid", "softmax"}, "cross_entropy"}};
  return all;
}

/// Data of a case as plain doubles that both types hold exactly.
struct Data {
  Index m;
  std::vector<float> x, y, weights;

  Data(const Case& c, Index samples)
      : m(samples),
        x(normals<float>(c.sizes.front() * m, 1)),
        y(normals<float>(c.sizes.back() * m, 2)),
        weights(normals<float>(m, 3)) {
    for (auto* positive : {&y, &weights})
      for (float& v : *positive) v = std::abs(v) / 8;  // suits every cost
    weights[to_size(m / 2)] = 0;
  }
};

/// Standardisation with numbers of its own for each unit.
template <class Scalar>
Normalization<Scalar> normalization_of(const Case& c) {
  const auto positive = [](Index n, std::uint64_t stream) {
    auto v = normals<Scalar>(n, stream);
    for (Scalar& x : v) x = std::abs(x) + Scalar(0.5);
    return v;
  };
  const Index n = c.sizes.front(), k = c.sizes.back();
  return {normals<Scalar>(n, 4), positive(n, 5), normals<Scalar>(k, 6), positive(k, 7)};
}

}  // namespace networks
