/// Products of weights and tiles. Every output is one chain of fused multiply-adds in ascending order of the summed
/// index, so neither the block shape nor the layout nor the place of a sample changes a bit.
#pragma once

#include "bpnet/engine/tile.hpp"

namespace bpnet::engine {

/// A matrix of weights as a product walks it: element (row, k) is at data[row * row_stride + k * depth_stride].
template <class Scalar>
struct Walk {
  const Scalar* data;
  Index row_stride;
  Index depth_stride;
};

namespace detail {

/// Rows x Packets outputs of `combine`.
template <int Rows, int Packets, class Scalar>
[[gnu::always_inline]] inline void combine_block(Walk<Scalar> W, const Scalar* bias, Index depth, const Scalar* in,
                                                 Scalar* out, Index stride) {
  using L = Lanes<Scalar>;
  L acc[Rows][Packets];
  for (int r = 0; r < Rows; ++r)
    for (int p = 0; p < Packets; ++p) acc[r][p] = L(bias ? bias[r] : Scalar(0));
  for (Index k = 0; k < depth; ++k) {
    L x[Packets];
    for (int p = 0; p < Packets; ++p) x[p] = L::load(in + k * stride + p * L::size);
    const Scalar* column = W.data + k * W.depth_stride;
    for (int r = 0; r < Rows; ++r) {
      const L w(column[r * W.row_stride]);
      for (int p = 0; p < Packets; ++p) acc[r][p] = madd(w, x[p], acc[r][p]);
    }
  }
  for (int r = 0; r < Rows; ++r)
    for (int p = 0; p < Packets; ++p) acc[r][p].store(out + r * stride + p * L::size);
}

/// out = W in + bias over sample lanes: in (depth, stride), out (rows, stride), lanes over samples.
template <class Scalar>
void combine(Walk<Scalar> W, const Scalar* bias, Index rows, Index depth, const Scalar* in, Scalar* out, Index stride) {
  using L = Lanes<Scalar>;
  constexpr int max_rows = Block<Scalar>::rows, max_packets = Block<Scalar>::packets;
  in_blocks<max_rows>(rows, [&](Index row, auto n_rows) {
    in_blocks<max_packets>(stride / L::size, [&](Index packet, auto n_packets) {
      combine_block<n_rows(), n_packets()>(Walk<Scalar>{W.data + row * W.row_stride, W.row_stride, W.depth_stride},
                                           bias ? bias + row : nullptr, depth, in + packet * L::size,
                                           out + row * stride + packet * L::size, stride);
    });
  });
}

}  // namespace detail

/// Rows of W^l that are copied out side by side before many tiles are multiplied with them: in a wide layer they lie
/// pages apart.
inline constexpr Index packed_rows = 48;

/// Layers of at least so many outputs are packed: from here on a column of W is longer than what stays at hand of it.
inline constexpr Index packed_from = 256;

/// Copies `rows` <= packed_rows rows of W (n_out, n_in) column-major, beginning at `W`, to (packed_rows, n_in).
template <class Scalar>
void pack_rows(const Scalar* W, Index n_out, Index n_in, Index rows, Scalar* packed) {
  for (Index k = 0; k < n_in; ++k, W += n_out, packed += packed_rows) {
    if (rows == packed_rows)
      std::memcpy(packed, W, packed_rows * sizeof(Scalar));
    else
      std::memcpy(packed, W, static_cast<std::size_t>(rows) * sizeof(Scalar));
  }
}

/// out = W in + bias for some rows of W, as `affine_samples` and `pull_samples` compute them: bit for bit the same.
/// bias may be null.
template <class Scalar>
void combine_rows(const Walk<Scalar>& W, const Scalar* bias, Index rows, Index depth, const Scalar* in, Scalar* out,
                  Index stride) {
  detail::combine(W, bias, rows, depth, in, out, stride);
}

/// z = W a + b over sample lanes. (F1)
/// W (n_out, n_in) column-major, a (n_in, stride), z (n_out, stride); stride is a multiple of `padding`. z overlaps no
/// input.
template <class Scalar>
void affine_samples(const Scalar* W, const Scalar* b, Index n_out, Index n_in, const Scalar* a, Scalar* z,
                    Index stride) {
  detail::combine(Walk<Scalar>{W, 1, n_out}, b, n_out, n_in, a, z, stride);
}

/// out = W^T delta over sample lanes. (BP5)
/// W (n_out, n_in) column-major, delta (n_out, stride), out (n_in, stride). out overlaps no input.
template <class Scalar>
void pull_samples(const Scalar* W, Index n_out, Index n_in, const Scalar* delta, Scalar* out, Index stride) {
  detail::combine(Walk<Scalar>{W, n_out, 1}, static_cast<const Scalar*>(nullptr), n_in, n_out, delta, out, stride);
}

/// z = W a + b over unit lanes. (F1)
/// W (n_out, n_in) column-major and b readable `slack` numbers past their ends; a: m pointers to n_in numbers; z: m
/// rows, `stride` >= padded(n_out) apart, whose padding receives meaningless numbers.
template <class Scalar>
void affine_units(const Scalar* W, const Scalar* b, Index n_out, Index n_in, const Scalar* const* a, Scalar* z,
                  Index stride, Index m) {
  using L = Lanes<Scalar>;
  const Index packets = (n_out + L::size - 1) / L::size;
  in_blocks<Block<Scalar>::packets>(packets, [&](Index packet, auto n_packets) {
    in_blocks<Block<Scalar>::rows_for(n_packets())>(m, [&](Index sample, auto n_samples) {
      constexpr int P = n_packets(), R = n_samples();
      L acc[R][P];
      const Scalar* rows[R];
      for (int r = 0; r < R; ++r) rows[r] = a[sample + r];
      for (int r = 0; r < R; ++r)
        for (int p = 0; p < P; ++p) acc[r][p] = L::load(b + (packet + p) * L::size);
      const Scalar* column = W + packet * L::size;
      for (Index i = 0; i < n_in; ++i, column += n_out) {
        L w[P];
        for (int p = 0; p < P; ++p) w[p] = L::load(column + p * L::size);
        for (int r = 0; r < R; ++r) {
          const L x(rows[r][i]);
          for (int p = 0; p < P; ++p) acc[r][p] = madd(w[p], x, acc[r][p]);
        }
      }
      for (int r = 0; r < R; ++r)
        for (int p = 0; p < P; ++p) acc[r][p].store(z + (sample + r) * stride + (packet + p) * L::size);
    });
  });
}

/// out = W^T delta over unit lanes. (BP5)
/// Shapes as affine_units: delta m rows of n_out, out m rows of n_in, each row `stride` apart and padded.
template <class Scalar>
void pull_units(const Scalar* W, Index n_out, Index n_in, const Scalar* delta, Index delta_stride, Scalar* out,
                Index out_stride, Index m) {
  using L = Lanes<Scalar>;
  constexpr Index chunk = 64;  // outputs whose weights are turned around at a time
  Scalar turned[chunk * L::size];
  for (Index i = 0; i < n_in; i += L::size) {
    const Index lanes = n_in - i < L::size ? n_in - i : L::size;
    for (Index j = 0; j < n_out; j += chunk) {
      const Index count = n_out - j < chunk ? n_out - j : chunk;
      for (Index k = 0; k < L::size; ++k) {
        const Scalar* column = W + (i + (k < lanes ? k : 0)) * n_out + j;
        for (Index c = 0; c < count; ++c) turned[c * L::size + k] = column[c];
      }
      in_blocks<Block<Scalar>::rows>(m, [&](Index sample, auto n_samples) {
        constexpr int R = n_samples();
        L acc[R];
        for (int r = 0; r < R; ++r) acc[r] = j ? L::load(out + (sample + r) * out_stride + i) : L(Scalar(0));
        for (Index c = 0; c < count; ++c) {
          const L w = L::load(turned + c * L::size);
          for (int r = 0; r < R; ++r) acc[r] = madd(w, L(delta[(sample + r) * delta_stride + j + c]), acc[r]);
        }
        for (int r = 0; r < R; ++r) acc[r].store(out + (sample + r) * out_stride + i);
      });
    }
  }
}

/// delta of m samples as the weight gradient reads it: sample s of the block of units that begins at unit j (a multiple
/// of Block::panel) is at data + j * block_stride + s * sample_stride.
template <class Scalar>
struct DeltaRows {
  const Scalar* data;
  Index block_stride;   ///< 1 for plain rows, m for panels
  Index sample_stride;  ///< the distance of rows; Block::panel for panels

  static DeltaRows rows(const Scalar* data, Index stride) { return {data, 1, stride}; }
  static DeltaRows panels(const Scalar* data, Index m) { return {data, m, Block<Scalar>::panel}; }
};

namespace detail {

/// Adds the outer products of m samples to dW. `input(i, s)` is a^(l-1) of unit i and sample s.
template <class Scalar, class Input>
void outer(DeltaRows<Scalar> delta, Input input, Index n_out, Index n_in, Index m, bool fresh, Scalar* dW,
           Index dW_stride) {
  using L = Lanes<Scalar>;
  const Index tail = n_out % L::size;
  const auto block = [&](Index j, auto n_packets, Index i, auto n_inputs) {
    constexpr int P = n_packets(), R = n_inputs();
    const bool cut = tail != 0 && j + P * L::size > n_out;  // the last register is not full
    const auto place = [&](int r, int p) { return dW + (i + r) * dW_stride + j + p * L::size; };
    L acc[R][P];
    for (int r = 0; r < R; ++r)
      for (int p = 0; p < P; ++p) {
        if (fresh)
          acc[r][p] = L(Scalar(0));
        else
          acc[r][p] = cut && p == P - 1 ? L::load_first(place(r, p), tail) : L::load(place(r, p));
      }
    const Scalar* row = delta.data + j * delta.block_stride;
    for (Index s = 0; s < m; ++s, row += delta.sample_stride) {
      L d[P];
      for (int p = 0; p < P; ++p) d[p] = L::load(row + p * L::size);
      for (int r = 0; r < R; ++r) {
        const L x(input(i + r, s));
        for (int p = 0; p < P; ++p) acc[r][p] = madd(d[p], x, acc[r][p]);
      }
    }
    for (int r = 0; r < R; ++r)
      for (int p = 0; p < P; ++p) {
        if (cut && p == P - 1)
          acc[r][p].store_first(place(r, p), tail);
        else
          acc[r][p].store(place(r, p));
      }
  };
  in_blocks<Block<Scalar>::packets>((n_out + L::size - 1) / L::size, [&](Index packet, auto n_packets) {
    constexpr int rows = Block<Scalar>::rows_for(n_packets());
    in_blocks<rows>(n_in, [&](Index i, auto n_inputs) { block(packet * L::size, n_packets, i, n_inputs); });
  });
}

}  // namespace detail

/// dW += delta a^T over the samples of a tile, ascending; with `fresh`, dW = delta a^T. (BP3)
/// a: m pointers to n_in numbers; dW (n_out, n_in) with its columns dW_stride apart.
template <class Scalar>
void outer_rows(DeltaRows<Scalar> delta, const Scalar* const* a, Index n_out, Index n_in, Index m, bool fresh,
                Scalar* dW, Index dW_stride) {
  detail::outer(
      delta, [a](Index i, Index s) { return a[s][i]; }, n_out, n_in, m, fresh, dW, dW_stride);
}

/// The same with a (n_in, a_stride) in sample lanes. (BP3)
template <class Scalar>
void outer_samples(DeltaRows<Scalar> delta, const Scalar* a, Index a_stride, Index n_out, Index n_in, Index m,
                   bool fresh, Scalar* dW, Index dW_stride) {
  const auto input = [a, a_stride](Index i, Index s) { return a[i * a_stride + s]; };
  detail::outer(delta, input, n_out, n_in, m, fresh, dW, dW_stride);
}

/// db += delta summed over the samples of a tile in sample lanes (n_out, stride), ascending; with `fresh`, db = that
/// sum. (BP4)
template <class Scalar>
void sum_samples(const Scalar* delta, Index stride, Index n_out, Index m, bool fresh, Scalar* db) {
  for (Index j = 0; j < n_out; ++j) {
    Scalar sum = fresh ? Scalar(0) : db[j];
    for (Index s = 0; s < m; ++s) sum += delta[j * stride + s];
    db[j] = sum;
  }
}

/// db += delta summed over the samples of a tile, ascending; with `fresh`, db = that sum. (BP4)
template <class Scalar>
void sum_rows(DeltaRows<Scalar> delta, Index n_out, Index m, bool fresh, Scalar* db) {
  using L = Lanes<Scalar>;
  constexpr Index panel = Block<Scalar>::panel;
  for (Index j = 0; j < n_out; j += L::size) {
    const Index rest = n_out - j;
    L acc(Scalar(0));
    if (!fresh) acc = rest < L::size ? L::load_first(db + j, rest) : L::load(db + j);
    const Scalar* row = delta.data + (j - j % panel) * delta.block_stride + j % panel;
    for (Index s = 0; s < m; ++s, row += delta.sample_stride) acc = acc + L::load(row);
    if (rest < L::size)
      acc.store_first(db + j, rest);
    else
      acc.store(db + j);
  }
}

}  // namespace bpnet::engine
