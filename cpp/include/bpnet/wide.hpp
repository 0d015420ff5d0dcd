/// The gradient of a network with many weights, for a group of tiles at a time: the gradient of a block of weights is
/// complete while it is in cache, and nowhere is there a second gradient. Where layers are wide the group goes through
/// them together too, so that a block of weights is fetched once for all tiles, and threads share blocks of weights;
/// else, with several threads, each tile goes its own way there and back. Every sum has the order of one shard of
/// batch_gradient.
#pragma once

#include "bpnet/backward.hpp"
#include "bpnet/engine/threads.hpp"

namespace bpnet {

/// Tiles that go through the layers together, with every delta they leave behind.
template <class Scalar>
class TileGroup {
 public:
  static constexpr Index most_tiles = 8;

  /// With room for what `keep` leaves behind.
  void prepare(const Model<Scalar>& net, Index tiles, Keep keep) {
    if (static_cast<Index>(tiles_.size()) < tiles) tiles_.resize(static_cast<std::size_t>(tiles));
    for (Index t = 0; t < tiles; ++t) {
      Tile& tile = tiles_[static_cast<std::size_t>(t)];
      if (!tile.w) tile.w = std::make_unique<Workspace<Scalar>>();
      tile.w->prepare(net.shape(), net.sizes());
      if (keep == Keep::nothing) continue;
      Index room = 0;
      for (Index l = 1; l <= net.depth(); ++l) room += engine::panels_room(net.size(l), engine::tile_samples);
      tile.panels.reserve(room);
    }
  }
  Workspace<Scalar>& operator[](Index t) const { return *tiles_[static_cast<std::size_t>(t)].w; }
  /// delta^l of tile t as the weight gradient reads it.
  Scalar* panels(const Model<Scalar>& net, Index t, Index l) {
    Scalar* at = tiles_[static_cast<std::size_t>(t)].panels.data();
    for (Index k = 1; k < l; ++k) at += engine::panels_room(net.size(k), engine::tile_samples);
    return at;
  }

 private:
  struct Tile {
    std::unique_ptr<Workspace<Scalar>> w;
    AlignedBuffer<Scalar> panels;
  };
  std::vector<Tile> tiles_;
};

namespace detail {

/// Fewer samples are not worth being shared out among threads, however many weights they meet.
inline constexpr Index worth_sharing = 12;

/// Whether a network's weights are worth being walked block by block: where there is a megabyte of them.
template <class Scalar>
bool is_wide(const Model<Scalar>& net) {
  return static_cast<double>(net.n_parameters()) * sizeof(Scalar) >= 1e6;
}

/// The largest of n_1..n_L.
template <class Scalar>
Index widest_output(const Model<Scalar>& net) {
  return *std::max_element(net.sizes().begin() + 1, net.sizes().end());
}

/// Outputs of a layer that many tiles are quicker through together.
inline constexpr Index together_from = 256;

/// Whether tiles gain from going through the layers together. Elsewhere each thread is quicker with tiles of its own.
template <class Scalar>
bool goes_together(const Model<Scalar>& net) {
  return is_wide(net) && widest_output(net) >= together_from;
}

/// Whether tiles gain from predicting together. A tile in unit lanes reads the weights quickly enough where they lie,
/// but for more tiles than two, or than one with smaller registers than AVX-512's, long columns are better read once;
/// for two already those of a layer whose registers each lie across two lines and come from beyond L2.
template <class Scalar>
bool predicts_together(const Model<Scalar>& net, Index samples) {
  const Index many = (registers_fill_lines<Scalar>() ? 2 : 1) * engine::tile_samples;
  constexpr Index far_apart = 8192 / static_cast<Index>(sizeof(Scalar));  // columns: pieces of them are slow to come by
  if (samples < many || !is_wide(net)) return false;
  for (Index l = 1; l <= net.depth(); ++l) {
    const Index n_out = net.size(l);
    if (samples > many && n_out >= far_apart) return true;
    if (lies_across_lines<Scalar>(n_out) && engine::worth_packing<Scalar>(n_out, net.size(l - 1))) return true;
  }
  return false;
}

/// One group of tiles on its way there and back.
template <class Scalar>
class WideGroup {
 public:
  /// The first `samples` places of the tiles, which are prepared for them.
  WideGroup(const Model<Scalar>& net, TileGroup<Scalar>& tiles, Index samples, const engine::Call& call,
            engine::Pulse& pulse)
      : net_(net),
        tiles_(tiles),
        count_((samples + engine::tile_samples - 1) / engine::tile_samples),
        samples_(samples),
        call_(call),
        pulse_(pulse) {
    for (Index t = 0; t < count_; ++t) {
      tiles[t].m = std::min(engine::tile_samples, samples - t * engine::tile_samples);
      tiles[t].layout = engine::Layout::sample_lanes;
    }
  }

  /// body(tile number, its workspace) for each tile; `work` multiply-adds a sample.
  template <class Body>
  void each_tile(double work, const Body& body) {
    each_tile_alone(work, [&](Index t, Workspace<Scalar>& w, const engine::Checkpoint& checkpoint) {
      body(t, w);
      checkpoint(work * static_cast<double>(w.m));
    });
  }
  /// body(tile number, its workspace, checkpoint), for a body that has more to do than should pass unseen.
  template <class Body>
  void each_tile_alone(double work, const Body& body) {
    engine::parallel_for(call_, pulse_, count_, work * engine::tile_samples,
                         [&](Index t, const engine::Checkpoint& checkpoint) { body(t, tiles_[t], checkpoint); });
  }

  /// The samples of all tiles, from the first-th row of the batch on, and their a^0.
  template <class Rows>
  void load(const Samples& x, const Rows& rows, Index first) {
    each_tile(static_cast<double>(net_.n_inputs()), [&](Index t, Workspace<Scalar>& w) {
      rows.fill(first + t * engine::tile_samples, w.m, w);
      load_inputs(net_, x, w);
    });
  }

  /// (F1), (F2) of layer l for all tiles.
  void forward(Index l, Keep keep) {
    const auto& k = kernels<Scalar>();
    const Index n_out = net_.size(l), n_in = net_.size(l - 1);
    const auto z = [&](Workspace<Scalar>& w) { return l == net_.depth() ? w.delta : w.a(l); };
    each_block(n_out, n_in, [&](Index row, Index rows, Index from, Index depth) {
      const WorkspaceLease<Scalar> lease(net_.shape(), net_.sizes());
      Scalar* packed = (*lease).panels;
      k.pack_rows(net_.weights(l) + from * n_out + row, n_out, depth, rows, packed);
      for (Index t = 0; t < count_; ++t) {
        Workspace<Scalar>& w = tiles_[t];
        const Index stride = engine::padded(w.m);
        k.combine_rows({packed, 1, engine::packed_rows}, net_.biases(l) + row, nullptr, from > 0, rows, depth,
                       w.a(l - 1) + from * stride, z(w) + row * stride, stride);
      }
    });
    if (l == net_.depth() && keep == Keep::backward) return;
    each_tile(20.0 * static_cast<double>(n_out),
              [&](Index, Workspace<Scalar>& w) { activate(net_, l, z(w), keep, w); });
  }

  /// grad_(a^(l-1)) C of all tiles into their `pulled` (BP5) or, with `sloped`, delta^(l-1) (BP2).
  void pull(Index l, bool sloped) {
    const auto& k = kernels<Scalar>();
    const Index n_out = net_.size(l), n_in = net_.size(l - 1);
    each_block(n_in, n_out, [&](Index row, Index rows, Index from, Index depth) {
      for (Index t = 0; t < count_; ++t) {
        Workspace<Scalar>& w = tiles_[t];
        const Index stride = engine::padded(w.m);
        const Scalar* slope = sloped && from + depth == n_out ? w.slope(l - 1) + row * stride : nullptr;
        k.combine_rows({net_.weights(l) + row * n_out + from, n_out, 1}, nullptr, slope, from > 0, rows, depth,
                       w.delta + from * stride, w.pulled + row * stride, stride);
      }
    });
  }

  /// dC/dW^l and dC/db^l of all layers, block by block: into nabla or, where there is a sink, to it while they are in
  /// cache. (BP3), (BP4)
  void weight_gradients(Scalar* nabla, bool fresh, const GradientSink<Scalar>* sink) {
    const auto blocks = [](Index n, Index block) { return (n + block - 1) / block; };
    Index items = 0;
    for (Index l = 1; l <= net_.depth(); ++l)
      items += blocks(net_.size(l), block_outputs) * blocks(net_.size(l - 1), block_inputs);
    const double work = static_cast<double>(samples_ * net_.n_parameters()) / static_cast<double>(items);
    engine::Pulse undisturbed(nullptr);  // once parameters change, the step is finished
    engine::parallel_for(call_, sink == nullptr ? pulse_ : undisturbed, items, work,
                         [&](Index item, const engine::Checkpoint& checkpoint) {
                           Index l = 1, columns = blocks(net_.size(0), block_inputs);
                           for (Index rows; item >= (rows = blocks(net_.size(l), block_outputs)) * columns; ++l) {
                             item -= rows * columns;
                             columns = blocks(net_.size(l), block_inputs);
                           }
                           const Index j = item / columns * block_outputs, i = item % columns * block_inputs;
                           weight_block(l, j, std::min(block_outputs, net_.size(l) - j), i,
                                        std::min(block_inputs, net_.size(l - 1) - i), nabla, fresh, sink);
                           checkpoint(work);
                         });
  }

 private:
  /// A block of the weight gradient. Columns of a wide layer lie a power of two apart and share places in the cache, so
  /// the block has few of them, and long ones.
  static constexpr Index block_outputs = 256, block_inputs = 24;

  /// The gradient of the weights of `rows` outputs from j on and `columns` inputs from i on; with i = 0, of those
  /// outputs' biases too.
  void weight_block(Index l, Index j, Index rows, Index i, Index columns, Scalar* nabla, bool fresh,
                    const GradientSink<Scalar>* sink) {
    const auto& k = kernels<Scalar>();
    const Index n_out = net_.size(l), W = net_.layout().W(l) + i * n_out + j, b = net_.layout().b(l) + j;
    const WorkspaceLease<Scalar> lease(net_.shape(), net_.sizes());
    // In nabla the columns of a wide layer lie a power of two apart: they share few places in the cache.
    const bool compact = sink != nullptr && fresh;
    Scalar *dW = compact ? (*lease).panels : nabla + W, *db = nabla + b;
    const Index dW_stride = compact ? engine::padded(rows) : n_out;
    const Index panels = (rows + k.panel - 1) / k.panel;
    engine::Ahead<Scalar> ahead;  // the next tile's a^(l-1), then what the sink will touch
    if (sink)
      for (std::size_t which = 0; const Scalar* array : sink->arrays(W))
        if (array) ahead.wanted[++which] = {array, panels, columns, n_out, 0};
    for (Index t = 0; t < count_; ++t) {
      const Workspace<Scalar>& w = tiles_[t];
      const Index stride = engine::padded(w.m);
      const engine::DeltaRows<Scalar> delta{tiles_.panels(net_, t, l) + j * w.m, w.m, k.panel};
      if (t + 1 < count_) {
        const Workspace<Scalar>& next = tiles_[t + 1];
        const Index apart = engine::padded(next.m);
        ahead.wanted[0] = {next.a(l - 1) + i * apart, 1, columns * apart / k.panel, k.panel, 0};
      }
      k.outer_samples(delta, w.a(l - 1) + i * stride, stride, rows, columns, w.m, fresh && t == 0, dW, dW_stride,
                      &ahead, i == 0 ? db : nullptr);
    }
    if (sink == nullptr) return;
    sink->take(dW, W, rows, false, columns, n_out, dW_stride);
    if (i == 0) sink->take(db, b, rows, true);
  }

  /// body(row, rows, from, depth) for blocks of a product of `rows` and `depth`: every row, and for each row every part
  /// of the depth in ascending order. A part of a tile's units goes through a few rows while it is in L1; where the
  /// tiles are too large for L2, one of all tiles through many rows while it is there.
  template <class Body>
  void each_block(Index rows, Index depth, const Body& body) {
    constexpr Index in_l2 = (Index(1) << 20) / static_cast<Index>(sizeof(Scalar)), part = engine::depth_in_l1<Scalar>,
                    kernel_rows = 6;  // or 3, of a kernel of any level
    const bool fits = depth * samples_ <= in_l2;
    const auto rounded_up = [](Index n, Index unit) { return (n + unit - 1) / unit * unit; };
    const Index threads = std::max(call_.threads, 1), most = 10 * engine::packed_rows;
    Index at_once = fits ? engine::packed_rows : most;
    if (threads > 1) {  // they share the rows more evenly in smaller pieces, and in as many for each
      const Index pieces = rounded_up((rows + most - 1) / most, threads);
      at_once = fits ? engine::packed_rows / 2 : rounded_up((rows + pieces - 1) / pieces, kernel_rows);
    }
    const Index items = (rows + at_once - 1) / at_once;
    const double work = static_cast<double>(samples_ * engine::packed_rows * std::min(part, depth));
    engine::parallel_for(call_, pulse_, items, static_cast<double>(samples_ * at_once * depth),
                         [&](Index item, const engine::Checkpoint& checkpoint) {
                           const Index end = std::min(rows, (item + 1) * at_once);
                           for (Index from = 0; from < depth; from += part)
                             for (Index row = item * at_once; row < end; row += engine::packed_rows) {
                               body(row, std::min(engine::packed_rows, end - row), from, std::min(part, depth - from));
                               checkpoint(work);
                             }
                         });
  }

  const Model<Scalar>& net_;
  TileGroup<Scalar>& tiles_;
  Index count_, samples_;
  const engine::Call& call_;
  engine::Pulse& pulse_;
};

}  // namespace detail

}  // namespace bpnet
