/// Epochs, minibatches, stopping. Keeps optimiser state and sample order from one call to the next.
#pragma once

#include <functional>

#include "bpnet/network.hpp"
#include "bpnet/train/finite.hpp"
#include "bpnet/train/optimizer.hpp"

namespace bpnet {

struct FitOptions {
  Index epochs = 10;
  Index batch_size = 32;
  bool shuffle = true;  ///< a new order every epoch; a minibatch of all samples keeps theirs, unless the cost is custom
};

/// One epoch's figures. The cost is the mean over its samples, each before the update of its batch, penalties left out.
struct Epoch {
  Index number = 0;  ///< counted from 0 in this call of fit
  double cost = 0;
  std::optional<double> validation_cost;
};

struct History {
  std::vector<double> cost, validation_cost;  ///< one number an epoch
  Index steps = 0;
  bool stopped = false;  ///< by the callback
};

template <class Scalar>
class Trainer {
 public:
  using OnEpoch = std::function<bool(const Epoch&)>;  ///< true stops

  /// `net` outlives the trainer. The same seed and calls give the same bits for any number of threads.
  explicit Trainer(Network<Scalar>& net, CostUse<Scalar> cost = {}, Optimizer optimizer = adam(),
                   Penalties penalties = {}, std::uint64_t seed = 0)
      : net_(net),
        cost_(cost),
        optimizer_(optimizer),
        penalties_(penalties),
        seed_(seed),
        state_(optimizer.rule, net.n_parameters()),
        nabla_(net.n_parameters()) {
    if (!cost_.custom) cost_.cost.template check<Scalar>(net.activation(net.depth()));
  }

  const Network<Scalar>& network() const { return net_; }
  Index steps() const { return state_.steps; }  ///< taken so far
  Index epochs() const { return epochs_; }      ///< begun so far by fit; the next one's sample order depends on it

  /// One minibatch: gradient and update. Returns the cost before the update; 0, and no update, where all weights are 0.
  /// std::invalid_argument for what does not fit and for data that is not finite, DivergenceError where the cost or the
  /// new parameters are not finite; then nothing has changed.
  double step(const Samples& x, const Targets& y, const Weights<Scalar>& weights = {}, const Call& call = {}) {
    Batch<Scalar> batch{x, y, weights, {0, x.count, nullptr}, cost_};
    engine::Pulse pulse(call.watcher);
    const bool skipped = weights.values && all_zero(batch, pulse);
    if (skipped) batch.weights = {};
    net_.check_batch(batch, call, pulse);
    if (skipped) return 0;
    const double cost = gradient(batch, call, pulse);
    if (!std::isfinite(cost) || !kernels<Scalar>().all_finite(nabla_.data(), net_.n_parameters())) {
      check_data(net_, batch, "x", "y", call, pulse);  // says which row, if it is the data
      diverged(std::isfinite(cost) ? "the gradient is not finite" : "the cost is " + named(cost));
    }
    apply(nabla_.data());
    return cost;
  }

  /// The optimiser's step by a gradient of the caller's own, in the order of theta.
  /// DivergenceError where g or the new parameters are not finite; then nothing has changed.
  void apply(const Scalar* g) {
    const Index n = net_.n_parameters();
    const Scalar most = kernels<Scalar>().largest(g, n);
    if (!std::isfinite(most)) diverged("the gradient is not finite");
    // With numbers of ordinary size no rule leaves the range of Scalar; only beyond is a way back worth its copy.
    const bool divides = optimizer_.rule == Rule::rmsprop || optimizer_.rule == Rule::adam;  // by eps where g is 0
    const auto small = [n](const Scalar* numbers) {
      return kernels<Scalar>().largest(numbers, n) < Scalar(1e12);  // false where there is a NaN
    };
    const bool ordinary =
        most < Scalar(1e12) && optimizer_.rate(state_.steps) < 1e6 && penalties_.l1 < 1e6 && penalties_.l2 < 1e6 &&
        optimizer_.weight_decay < 1e6 && !(divides && optimizer_.eps < 1e-20) &&
        (!optimizer_.moves_by_the_past(state_.steps) ||
         (small(state_.first.data()) && (state_.second.data() == nullptr || small(state_.second.data())))) &&
        small(net_.theta().data());
    if (ordinary) return update(g);
    const Snapshot<Scalar> before = snapshot();
    update(g);
    if (kernels<Scalar>().all_finite(net_.theta().data(), n)) return;
    restore(before);
    diverged("the parameters are not finite after the update");
  }

  /// Trains on x and y for some epochs; see FitOptions. `validation` may be null; so may `on_epoch`.
  /// Throws: std::invalid_argument for what does not fit and for data that is not finite, the network untouched (where
  /// the data became so meanwhile, as after the last finished step);
  /// DivergenceError, the network as after the last epoch that ended with finite parameters; what the watcher or
  /// on_epoch throws, the network as after the last finished step.
  History fit(const Samples& x, const Targets& y, const FitOptions& options, const Weights<Scalar>& weights = {},
              const Batch<Scalar>* validation = nullptr, const OnEpoch& on_epoch = {}, const Call& call = {}) {
    if (options.batch_size < 1)
      throw std::invalid_argument("batch_size is " + std::to_string(options.batch_size) + ", but must be at least 1");
    if (options.epochs < 0)
      throw std::invalid_argument("epochs is " + std::to_string(options.epochs) + ", but must not be negative");
    Batch<Scalar> data{x, y, weights, {0, x.count, nullptr}, cost_};
    engine::Pulse pulse(call.watcher);
    check_data(net_, data, "x", "y", call, pulse);
    if (validation) check_data(net_, *validation, "validation x", "validation y", call, pulse);
    History history;
    const auto room = static_cast<std::size_t>(std::min<Index>(options.epochs, 1 << 16));
    history.cost.reserve(room);
    if (validation) history.validation_cost.reserve(room);
    if (!good_) good_.emplace(snapshot());
    const Index steps_before = steps();
    for (Index number = 0; number < options.epochs && !history.stopped; ++number) {
      due_ = true;
      try {
        history.cost.push_back(epoch(data, options, call, pulse));
      } catch (const DivergenceError&) {
        if (!due_) restore(*good_);
        throw;
      }
      ++epochs_;
      history.steps = steps() - steps_before;
      Epoch done{number, history.cost.back(), {}};
      if (validation) {
        done.validation_cost = batch_gradient(model(), *validation, Reduction::mean, {}, space_, call, pulse);
        history.validation_cost.push_back(*done.validation_cost);
      }
      if (on_epoch) history.stopped = on_epoch(done);
    }
    return history;
  }

  /// The same for Eigen matrices, one sample a column: x (n_0, m), y (n_L, m).
  History fit(const Eigen::Ref<const Matrix<Scalar>>& x, const Eigen::Ref<const Matrix<Scalar>>& y,
              const FitOptions& options = {}) {
    return fit(columns(x), Targets(columns(y)), options);
  }

 private:
  const Model<Scalar>& model() const { return net_; }

  // Subnormal numbers are zeros to a training step. A moment whose parameter has no gradient any more would otherwise
  // fade into one and stay there, as 0.9 of the least of them is rounded up to itself, and units far out have a slope
  // that is one; many processors take a hundred cycles for each.

  double gradient(const Batch<Scalar>& batch, const Call& call, engine::Pulse& pulse) {
    const engine::WithoutSubnormals here;
    return batch_gradient(model(), batch, Reduction::mean, {nabla_.data(), nullptr, {}, {}}, space_, call, pulse);
  }

  UpdateStep<Scalar> next_step(Snapshot<Scalar>* keep = nullptr) {
    return {optimizer_, penalties_, static_cast<Model<Scalar>&>(net_), state_, keep};
  }

  void update(const Scalar* g) {
    const engine::WithoutSubnormals here;
    const UpdateStep<Scalar> step = next_step();
    step.range(g, 0, net_.n_parameters());
    step.finish();
  }

  /// Updates a block of parameters as soon as its gradient is complete.
  class UpdateSink : public GradientSink<Scalar> {
   public:
    explicit UpdateSink(const UpdateStep<Scalar>& step) : step_(step) {}
    void take(const Scalar* g, Index from, Index n, bool are_biases, Index columns, Index stride,
              Index g_stride) const override {
      step_(g, from, n, are_biases, columns, stride, g_stride);
    }
    void take_range(const Scalar* g, Index from, Index n) const override { step_.range(g, from, n); }
    typename GradientSink<Scalar>::Plain plain() const override { return step_.plain(); }
    std::array<const Scalar*, 6> arrays(Index from) const override { return step_.arrays(from); }

   private:
    const UpdateStep<Scalar>& step_;
  };

  /// Gradient and update of one batch of an epoch; returns its cost. Where that is not finite, nothing has changed.
  double descend(const Batch<Scalar>& batch, const Call& call, engine::Pulse& pulse) {
    const engine::WithoutSubnormals here;
    const UpdateStep<Scalar> step = next_step(due_ ? &*good_ : nullptr);
    const UpdateSink sink(step);
    const bool fused = takes_sink(model());
    const GradientRows<Scalar> out{nabla_.data(), nullptr, {}, {}};
    const double cost = batch_gradient(model(), batch, Reduction::mean, out, space_, call, pulse,
                                       fused ? static_cast<const GradientSink<Scalar>*>(&sink) : nullptr);
    if (!std::isfinite(cost)) {
      check_data(net_, batch, "x", "y", call, pulse);  // a callback may have written to it
      diverged("the cost is " + named(cost), epochs_);
    }
    if (!fused) step.range(nabla_.data(), 0, net_.n_parameters());
    step.finish();
    due_ = false;
    return cost;
  }

  /// All minibatches once; returns the mean cost.
  double epoch(Batch<Scalar>& data, const FitOptions& options, const Call& call, engine::Pulse& pulse) {
    const Index m = data.x.count;
    std::optional<SampleOrder> order;
    const bool in_one = options.batch_size >= m && !cost_.custom;  // the order shows in nothing but rounding
    if (options.shuffle && !in_one)
      order.emplace(seed_, static_cast<std::uint64_t>(epochs_), static_cast<std::uint64_t>(m));
    double sum = 0, total = 0;
    for (Index begin = 0; begin < m; begin += options.batch_size) {
      data.rows = {begin, std::min(options.batch_size, m - begin), order ? &*order : nullptr};
      const double weight = total_weight(data, pulse);
      if (!(weight > 0)) continue;
      sum += descend(data, call, pulse) * weight;
      total += weight;
    }
    if (!kernels<Scalar>().all_finite(net_.theta().data(), net_.n_parameters()))
      diverged("the parameters are no longer finite", epochs_);
    if (!(total > 0)) throw std::invalid_argument("sample_weight has nothing above 0 but subnormal numbers");
    return sum / total;
  }

  static double total_weight(const Batch<Scalar>& batch, engine::Pulse& pulse) {
    const engine::WithoutSubnormals here;
    return detail::total_weight(batch.weights, batch.rows, pulse);
  }
  static bool all_zero(const Batch<Scalar>& batch, engine::Pulse& pulse) {
    const engine::WithoutSubnormals here;
    if (batch.weights.values->count != batch.x.count) return false;
    for (Index s = 0; s < batch.x.count; ++s) {
      if (batch.weights[s] != 0) return false;
      if (s % detail::scan_block == 0 && pulse.beat(detail::scan_block)) throw Interrupted();
    }
    return batch.x.count > 0;
  }

  Snapshot<Scalar> snapshot() const {
    Snapshot<Scalar> copy{AlignedBuffer<Scalar>(net_.n_parameters()), state_};
    std::copy_n(model().theta().data(), net_.n_parameters(), copy.theta.data());
    return copy;
  }
  void restore(const Snapshot<Scalar>& from) {
    std::copy_n(from.theta.data(), net_.n_parameters(), net_.theta().data());
    state_ = from.state;
  }

  /// A cost that is not finite. The sign of a NaN is an accident.
  static std::string named(double cost) { return std::isnan(cost) ? "nan" : std::to_string(cost); }

  [[noreturn]] void diverged(const std::string& what, Index epoch = -1) const {
    throw DivergenceError(what + " in " + (epoch < 0 ? "" : "epoch " + std::to_string(epoch) + ", ") + "step " +
                              std::to_string(steps()) + " (try a smaller learning rate, or net.normalize)",
                          epoch, steps());
  }

  Network<Scalar>& net_;
  CostUse<Scalar> cost_;
  Optimizer optimizer_;
  Penalties penalties_;
  std::uint64_t seed_;
  OptimizerState<Scalar> state_;
  Index epochs_ = 0;
  AlignedBuffer<Scalar> nabla_;
  GradientSpace<Scalar> space_;
  std::optional<Snapshot<Scalar>> good_;  ///< as when the epoch of fit began, once its first step is done
  bool due_ = false;                      ///< whether that step is still to come
};

}  // namespace bpnet
