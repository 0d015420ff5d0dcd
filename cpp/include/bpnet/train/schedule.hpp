/// Learning rates that change with the step. Pure functions of the step, the same on every processor.
#pragma once

#include <algorithm>
#include <cmath>

#include "bpnet/engine/elementary.hpp"
#include "bpnet/types.hpp"

namespace bpnet {

struct Schedule {
  enum class Kind { constant, exponential, step, cosine };
  Kind kind = Kind::constant;
  double initial = 1e-3;
  double shape = 0;  ///< exponential, step: the factor after `steps` steps; cosine: the final rate
  double steps = 1;  ///< how many steps that takes

  Schedule(double rate) : initial(rate) {}
  Schedule(Kind k, double first, double parameter, double n) : kind(k), initial(first), shape(parameter), steps(n) {}

  /// The rate of step t, counted from 0.
  double operator()(Index t) const {
    using S = engine::Single<double>;
    const double done = static_cast<double>(t) / steps;
    switch (kind) {
      case Kind::constant:
        break;
      case Kind::exponential:
        return initial * engine::exp(engine::log(S(shape)) * S(done)).v;
      case Kind::step:
        return initial * engine::exp(engine::log(S(shape)) * S(std::floor(done))).v;
      case Kind::cosine:
        return shape + (initial - shape) * 0.5 * (1 + engine::cos(S(3.14159265358979323846 * std::min(done, 1.0))).v);
    }
    return initial;
  }
};

}  // namespace bpnet
