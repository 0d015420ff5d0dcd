/// Products of weights and tiles. Every output is one chain of fused multiply-adds in ascending order of the summed
/// index, so neither the block shape nor the layout nor the place of a sample changes a bit.
#pragma once

#include <algorithm>
#include <array>

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

/// Where the chains of a product begin; with zero_scaled each sum is multiplied with a factor at the end.
enum class Start { zero, zero_scaled, bias, out };

/// Rows x Packets outputs of `combine`, `blocks` > 0 times one below the other, depth > 0. Stride > 0 is the tile's
/// stride, known beforehand, and then all of its samples have their turn, Packets registers at a time. What is known
/// beforehand costs nothing: the accumulators stay in registers from the first number to the last.
/// `with`: the biases, or factors laid out as `out` is.
template <Start start, int Rows, int Packets, Index Stride, class Scalar>
[[gnu::noinline]] void combine_blocks(const Scalar* W, Index row_stride, Index depth_stride, const Scalar* with,
                                      Index blocks, Index depth, const Scalar* in, Scalar* out, Index any_stride) {
  using L = Lanes<Scalar>;
  constexpr Index width = Packets * L::size, samples = Stride > 0 ? Stride : width;
  const Index stride = Stride > 0 ? Stride : any_stride;
  const auto next = [stride](auto* row) __attribute__((always_inline)) {
    return Stride > 0 ? row + stride : opaque(row + stride);
  };
  do {
    for (Index first = 0; first < samples; first += width) {
      L acc[Rows][Packets];
      Scalar* row = out + first;
      for (int r = 0; r < Rows; ++r) {
        for (int p = 0; p < Packets; ++p) {
          if constexpr (start == Start::out)
            acc[r][p] = L::load(row + p * L::size);
          else
            acc[r][p] = L(start == Start::bias ? with[r] : Scalar(0));
        }
        if constexpr (start == Start::out) row = next(row);
      }
      const Scalar *numbers = in + first, *weights = W;
      Index left = depth;
      do {
        L x[Packets];
        for (int p = 0; p < Packets; ++p) x[p] = L::load(numbers + p * L::size);
        for (int r = 0; r < Rows; ++r) {
          const L w(weights[r * row_stride]);
          for (int p = 0; p < Packets; ++p) acc[r][p] = madd(w, x[p], acc[r][p]);
        }
        numbers += stride;
        weights += depth_stride;
      } while (--left > 0);
      row = out + first;
      const Scalar* factors = start == Start::zero_scaled ? with + first : nullptr;
      for (int r = 0; r < Rows; ++r, row = next(row)) {
        for (int p = 0; p < Packets; ++p) {
          if constexpr (start == Start::zero_scaled) acc[r][p] = acc[r][p] * L::load(factors + p * L::size);
          acc[r][p].store(row + p * L::size);
        }
        if constexpr (start == Start::zero_scaled) factors = next(factors);
      }
    }
    W += Rows * row_stride;
    out += Rows * stride;
    if constexpr (start == Start::bias) with += Rows;
    if constexpr (start == Start::zero_scaled) with += Rows * stride;
  } while (--blocks > 0);
}

template <Start start, Index Stride, class Scalar>
void combine_from(Walk<Scalar> W, const Scalar* with, Index rows, Index depth, const Scalar* in, Scalar* out,
                  Index stride) {
  using L = Lanes<Scalar>;
  constexpr int max_rows = Block<Scalar>::rows, max_packets = Block<Scalar>::packets;
  in_runs<max_rows>(
      rows, [&](Index row, auto n_rows, Index blocks) __attribute__((always_inline)) {
        const auto run = [&](Index first, auto n_packets, Index packet, Index n_blocks) __attribute__((always_inline)) {
          const Index at = first * stride + packet * L::size, of_with = start == Start::bias ? first : at;
          combine_blocks<start, n_rows(), n_packets(), Stride>(
              W.data + first * W.row_stride, W.row_stride, W.depth_stride,
              start == Start::bias || start == Start::zero_scaled ? with + of_with : nullptr, n_blocks, depth,
              in + packet * L::size, out + at, stride);
        };
        if constexpr (Stride > 0)
          run(row, std::integral_constant<int, max_packets>{}, 0, blocks);
        else
          for (Index k = 0; k < blocks; ++k)
            in_blocks<max_packets>(
                stride / L::size, [&](Index packet, auto n_packets) __attribute__((always_inline)) {
                  run(row + k * n_rows(), n_packets, packet, 1);
                });
      });
}

/// out = W in + start over sample lanes: in (depth, stride), out (rows, stride), lanes over samples.
template <Start start, class Scalar>
void combine(Walk<Scalar> W, const Scalar* with, Index rows, Index depth, const Scalar* in, Scalar* out, Index stride) {
  static_assert(tile_samples % (Block<Scalar>::packets * Lanes<Scalar>::size) == 0);
  if (stride == tile_samples) return combine_from<start, tile_samples>(W, with, rows, depth, in, out, stride);
  combine_from<start, 0>(W, with, rows, depth, in, out, stride);
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
/// bias may be null. With `resume`, `out` holds what came of smaller k, and the chains go on.
template <class Scalar>
void combine_rows(const Walk<Scalar>& W, const Scalar* bias, bool resume, Index rows, Index depth, const Scalar* in,
                  Scalar* out, Index stride) {
  using detail::combine, detail::Start;
  if (resume) return combine<Start::out>(W, bias, rows, depth, in, out, stride);
  if (bias) return combine<Start::bias>(W, bias, rows, depth, in, out, stride);
  combine<Start::zero>(W, bias, rows, depth, in, out, stride);
}

/// z = W a + b over sample lanes. (F1)
/// W (n_out, n_in) column-major, a (n_in, stride), z (n_out, stride); stride is a multiple of `padding`. z overlaps no
/// input.
template <class Scalar>
void affine_samples(const Scalar* W, const Scalar* b, Index n_out, Index n_in, const Scalar* a, Scalar* z,
                    Index stride) {
  detail::combine<detail::Start::bias>(Walk<Scalar>{W, 1, n_out}, b, n_out, n_in, a, z, stride);
}

/// out = W^T delta over sample lanes (BP5) or, where slope is not null, out = slope o W^T delta (BP2).
/// W (n_out, n_in) column-major, delta (n_out, stride), slope and out (n_in, stride). out overlaps no input.
template <class Scalar>
void pull_samples(const Scalar* W, Index n_out, Index n_in, const Scalar* delta, const Scalar* slope, Scalar* out,
                  Index stride) {
  using detail::combine, detail::Start;
  const Walk<Scalar> walk{W, n_out, 1};
  if (slope) return combine<Start::zero_scaled>(walk, slope, n_in, n_out, delta, out, stride);
  combine<Start::zero>(walk, slope, n_in, n_out, delta, out, stride);
}

namespace detail {

/// Columns x any number of outputs: z = start + W a of a few columns of W, each read from one end to the other.
template <int Columns, class Scalar>
void add_columns(const Scalar* W, const Scalar* start, Index n_out, const Scalar* a, Scalar* z) {
  using L = Lanes<Scalar>;
  L x[Columns];
  for (int c = 0; c < Columns; ++c) x[c] = L(a[c]);
  for (Index j = 0; j < n_out; j += L::size) {
    L sum = L::load(start + j);
    for (int c = 0; c < Columns; ++c) sum = madd(L::load(W + c * n_out + j), x[c], sum);
    sum.store(z + j);
  }
}

/// affine_one for any number of outputs.
template <class Scalar>
[[gnu::noinline]] void affine_one_wide(const Scalar* W, const Scalar* b, Index n_out, Index n_in, const Scalar* a,
                                       Scalar* z) {
  using L = Lanes<Scalar>;
  constexpr int most = 6 * Block<Scalar>::packets;  // many chains hide the latency of each, and long columns stream
  const Index packets = (n_out + L::size - 1) / L::size;
  const auto some = [&](Index packet, auto n_packets) __attribute__((always_inline)) {
    constexpr int P = n_packets();
    const Scalar* column = W + packet * L::size;
    L acc[P];
#pragma GCC unroll 32
    for (int p = 0; p < P; ++p) acc[p] = L::load(b + (packet + p) * L::size);
    for (Index i = 0; i < n_in; ++i, column += n_out) {
      const L x(a[i]);
#pragma GCC unroll 32
      for (int p = 0; p < P; ++p) acc[p] = madd(L::load(column + p * L::size), x, acc[p]);
    }
#pragma GCC unroll 32
    for (int p = 0; p < P; ++p) acc[p].store(z + (packet + p) * L::size);
  };
  if (packets <= most) return with_constant<most>(packets, [&](auto all) { some(0, all); });
  // More would walk long columns piece by piece, and memory would wait: so a few columns at a time, and sums in z.
  const Scalar* start = b;
  in_ladder<8>(
      n_in, [&](Index i, auto columns) __attribute__((always_inline)) {
        add_columns<columns()>(W + i * n_out, std::exchange(start, z), n_out, a + i, z);
      });
}

}  // namespace detail

/// z = W a + b of one sample. (F1)
/// The chains of affine_units; z has room for padded(n_out) numbers.
template <class Scalar>
void affine_one(const Scalar* W, const Scalar* b, Index n_out, Index n_in, const Scalar* a, Scalar* z) {
  using L = Lanes<Scalar>;
  if (n_out > L::size) return detail::affine_one_wide(W, b, n_out, n_in, a, z);
  L acc = L::load(b);  // where a dozen nanoseconds are all there is, what the wide ones set up counts
  for (Index i = 0; i < n_in; ++i, W += n_out) acc = madd(L::load(W), L(a[i]), acc);
  acc.store(z);
}

namespace detail {

/// Asks for so many bytes in L2. A function of its own: where it stands, GCC would leave accumulators on the stack.
template <int Bytes>
inline void fetch(const void* from) {
  for (int at = 0; at < Bytes; at += 64) __builtin_prefetch(static_cast<const char*>(from) + at, 0, 2);
}

/// Where the weights of a product are likely to come from.
enum class From { l2, l3, memory };

/// Samples x Packets outputs of `combine_units`, depth > 0: W, start and out begin at the first of these outputs. With
/// Fetch, as much of the same columns as is read of W is fetched from `later` on. With Hold, no weight is loaded twice;
/// else that is GCC's choice.
template <int Samples, int Packets, bool Fetch, bool Hold, class Scalar>
[[gnu::noinline]] void combine_units_block(const Scalar* W, Index column_stride, const Scalar* start,
                                           Index start_stride, Index depth, const Scalar* const* in, Index first,
                                           Scalar* out, Index stride, const Scalar* later) {
  using L = Lanes<Scalar>;
  L acc[Samples][Packets];
  const Scalar* rows[Samples];
  for (int s = 0; s < Samples; ++s) {
    rows[s] = in[s] + first;
    for (int p = 0; p < Packets; ++p) acc[s][p] = L::load(start + s * start_stride + p * L::size);
  }
  Index i = 0;
  do {
    if constexpr (Hold) {
      if constexpr (Fetch) fetch<Packets * L::size * sizeof(Scalar)>(later);
      L x[Samples];
      for (int s = 0; s < Samples; ++s) x[s] = L(rows[s][i]);
      for (int p = 0; p < Packets; ++p) {
        L w = L::load(W + p * L::size);
        hold(w);
        for (int s = 0; s < Samples; ++s) acc[s][p] = madd(w, x[s], acc[s][p]);
      }
    } else {
      L w[Packets];
      for (int p = 0; p < Packets; ++p) w[p] = L::load(W + p * L::size);
      if constexpr (Fetch) fetch<Packets * L::size * sizeof(Scalar)>(later);
      for (int s = 0; s < Samples; ++s) {
        const L x(rows[s][i]);
        for (int p = 0; p < Packets; ++p) acc[s][p] = madd(w[p], x, acc[s][p]);
      }
    }
    W += column_stride;
    later += column_stride;
  } while (++i < depth);
  for (int s = 0; s < Samples; ++s)
    for (int p = 0; p < Packets; ++p) acc[s][p].store(out + s * stride + p * L::size);
}

/// out = W in + start over unit lanes: the columns of W (n_out, depth) lie column_stride apart; in: m pointers to where
/// the depth begins at `first`; start: m rows, start_stride apart, which may be out's; out: m rows, `stride` apart.
/// Whole registers are read of W and start and written of out. What comes later of W, `columns_left` more columns
/// included, is fetched, unless it is in L2.
template <From from, class Scalar>
void combine_units(const Scalar* W, Index column_stride, const Scalar* start, Index start_stride, Index n_out,
                   Index depth, const Scalar* const* in, Index first, Scalar* out, Index stride, Index m,
                   Index columns_left = 0) {
  using L = Lanes<Scalar>;
  using B = Block<Scalar>;
  using std::bool_constant, std::integral_constant;
  constexpr bool Fetch = from != From::l2;
  const Index packets = (n_out + L::size - 1) / L::size;
  // The first samples fetch: what lies below in the same columns, or the top of those that follow.
  const auto block = [&](Index packet, auto n_packets, Index sample, auto n_samples, auto fetches)
      __attribute__((always_inline)) {
    constexpr Index distance = std::max<Index>(2 * n_packets(), 512 / (L::size * sizeof(Scalar)));
    const bool below = packet + distance < packets, wanted = below || columns_left >= depth;
    const Scalar* here = W + packet * L::size;
    const Scalar* later = here + distance * L::size + (below ? 0 : depth * column_stride - packets * L::size);
    // Two or three samples feed on weights as fast as L2 and L3 give them; from memory they had better not hurry.
    constexpr bool holds = from != From::memory && 1 < n_samples() && n_samples() <= 3;
    const auto run = [&](auto fetch) __attribute__((always_inline)) {
      combine_units_block<n_samples(), n_packets(), fetch(), holds>(
          here, column_stride, start + sample * start_stride + packet * L::size, start_stride, depth, in + sample,
          first, out + sample * stride + packet * L::size, stride, later);
    };
    if constexpr (fetches())
      if (wanted && sample == 0) return run(bool_constant<true>{});
    run(bool_constant<false>{});
  };
  const auto all_at_once = [&](auto n_samples, auto whole) __attribute__((always_inline)) {
    in_ladder<whole()>(
        packets, [&](Index packet, auto n_packets) __attribute__((always_inline)) {
          block(packet, n_packets, 0, n_samples, bool_constant<(Fetch && n_packets() == whole())>{});
        });
  };
  constexpr int few = 3;
  if (m <= few)
    return with_constant<few>(
        m, [&](auto all)
               __attribute__((always_inline)) { all_at_once(all, integral_constant<int, B::packets_for(few)>{}); });
  if constexpr (B::packets_for(8) > 2) {  // instead of 6 and the rest
    if (m == 7) return all_at_once(integral_constant<int, 7>{}, integral_constant<int, B::packets_for(8)>{});
    if (m == 8) return all_at_once(integral_constant<int, 8>{}, integral_constant<int, B::packets_for(8)>{});
  }
  in_blocks<B::packets>(
      packets, [&](Index packet, auto n_packets) __attribute__((always_inline)) {
        in_blocks<B::rows_for(n_packets())>(
            m, [&](Index sample, auto n_samples) __attribute__((always_inline)) {
              block(packet, n_packets, sample, n_samples, bool_constant<(Fetch && n_packets() == B::packets)>{});
            });
      });
}

/// A panel of (W^l)^T: `columns` <= Block::panel columns of W (n_out, ..) turned around into n_out rows of Block::panel
/// numbers. n_out is rounded up to whole quarters of a register: so much of W is read, and written.
template <class Scalar>
void turn_columns(const Scalar* W, Index n_out, Index columns, Scalar* turned) {
  using L = Lanes<Scalar>;
  constexpr Index Q = quarter<Scalar>, panel = Block<Scalar>::panel;
  for (Index first = 0; first < columns; first += L::size)
    for (Index j = 0; j < n_out; j += Q) {
      L column[Q];
      load_transposed([&](int k) { return load_quarter(W + std::min<Index>(first + k, columns - 1) * n_out + j); },
                      column);
      for (Index k = 0; k < Q; ++k) column[k].store(turned + (j + k) * panel + first);
    }
}

}  // namespace detail

/// z = W a + b over unit lanes. (F1)
/// W (n_out, n_in) column-major and b readable `slack` numbers past their ends; a: m pointers to n_in numbers; z: m
/// rows, `stride` >= padded(n_out) apart, whose padding receives meaningless numbers.
template <class Scalar>
void affine_units(const Scalar* W, const Scalar* b, Index n_out, Index n_in, const Scalar* const* a, Scalar* z,
                  Index stride, Index m) {
  if (m == 1) return affine_one(W, b, n_out, n_in, a[0], z);
  using detail::From;
  constexpr Index stays = (Index(5) << 19) / static_cast<Index>(sizeof(Scalar)), in_l3 = stays * 16 / 5;
  if (n_out * n_in <= stays) return detail::combine_units<From::l2>(W, n_out, b, 0, n_out, n_in, a, 0, z, stride, m);
  // What does not stay in L2 is fetched a little before its time, some columns at a time from one end to the other.
  const Index columns = m <= 3 ? 64 : 128;
  const auto some =
      n_out * n_in <= in_l3 ? &detail::combine_units<From::l3, Scalar> : &detail::combine_units<From::memory, Scalar>;
  for (Index i = 0; i < n_in; i += columns)
    some(W + i * n_out, n_out, i == 0 ? b : z, i == 0 ? 0 : stride, n_out, std::min(columns, n_in - i), a, i, z, stride,
         m, std::max<Index>(n_in - i - columns, 0));
}

/// out = W^T delta over unit lanes. (BP5)
/// Shapes as affine_units: delta m <= tile_samples rows of n_out, out m rows of n_in, each row `stride` apart and
/// padded. `panel` is scratch of panels_room(n_out, tile_samples) numbers.
template <class Scalar>
void pull_units(const Scalar* W, Index n_out, Index n_in, const Scalar* delta, Index delta_stride, Scalar* out,
                Index out_stride, Index m, Scalar* panel) {
  constexpr Index width = Block<Scalar>::panel;
  alignas(64) static constexpr std::array<Scalar, width> zeros{};
  std::array<const Scalar*, tile_samples> rows;
  for (Index s = 0; s < m; ++s) rows[static_cast<std::size_t>(s)] = delta + s * delta_stride;
  for (Index i = 0; i < n_in; i += width) {
    const Index columns = std::min(width, n_in - i);
    detail::turn_columns(W + i * n_out, n_out, columns, panel);
    detail::combine_units<detail::From::l2>(panel, width, zeros.data(), 0, columns, n_out, rows.data(), 0, out + i,
                                            out_stride, m);
  }
}

}  // namespace bpnet::engine
