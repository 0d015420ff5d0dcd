/// The weight gradient of one register of outputs, with some of the inputs spread by shuffles. (BP3)
///
/// A block of gradient.hpp has a load for each input and sample. Where there is one register of delta, that is a load
/// for each multiply-add, and some processors with AVX-512 load fewer registers at a time than they multiply. So of a
/// few inputs four samples are loaded at once, and each is spread over a register by a shuffle, which takes no load.
#pragma once

#include "bpnet/engine/tile.hpp"

namespace bpnet::engine::detail {

inline constexpr int spread_inputs = 16;  ///< of a block; of the last one, as many or half of them
constexpr int spread_by_shuffles(int inputs) { return inputs * 3 / 8; }

/// How many of n_in inputs, the first ones, are taken by `outer_spread`: whole blocks, where m is whole groups of
/// samples.
template <class Scalar>
constexpr Index inputs_spread(Index n_in, Index m) {
  return Block<Scalar>::many_registers && m % group == 0 ? n_in / (spread_inputs / 2) * (spread_inputs / 2) : 0;
}

/// The outer products of m samples, whole groups of them, into one register, of which `outputs` numbers are there, of
/// Inputs columns of dW; with Biases the sums of delta, too. a is a whole tile in sample lanes.
template <Into into, bool Cut, bool Biases, int Inputs, class Scalar>
[[gnu::noinline]] void spread_block(const Scalar* delta, Index sample_stride, const Scalar* a, Index outputs, Index m,
                                    Scalar* dW, Index dW_stride, Scalar* db) {
  static_assert(into != Into::step);
  using L = Lanes<Scalar>;
  constexpr int by_shuffles = spread_by_shuffles(Inputs);
  const auto load = [outputs](const Scalar* from) __attribute__((always_inline)) {
    return Cut ? L::load_first(from, outputs) : L::load(from);
  };
  const auto store = [outputs](L value, Scalar * to) __attribute__((always_inline)) {
    Cut ? value.store_first(to, outputs) : value.store(to);
  };
  const auto begin = [&load](const Scalar* from) __attribute__((always_inline)) {
    return into == Into::more ? load(from) : L(Scalar(0));
  };
  const auto next = [dW_stride](Scalar * column) __attribute__((always_inline)) { return opaque(column + dW_stride); };
  L acc[Inputs], sum(Scalar(0));
  Scalar* column = dW;
  for (int r = 0; r < Inputs; ++r) {
    acc[r] = begin(column);
    if constexpr (into == Into::more) column = next(column);
  }
  if constexpr (Biases) sum = begin(db);
  Index s = 0;
  do {
    const Scalar* samples = opaque(a + s);
    L some[by_shuffles];
    for (int r = 0; r < by_shuffles; ++r) some[r] = repeat_group<L>(samples + r * tile_samples);
    with_each<group>([&](auto k) __attribute__((always_inline)) {
      const L d = L::load(delta);
      if constexpr (Biases) sum = sum + d;
      for (int r = 0; r < by_shuffles; ++r) acc[r] = madd(d, spread_of_group<k()>(some[r]), acc[r]);
      for (int r = by_shuffles; r < Inputs; ++r) acc[r] = madd(d, L(samples[r * tile_samples + k()]), acc[r]);
      delta += sample_stride;
    });
  } while ((s += group) < m);
  column = dW;
  for (int r = 0; r < Inputs; ++r, column = next(column)) store(acc[r], column);
  if constexpr (Biases) store(sum, db);
}

/// dW += delta a^T, or with Into::fresh dW is that sum, of the first `inputs` inputs, as many as inputs_spread says,
/// and unless it is null db += delta. Samples are summed in ascending order.
template <Into into, class Scalar>
void outer_spread(const Scalar* delta, Index sample_stride, const Scalar* a, Index outputs, Index inputs, Index m,
                  Scalar* dW, Index dW_stride, Scalar* db) {
  if constexpr (Block<Scalar>::many_registers) {
    const auto blocks = [&](auto n_inputs) __attribute__((always_inline)) {
      for (; inputs >= n_inputs(); a += n_inputs() * tile_samples, dW += n_inputs() * dW_stride) {
        inputs -= n_inputs();
        const auto block = [&](auto cut, auto biases) __attribute__((always_inline)) {
          spread_block<into, cut(), biases(), n_inputs()>(delta, sample_stride, a, outputs, m, dW, dW_stride, db);
        };
        const auto cut_or_not = [&](auto biases) __attribute__((always_inline)) {
          outputs < Lanes<Scalar>::size ? block(std::true_type{}, biases) : block(std::false_type{}, biases);
        };
        const bool takes_biases = db != nullptr && inputs == 0;
        takes_biases ? cut_or_not(std::true_type{}) : cut_or_not(std::false_type{});
      }
    };
    blocks(std::integral_constant<int, spread_inputs>{});
    blocks(std::integral_constant<int, spread_inputs / 2>{});
  }
}

}  // namespace bpnet::engine::detail
