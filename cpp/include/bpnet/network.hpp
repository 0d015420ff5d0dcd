/// A dense feed-forward network: predict, forward, cost, gradient.
#pragma once

#include "bpnet/batch.hpp"
#include "bpnet/predict_one.hpp"
#include "bpnet/scan.hpp"

namespace bpnet {

/// What a gradient is taken with respect to.
enum class Wrt { parameters, x, both };

template <class Scalar_>
class Network : public Model<Scalar_> {
 public:
  using Scalar = Scalar_;
  using Base = Model<Scalar>;
  using Base::depth;
  using Base::n_inputs;
  using Base::n_outputs;

  /// sizes n_0..n_L and one activation a layer; parameters are zero until `initialize` or a write.
  Network(std::vector<Index> sizes, std::vector<Activation> activations, Watcher* watcher = nullptr)
      : Base(std::move(sizes), std::move(activations), watcher) {}

  /// The same activation in all layers but the last, parameters drawn for the activations.
  explicit Network(std::vector<Index> sizes, Activation activation = "sigmoid",
                   Activation output_activation = "sigmoid", std::uint64_t seed = 0)
      : Base(sizes, repeat(sizes.size(), activation, output_activation)) {
    this->initialize(seed);
  }

  /// y = a^L, back in raw units, one row of n_L a sample at `out`. (F1), (F2)
  /// x holds samples of n_0 values, any number of them; out overlaps neither x nor the parameters.
  void predict(const Samples& x, Scalar* out, const Call& call = {}) const {
    check_width(x, n_inputs(), "x");
    if (x.count == 1 && x.in_place<Scalar>()) return predict_one(x.row<Scalar>(0), out);
    const Index at_once = samples_at_once(x.count, call.threads);
    if (x.count <= at_once) return predict_tile(x, 0, x.count, out);
    engine::Pulse pulse(call.watcher);
    if (detail::predicts_together<Scalar>(*this, x.count)) return predict_wide(x, out, call, pulse);
    const Index pieces = (x.count + at_once - 1) / at_once;
    const double work = detail::work_of(*this, false) * static_cast<double>(at_once);
    engine::parallel_for(call, pulse, pieces, work, [&](Index piece, const engine::Checkpoint& checkpoint) {
      const Index first = piece * at_once;
      predict_tile(x, first, std::min(at_once, x.count - first), out);
      checkpoint(work);
    });
  }

  /// The same for one sample: x has n_0 numbers, out n_L, and neither overlaps the other or the parameters.
  void predict_one(const Scalar* x, Scalar* out) const noexcept {
    bpnet::predict_one(static_cast<const Base&>(*this), x, out);
  }

  /// Every z^l and a^l: rows of n_l at wanted.z[l-1], wanted.a[l] (l = 0..L), each null (not wanted) or long enough for
  /// all samples. (F1), (F2)
  void forward(const Samples& x, const LayerRows<Scalar>& wanted, const Call& call = {}) const {
    check_width(x, n_inputs(), "x");
    engine::Pulse pulse(call.watcher);
    const Index tiles = (x.count + engine::tile_samples - 1) / engine::tile_samples;
    engine::parallel_for(call, pulse, tiles, tile_work(false), [&](Index tile, const engine::Checkpoint& checkpoint) {
      const Index first = tile * engine::tile_samples;
      LayerRows<Scalar> part = wanted;
      const auto advance = [&](Scalar*& rows, Index l) { rows += rows ? first * this->size(l) : 0; };
      for (Index l = 0; l <= depth(); ++l) advance(part.a[static_cast<std::size_t>(l)], l);
      for (Index l = 1; l <= depth(); ++l) advance(part.z[static_cast<std::size_t>(l - 1)], l);
      const WorkspaceLease<Scalar> lease(this->shape(), this->sizes());
      Workspace<Scalar>& w = *lease;
      const Index m = std::min(engine::tile_samples, x.count - first);
      BatchRows{first, m}.fill(0, m, w);
      forward_tile(*this, x, m, Keep::nothing, &part, w);
      checkpoint(tile_work(false));
    });
  }

  /// C of the batch and the gradients that `out` has room for. (BP1) to (BP5)
  /// std::invalid_argument where shapes, labels, weights or the cost do not fit.
  double gradient(const Batch<Scalar>& batch, Reduction reduction, const GradientRows<Scalar>& out,
                  const Call& call = {}) const {
    engine::Pulse pulse(call.watcher);
    check_batch(batch, call, pulse);
    GradientSpace<Scalar> space;
    return batch_gradient(static_cast<const Base&>(*this), batch, reduction, out, space, call, pulse);
  }
  /// C of the batch.
  double cost(const Batch<Scalar>& batch, Reduction reduction = Reduction::mean, const Call& call = {}) const {
    return gradient(batch, reduction, {}, call);
  }

  /// All of y for all of x, one sample a column: x (n_0, m), result (n_L, m).
  Matrix<Scalar> predict(const Eigen::Ref<const Matrix<Scalar>>& x) const {
    Matrix<Scalar> out(n_outputs(), x.cols());
    predict(columns(x), out.data());
    return out;
  }

  /// What one gradient call gives; what was not asked for is empty. Shapes: nabla as theta, x (n_0, m).
  struct Gradient {
    double cost = 0;
    Vector<Scalar> nabla;
    Matrix<Scalar> x;
  };
  /// C and dC/dtheta, grad_x C or both, of the samples x (n_0, m) with targets y (n_L, m).
  Gradient gradient(const Eigen::Ref<const Matrix<Scalar>>& x, const Eigen::Ref<const Matrix<Scalar>>& y,
                    const Cost& cost = "quadratic", Wrt wrt = Wrt::parameters) const {
    Gradient g;
    GradientRows<Scalar> out;
    if (wrt != Wrt::x) {
      g.nabla.resize(this->n_parameters());
      out.nabla = g.nabla.data();
    }
    if (wrt != Wrt::parameters) {
      g.x.resize(n_inputs(), x.cols());
      out.x = g.x.data();
    }
    const Batch<Scalar> batch{columns(x), Targets(columns(y)), {}, {0, x.cols(), nullptr}, {cost, nullptr}};
    g.cost = gradient(batch, Reduction::mean, out);
    return g;
  }
  /// C alone.
  double cost(const Eigen::Ref<const Matrix<Scalar>>& x, const Eigen::Ref<const Matrix<Scalar>>& y,
              const Cost& cost = "quadratic") const {
    return gradient({columns(x), Targets(columns(y)), {}, {0, x.cols(), nullptr}, {cost, nullptr}}, Reduction::mean,
                    {});
  }

  /// What every call on a batch asks for first. std::invalid_argument says what does not fit.
  void check_batch(const Batch<Scalar>& batch) const {
    engine::Pulse undisturbed(nullptr);
    check_batch(batch, {}, undisturbed);
  }
  void check_batch(const Batch<Scalar>& batch, const Call& call, engine::Pulse& pulse) const {
    check_width(batch.x, n_inputs(), "x");
    check_width(batch.y.values, batch.y.labels ? 1 : n_outputs(), "y");
    if (batch.x.count < 1) throw std::invalid_argument("x has 0 samples, but a cost needs at least 1");
    if (batch.rows.count < 1 || batch.rows.begin < 0 || batch.rows.begin > batch.x.count - batch.rows.count)
      throw std::invalid_argument("a batch of " + std::to_string(batch.rows.count) + " samples from number " +
                                  std::to_string(batch.rows.begin) + " on does not lie within the " +
                                  std::to_string(batch.x.count) + " samples of x");
    if (batch.y.values.count != batch.x.count)
      throw std::invalid_argument("y has " + std::to_string(batch.y.values.count) + " samples, but x has " +
                                  std::to_string(batch.x.count));
    if (batch.y.labels) check_labels(batch.y.values, call, pulse);
    check_weights(batch.weights, batch.x.count, pulse);
    if (!batch.cost.custom) batch.cost.cost.template check<Scalar>(this->activation(depth()));
  }

 private:
  static std::vector<Activation> repeat(std::size_t n, Activation inner, Activation output) {
    std::vector<Activation> all(n < 2 ? 0 : n - 1, inner);
    if (!all.empty()) all.back() = output;
    return all;
  }

  /// Samples that a thread predicts at a time: a tile or, through wide layers, fewer, so that all have as many.
  Index samples_at_once(Index count, int threads) const {
    if (threads <= 1 || count <= detail::worth_sharing || !detail::goes_together<Scalar>(*this))
      return engine::tile_samples;
    const Index tiles = (count + engine::tile_samples - 1) / engine::tile_samples;
    const Index pieces = (tiles + threads - 1) / threads * threads;
    return std::max(detail::worth_sharing, (count + pieces - 1) / pieces);
  }

  double tile_work(bool backward) const { return detail::work_of(*this, backward) * engine::tile_samples; }

  void predict_tile(const Samples& x, Index first, Index m, Scalar* out) const {
    if (m == 0) return;
    const WorkspaceLease<Scalar> lease(this->shape(), this->sizes());
    Workspace<Scalar>& w = *lease;
    BatchRows{first, m}.fill(0, m, w);
    forward_tile(static_cast<const Base&>(*this), x, m, Keep::nothing, static_cast<const LayerRows<Scalar>*>(nullptr),
                 w);
    leave_outputs(w, out + first * n_outputs());
  }

  /// Many tiles go through a layer together, so that its weights are packed once for all of them.
  void predict_wide(const Samples& x, Scalar* out, const Call& call, engine::Pulse& pulse) const {
    using Group = TileGroup<Scalar>;
    constexpr Index at_once = Group::most_tiles * engine::tile_samples;
    thread_local Group kept;
    Group space = std::exchange(kept, {});  // a call from within this one, by the watcher, makes one of its own
    space.prepare(*this, std::min(Group::most_tiles, (x.count + engine::tile_samples - 1) / engine::tile_samples),
                  Keep::nothing);
    for (Index first = 0; first < x.count; first += at_once) {
      detail::WideGroup<Scalar> group(*this, space, std::min(at_once, x.count - first), call, pulse);
      group.load(x, BatchRows{0, x.count}, first);
      for (Index l = 1; l <= depth(); ++l) group.forward(l, Keep::nothing);
      group.each_tile(static_cast<double>(n_outputs()), [&](Index t, Workspace<Scalar>& w) {
        leave_outputs(w, out + (first + t * engine::tile_samples) * n_outputs());
      });
    }
    kept = std::move(space);
  }

  /// y of a tile's samples, from its a^L.
  void leave_outputs(const Workspace<Scalar>& w, Scalar* rows) const {
    detail::scatter_tile(w, w.a(depth()), n_outputs(), rows);
    if (this->normalization().of_output()) restore_outputs<Scalar>(*this, rows, w.m);
  }

  static void check_width(const Samples& x, Index n, const char* name) {
    if (x.width != n)
      throw std::invalid_argument(std::string(name) + " has " + std::to_string(x.width) +
                                  " values a sample, but the network takes " + std::to_string(n));
  }

  void check_labels(const Samples& labels, const Call& call, engine::Pulse& pulse) const {
    const auto classes = static_cast<double>(n_outputs());
    const Index bad = detail::first_bad(labels.count, 1, call, pulse, [&](Index begin, Index end) {
      detail::ScanColumn<double> column;
      const double* label = column.read(labels, begin, end);
      Index s = begin;
      while (s < end && label[s - begin] >= 0 && label[s - begin] < classes &&
             label[s - begin] == static_cast<double>(static_cast<Index>(label[s - begin])))
        ++s;
      return s;
    });
    if (bad == labels.count) return;
    const double label = engine::element<double>(labels, bad, 0);
    const bool whole = std::abs(label) < 0x1p53 && label == std::floor(label);
    throw std::invalid_argument("y[" + std::to_string(bad) + "] is " +
                                (whole ? std::to_string(static_cast<long long>(label)) : init::number(label)) +
                                ", but class labels go from 0 to " + std::to_string(n_outputs() - 1));
  }

  static void check_weights(const Weights<Scalar>& weights, Index m, engine::Pulse& pulse) {
    if (!weights.values) return;
    if (weights.values->count != m || weights.values->width != 1)
      throw std::invalid_argument("sample_weight has " + std::to_string(weights.values->count) +
                                  " numbers, but x has " + std::to_string(m) + " samples");
    double total = 0;
    detail::ScanColumn<double> column;
    for (Index begin = 0; begin < m; begin += detail::scan_block) {
      const Index end = std::min(m, begin + detail::scan_block);
      const double* block = column.read(*weights.values, begin, end);
      for (Index s = begin; s < end; ++s) {
        const auto weight = static_cast<Scalar>(block[s - begin]);
        if (!(block[s - begin] >= 0 && std::isfinite(weight)))
          throw std::invalid_argument("sample_weight[" + std::to_string(s) + "] is " +
                                      init::number(std::isfinite(weight) ? block[s - begin] : double(weight)) +
                                      ", but weights are finite and not negative");
        total += static_cast<double>(weight);
      }
      if (pulse.beat(static_cast<double>(end - begin))) throw Interrupted();
    }
    if (!(total > 0)) throw std::invalid_argument("sample_weight sums to 0, so there is nothing to take the cost of");
    if (!std::isfinite(total)) throw std::invalid_argument("sample_weight sums to more than a number can hold");
  }
};

}  // namespace bpnet
