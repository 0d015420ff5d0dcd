/// The optimizers: options a user sets, and the state that goes from step to step. (O1) to (O4)
#pragma once

#include <string_view>

#include "bpnet/model.hpp"
#include "bpnet/train/schedule.hpp"

namespace bpnet {

/// Which rule of the engine, with its numbers. The named functions below give each one's usual values.
struct Optimizer {
  Rule rule = Rule::adam;
  Schedule rate = 1e-3;
  double momentum = 0;       ///< (O1) mu
  bool nesterov = false;     ///< (O1)
  double decay1 = 0.9;       ///< (O2) rho; (O3) beta1
  double decay2 = 0.999;     ///< (O3) beta2
  double eps = 1e-8;         ///< (O2), (O3)
  double weight_decay = 0;   ///< (O4) lambda
  bool decay_biases = true;  ///< whether (O4) shrinks biases too
};

/// (O1)
inline Optimizer sgd(Schedule rate = 1e-3, double momentum = 0, bool nesterov = false) {
  return {momentum == 0 ? Rule::plain : Rule::momentum, rate, momentum, nesterov, 0, 0, 0, 0, true};
}
/// (O2)
inline Optimizer rmsprop(Schedule rate = 1e-2, double rho = 0.99, double eps = 1e-8) {
  return {Rule::rmsprop, rate, 0, false, rho, 0, eps, 0, true};
}
/// (O3)
inline Optimizer adam(Schedule rate = 1e-3, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8) {
  return {Rule::adam, rate, 0, false, beta1, beta2, eps, 0, true};
}
/// (O4)
inline Optimizer adamw(Schedule rate = 1e-3, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8,
                       double weight_decay = 1e-2, bool decay_biases = true) {
  return {Rule::adam, rate, 0, false, beta1, beta2, eps, weight_decay, decay_biases};
}

/// lambda/2 sum W^2 and lambda sum |W|, added to the cost that is minimised (not to the one that is reported).
struct Penalties {
  double l1 = 0;
  double l2 = 0;
  bool biases = false;  ///< whether biases are penalised too
};

/// Moments and counters: everything besides the parameters that the next step depends on.
template <class Scalar>
struct OptimizerState {
  AlignedBuffer<Scalar> first, second;
  Index steps = 0;
  double power1 = 1, power2 = 1;  ///< beta1^t, beta2^t

  OptimizerState(Rule rule, Index n) {
    if (rule != Rule::plain) first = AlignedBuffer<Scalar>(n);
    if (rule == Rule::adam) second = AlignedBuffer<Scalar>(n);
  }
};

/// One step: theta by g, layer by layer, since penalties treat weights and biases apart.
template <class Scalar>
void apply_update(const Optimizer& by, const Penalties& penalties, Model<Scalar>& net, const Scalar* g,
                  OptimizerState<Scalar>& state) {
  const double eta = by.rate(state.steps);
  state.power1 *= by.decay1;
  state.power2 *= by.decay2;
  engine::Update<Scalar> u;
  u.eta = static_cast<Scalar>(eta);
  u.mu = static_cast<Scalar>(by.momentum);
  u.nesterov = by.nesterov;
  u.decay1 = static_cast<Scalar>(by.decay1);
  u.decay2 = static_cast<Scalar>(by.decay2);
  u.eps = static_cast<Scalar>(by.eps);
  u.correction1 = static_cast<Scalar>(1 / (1 - state.power1));
  u.correction2 = static_cast<Scalar>(1 / std::sqrt(1 - state.power2));
  const auto step = kernels<Scalar>().updates[static_cast<int>(by.rule)];
  const auto segment = [&](Index from, Index n, bool penalised, bool decayed) {
    u.l1 = static_cast<Scalar>(penalised ? penalties.l1 : 0);
    u.l2 = static_cast<Scalar>(penalised ? penalties.l2 : 0);
    u.shrink = static_cast<Scalar>(decayed ? eta * by.weight_decay : 0);
    const auto at = [from](Scalar* array) { return array ? array + from : nullptr; };
    step(u, {net.theta().data() + from, g + from, at(state.first.data()), at(state.second.data()), n});
  };
  const bool alike =
      (penalties.biases || (penalties.l1 == 0 && penalties.l2 == 0)) && (by.decay_biases || by.weight_decay == 0);
  if (alike) {
    segment(0, net.n_parameters(), true, true);
  } else {
    for (Index l = 1; l <= net.depth(); ++l) {
      segment(net.layout().W(l), net.size(l) * net.size(l - 1), true, true);
      segment(net.layout().b(l), net.size(l), penalties.biases, by.decay_biases);
    }
  }
  ++state.steps;
}

}  // namespace bpnet
