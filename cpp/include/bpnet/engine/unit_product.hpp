/// Products of weights and samples in unit lanes, one sample or many: the chains of product.hpp, weights read as they
/// lie.
#pragma once

#include <algorithm>
#include <array>

#include "bpnet/engine/tile.hpp"

namespace bpnet::engine {

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

/// Asks for so many bytes in L1 or L2. A function of its own: where it stands, GCC would leave accumulators on the
/// stack.
template <int Bytes, int Level>
inline void fetch(const void* from) {
  for (int at = 0; at < Bytes; at += 64) __builtin_prefetch(static_cast<const char*>(from) + at, 0, 4 - Level);
}

/// Where the weights of a product are likely to come from.
enum class From { l1, l2, l3, memory };

/// Samples x Packets outputs of `combine_units`, depth > 0: W, start and out begin at the first of these outputs.
/// Unless Fetch is 0, as much as is read of a column of W is fetched into this level from `later` on, which goes from
/// column to column as W does. With Hold, no weight is loaded twice; else that is GCC's choice.
template <int Samples, int Packets, int Fetch, bool Hold, class Scalar>
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
      if constexpr (Fetch > 0) fetch<Packets * L::size * sizeof(Scalar), Fetch>(later);
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
      if constexpr (Fetch > 0) fetch<Packets * L::size * sizeof(Scalar), Fetch>(later);
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

/// Whether 7 or 8 samples are one block of accumulators.
template <class Scalar>
inline constexpr bool takes_eight = Block<Scalar>::packets_for(8) > 2;

/// out = W in + start over unit lanes: the columns of W (n_out, depth) lie column_stride apart; in: m pointers to where
/// the depth begins at `first`; start: m rows, start_stride apart, which may be out's; out: m rows, `stride` apart.
/// Whole registers are read of W and start and written of out. What comes later of W, `columns_left` more columns
/// included, is fetched, unless it is in L1.
template <From from, class Scalar>
void combine_units(const Scalar* W, Index column_stride, const Scalar* start, Index start_stride, Index n_out,
                   Index depth, const Scalar* const* in, Index first, Scalar* out, Index stride, Index m,
                   Index columns_left = 0) {
  using L = Lanes<Scalar>;
  using B = Block<Scalar>;
  using std::bool_constant, std::integral_constant;
  constexpr bool far = from == From::l3 || from == From::memory;
  constexpr int few = 3;
  const Index packets = (n_out + L::size - 1) / L::size;
  // The first samples fetch. Into L2: what lies below in the same columns, or the top of those that follow. Into L1,
  // where a column takes several multiply-adds: the same registers some columns on.
  const auto block = [&](Index packet, auto n_packets, Index sample, auto n_samples, auto fetches)
      __attribute__((always_inline)) {
    constexpr Index distance = std::max<Index>(2 * n_packets(), 512 / (L::size * sizeof(Scalar)));
    const bool below = packet + distance < packets, wanted = below || columns_left >= depth;
    const Scalar* here = W + packet * L::size;
    const Scalar* later = here + distance * L::size + (below ? 0 : depth * column_stride - packets * L::size);
    // Two or three samples feed on weights as fast as L2 and L3 give them; from memory they had better not hurry.
    constexpr bool holds = from != From::memory && 1 < n_samples() && n_samples() <= 3;
    const auto run = [&](auto into, const Scalar* what) __attribute__((always_inline)) {
      combine_units_block<n_samples(), n_packets(), into(), holds>(
          here, column_stride, start + sample * start_stride + packet * L::size, start_stride, depth, in + sample,
          first, out + sample * stride + packet * L::size, stride, what);
    };
    if constexpr (far && fetches())
      if (wanted && sample == 0) return run(integral_constant<int, 2>{}, later);
    if constexpr (from == From::l2 && n_samples() > few && n_packets() > 1)
      if (sample == 0) return run(integral_constant<int, 1>{}, here + 8 * column_stride);
    run(integral_constant<int, 0>{}, here);
  };
  const auto all_at_once = [&](auto n_samples, auto whole) __attribute__((always_inline)) {
    in_ladder<whole()>(
        packets, [&](Index packet, auto n_packets) __attribute__((always_inline)) {
          block(packet, n_packets, 0, n_samples, bool_constant<n_packets() == whole()>{});
        });
  };
  if (m <= few)
    return with_constant<few>(
        m, [&](auto all)
               __attribute__((always_inline)) { all_at_once(all, integral_constant<int, B::packets_for(few)>{}); });
  if constexpr (takes_eight<Scalar>) {  // instead of 6 and the rest
    if (m == 7) return all_at_once(integral_constant<int, 7>{}, integral_constant<int, B::packets_for(8)>{});
    if (m == 8) return all_at_once(integral_constant<int, 8>{}, integral_constant<int, B::packets_for(8)>{});
  }
  in_blocks<B::packets>(
      packets, [&](Index packet, auto n_packets) __attribute__((always_inline)) {
        in_blocks<B::rows_for(n_packets())>(
            m, [&](Index sample, auto n_samples) __attribute__((always_inline)) {
              block(packet, n_packets, sample, n_samples, bool_constant<n_packets() == B::packets>{});
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

/// Columns of W in L2 that all m samples of affine_units go through before the next ones. A register that lies across
/// two lines of L2 takes twice as long: where the samples are more than one block of accumulators, only the first block
/// meets those, and the others find in L1 what it has read.
template <class Scalar>
Index columns_at_a_time(Index n_out, Index n_in, Index m) {
  using B = Block<Scalar>;
  constexpr Index width = Lanes<Scalar>::size, line = 64;
  constexpr Index some = 24576 / (B::packets * width * static_cast<Index>(sizeof(Scalar)) + line);
  const Index packets = std::min<Index>((n_out + width - 1) / width, B::packets);
  const int block = std::max(B::rows_for(static_cast<int>(packets)), takes_eight<Scalar> ? 8 : 0);
  if (n_out % width == 0 || m <= block) return n_in;
  const Index parts = (n_in + some - 1) / some;
  return (n_in + parts - 1) / parts;
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
  // L2 has a megabyte or two, not for W alone. The fewer the samples, the less time there is to fetch beside them.
  constexpr Index megabyte = (Index(1) << 20) / static_cast<Index>(sizeof(Scalar)), in_l1 = megabyte / 32,
                  in_l3 = 8 * megabyte;
  const Index in_l2 = m <= 4 ? 5 * megabyte / 2 : 3 * megabyte / 4, all = n_out * n_in;
  const auto in_parts = [&](auto part, Index columns) {
    for (Index i = 0; i < n_in; i += columns)
      part(W + i * n_out, n_out, i == 0 ? b : z, i == 0 ? 0 : stride, n_out, std::min(columns, n_in - i), a, i, z,
           stride, m, std::max<Index>(n_in - i - columns, 0));
  };
  if (all <= in_l1) return in_parts(&detail::combine_units<From::l1, Scalar>, n_in);
  if (all <= in_l2)
    return in_parts(&detail::combine_units<From::l2, Scalar>, detail::columns_at_a_time<Scalar>(n_out, n_in, m));
  // What does not stay in L2 is fetched a little before its time, some columns at a time from one end to the other: not
  // many of those that lie pages apart, which crowd each other out of L2 and hide from the processor's own fetching.
  const bool far_apart = n_out * static_cast<Index>(sizeof(Scalar)) > 5120;
  const Index columns = far_apart ? 48 : m <= 3 ? 64 : 128;
  if (all <= in_l3)
    in_parts(&detail::combine_units<From::l3, Scalar>, columns);
  else
    in_parts(&detail::combine_units<From::memory, Scalar>, columns);
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
    detail::combine_units<detail::From::l1>(panel, width, zeros.data(), 0, columns, n_out, rows.data(), 0, out + i,
                                            out_stride, m);
  }
}

}  // namespace bpnet::engine
