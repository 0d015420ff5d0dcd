/// What a network is: its sizes, activations, parameters and standardisation. What it does is in the files above this
/// one.
#pragma once

#include <atomic>
#include <optional>

#include "bpnet/initializer.hpp"
#include "bpnet/kernel_table.hpp"
#include "bpnet/parameters.hpp"

namespace bpnet {

/// Standardisation that is part of a network: layer 1 sees (x - shift) / scale, and raw y = scale a^L + shift.
/// Each vector is empty (unset) or as long as x or y; scales are finite and positive.
template <class Scalar>
struct Normalization {
  std::vector<Scalar> input_shift, input_scale, output_shift, output_scale;

  bool of_input() const { return !input_shift.empty() || !input_scale.empty(); }
  bool of_output() const { return !output_shift.empty() || !output_scale.empty(); }
  static const Scalar* pointer(const std::vector<Scalar>& v) { return v.empty() ? nullptr : v.data(); }
};

template <class Scalar_>
class Model {
 public:
  using Scalar = Scalar_;

  /// sizes n_0..n_L; one activation a layer. Parameters are zero. std::invalid_argument where these do not fit,
  /// engine::Interrupted where the watcher says stop.
  Model(std::vector<Index> sizes, std::vector<Activation> activations, engine::Watcher* watcher = nullptr)
      : sizes_(std::move(sizes)),
        activations_(std::move(activations)),
        layout_(sizes_),
        theta_(zeros(layout_.total(), watcher)) {
    if (static_cast<Index>(activations_.size()) != depth())
      throw std::invalid_argument(std::to_string(activations_.size()) + " activations, but the network has " +
                                  std::to_string(depth()) + " layers");
    widest_ = *std::max_element(sizes_.begin(), sizes_.end());
  }

  const std::vector<Index>& sizes() const { return sizes_; }
  Index size(Index l) const { return sizes_[static_cast<std::size_t>(l)]; }  ///< n_l
  Index depth() const { return static_cast<Index>(sizes_.size()) - 1; }      ///< L
  Index n_inputs() const { return sizes_.front(); }
  Index n_outputs() const { return sizes_.back(); }
  Index widest() const { return widest_; }  ///< the largest of n_0..n_L
  const std::vector<Activation>& activations() const { return activations_; }
  Activation activation(Index l) const { return activations_[static_cast<std::size_t>(l - 1)]; }  ///< f^l, l = 1..L
  Index n_parameters() const { return layout_.total(); }
  const ParameterLayout& layout() const { return layout_; }

  /// Views, l = 1..L; writing to them changes the network.
  VectorMap<Scalar> theta() { return {theta_.data(), n_parameters()}; }
  ConstVectorMap<Scalar> theta() const { return {theta_.data(), n_parameters()}; }
  MatrixMap<Scalar> W(Index l) { return {weights(l), size(l), size(l - 1)}; }
  ConstMatrixMap<Scalar> W(Index l) const { return {weights(l), size(l), size(l - 1)}; }
  VectorMap<Scalar> b(Index l) { return {biases(l), size(l)}; }
  ConstVectorMap<Scalar> b(Index l) const { return {biases(l), size(l)}; }

  Scalar* weights(Index l) { return theta_.data() + layout_.W(l); }
  const Scalar* weights(Index l) const { return theta_.data() + layout_.W(l); }
  Scalar* biases(Index l) { return theta_.data() + layout_.b(l); }
  const Scalar* biases(Index l) const { return theta_.data() + layout_.b(l); }

  /// Draws all weights by `scheme` (nothing: by each layer's activation) and all biases by `biases` (nothing: zero, or
  /// what the weights' scheme prescribes). A pure function of the seed. Throws engine::Interrupted where the watcher
  /// says stop; the parameters are then drawn in part.
  void initialize(std::uint64_t seed, std::optional<Initializer> scheme = {},
                  std::optional<Initializer> bias_scheme = {}, engine::Watcher* watcher = nullptr) {
    engine::Pulse pulse(watcher);
    const engine::Checkpoint checkpoint(&pulse, nullptr);
    for (Index l = 1; l <= depth(); ++l) {
      const Initializer by = scheme ? *scheme : automatic_initializer(activation(l).name());
      const auto layer = static_cast<std::uint64_t>(l);
      bpnet::initialize(by, size(l), size(l - 1), seed, stream_of(StreamUse::Weights, layer), weights(l), checkpoint);
      initialize_biases(bias_scheme ? *bias_scheme : default_bias_initializer(by), size(l), size(l - 1), seed,
                        stream_of(StreamUse::Biases, layer), biases(l), checkpoint);
    }
  }

  const Normalization<Scalar>& normalization() const { return normalization_; }
  /// std::invalid_argument where lengths or numbers do not fit.
  void set_normalization(Normalization<Scalar> n) {
    check(n.input_shift, "input_shift", n_inputs(), false);
    check(n.input_scale, "input_scale", n_inputs(), true);
    check(n.output_shift, "output_shift", n_outputs(), false);
    check(n.output_scale, "output_scale", n_outputs(), true);
    normalization_ = std::move(n);
  }

  /// One number for all networks of the same sizes that were copied from one another: what workspaces are prepared for.
  std::uint64_t shape() const { return shape_; }

 private:
  static AlignedBuffer<Scalar> zeros(Index n, engine::Watcher* watcher) {
    engine::Pulse pulse(watcher);
    return AlignedBuffer<Scalar>(n, engine::Checkpoint(&pulse, nullptr));
  }
  static void check(const std::vector<Scalar>& v, const std::string& name, Index n, bool positive) {
    if (v.empty()) return;
    if (static_cast<Index>(v.size()) != n)
      throw std::invalid_argument(name + " has " + std::to_string(v.size()) + " numbers, but needs " +
                                  std::to_string(n));
    for (const Scalar x : v)
      if (!std::isfinite(x) || (positive && !(x > 0)))
        throw std::invalid_argument(name + " contains " + std::to_string(x) + ", but needs " +
                                    (positive ? "finite positive numbers" : "finite numbers"));
  }
  static std::uint64_t next_shape() {
    static std::atomic<std::uint64_t> last{0};
    return ++last;
  }

  std::vector<Index> sizes_;
  Index widest_ = 0;
  std::vector<Activation> activations_;
  ParameterLayout layout_;
  AlignedBuffer<Scalar> theta_;
  Normalization<Scalar> normalization_;
  std::uint64_t shape_ = next_shape();
};

/// y of m samples, rows of n_L, from standardised to raw units.
template <class Scalar>
void restore_outputs(const Model<Scalar>& net, Scalar* rows, Index m = 1) {
  const auto& normal = net.normalization();
  const Index n = net.n_outputs();
  const Scalar *scale = normal.pointer(normal.output_scale), *shift = normal.pointer(normal.output_shift);
  for (Index s = 0; s < m; ++s, rows += n) {
    for (Index j = 0; scale && j < n; ++j) rows[j] *= scale[j];
    for (Index j = 0; shift && j < n; ++j) rows[j] += shift[j];
  }
}

}  // namespace bpnet
