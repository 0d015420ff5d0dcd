/// One tile of samples from x to a^L. (F1), (F2)
#pragma once

#include "bpnet/model.hpp"
#include "bpnet/targets.hpp"
#include "bpnet/workspace.hpp"

namespace bpnet {

/// What a forward pass leaves in the workspace.
enum class Keep {
  nothing,   ///< a^L
  backward,  ///< a^l, f'(z^l) of inner layers; z^L, where delta^L will be
};

/// Where the caller wants z^l and a^l of this tile's samples: rows of n_l, one after the other, from each pointer;
/// null: not.
template <class Scalar>
struct LayerRows {
  std::vector<Scalar*> z;  ///< z^1..z^L
  std::vector<Scalar*> a;  ///< a^0..a^L
};

namespace detail {

/// The distance between rows of a tile: of samples in unit lanes, of units in sample lanes.
template <class Scalar>
Index stride_of(const Workspace<Scalar>& w, Index n) {
  return w.layout == engine::Layout::sample_lanes ? engine::padded(w.m) : engine::padded(n);
}
/// All numbers of a tile of n units, padding included.
template <class Scalar>
Index count_of(const Workspace<Scalar>& w, Index n) {
  return w.layout == engine::Layout::sample_lanes ? n * engine::padded(w.m) : w.m * engine::padded(n);
}

/// Rows `first` to first + m - 1 of the tile, as the caller has them, to where its rows lie `stride` apart. In sample
/// lanes these are all rows.
template <class Scalar>
void gather_tile(const Workspace<Scalar>& w, const Samples& from, Index first, Index m, Index stride, Scalar* tile) {
  const auto& k = kernels<Scalar>();
  const Index* indices = w.indices.data() + first;
  if (w.layout == engine::Layout::sample_lanes && from.in_place<Scalar>()) {
    if (w.consecutive) {
      const Index apart = from.sample_stride / static_cast<Index>(sizeof(Scalar));
      return k.to_lanes_apart(from.row<Scalar>(indices[0]), apart, from.width, m, tile, stride);
    }
    std::array<const Scalar*, engine::tile_samples> rows;
    from.rows(indices, m, rows.data());
    k.to_lanes(rows.data(), from.width, m, tile, stride);
  } else {
    k.gather(w.layout, from, indices, m, tile, stride);
  }
}

/// Writes a tile of n units as w.m rows at `to`, n apart; nothing where `to` is null.
template <class Scalar>
void scatter_tile(const Workspace<Scalar>& w, const Scalar* tile, Index n, Scalar* to) {
  if (to == nullptr) return;
  const Index stride = stride_of(w, n);
  if (w.layout == engine::Layout::sample_lanes)
    kernels<Scalar>().to_rows(tile, stride, n, w.m, to, n);
  else
    for (Index s = 0; s < w.m; ++s) std::copy_n(tile + s * stride, n, to + s * n);
}

/// a^0: in unit lanes the caller's rows where they are; else gathered, converted and standardised.
template <class Scalar>
void load_inputs(const Model<Scalar>& net, const Samples& x, Workspace<Scalar>& w) {
  const auto& normal = net.normalization();
  w.in_place = w.layout == engine::Layout::unit_lanes && x.in_place<Scalar>() && !normal.of_input();
  if (w.in_place) return x.rows(w.indices.data(), w.m, w.inputs.data());
  gather_tile(w, x, 0, w.m, stride_of(w, x.width), w.a(0));
  if (normal.of_input())
    kernels<Scalar>().standardise(w.layout, w.a(0), net.n_inputs(), w.m, stride_of(w, net.n_inputs()),
                                  normal.pointer(normal.input_shift), normal.pointer(normal.input_scale));
}

/// Pointers to the rows of a^l in unit lanes.
template <class Scalar>
const Scalar* const* unit_rows(const Model<Scalar>& net, Index l, Workspace<Scalar>& w) {
  if (l == 0 && w.in_place) return w.inputs.data();
  const Index stride = engine::padded(net.size(l));
  for (Index s = 0; s < w.m; ++s) w.pointers[static_cast<std::size_t>(s)] = w.a(l) + s * stride;
  return w.pointers.data();
}

/// z^l = W^l a^(l-1) + b^l. (F1)
template <class Scalar>
void affine(const Model<Scalar>& net, Index l, Scalar* z, Workspace<Scalar>& w) {
  const auto& k = kernels<Scalar>();
  const Index n_out = net.size(l), n_in = net.size(l - 1);
  const Index stride = engine::padded(w.m);
  if (w.layout == engine::Layout::sample_lanes && engine::worth_packing<Scalar>(n_out, n_in))
    engine::in_equal_parts(n_in, engine::depth_in_l1<Scalar>, [&](Index from, Index depth) {
      for (Index row = 0; row < n_out; row += engine::packed_rows) {
        const Index rows = std::min(engine::packed_rows, n_out - row);
        k.pack_rows(net.weights(l) + from * n_out + row, n_out, depth, rows, w.panels);
        k.combine_rows({w.panels, 1, engine::packed_rows}, net.biases(l) + row, nullptr, from > 0, rows, depth,
                       w.a(l - 1) + from * stride, z + row * stride, stride);
      }
    });
  else if (w.layout == engine::Layout::sample_lanes)
    k.affine_samples(net.weights(l), net.biases(l), n_out, n_in, w.a(l - 1), z, stride);
  else
    k.affine_units(net.weights(l), net.biases(l), n_out, n_in, unit_rows(net, l - 1, w), z, engine::padded(n_out), w.m);
}

/// a^l = f^l(z^l), and f'(z^l) where it is kept. (F2)
template <class Scalar>
void activate(const Model<Scalar>& net, Index l, const Scalar* z, Keep keep, Workspace<Scalar>& w) {
  const auto& k = kernels<Scalar>();
  const Index n = net.size(l);
  const auto f = net.activation(l);
  const auto& row = k.activations[f.index()];
  if (f.is_softmax())
    k.softmax(w.layout, z, w.a(l), nullptr, nullptr, n, w.m, stride_of(w, n));
  else if (keep == Keep::backward)
    row.value_slope(z, w.a(l), w.slope(l), count_of(w, n));
  else
    row.value(z, w.a(l), count_of(w, n));
}

}  // namespace detail

/// Sends the samples w.indices[0..m) of x through the network. `wanted` may be null.
template <class Scalar>
void forward_tile(const Model<Scalar>& net, const Samples& x, Index m, Keep keep, const LayerRows<Scalar>* wanted,
                  Workspace<Scalar>& w) {
  w.m = m;
  w.layout = w.quicker(m, keep == Keep::backward);
  detail::load_inputs(net, x, w);
  if (wanted && wanted->a[0]) {
    if (w.in_place)
      for (Index s = 0; s < m; ++s)
        std::copy_n(w.inputs[static_cast<std::size_t>(s)], net.n_inputs(), wanted->a[0] + s * net.n_inputs());
    else
      detail::scatter_tile(w, w.a(0), net.n_inputs(), wanted->a[0]);
  }
  for (Index l = 1; l <= net.depth(); ++l) {
    Scalar* z = l == net.depth() ? w.delta : w.a(l);
    detail::affine(net, l, z, w);
    if (wanted) detail::scatter_tile(w, z, net.size(l), wanted->z[static_cast<std::size_t>(l - 1)]);
    if (l == net.depth() && keep == Keep::backward) return;
    detail::activate(net, l, z, keep, w);
    if (wanted) detail::scatter_tile(w, w.a(l), net.size(l), wanted->a[static_cast<std::size_t>(l)]);
  }
}

}  // namespace bpnet
