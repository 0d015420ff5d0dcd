/// What outputs are compared with: rows of numbers, or class numbers standing for 1-of-n rows.
#pragma once

#include <optional>

#include "bpnet/engine/gather.hpp"

namespace bpnet {

struct Targets {
  Samples values;
  bool labels = false;  ///< values has one integer a sample, 0 <= label < n_L

  Targets() = default;
  Targets(Samples y, bool are_labels = false) : values(y), labels(are_labels) {}
};

/// One non-negative number a sample, as a Scalar; nothing: all 1.
template <class Scalar>
struct Weights {
  std::optional<Samples> values;

  double operator[](Index sample) const {
    return values ? static_cast<double>(engine::element<Scalar>(*values, sample, 0)) : 1.0;
  }
};

}  // namespace bpnet
