/// The weight gradient where few samples meet few outputs: delta stays in registers, and the weights pass by. (BP3)
///
/// A block of accumulators as gradient.hpp has them is begun and written for every dozen inputs, and with ten samples
/// that takes as long as their products.
#pragma once

#include <algorithm>

#include "bpnet/engine/tile.hpp"

namespace bpnet::engine::detail {

inline constexpr int held_samples = 12, held_packets = 2;

/// Whether delta of 0 < m samples is held: where registers hold it, and some accumulators beside it.
template <class Scalar>
constexpr bool is_held(Index n_out, Index m) {
  static_assert(held_packets <= Block<Scalar>::packets, "delta's rows and its panels are the same so far");
  return Block<Scalar>::many_registers && n_out <= held_packets * Lanes<Scalar>::size && m <= held_samples;
}

/// The outer products of Samples samples into Packets registers of each column, the last of which has `last` numbers.
template <Into into, int Samples, int Packets, class Scalar>
[[gnu::noinline]] void held_block(const Scalar* delta, Index sample_stride, const Scalar* const* rows, Index n_in,
                                  Scalar* dW, Index dW_stride, Index last, Scalar scale) {
  using L = Lanes<Scalar>;
  L d[Samples][Packets];
  const Scalar* a[Samples];
  for (int s = 0; s < Samples; ++s) {
    a[s] = rows[s];
    for (int p = 0; p < Packets; ++p) d[s][p] = L::load(delta + s * sample_stride + p * L::size);
  }
  // Some columns side by side, as a chain alone waits for itself: as many as registers hold beside delta.
  constexpr int side = std::clamp(27 / Packets - Samples, 2, 6);
  Scalar* column = dW;
  const auto some = [&](Index i, auto inputs) __attribute__((always_inline)) {
    constexpr int R = inputs();
    const auto each = [&](auto body) __attribute__((always_inline)) {
      Scalar* at = column;
      for (int r = 0; r < R; ++r, at = opaque(at + dW_stride))
        for (int p = 0; p < Packets; ++p) body(r, p, at + p * L::size);
      return at;
    };
    L acc[R][Packets];
    for (int r = 0; r < R; ++r)
      for (int p = 0; p < Packets; ++p) acc[r][p] = L(Scalar(0));
    for (int s = 0; s < Samples; ++s)
      for (int r = 0; r < R; ++r) {
        const L x(a[s][i + r]);
        for (int p = 0; p < Packets; ++p) acc[r][p] = madd(d[s][p], x, acc[r][p]);
      }
    if constexpr (into == Into::step)  // every load before the first store: those of part of a register hold up loads
      each([&](int r, int p, const Scalar* from) __attribute__((always_inline)) {
        const L w = p == Packets - 1 ? L::load_first(from, last) : L::load(from);
        acc[r][p] = madd(L(scale), acc[r][p], w);
      });
    column = each([&](int r, int p, Scalar* to) __attribute__((always_inline)) {
      if (p == Packets - 1)
        acc[r][p].store_first(to, last);
      else
        acc[r][p].store(to);
    });
  };
  Index i = 0;
  for (; i + side <= n_in; i += side) some(i, std::integral_constant<int, side>{});
  for (; i < n_in; ++i) some(i, std::integral_constant<int, 1>{});
}

/// dW = delta a^T, or W += scale delta a^T, over 0 < m <= held_samples samples, ascending, where `is_held`: sample s of
/// delta is at delta + s * sample_stride, in whole registers.
template <Into into, class Scalar>
void outer_held(const Scalar* delta, Index sample_stride, const Scalar* const* a, Index n_out, Index n_in, Index m,
                Scalar* dW, Index dW_stride, Scalar scale = 0) {
  static_assert(into != Into::more);
  if constexpr (Block<Scalar>::many_registers) {
    constexpr Index width = Lanes<Scalar>::size;
    with_constant<held_packets>((n_out + width - 1) / width, [&](auto packets) __attribute__((always_inline)) {
      const Index last = n_out - (packets() - 1) * width;
      with_constant<held_samples>(
          m, [&](auto samples) __attribute__((always_inline)) {
            held_block<into, samples(), packets()>(delta, sample_stride, a, n_in, dW, dW_stride, last, scale);
          });
    });
  }
}

}  // namespace bpnet::engine::detail
