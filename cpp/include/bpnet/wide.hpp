/// The gradient of a wide network: layer by layer over a group of tiles, so that a block of weights is fetched once for
/// all of them, and the gradient of a block is complete while it is in cache. Every sum has the order of one shard of
/// batch_gradient, so the bits are the same; threads share blocks of weights instead of samples.
#pragma once

#include "bpnet/backward.hpp"
#include "bpnet/engine/threads.hpp"

namespace bpnet {

/// Takes the gradient of some parameters as soon as it is complete: `columns` pieces of n, `stride` apart, from `from`
/// on.
template <class Scalar>
class GradientSink {
 public:
  virtual ~GradientSink() = default;
  virtual void take(const Scalar* nabla, Index from, Index n, bool are_biases, Index columns, Index stride) const = 0;
};

/// Tiles that go through the layers together, with every delta they leave behind.
template <class Scalar>
class TileGroup {
 public:
  static constexpr Index most_tiles = 8;

  void prepare(const Model<Scalar>& net, Index tiles) {
    if (static_cast<Index>(tiles_.size()) < tiles) tiles_.resize(static_cast<std::size_t>(tiles));
    for (Index t = 0; t < tiles; ++t) {
      Tile& tile = tiles_[static_cast<std::size_t>(t)];
      if (!tile.w) tile.w = std::make_unique<Workspace<Scalar>>();
      tile.w->prepare(net.shape(), net.sizes());
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

/// Whether a network's weights are worth being walked block by block.
template <class Scalar>
bool is_wide(const Model<Scalar>& net) {
  return static_cast<double>(net.n_parameters()) * sizeof(Scalar) >= 1e6;
}

/// One group of tiles on its way there and back.
template <class Scalar>
class WideGroup {
 public:
  WideGroup(const Model<Scalar>& net, TileGroup<Scalar>& tiles, Index count, const engine::Call& call,
            engine::Pulse& pulse)
      : net_(net), tiles_(tiles), count_(count), call_(call), pulse_(pulse) {
    for (Index t = 0; t < count; ++t) samples_ += tiles[t].m;
  }

  /// body(tile number, its workspace) for each tile; `work` multiply-adds a sample.
  template <class Body>
  void each_tile(double work, const Body& body) {
    engine::parallel_for(call_, pulse_, count_, work * engine::tile_samples,
                         [&](Index t, const engine::Checkpoint& checkpoint) {
                           body(t, tiles_[t]);
                           checkpoint(work * static_cast<double>(tiles_[t].m));
                         });
  }

  /// (F1), (F2) of layer l for all tiles.
  void forward(Index l) {
    const auto& k = kernels<Scalar>();
    const Index n_out = net_.size(l), n_in = net_.size(l - 1);
    const auto z = [&](Workspace<Scalar>& w) { return l == net_.depth() ? w.z_out : w.a(l); };
    each_block(n_out, n_in, [&](Index row, Index rows) {
      const WorkspaceLease<Scalar> lease(net_.shape(), net_.sizes());
      Scalar* packed = (*lease).panels;
      k.pack_rows(net_.weights(l) + row, n_out, n_in, rows, packed);
      for (Index t = 0; t < count_; ++t) {
        Workspace<Scalar>& w = tiles_[t];
        const Index stride = engine::padded(w.m);
        k.combine_rows({packed, 1, engine::packed_rows}, net_.biases(l) + row, rows, n_in, w.a(l - 1),
                       z(w) + row * stride, stride);
      }
    });
    each_tile(20.0 * static_cast<double>(n_out),
              [&](Index, Workspace<Scalar>& w) { activate(net_, l, z(w), Keep::backward, w); });
  }

  /// grad_(a^(l-1)) C of all tiles into their `pulled`. (BP5)
  void pull(Index l) {
    const auto& k = kernels<Scalar>();
    const Index n_out = net_.size(l), n_in = net_.size(l - 1);
    each_block(n_in, n_out, [&](Index row, Index rows) {
      for (Index t = 0; t < count_; ++t) {
        Workspace<Scalar>& w = tiles_[t];
        const Index stride = engine::padded(w.m);
        k.combine_rows({net_.weights(l) + row * n_out, n_out, 1}, nullptr, rows, n_out, w.delta,
                       w.pulled + row * stride, stride);
      }
    });
  }

  /// dC/dW^l and dC/db^l, block by block; each block is handed to the sink, if there is one, while it is in cache.
  /// (BP3), (BP4)
  void weight_gradient(Index l, Scalar* nabla, bool fresh, const GradientSink<Scalar>* sink) {
    const auto& k = kernels<Scalar>();
    constexpr Index inputs = 480, panels = 1;
    const Index n_out = net_.size(l), n_in = net_.size(l - 1), width = k.panel * panels;
    const Index row_blocks = (n_out + width - 1) / width, column_blocks = (n_in + inputs - 1) / inputs;
    const double work = static_cast<double>(samples_ * width * std::min(inputs, n_in));
    const auto block = [&](Index item) {
      const Index j = item % row_blocks * width, i = item / row_blocks * inputs;
      const Index rows = std::min(width, n_out - j), columns = std::min(inputs, n_in - i);
      const Index W = net_.layout().W(l) + i * n_out + j, b = net_.layout().b(l) + j;
      for (Index t = 0; t < count_; ++t) {
        const Workspace<Scalar>& w = tiles_[t];
        const Index stride = engine::padded(w.m);
        const engine::DeltaRows<Scalar> delta{tiles_.panels(net_, t, l) + j * w.m, w.m, k.panel};
        k.outer_samples(delta, w.a(l - 1) + i * stride, stride, rows, columns, w.m, fresh && t == 0, nabla + W, n_out);
        if (i == 0) k.sum_rows(delta, rows, w.m, fresh && t == 0, nabla + b);
      }
      if (sink == nullptr) return;
      sink->take(nabla, W, rows, false, columns, n_out);
      if (i == 0) sink->take(nabla, b, rows, true, 1, 0);
    };
    engine::Pulse undisturbed(nullptr);  // once parameters change, the step is finished
    engine::parallel_for(call_, sink == nullptr ? pulse_ : undisturbed, row_blocks * column_blocks, work,
                         [&](Index item, const engine::Checkpoint& checkpoint) {
                           block(item);
                           checkpoint(work);
                         });
  }

 private:
  /// body(row, rows) for blocks of the rows of a product with this depth.
  template <class Body>
  void each_block(Index rows, Index depth, const Body& body) {
    const Index blocks = (rows + engine::packed_rows - 1) / engine::packed_rows;
    const double work = static_cast<double>(samples_ * engine::packed_rows * depth);
    engine::parallel_for(call_, pulse_, blocks, work, [&](Index block, const engine::Checkpoint& checkpoint) {
      const Index row = block * engine::packed_rows;
      body(row, std::min(engine::packed_rows, rows - row));
      checkpoint(work);
    });
  }

  const Model<Scalar>& net_;
  TileGroup<Scalar>& tiles_;
  Index count_, samples_ = 0;
  const engine::Call& call_;
  engine::Pulse& pulse_;
};

}  // namespace detail

}  // namespace bpnet
