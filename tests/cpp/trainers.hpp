/// A small network with data to train it on, whole or minibatch by minibatch.
#pragma once

#include "bpnet/train/trainer.hpp"
#include "numbers.hpp"

namespace trainers {

using namespace bpnet;
using ::Index;

template <class Scalar>
Samples rows_of(const std::vector<Scalar>& values, Index n) {
  const auto bytes = static_cast<std::ptrdiff_t>(sizeof(Scalar));
  return {values.data(), static_cast<Index>(values.size()) / n, n, n * bytes, bytes, element_type<Scalar>(), false};
}

/// A regression problem of m samples, 4 -> 3, with weights of which some are zero.
template <class Scalar>
struct Data {
  std::vector<Scalar> x, y, weights;

  explicit Data(Index m) : x(normals<Scalar>(4 * m, 1)), y(normals<Scalar>(3 * m, 2)), weights(normals<Scalar>(m, 3)) {
    for (Scalar& v : y) v /= 4;
    for (Scalar& w : weights) w = std::max(w, Scalar(0));
  }
  Index m() const { return static_cast<Index>(weights.size()); }
  Samples inputs() const { return rows_of(x, 4); }
  Targets targets() const { return rows_of(y, 3); }
  Weights<Scalar> weighted(bool really) const {
    return really ? Weights<Scalar>{rows_of(weights, 1)} : Weights<Scalar>{};
  }
};

template <class Scalar>
Network<Scalar> small_net(const char* output = "identity") {
  return Network<Scalar>({4, 9, 3}, "tanh", output, 1);
}
template <class Scalar>
bool same_theta(const Network<Scalar>& a, const Network<Scalar>& b) {
  return same_bits(a.theta().data(), b.theta().data(), a.n_parameters());
}

/// The minibatches of an epoch, gathered into arrays of their own and given to step() one by one.
template <class Scalar>
void epoch_by_hand(Trainer<Scalar>& trainer, const Data<Scalar>& data, Index batch_size, const SampleOrder* order,
                   bool weighted, Index last_step = std::numeric_limits<Index>::max()) {
  for (Index begin = 0; begin < data.m() && trainer.steps() < last_step; begin += batch_size) {
    std::vector<Scalar> x, y, weights;
    for (Index k = begin; k < std::min(begin + batch_size, data.m()); ++k) {
      const auto row = order ? static_cast<std::ptrdiff_t>((*order)(static_cast<std::uint64_t>(k))) : k;
      x.insert(x.end(), data.x.begin() + 4 * row, data.x.begin() + 4 * row + 4);
      y.insert(y.end(), data.y.begin() + 3 * row, data.y.begin() + 3 * row + 3);
      weights.push_back(data.weights[to_size(row)]);
    }
    trainer.step(rows_of(x, 4), Targets(rows_of(y, 3)),
                 weighted ? Weights<Scalar>{rows_of(weights, 1)} : Weights<Scalar>{});
  }
}

}  // namespace trainers
