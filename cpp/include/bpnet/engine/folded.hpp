/// The gradient of few outputs in another order of samples, for which nothing is turned around: sixteen partial sums,
/// folded in halves. (BP3), (BP4)
///
/// The samples of a tile are filled up with zeros to a multiple of sixteen. Partial sum k is a chain over the samples
/// k, k + 16, ..., begun at 0. Sum k + 8 is added to sum k, then k + 4 to k, k + 2, k + 1; what is left is added to
/// what was there. With delta and a^(l-1) in sample lanes the partial sums are the lanes of one register of AVX-512, of
/// two or four smaller ones; in unit lanes they are registers of inputs.
#pragma once

#include <algorithm>

#include "bpnet/engine/tile.hpp"

namespace bpnet::engine {

namespace detail {

/// Adds the upper half of n numbers to the lower one, until one is left.
template <class Number>
[[gnu::always_inline]] inline Number fold(Number* x, int n) {
  for (int half = n / 2; half > 0; half /= 2)
    for (int k = 0; k < half; ++k) x[k] = x[k] + x[k + half];
  return x[0];
}

/// value at `to`, or added to what is there.
template <class Scalar>
[[gnu::always_inline]] inline void leave(Scalar value, bool fresh, Scalar& to) {
  to = fresh ? value : to + value;
}

/// body(register of partial sums, sample, how to load numbers from there on) for m samples; with Whole, of a tile.
template <bool Whole, class Scalar, class Body>
[[gnu::always_inline]] inline void each_register(Index m, const Body& body) {
  using L = Lanes<Scalar>;
  constexpr Index width = L::size, parts = partial_sums / width;
  const Index whole = Whole ? tile_samples : m / partial_sums * partial_sums;
  const auto load = [](const Scalar* from) __attribute__((always_inline)) { return L::load(from); };
  for (Index s = 0; s < whole; s += partial_sums)
    for (Index p = 0; p < parts; ++p) body(p, s + p * width, load);
  if (Whole || whole == m) return;
  for (Index p = 0; p < parts; ++p)
    body(
        p, whole + p * width, [n = m - whole - p * width](const Scalar* from) __attribute__((always_inline)) {
          return n >= width ? L::load(from) : n > 0 ? L::load_first(from, n) : L(Scalar(0));
        });
}

/// The sums over m samples of x(s, load) * factor(r, s, load) for each of the outputs r; of each, a quarter is left.
template <int Outputs, bool Whole, class Scalar, class X, class Factor>
[[gnu::always_inline]] inline void folded_sums(Index m, const X& x, const Factor& factor,
                                               Quarter<Scalar> (&folded)[Outputs]) {
  using L = Lanes<Scalar>;
  L sums[Outputs][partial_sums / L::size];
  for (auto& of : sums)
    for (L& sum : of) sum = L(Scalar(0));
  each_register<Whole, Scalar>(
      m, [&](Index p, Index s, auto load) __attribute__((always_inline)) {
        const L value = x(s, load);
        for (int r = 0; r < Outputs; ++r) sums[r][p] = madd(value, factor(r, s, load), sums[r][p]);
      });
  for (int r = 0; r < Outputs; ++r) folded[r] = fold_to_quarter(sums[r]);
}

/// One or two outputs of `outer_folded`; with Whole, of a whole tile.
template <int Outputs, bool Whole, class Scalar>
[[gnu::noinline]] void folded_block(const Scalar* delta, const Scalar* a, Index any_stride, Index n_in, Index m,
                                    bool fresh, Scalar* dW, Index dW_stride, Scalar* db) {
  using L = Lanes<Scalar>;
  constexpr Index width = L::size, Q = quarter<Scalar>;
  const Index stride = Whole ? tile_samples : any_stride;
  L kept[Outputs][Whole ? tile_samples / width : 1];  // registers, as far as there are any
  if constexpr (Whole)
    for (int r = 0; r < Outputs; ++r)
      for (Index p = 0; p < tile_samples / width; ++p) kept[r][p] = L::load(delta + r * stride + p * width);
  const auto factor = [&](int r, Index s, auto load) __attribute__((always_inline)) {
    return Whole ? kept[r][s / width] : load(delta + r * stride + s);
  };
  Quarter<Scalar> folded[Outputs];
  const auto leave_all = [&](Scalar * to) __attribute__((always_inline)) {
    const auto sums = fold_two<Scalar>(folded[0], folded[Outputs - 1]);
    for (int r = 0; r < Outputs; ++r) leave(sums[static_cast<std::size_t>(r)], fresh, to[r]);
  };
  const auto fold_row = [&](const Scalar* row) __attribute__((always_inline)) {
    folded_sums<Outputs, Whole, Scalar>(
        m, [row](Index s, auto load) __attribute__((always_inline)) { return load(row + s); }, factor, folded);
  };
  folded_sums<Outputs, Whole, Scalar>(
      m, [](Index, auto) __attribute__((always_inline)) { return L(Scalar(1)); }, factor, folded);
  leave_all(db);
  if constexpr (Outputs == 2) {
    for (Index i = 0; i < n_in; ++i, a += stride, dW += dW_stride) {
      fold_row(a);
      leave_all(dW);
    }
  } else {  // many inputs' quarters are folded together
    alignas(64) Scalar quarters[width][Q] = {}, sums[width];
    for (Index i = 0; i < n_in; i += width, dW += width * dW_stride) {
      const Index inputs = std::min(width, n_in - i);
      for (Index k = 0; k < inputs; ++k, a += stride) {
        fold_row(a);
        std::memcpy(quarters[k], folded, sizeof folded);
      }
      L column[Q];
      load_transposed(
          [&](Index k) __attribute__((always_inline)) { return load_quarter(quarters[k]); }, column);
      fold(column, Q).store(sums);
      for (Index k = 0; k < inputs; ++k) leave(sums[k], fresh, dW[k * dW_stride]);
    }
  }
}

/// Four outputs of `outer_folded`, of a whole tile: sixteen of their weights are folded together.
template <class Scalar>
[[gnu::noinline]] void folded_four(const Scalar* delta, const Scalar* a, Index n_in, bool fresh, Scalar* dW,
                                   Index dW_stride, Scalar* db) {
  using L = Lanes<Scalar>;
  constexpr Index registers = tile_samples / L::size;
  L kept[4][registers], quarters[4];
  for (int r = 0; r < 4; ++r)
    for (Index p = 0; p < registers; ++p) kept[r][p] = L::load(delta + r * tile_samples + p * L::size);
  const auto fold_row = [&kept](const auto& x) __attribute__((always_inline)) {
    L sums[4] = {L(Scalar(0)), L(Scalar(0)), L(Scalar(0)), L(Scalar(0))};
    for (Index p = 0; p < registers; ++p) {
      const L value = x(p);
      for (int r = 0; r < 4; ++r) sums[r] = madd(value, kept[r][p], sums[r]);
    }
    return fold_four_to_quarters<Scalar>(sums);
  };
  alignas(64) Scalar numbers[L::size];
  const auto leave_columns = [&](Index columns, Scalar * to, Index stride) __attribute__((always_inline)) {
    const L sums = fold_quarters<Scalar>(quarters);
    if (columns == 4 && stride == 4) return (fresh ? sums : L::load(to) + sums).store(to);
    sums.store(numbers);
    for (Index k = 0; k < columns; ++k)
      for (Index r = 0; r < 4; ++r) leave(numbers[4 * k + r], fresh, to[k * stride + r]);
  };
  for (L& quarter : quarters) quarter = L(Scalar(0));
  quarters[0] = fold_row([](Index) __attribute__((always_inline)) { return L(Scalar(1)); });
  leave_columns(1, db, 0);
  for (Index i = 0; i < n_in; i += 4, dW += 4 * dW_stride) {
    const Index columns = std::min<Index>(4, n_in - i);
    for (Index k = 0; k < columns; ++k, a += tile_samples)
      quarters[k] = fold_row([a](Index p) __attribute__((always_inline)) { return L::load(a + p * L::size); });
    leave_columns(columns, dW, dW_stride);
  }
}

}  // namespace detail

/// dW += delta a^T and db += delta over the samples of a tile, folded; with `fresh`, dW and db are those sums.
/// delta (n_out, stride) and a (n_in, stride) are in sample lanes; the columns of dW (n_out, n_in) lie dW_stride apart.
template <class Scalar>
void outer_folded(const Scalar* delta, const Scalar* a, Index stride, Index n_out, Index n_in, Index m, bool fresh,
                  Scalar* dW, Index dW_stride, Scalar* db) {
  if constexpr (folds_four<Scalar>)
    if (m == tile_samples && stride == tile_samples)
      for (; n_out >= 4; n_out -= 4, delta += 4 * stride, dW += 4, db += 4)
        detail::folded_four(delta, a, n_in, fresh, dW, dW_stride, db);
  in_blocks<2>(
      n_out, [&](Index j, auto outputs) __attribute__((always_inline)) {
        const auto block = m == tile_samples && stride == tile_samples
                               ? &detail::folded_block<outputs(), true, Scalar>
                               : &detail::folded_block<outputs(), false, Scalar>;
        block(delta + j * stride, a, stride, n_in, m, fresh, dW + j, dW_stride, db + j);
      });
}

/// The same sums in unit lanes: delta (m, n_out), its rows delta_stride apart, a: m pointers to n_in numbers.
template <class Scalar>
void outer_folded_rows(const Scalar* delta, Index delta_stride, const Scalar* const* a, Index n_out, Index n_in,
                       Index m, bool fresh, Scalar* dW, Index dW_stride, Scalar* db) {
  using L = Lanes<Scalar>;
  L sums[partial_sums];
  alignas(64) Scalar numbers[L::size];
  for (Index r = 0; r < n_out; ++r, delta += 1) {
    Scalar of_bias[partial_sums] = {};
    for (Index s = 0; s < m; ++s) of_bias[s % partial_sums] += delta[s * delta_stride];
    for (Index s = m; s % partial_sums != 0; ++s) of_bias[s % partial_sums] += Scalar(0);  // it may be -0
    detail::leave(detail::fold(of_bias, partial_sums), fresh, db[r]);
    for (Index i = 0; i < n_in; i += L::size) {
      const Index inputs = std::min<Index>(L::size, n_in - i);
      for (Index k = 0; k < partial_sums; ++k) {
        sums[k] = L(Scalar(0));
        for (Index s = k; s < m; s += partial_sums) {
          const L x = inputs < L::size ? L::load_first(a[s] + i, inputs) : L::load(a[s] + i);
          sums[k] = madd(x, L(delta[s * delta_stride]), sums[k]);
        }
      }
      for (Index s = m; s % partial_sums != 0; ++s) sums[s % partial_sums] = sums[s % partial_sums] + L(Scalar(0));
      detail::fold(sums, partial_sums).store(numbers);
      for (Index k = 0; k < inputs; ++k) detail::leave(numbers[k], fresh, dW[(i + k) * dW_stride + r]);
    }
  }
}

}  // namespace bpnet::engine
