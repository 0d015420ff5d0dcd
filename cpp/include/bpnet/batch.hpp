/// A batch, tile by tile: its cost and gradient as sums over the shards of shards.hpp.
#pragma once

#include <bit>
#include <cmath>
#include <numeric>

#include "bpnet/backward.hpp"
#include "bpnet/engine/threads.hpp"
#include "bpnet/scan.hpp"
#include "bpnet/shards.hpp"
#include "bpnet/train/order.hpp"
#include "bpnet/wide.hpp"

namespace bpnet {

using engine::Call;
using engine::Interrupted;
using engine::Watcher;

enum class Reduction { mean, sum };

/// The samples of a batch: positions begin, begin + 1, ... of an order of the caller's rows.
struct BatchRows {
  Index begin = 0;
  Index count = 0;
  const SampleOrder* order = nullptr;  ///< null: as they come

  void fill(Index first, Index n, Index* out) const {
    if (order) return order->fill(static_cast<std::uint64_t>(begin + first), static_cast<std::uint64_t>(n), out);
    const Index from = begin + first;
    for (Index k = 0; k < n; ++k) out[k] = from + k;
  }
  /// The same as the samples of a tile.
  template <class Scalar>
  void fill(Index first, Index n, Workspace<Scalar>& w) const {
    fill(first, n, w.indices.data());
    w.consecutive = order == nullptr;
  }
};

/// What a cost is taken of.
template <class Scalar>
struct Batch {
  Samples x;
  Targets y;
  Weights<Scalar> weights;
  BatchRows rows;
  CostUse<Scalar> cost;
};

namespace detail {

/// The sum of the batch's weights, in ascending order.
template <class Scalar>
double total_weight(const Weights<Scalar>& weights, const BatchRows& rows, engine::Pulse& pulse) {
  if (!weights.values) return static_cast<double>(rows.count);
  double total = 0;
  ScanColumn<Scalar> column;
  for (Index first = 0; first < rows.count; first += scan_block) {
    const Index n = std::min(scan_block, rows.count - first);
    const Scalar* block = column.read(*weights.values, rows, first, n);
    for (Index k = 0; k < n; ++k) total += static_cast<double>(block[k]);
    if (pulse.beat(static_cast<double>(n))) throw Interrupted();
  }
  return total;
}

/// Multiply-adds of one sample, forward or there and back.
template <class Scalar>
double work_of(const Model<Scalar>& net, bool backward) {
  return static_cast<double>(net.n_parameters()) * (backward ? 3 : 1) + 20.0 * static_cast<double>(net.n_outputs());
}

}  // namespace detail

/// Partial gradients of the shards, or tiles that go together; kept between steps.
template <class Scalar>
struct GradientSpace {
  std::vector<AlignedBuffer<Scalar>> partial;
  TileGroup<Scalar> group;

  void prepare(Index shards, Index n_parameters) {
    if (static_cast<Index>(partial.size()) < shards - 1) partial.resize(static_cast<std::size_t>(shards - 1));
    for (Index k = 0; k + 1 < shards; ++k) partial[static_cast<std::size_t>(k)].reserve(n_parameters);
  }
};

/// Whole-batch destinations; what is null or empty is not computed.
template <class Scalar>
struct GradientRows {
  Scalar* nabla = nullptr;
  Scalar* x = nullptr;
  std::vector<Scalar*> deltas, activations;

  bool any() const { return nabla || x || !deltas.empty() || !activations.empty(); }
};

namespace detail {

/// Each sample's factor into the workspace, before its cost is taken. This is where weights and the mean enter. (BP1)
template <class Scalar>
void set_scales(const Batch<Scalar>& batch, double scale, Workspace<Scalar>& w) {
  if (!batch.weights.values)
    std::fill_n(w.sample_scale, w.m, static_cast<Scalar>(scale));
  else
    for (Index s = 0; s < w.m; ++s)
      w.sample_scale[s] = static_cast<Scalar>(batch.weights[w.indices[static_cast<std::size_t>(s)]] * scale);
  std::fill(w.sample_scale + w.m, w.sample_scale + engine::padded(w.m), Scalar(0));
}

/// The weighted cost of the tile: eight sums of every eighth sample, each of which waits for itself alone, folded in
/// halves.
template <class Scalar>
double weighted_cost(const Batch<Scalar>& batch, const Workspace<Scalar>& w) {
  constexpr Index chains = 8;
  double sums[chains] = {};
  const auto add = [&](auto weight) {
    const auto some = [&](Index first, Index n) __attribute__((always_inline)) {
      for (Index k = 0; k < n; ++k) sums[k] += weight(first + k) * static_cast<double>(w.sample_cost[first + k]);
    };
    Index s = 0;
    for (; s + chains <= w.m; s += chains) some(s, chains);
    some(s, w.m - s);
  };
  if (batch.weights.values)
    add([&](Index s) { return batch.weights[w.indices[static_cast<std::size_t>(s)]]; });
  else
    add([](Index) { return 1.0; });
  for (Index half = chains / 2; half > 0; half /= 2)
    for (Index k = 0; k < half; ++k) sums[k] += sums[k + half];
  return sums[0];
}

/// One shard of batch_gradient: its tiles in order. A sink, which only a single tile may have, gets nothing where the
/// cost is not finite.
template <class Scalar>
double shard_gradient(const Model<Scalar>& net, const Batch<Scalar>& batch, double scale, Index first_tile,
                      Index last_tile, const GradientRows<Scalar>& out, Scalar* nabla, const GradientSink<Scalar>* sink,
                      const engine::Checkpoint& checkpoint) {
  const WorkspaceLease<Scalar> lease(net.shape(), net.sizes());
  Workspace<Scalar>& w = *lease;
  std::vector<Scalar*> deltas(out.deltas.size()), activations(out.activations.size());
  double cost = 0;
  for (Index tile = first_tile; tile < last_tile; ++tile) {
    const Index first = tile * engine::tile_samples, m = std::min(engine::tile_samples, batch.rows.count - first);
    batch.rows.fill(first, m, w);
    forward_tile(net, batch.x, m, Keep::backward, static_cast<const LayerRows<Scalar>*>(nullptr), w);
    const bool as_before = tile > first_tile && !batch.weights.values && m == engine::tile_samples;
    if (!as_before) set_scales(batch, scale, w);
    cost_tile(net, batch.y, batch.cost, out.any(), !activations.empty(), w);
    cost += weighted_cost(batch, w);
    checkpoint(work_of(net, out.any()) * static_cast<double>(m));
    if (!out.any() || (sink && !std::isfinite(cost))) continue;
    TileGradient<Scalar> to{nabla, tile == first_tile, nullptr, nullptr, nullptr, sink};
    if (out.x) to.x = out.x + first * net.n_inputs();
    for (std::size_t l = 0; l < deltas.size(); ++l) deltas[l] = out.deltas[l] + first * net.sizes()[l + 1];
    for (std::size_t l = 0; l < activations.size(); ++l) activations[l] = out.activations[l] + first * net.sizes()[l];
    if (!deltas.empty()) to.deltas = &deltas;
    if (!activations.empty()) to.activations = &activations;
    backward_tile(net, to, w);
  }
  return cost;
}

/// Whether batch_gradient takes the layers of many tiles together. A tile by itself gains from that where threads can
/// share its layers, and is long enough for sample lanes.
template <class Scalar>
bool is_grouped(const Model<Scalar>& net, const Batch<Scalar>& batch, int threads) {
  constexpr Index many = 4 * engine::tile_samples;
  const Index count = batch.rows.count;
  if (is_wide(net)) return count > (threads > 1 ? worth_sharing : engine::tile_samples);
  return count >= many && has_many_weights(net) && widest_output(net) >= together_from;
}

/// The group of tiles from sample `begin` on: there and back. Adds the costs of each shard.
template <class Scalar>
void group_gradient(const Model<Scalar>& net, const Batch<Scalar>& batch, double scale, Index begin, Index tiles,
                    ShardCosts& costs, const Shards& shards, const GradientRows<Scalar>& out, TileGroup<Scalar>& space,
                    const GradientSink<Scalar>* sink, const Call& call, engine::Pulse& pulse) {
  const Index L = net.depth();
  const auto first = [&](Index t) { return begin + t * engine::tile_samples; };
  const auto rows = [&](const std::vector<Scalar*>& all, Index l, Index t, Index n) {
    return all[static_cast<std::size_t>(l)] + first(t) * n;
  };
  const Index samples = std::min(tiles * engine::tile_samples, batch.rows.count - begin);
  WideGroup<Scalar> group(net, space, samples, call, pulse);
  const bool together = goes_together(net) || call.threads == 1, want_grad = !out.activations.empty();
  group.load(batch.x, batch.rows, begin);
  if (together)
    for (Index l = 1; l <= L; ++l) group.forward(l, Keep::backward);
  else
    group.each_tile_alone(work_of(net, false), [&](Index, Workspace<Scalar>& w, const engine::Checkpoint& checkpoint) {
      for (Index l = 1; l <= L; ++l) {
        Scalar* z = l == L ? w.delta : w.a(l);
        affine(net, l, z, w);
        if (l < L) activate(net, l, z, Keep::backward, w);
        checkpoint(static_cast<double>(net.size(l) * net.size(l - 1) * w.m));
      }
    });
  group.each_tile(70.0 * static_cast<double>(net.n_outputs()), [&](Index, Workspace<Scalar>& w) {
    set_scales(batch, scale, w);
    cost_tile(net, batch.y, batch.cost, true, want_grad, w);
  });
  for (Index t = 0; t < tiles; ++t)
    costs[shards.shard_of(begin / engine::tile_samples + t)] += weighted_cost(batch, space[t]);
  if (sink && !std::isfinite(std::accumulate(costs.begin(), costs.end(), 0.0))) return;

  const auto leave_delta = [&](Index t, Index l, Workspace<Scalar>& w) {
    if (!out.deltas.empty()) scatter_tile(w, w.delta, net.size(l), rows(out.deltas, l - 1, t, net.size(l)));
    kernels<Scalar>().to_panels(w.delta, engine::padded(w.m), net.size(l), w.m, space.panels(net, t, l));
  };
  group.each_tile(4.0 * static_cast<double>(net.n_outputs()), [&](Index t, Workspace<Scalar>& w) {
    if (want_grad) scatter_tile(w, w.grad, net.n_outputs(), rows(out.activations, L, t, net.n_outputs()));
    leave_delta(t, L, w);
  });
  const Index last = out.x || want_grad ? 1 : 2;  // the last layer to be pulled back through
  const auto pulled_rows = [&](Index t, Index l) {
    return want_grad ? rows(out.activations, l - 1, t, net.size(l - 1)) : nullptr;
  };
  const auto pulled = [&](Index t, Index l, Workspace<Scalar>& w) {
    std::swap(w.delta, w.pulled);
    if (l > 1)
      leave_delta(t, l - 1, w);
    else if (out.x)
      scatter_input_gradient(net, w.delta, out.x + first(t) * net.n_inputs(), w);
  };
  if (together)
    for (Index l = L; l >= last; --l) {
      const bool sloped = pulls_at_once(net, l, pulled_rows(0, l), space[0]);
      group.pull(l, sloped);
      group.each_tile(4.0 * static_cast<double>(net.size(l - 1)), [&](Index t, Workspace<Scalar>& w) {
        scatter_tile(w, w.pulled, net.size(l - 1), pulled_rows(t, l));
        if (l > 1 && !sloped) apply_slope(net, l - 1, w.pulled, w);
        pulled(t, l, w);
      });
    }
  else
    group.each_tile_alone(work_of(net, false),
                          [&](Index t, Workspace<Scalar>& w, const engine::Checkpoint& checkpoint) {
                            for (Index l = L; l >= last; --l) {
                              pull_back(net, l, w.delta, w.pulled, pulled_rows(t, l), w);
                              pulled(t, l, w);
                              checkpoint(static_cast<double>(net.size(l) * net.size(l - 1) * w.m));
                            }
                          });
  group.weight_gradients(out.nabla, begin == 0, sink);
}

}  // namespace detail

/// Whether it pays that batch_gradient hands the gradient to a sink: not where all of it is in L1 anyway.
template <class Scalar>
bool takes_sink(const Model<Scalar>& net) {
  return net.n_parameters() > detail::sink_block;
}

/// C of the batch, and its gradients where `out` wants them. The batch has at least one sample and a positive sum of
/// weights. A sink, which only a network that `takes_sink` may have, takes each parameter's gradient when it is
/// complete, and nabla is scratch; where the cost is not finite it gets none.
template <class Scalar>
double batch_gradient(const Model<Scalar>& net, const Batch<Scalar>& batch, Reduction reduction,
                      const GradientRows<Scalar>& out, GradientSpace<Scalar>& space, const Call& call,
                      engine::Pulse& pulse, const GradientSink<Scalar>* sink = nullptr) {
  const double total = reduction == Reduction::mean ? detail::total_weight(batch.weights, batch.rows, pulse) : 1.0;
  const detail::Shards shards(batch.rows.count);
  detail::ShardCosts costs{};
  const auto total_cost = [&] {
    detail::tree(shards.count,
                 [&](Index a, Index b) { costs[static_cast<std::size_t>(a)] += costs[static_cast<std::size_t>(b)]; });
    return costs[0] / total;
  };
  const Call mine{batch.cost.custom ? 1 : call.threads, call.watcher};
  if (out.nabla && detail::is_grouped(net, batch, mine.threads)) {
    constexpr Index most = TileGroup<Scalar>::most_tiles;
    space.group.prepare(net, std::min(most, shards.tiles), Keep::backward);
    for (Index tile = 0; tile < shards.tiles; tile += most) {
      const bool last = tile + most >= shards.tiles;
      detail::group_gradient(net, batch, 1 / total, tile * engine::tile_samples, std::min(most, shards.tiles - tile),
                             costs, shards, out, space.group, last ? sink : nullptr, mine, pulse);
    }
    return total_cost();
  }
  if (out.nabla) space.prepare(shards.count, net.n_parameters());
  const auto nabla = [&](Index shard) -> Scalar* {
    if (!out.nabla || shard == 0) return out.nabla;
    return space.partial[static_cast<std::size_t>(shard - 1)].data();
  };
  const double tiles_a_shard = static_cast<double>(shards.tiles) / static_cast<double>(shards.count);
  const double work = detail::work_of(net, out.any()) * tiles_a_shard * engine::tile_samples;
  const Index n = net.n_parameters();
  // Sums of few parameters are added by whoever completes them; of more, or where there is a sink, several threads add
  // parts, and hand them on while they are in cache.
  constexpr Index one_thread_adds = 1 << 15;
  const bool several = out.nabla && shards.count > 1, growing = several && n <= one_thread_adds;
  const auto last = static_cast<Index>(std::bit_floor(static_cast<std::size_t>(std::max<Index>(shards.count - 1, 1))));
  detail::GrowingTree sums(shards.count, sink ? last : shards.count);
  engine::parallel_for(
      mine, pulse, shards.count, work,
      [&](Index shard, const engine::Checkpoint& checkpoint) {
        costs[static_cast<std::size_t>(shard)] =
            detail::shard_gradient(net, batch, 1 / total, shards.begin(shard), shards.begin(shard + 1), out,
                                   nabla(shard), several ? nullptr : sink, checkpoint);
        if (growing) sums.arrived(shard, [&](Index a, Index b) { kernels<Scalar>().add(nabla(a), nabla(b), n); });
      },
      engine::Share::ranges);
  const double cost = total_cost();
  if (several && (sink ? std::isfinite(cost) : !growing)) {
    const Index block = growing ? 1 << 10 : 1 << 14;  // parameters that one thread adds up at a time
    engine::Pulse undisturbed(nullptr);               // once parameters change, the step is finished
    engine::parallel_for(
        mine, sink ? undisturbed : pulse, (n + block - 1) / block, static_cast<double>(block * (shards.count + 40)),
        [&](Index item, const engine::Checkpoint&) {
          const Index from = item * block, length = std::min(block, n - from);
          const auto add = [&](Index a, Index b) { kernels<Scalar>().add(nabla(a) + from, nabla(b) + from, length); };
          if (growing)
            add(0, last);
          else
            detail::tree(shards.count, add);
          if (sink) sink->take_range(out.nabla + from, from, length);
        },
        engine::Share::ranges);
  }
  return cost;
}

}  // namespace bpnet
