/// The outputs of one tile: from z^L to a^L (F2), the cost, and delta^L (BP1).
#pragma once

#include "bpnet/forward.hpp"

namespace bpnet {

/// A cost as the passes use it: a row of the table, or the user's own.
template <class Scalar>
struct CostUse {
  Cost cost{"quadratic"};
  const CustomCost<Scalar>* custom = nullptr;
};

namespace detail {

/// Outputs that go through all passes together, so that each finds in L1 what the one before has left: some units of
/// all samples in sample lanes, all units of some samples in unit lanes. In the tile they lie together, from `at` on.
/// What only the next pass reads has one place for all parts: the beginning of an array.
struct OutputPart {
  Index unit, units, sample, samples, at, count;
};

/// body(part) for all parts of a tile's outputs; with `whole`, no part leaves out units.
template <class Scalar, class Body>
void each_part(const Workspace<Scalar>& w, Index n, bool whole, const Body& body) {
  constexpr Index numbers = 4096 / static_cast<Index>(sizeof(Scalar)), some = engine::partial_sums;
  const Index stride = stride_of(w, n);
  if (w.layout == engine::Layout::unit_lanes) {
    const Index most = std::max<Index>(numbers / stride, 1);
    for (Index s = 0; s < w.m; s += most) {
      const Index samples = std::min(most, w.m - s);
      body(OutputPart{0, n, s, samples, s * stride, samples * stride});
    }
  } else {
    const Index most = whole ? n : std::max<Index>(numbers / stride / some, 1) * some;
    for (Index i = 0; i < n; i += most) {
      const Index units = std::min(most, n - i);
      body(OutputPart{i, units, 0, w.m, i * stride, units * stride});
    }
  }
}

/// The class label of each sample, looked at once.
template <class Scalar>
std::array<Index, engine::tile_samples> load_labels(const Targets& y, Index n, const Workspace<Scalar>& w) {
  std::array<Index, engine::tile_samples> labels;
  for (Index s = 0; s < w.m; ++s) {
    const double value = engine::element<double>(y.values, w.indices[static_cast<std::size_t>(s)], 0);
    if (!(value >= 0 && value < static_cast<double>(n)))  // they were looked through, but may be written to meanwhile
      throw std::invalid_argument("y has changed during the call: it has the class label " + std::to_string(value));
    labels[static_cast<std::size_t>(s)] = static_cast<Index>(value);
  }
  return labels;
}

/// y of a part: gathered, or spread from labels, and standardised as the network's outputs are.
template <class Scalar>
void load_targets(const Model<Scalar>& net, const Targets& y, const std::array<Index, engine::tile_samples>& labels,
                  const OutputPart& part, Workspace<Scalar>& w) {
  const bool lanes = w.layout == engine::Layout::sample_lanes;
  const Index stride = stride_of(w, net.n_outputs());
  Scalar* to = w.y;
  if (y.labels) {
    std::fill_n(to, part.count, Scalar(0));
    for (Index s = 0; s < part.samples; ++s) {
      const Index unit = labels[static_cast<std::size_t>(part.sample + s)] - part.unit;
      if (0 <= unit && unit < part.units) to[lanes ? unit * stride + s : s * stride + unit] = Scalar(1);
    }
  } else {
    gather_tile(w, y.values.values(part.unit, part.units), part.sample, part.samples, stride, to);
  }
  const auto& normal = net.normalization();
  const auto of_part = [&](const std::vector<Scalar>& all) { return all.empty() ? nullptr : all.data() + part.unit; };
  if (normal.of_output())
    kernels<Scalar>().standardise(w.layout, to, part.units, part.samples, stride, of_part(normal.output_shift),
                                  of_part(normal.output_scale));
}

/// Whether the quotient of softmax and -sum y log a is cancelled.
template <class Scalar>
bool is_fused(const Model<Scalar>& net, const CostUse<Scalar>& use) {
  return !use.custom && use.cost.is_cross_entropy() && net.activation(net.depth()).is_softmax();
}

/// a, y and the costs of a tile for the user's own cost: rows out to the user, costs and gradients back in.
template <class Scalar>
void custom_cost(const Model<Scalar>& net, const CustomCost<Scalar>& custom, Workspace<Scalar>& w) {
  const Index n = net.n_outputs(), stride = stride_of(w, n);
  std::vector<Scalar> rows(static_cast<std::size_t>(3 * w.m * n));
  Scalar *a = rows.data(), *y = a + w.m * n, *grad = y + w.m * n;
  scatter_tile(w, w.a(net.depth()), n, a);
  scatter_tile(w, w.y, n, y);
  custom.evaluate(a, y, w.m, n, w.sample_cost, grad);
  std::array<const Scalar*, engine::tile_samples> pointers;
  for (Index s = 0; s < w.m; ++s) pointers[static_cast<std::size_t>(s)] = grad + s * n;
  if (w.layout == engine::Layout::sample_lanes)
    kernels<Scalar>().to_lanes(pointers.data(), n, w.m, w.grad, stride);
  else
    for (Index s = 0; s < w.m; ++s) std::copy_n(grad + s * n, n, w.grad + s * stride);
}

/// delta^l = f'(z^l) o grad_(a^l) C, in place. (BP2)
template <class Scalar>
void apply_slope(const Model<Scalar>& net, Index l, Scalar* pulled, Workspace<Scalar>& w) {
  const auto& k = kernels<Scalar>();
  const Index n = net.size(l);
  if (net.activation(l).is_softmax())
    k.softmax_pull(w.layout, w.a(l), pulled, pulled, n, w.m, stride_of(w, n));
  else
    k.multiply(pulled, w.slope(l), count_of(w, n));
}

/// What a cost needs of the outputs.
struct OutputNeeds {
  bool delta, grad;  ///< dC/dz, dC/da
  bool tail, logs;   ///< what rounding took from a^L; what the costs with logarithms are formed from
};

/// From z^L in w.delta to a^L, C of each output, dC/da and, in the place of z^L, delta^L of a part; of softmax and its
/// own cross entropy, with the quotient cancelled.
template <class Scalar>
void cost_part(const Model<Scalar>& net, const Cost& cost, bool fused, const OutputNeeds& needs, const OutputPart& part,
               Scalar* cost_of_each, Workspace<Scalar>& w) {
  const auto& k = kernels<Scalar>();
  const Index L = net.depth(), n = net.n_outputs(), stride = stride_of(w, n);
  const auto f = net.activation(L);
  const auto& row = k.activations[f.index()];
  Scalar *a = w.a(L), *slope = w.slope(L), *tail = needs.tail ? w.tail : nullptr, *z = w.delta + part.at;
  Scalar *grad = needs.grad ? w.grad + part.at : nullptr, *delta = needs.delta ? z : nullptr;
  if (f.is_softmax()) {
    k.softmax(w.layout, z, a, tail, needs.logs ? w.logs.value : nullptr, n, part.samples, stride);
    if (needs.logs) row.logs(w.logs.value, a, tail, w.logs, part.count);
  } else {
    row.value_slope(z, a, slope, part.count);
    if (tail) row.tail(z, a, slope, tail, part.count);
    if (needs.logs) row.logs(z, a, slope, w.logs, part.count);
  }
  k.costs[cost.index()]({w.y, a, tail, f.is_softmax() ? nullptr : slope, w.logs, cost_of_each, grad, delta},
                        static_cast<Scalar>(cost.parameter()), part.count);
  if (fused && delta)
    k.softmax_cross_entropy_delta(w.layout, a, tail, w.y, delta, n, part.samples, stride);
  else if (f.is_softmax() && delta)
    k.softmax_pull(w.layout, a, grad, delta, n, part.samples, stride);
}

}  // namespace detail

/// C of each sample into w.sample_cost; with `differentiate`, delta^L into w.delta and, with `want_grad`,
/// grad_(a^L) C into w.grad, both of the sum of all samples' w.sample_scale C (BP1). forward_tile has run with
/// Keep::backward, and a^L is not kept.
template <class Scalar>
void cost_tile(const Model<Scalar>& net, const Targets& y, const CostUse<Scalar>& use, bool differentiate,
               bool want_grad, Workspace<Scalar>& w) {
  using detail::OutputPart;
  const auto& k = kernels<Scalar>();
  const Index L = net.depth(), n = net.n_outputs(), stride = detail::stride_of(w, n);
  const auto f = net.activation(L);
  const bool fused = detail::is_fused(net, use);
  std::array<Index, engine::tile_samples> labels;
  if (y.labels) labels = detail::load_labels(y, n, w);
  const auto scale = [&](Scalar* array, const OutputPart& part) {
    k.scale_samples(w.layout, array + part.at, part.units, part.samples, stride, w.sample_scale + part.sample);
  };
  if (use.custom) {
    const OutputPart all{0, n, 0, w.m, 0, detail::count_of(w, n)};
    detail::activate(net, L, w.delta, Keep::backward, w);
    detail::load_targets(net, y, labels, all, w);
    detail::custom_cost(net, *use.custom, w);
    if (!differentiate) return;
    std::copy_n(w.grad, all.count, w.delta);
    detail::apply_slope(net, L, w.delta, w);
    scale(w.delta, all);
    return scale(w.grad, all);
  }
  const detail::OutputNeeds needs{
      .delta = differentiate,
      .grad = want_grad || (f.is_softmax() && differentiate && !fused),
      .tail = f.is_softmax() || k.activations[f.index()].tail != nullptr,
      .logs = use.cost.row().uses_logs,
  };
  const bool lanes = w.layout == engine::Layout::sample_lanes;
  const Index together = engine::partial_sums * stride;  // costs of as many units as there are partial sums
  detail::each_part(w, n, f.is_softmax(), [&](const OutputPart& part) {
    Scalar* cost = w.cost + (lanes && part.at > 0 ? together : 0);
    detail::load_targets(net, y, labels, part, w);
    detail::cost_part(net, use.cost, fused, needs, part, cost, w);
    if (needs.delta) scale(w.delta, part);
    if (want_grad) scale(w.grad, part);
    if (!lanes) return k.sum_units(w.layout, cost, n, part.samples, stride, w.sample_cost + part.sample);
    for (Index i = part.at > 0 ? 0 : together; i < part.count; i += together)
      k.add(w.cost, cost + i, std::min(together, part.count - i));
  });
  if (lanes) k.sum_units(w.layout, w.cost, std::min<Index>(n, engine::partial_sums), w.m, stride, w.sample_cost);
}

}  // namespace bpnet
