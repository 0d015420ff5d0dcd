/// One tile of samples from delta^L back to x. (BP2) to (BP5)
#pragma once

#include <bit>

#include "bpnet/output.hpp"

namespace bpnet {

/// Takes the gradient of some parameters as soon as it is complete: `columns` pieces of n numbers that lie `stride`
/// apart in theta, the first at `from`, and g_stride apart at g.
template <class Scalar>
class GradientSink {
 public:
  virtual ~GradientSink() = default;
  virtual void take(const Scalar* g, Index from, Index n, bool are_biases, Index columns = 1, Index stride = 0,
                    Index g_stride = 0) const = 0;
  /// The same of n parameters from `from` on, weights and biases.
  virtual void take_range(const Scalar* g, Index from, Index n) const = 0;
  /// Where `take` of weights is no more than theta += scale g: theta. Else null.
  struct Plain {
    Scalar* theta = nullptr;
    Scalar scale = 0;
  };
  virtual Plain plain() const = 0;
  /// The arrays that `take` of parameters from `from` on will touch, to be fetched beforehand; null: none.
  virtual std::array<const Scalar*, 6> arrays(Index from) const = 0;
};

/// Where the gradients of one tile go; null: not wanted, not computed.
template <class Scalar>
struct TileGradient {
  Scalar* nabla = nullptr;                            ///< dC/dtheta, in the order of theta
  bool fresh = true;                                  ///< nabla is overwritten, not added to
  Scalar* x = nullptr;                                ///< rows of grad_x C
  const std::vector<Scalar*>* deltas = nullptr;       ///< rows of delta^1..delta^L
  const std::vector<Scalar*>* activations = nullptr;  ///< rows of grad_(a^0) C..grad_(a^L) C
  /// Gets dC/dtheta block by block, while each is in cache; nabla is then scratch.
  const GradientSink<Scalar>* sink = nullptr;
};

namespace detail {

/// The most weights of a layer whose gradient is computed with lanes over inputs.
inline constexpr Index narrow_room = 1024;

/// Numbers of a gradient that a sink is handed at a time: they stay in L1 on their way.
inline constexpr Index sink_block = 4608;

/// Whether there are so many bytes of weights that a gradient for each shard of a batch would cost too much.
template <class Scalar>
bool has_many_weights(const Model<Scalar>& net) {
  return static_cast<double>(net.n_parameters()) * sizeof(Scalar) >= 4e5;
}

/// From which output on the gradient of a layer is folded (engine/folded.hpp) in a tile of m samples: 0 where there are
/// few outputs; where the last ones would fill a small part of a register of AVX-512, from those on; else n_out. This
/// decides the order of a sum, so nothing but shapes enters.
template <class Scalar>
Index first_folded(const Model<Scalar>& net, Index l, Index m) {
  constexpr Index lanes = 64 / static_cast<Index>(sizeof(Scalar)), few = lanes / 4;
  const Index n_out = net.size(l), rest = n_out % lanes;
  if (m < 2 * engine::partial_sums || has_many_weights(net)) return n_out;  // many: tiles may go through them together
  if (n_out <= few) return 0;
  if (net.n_parameters() > sink_block) return n_out;  // a sink may take whole columns
  return n_out > lanes && 0 < rest && rest <= few ? n_out - rest : n_out;
}

/// dC/dW^l and dC/db^l of the outputs from `first` on, folded. (BP3), (BP4)
template <class Scalar>
void folded_gradient(const Model<Scalar>& net, Index l, Index first, const Scalar* delta, bool fresh, Scalar* dW,
                     Scalar* db, Workspace<Scalar>& w) {
  const auto& k = kernels<Scalar>();
  const Index n_out = net.size(l), n_in = net.size(l - 1), stride = engine::padded(w.m);
  if (w.layout == engine::Layout::sample_lanes)
    k.outer_folded(delta + first * stride, w.a(l - 1), stride, n_out - first, n_in, w.m, fresh, dW + first, n_out,
                   db + first);
  else
    k.outer_folded_rows(delta + first, engine::padded(n_out), unit_rows(net, l - 1, w), n_out - first, n_in, w.m, fresh,
                        dW + first, n_out, db + first);
}

/// From which output on, of the first n_out, the weight gradient of a layer is better computed with lanes over its
/// inputs: 0 where there are few outputs; where the last ones would fill a small part of a register, from those on;
/// else n_out.
template <class Scalar>
Index first_exchanged(Index n_out, Index n_in) {
  const Index lanes = kernels<Scalar>().lanes, rest = n_out & (lanes - 1);
  const int bits = std::countr_zero(static_cast<std::size_t>(lanes));  // a shift: a division takes 15 cycles
  const auto registers = [&](Index n) { return (n + lanes - 1) >> bits; };
  if (2 * registers(n_in) * n_out <= registers(n_out) * n_in && n_out * n_in <= narrow_room) return 0;
  constexpr Index turning = 4;  // a register of a^(l-1) turned around takes as long as so many multiply-adds
  const bool pays = rest > 0 && n_out > lanes && n_in >= lanes / 2 && 2 * (rest + turning) <= lanes;
  return pays && rest * n_in <= narrow_room ? n_out - rest : n_out;
}

/// The weight gradient of the outputs from `first` to `last`: the same chains as `weight_gradient`. (BP3)
template <class Scalar>
void exchanged_gradient(const Model<Scalar>& net, Index l, Index first, Index last, const Scalar* delta, bool fresh,
                        Scalar* dW, Workspace<Scalar>& w) {
  const Index stride = engine::padded(w.m);
  kernels<Scalar>().outer_turned(delta + first * stride, w.a(l - 1), stride, last - first, net.size(l - 1), w.m, fresh,
                                 dW + first, net.size(l));
}

/// dC/dW^l of the weights of outputs 0..outputs-1 and inputs i..i+columns-1, into their columns dW; unless db is null,
/// dC/db^l. (BP3), (BP4)
template <class Scalar>
void weight_gradient(const Model<Scalar>& net, Index l, const engine::DeltaRows<Scalar>& rows, Index outputs, Index i,
                     Index columns, bool fresh, Scalar* dW, Scalar* db, Workspace<Scalar>& w) {
  const auto& k = kernels<Scalar>();
  const Index n_out = net.size(l);
  if (w.layout == engine::Layout::sample_lanes) {
    const Index stride = engine::padded(w.m);
    return k.outer_samples(rows, w.a(l - 1) + i * stride, stride, outputs, columns, w.m, fresh, dW, n_out, nullptr, db);
  }
  const Scalar* const* a = unit_rows(net, l - 1, w);
  std::array<const Scalar*, engine::tile_samples> from;
  if (i > 0) {
    for (Index s = 0; s < w.m; ++s) from[static_cast<std::size_t>(s)] = a[s] + i;
    a = from.data();
  }
  k.outer_rows(rows, a, outputs, columns, w.m, fresh, dW, n_out, db);
}

/// dC/dW^l = delta^l (a^(l-1))^T, dC/db^l = delta^l, summed over the samples of the tile. (BP3), (BP4)
template <class Scalar>
void layer_gradient(const Model<Scalar>& net, Index l, const Scalar* delta, const TileGradient<Scalar>& out,
                    Workspace<Scalar>& w) {
  const auto& k = kernels<Scalar>();
  const Index n_in = net.size(l - 1), W = net.layout().W(l), b = net.layout().b(l);
  const Index n_out = first_folded(net, l, w.m);  // of which sums are ascending
  if (n_out == 0 && out.sink) {
    Scalar* db = out.nabla + net.size(l) * n_in;
    folded_gradient(net, l, 0, delta, out.fresh, out.nabla, db, w);
    out.sink->take(out.nabla, W, net.size(l) * n_in, false);
    return out.sink->take(db, b, net.size(l), true);
  }
  if (n_out < net.size(l)) folded_gradient(net, l, n_out, delta, out.fresh, out.nabla + W, out.nabla + b, w);
  if (n_out == 0) return;
  const bool lanes = w.layout == engine::Layout::sample_lanes;
  const Index stride = engine::padded(w.m);
  Index first = lanes ? first_exchanged<Scalar>(n_out, n_in) : n_out;
  if (out.sink && first > 0) first = n_out;  // it gets whole columns
  if (0 < first && first < n_out) exchanged_gradient(net, l, first, n_out, delta, out.fresh, out.nabla + W, w);
  engine::DeltaRows<Scalar> rows{delta, 1, engine::padded(net.size(l))};
  if (lanes && first > 0) {
    k.to_panels(delta, stride, first, w.m, w.panels);
    rows = {w.panels, w.m, k.panel};
  }
  const auto weights = [&](Index i, Index columns, Scalar* dW, Scalar* db) {
    if (first == 0) return exchanged_gradient(net, l, 0, n_out, delta, out.fresh, dW, w);
    weight_gradient(net, l, rows, first, i, columns, out.fresh, dW, db, w);
  };
  const auto last_biases = [&](Scalar* db) {
    if (first < n_out) k.sum_samples(delta + first * stride, stride, n_out - first, w.m, out.fresh, db + first);
  };
  const auto biases = [&](Scalar* db) {
    if (first > 0) k.sum_rows(rows, first, w.m, out.fresh, db);
    last_biases(db);
  };
  if (!out.sink) {
    weights(0, n_in, out.nabla + W, out.nabla + b);
    return last_biases(out.nabla + b);
  }
  if (const auto step = out.sink->plain(); step.theta && !lanes) {
    k.step_rows(rows, unit_rows(net, l - 1, w), n_out, n_in, w.m, step.scale, step.theta + W);
    biases(out.nabla);
    return out.sink->take(out.nabla, b, n_out, true);
  }
  constexpr Index whole = 48;  // inputs: whole blocks of the kernel of any level, and whole lines of theta
  const Index most = std::max<Index>(sink_block / n_out / whole, 1) * whole;
  const Index at_once = first == 0 ? n_in : std::min(most, n_in);
  for (Index i = 0; i < n_in; i += at_once) {
    const Index columns = std::min(at_once, n_in - i);
    weights(i, columns, out.nabla, nullptr);
    out.sink->take(out.nabla, W + i * n_out, columns * n_out, false);
  }
  biases(out.nabla);
  out.sink->take(out.nabla, b, n_out, true);
}

/// Whether the product that pulls back through layer l takes f'(z^(l-1)) along.
template <class Scalar>
bool pulls_at_once(const Model<Scalar>& net, Index l, const Scalar* rows, const Workspace<Scalar>& w) {
  return w.layout == engine::Layout::sample_lanes && l > 1 && !rows && !net.activation(l - 1).is_softmax();
}

/// grad_(a^(l-1)) C = (W^l)^T delta^l (BP5) into `rows`, if that is not null, and delta^(l-1) (BP2) into `pulled`; for
/// l = 1, where there is no delta, grad_(a^0) C.
template <class Scalar>
void pull_back(const Model<Scalar>& net, Index l, const Scalar* delta, Scalar* pulled, Scalar* rows,
               Workspace<Scalar>& w) {
  const auto& k = kernels<Scalar>();
  const Index n_out = net.size(l), n_in = net.size(l - 1);
  const bool at_once = pulls_at_once(net, l, rows, w);
  if (w.layout == engine::Layout::sample_lanes)
    k.pull_samples(net.weights(l), n_out, n_in, delta, at_once ? w.slope(l - 1) : nullptr, pulled, engine::padded(w.m));
  else
    k.pull_units(net.weights(l), n_out, n_in, delta, engine::padded(n_out), pulled, engine::padded(n_in), w.m,
                 w.panels);
  scatter_tile(w, pulled, n_in, rows);
  if (l > 1 && !at_once) apply_slope(net, l - 1, pulled, w);
}

/// Where backward_tile leaves delta^(l-1): in the place of f'(z^(l-1)), which nobody wants any more, so that less of L1
/// is taken; else in that of w.delta and w.pulled where delta^l is not.
template <class Scalar>
Scalar* place_of_pulled(const Model<Scalar>& net, Index l, const Scalar* delta, const Scalar* rows,
                        Workspace<Scalar>& w) {
  if (pulls_at_once(net, l, rows, w) && net.size(l) <= engine::depth_in_l1<Scalar>) return w.slope(l - 1);
  return delta == w.pulled ? w.delta : w.pulled;
}

/// Rows of grad_x C, x in raw units, from grad_(a^0) C.
template <class Scalar>
void scatter_input_gradient(const Model<Scalar>& net, const Scalar* grad, Scalar* rows, Workspace<Scalar>& w) {
  const Index n = net.n_inputs();
  scatter_tile(w, grad, n, rows);
  const auto& scale = net.normalization().input_scale;
  if (scale.empty()) return;
  for (Index s = 0; s < w.m; ++s)
    for (Index i = 0; i < n; ++i) rows[s * n + i] /= scale[static_cast<std::size_t>(i)];
}

}  // namespace detail

/// Walks the tile back from what cost_tile left, and adds what is wanted to `out`.
template <class Scalar>
void backward_tile(const Model<Scalar>& net, const TileGradient<Scalar>& out, Workspace<Scalar>& w) {
  const Index L = net.depth();
  const auto at = [](Index l) { return static_cast<std::size_t>(l); };
  if (out.activations) detail::scatter_tile(w, w.grad, net.n_outputs(), (*out.activations)[at(L)]);
  Scalar* delta = w.delta;
  for (Index l = L; l >= 1; --l) {
    if (out.deltas) detail::scatter_tile(w, delta, net.size(l), (*out.deltas)[at(l - 1)]);
    const bool last = l == 1 && !out.x && !out.activations;
    Scalar* rows = out.activations ? (*out.activations)[at(l - 1)] : nullptr;
    Scalar* pulled = last ? nullptr : detail::place_of_pulled(net, l, delta, rows, w);
    if (!last) detail::pull_back(net, l, delta, pulled, rows, w);  // by the weights before a sink changes them
    if (out.nabla) detail::layer_gradient(net, l, delta, out, w);
    delta = pulled;
  }
  if (out.x) detail::scatter_input_gradient(net, delta, out.x, w);  // what was pulled last is grad_(a^0) C
}

}  // namespace bpnet
