/// The optimizers: options a user sets, and the state that goes from step to step. (O1) to (O4)
#pragma once

#include <limits>
#include <string_view>

#include "bpnet/model.hpp"
#include "bpnet/train/schedule.hpp"

namespace bpnet {

/// Which rule of the engine, with its numbers. The named functions below give each one's usual values.
struct Optimizer {
  Rule rule = Rule::adam;
  Schedule rate = 1e-3;
  double momentum = 0;       ///< (O1) mu
  double decay1 = 0.9;       ///< (O2) rho; (O3) beta1
  double decay2 = 0.999;     ///< (O3) beta2
  double eps = 1e-8;         ///< (O2), (O3)
  double weight_decay = 0;   ///< (O4) lambda
  bool decay_biases = true;  ///< whether (O4) shrinks biases too

  /// Whether step t by a gradient of ordinary size may be a long one because an earlier gradient was not: by a sum of
  /// gradients alone, by one that the root below it forgets sooner, or that the rate takes out of range before they are
  /// divided. And what a decay of 0 makes of an infinite square is a NaN.
  bool moves_by_the_past(Index t) const {
    const auto forgets_at_once = [](double decay) { return decay < std::numeric_limits<float>::min(); };
    switch (rule) {
      case Rule::momentum:
      case Rule::nesterov:
        return true;
      case Rule::rmsprop:
        return forgets_at_once(decay1);
      case Rule::adam:
        if (forgets_at_once(decay2) || rate(t) > 1) return true;
        return !(decay1 * decay1 < 0.99 * decay2);  // else |m| / sqrt(v) of the plain sums is below 10
      default:
        return false;
    }
  }
};

/// (O1)
inline Optimizer sgd(Schedule rate = 1e-3, double momentum = 0, bool nesterov = false) {
  const Rule rule = momentum == 0 ? Rule::plain : nesterov ? Rule::nesterov : Rule::momentum;
  return {rule, rate, momentum, 0, 0, 0, 0, true};
}
/// (O2)
inline Optimizer rmsprop(Schedule rate = 1e-2, double rho = 0.99, double eps = 1e-8) {
  return {Rule::rmsprop, rate, 0, rho, 0, eps, 0, true};
}
/// (O3)
inline Optimizer adam(Schedule rate = 1e-3, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8) {
  return {Rule::adam, rate, 0, beta1, beta2, eps, 0, true};
}
/// (O4)
inline Optimizer adamw(Schedule rate = 1e-3, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8,
                       double weight_decay = 1e-2, bool decay_biases = true) {
  return {Rule::adam, rate, 0, beta1, beta2, eps, weight_decay, decay_biases};
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
  double power1 = 1, power2 = 1;  ///< beta1^t, beta2^t, of the decays as Scalar has them

  OptimizerState(Rule rule, Index n) {
    if (rule != Rule::plain) first = AlignedBuffer<Scalar>(n);
    if (rule == Rule::adam) second = AlignedBuffer<Scalar>(n);
  }
};

/// What a step started from: parameters and state.
template <class Scalar>
struct Snapshot {
  AlignedBuffer<Scalar> theta;
  OptimizerState<Scalar> state;
};

/// One step, which may be taken piece by piece: each parameter once, then `finish`.
template <class Scalar>
class UpdateStep {
 public:
  /// `keep`, if not null, is what the step started from once it is finished.
  UpdateStep(const Optimizer& by, const Penalties& penalties, Model<Scalar>& net, OptimizerState<Scalar>& state,
             Snapshot<Scalar>* keep = nullptr)
      : by_(by),
        penalties_(penalties),
        net_(net),
        state_(state),
        keep_(keep),
        power1_(next_power(state.power1, by.decay1)),
        power2_(next_power(state.power2, by.decay2)),
        eta_(by.rate(state.steps)),
        kernel_(kernels<Scalar>().updates[static_cast<int>(by.rule)]) {
    numbers_.eta = static_cast<Scalar>(eta_);
    numbers_.mu = static_cast<Scalar>(by.momentum);
    numbers_.decay1 = static_cast<Scalar>(by.decay1);
    numbers_.decay2 = static_cast<Scalar>(by.decay2);
    numbers_.eps = static_cast<Scalar>(by.eps);
    numbers_.mean1 = static_cast<Scalar>((1 - rounded(by.decay1)) / (1 - power1_));
    const bool corrects = by.rule == Rule::adam;  // (O2) does not
    const double mean2 = corrects ? (1 - rounded(by.decay2)) / (1 - power2_) : 1 - rounded(by.decay1);
    numbers_.root_mean2 = static_cast<Scalar>(std::sqrt(mean2));
  }

  /// `columns` pieces of n parameters, `stride` apart, the first at `from`; their gradient at g, pieces g_stride apart.
  void operator()(const Scalar* g, Index from, Index n, bool are_biases, Index columns = 1, Index stride = 0,
                  Index g_stride = 0) const {
    const bool penalised = penalties_.biases || !are_biases, decayed = by_.decay_biases || !are_biases;
    engine::Update<Scalar> u = numbers_;
    u.l1 = static_cast<Scalar>(penalised ? penalties_.l1 : 0);
    u.l2 = static_cast<Scalar>(penalised ? penalties_.l2 : 0);
    u.shrink = static_cast<Scalar>(decayed ? eta_ * by_.weight_decay : 0);
    const auto at = [from](Scalar* array) { return array ? array + from : nullptr; };
    engine::UpdateArrays<Scalar> arrays{
        net_.theta().data() + from, g, at(state_.first.data()), at(state_.second.data()), n, columns, stride, g_stride};
    if (keep_) {
      arrays.kept = keep_->theta.data() + from;
      arrays.next_first = at(keep_->state.first.data());
      arrays.next_second = at(keep_->state.second.data());
    }
    kernel_(u, arrays);
  }

  /// theta and -eta where a step of the weights is theta - eta g, and nothing is kept; else null.
  typename GradientSink<Scalar>::Plain plain() const {
    const bool bare = penalties_.l1 == 0 && penalties_.l2 == 0 && by_.weight_decay == 0;
    if (by_.rule != Rule::plain || !bare || keep_) return {};
    return {net_.theta().data(), -numbers_.eta};
  }

  /// What a step of the parameters from `from` on reads and writes; null: none.
  std::array<const Scalar*, 6> arrays(Index from) const {
    const auto at = [from](const AlignedBuffer<Scalar>& array) { return array.data() ? array.data() + from : nullptr; };
    const Scalar* theta = net_.theta().data() + from;
    if (!keep_) return {theta, at(state_.first), at(state_.second), nullptr, nullptr, nullptr};
    return {
        theta, at(state_.first), at(state_.second), at(keep_->theta), at(keep_->state.first), at(keep_->state.second)};
  }

  /// n parameters from `from` on, layer by layer where weights and biases are treated apart.
  void range(const Scalar* g, Index from, Index n) const {
    const bool alike = (penalties_.biases || (penalties_.l1 == 0 && penalties_.l2 == 0)) &&
                       (by_.decay_biases || by_.weight_decay == 0);
    if (alike) return (*this)(g, from, n, false);
    const auto part = [&](Index first, Index count, bool are_biases) {
      const Index begin = std::max(first, from), end = std::min(first + count, from + n);
      if (begin < end) (*this)(g + (begin - from), begin, end - begin, are_biases);
    };
    for (Index l = 1; l <= net_.depth(); ++l) {
      part(net_.layout().W(l), net_.size(l) * net_.size(l - 1), false);
      part(net_.layout().b(l), net_.size(l), true);
    }
  }

  /// The next step is the next one.
  void finish() const {
    if (keep_) {
      std::swap(state_, keep_->state);
      state_.steps = keep_->state.steps;
    }
    state_.power1 = power1_;
    state_.power2 = power2_;
    ++state_.steps;
  }

 private:
  /// A decay as the kernel has it, so that its sums are divided by what their factors add up to.
  static double rounded(double decay) {
    const auto in_kernel = static_cast<double>(static_cast<Scalar>(decay));
    return in_kernel < 1 ? in_kernel : decay;
  }
  /// beta^(t + 1). Once 1 - beta^t is 1 it is 0, lest it end as a subnormal number, which takes some processors long.
  static double next_power(double power, double decay) {
    const double next = power * rounded(decay);
    return next < 0x1p-60 ? 0 : next;
  }

  const Optimizer& by_;
  const Penalties& penalties_;
  Model<Scalar>& net_;
  OptimizerState<Scalar>& state_;
  Snapshot<Scalar>* keep_;
  double power1_, power2_, eta_;
  engine::Update<Scalar> numbers_;
  void (*kernel_)(const engine::Update<Scalar>&, const engine::UpdateArrays<Scalar>&);
};

}  // namespace bpnet
