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
    const double done = static_cast<double>(t) / steps;
    switch (kind) {
      case Kind::constant:
        break;
      case Kind::exponential:
        return scaled(done);
      case Kind::step:
        return scaled(std::floor(done));
      case Kind::cosine:
        return shape + (initial - shape) * 0.5 *
                           (1 + engine::cos(engine::Single(3.14159265358979323846 * std::min(done, 1.0))).v);
    }
    return initial;
  }

 private:
  /// initial shape^times, of which neither 0 infinity nor 0 log 0 makes a NaN.
  double scaled(double times) const {
    if (initial == 0 || times == 0) return initial;
    return initial * engine::exp(engine::log(engine::Single(shape)) * engine::Single(times)).v;
  }
};

}  // namespace bpnet
