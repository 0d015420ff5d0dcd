/// The gradient of weights and biases: sums over the samples of a tile, ascending. (BP3), (BP4)
#pragma once

#include <algorithm>

#include "bpnet/engine/ahead.hpp"
#include "bpnet/engine/outer_held.hpp"
#include "bpnet/engine/outer_spread.hpp"
#include "bpnet/engine/product.hpp"

namespace bpnet::engine {

/// delta of m samples as the weight gradient reads it: sample s of the block of units that begins at unit j (a multiple
/// of Block::panel) is at data + j * block_stride + s * sample_stride. (Kernels take it by reference: by value it would
/// be copied 16 bytes at a time, which wait for the 8 that were written last.)
template <class Scalar>
struct DeltaRows {
  const Scalar* data;
  Index block_stride;   ///< 1 for plain rows, m for panels
  Index sample_stride;  ///< the distance of rows; Block::panel for panels

  static DeltaRows rows(const Scalar* data, Index stride) { return {data, 1, stride}; }
  static DeltaRows panels(const Scalar* data, Index m) { return {data, m, Block<Scalar>::panel}; }
};

namespace detail {

/// a^(l-1) of unit r and sample s, counted from where a block begins: plain rows, or sample lanes Stride apart (0:
/// any).
template <class Scalar>
struct InputRows {
  static constexpr bool may_fetch = false, is_whole = false;
  const Scalar* const* rows;
  Index begin;
  /// Of sample s; unit r is number r * `apart` there.
  const Scalar* at(Index s) const { return opaque(rows[s] + begin); }
  Index apart() const { return 1; }
  const Scalar* lanes() const { return nullptr; }
  InputRows from(Index i) const { return {rows, i}; }
};
template <Index Stride, class Scalar>
struct InputLanes {
  static constexpr bool may_fetch = true, is_whole = Stride == tile_samples;
  const Scalar* data;
  Index any_stride;
  const Scalar* at(Index s) const { return data + s; }
  Index apart() const { return Stride > 0 ? Stride : any_stride; }
  const Scalar* lanes() const { return data; }
  InputLanes from(Index i) const { return {data + i * apart(), any_stride}; }
};

/// Packets registers of delta summed over the samples. (BP4)
template <int Packets, class Scalar>
void sum_block(const Scalar* delta, Index sample_stride, Index n_out, Index m, bool fresh, Scalar* db) {
  using L = Lanes<Scalar>;
  L acc[Packets];
  for (int p = 0; p < Packets; ++p) {
    const Index left = n_out - p * L::size;
    const Scalar* from = db + p * L::size;
    acc[p] = fresh ? L(Scalar(0)) : left < L::size ? L::load_first(from, left) : L::load(from);
  }
  for (Index s = 0; s < m; ++s, delta += sample_stride)
    for (int p = 0; p < Packets; ++p) acc[p] = acc[p] + L::load(delta + p * L::size);
  for (int p = 0; p < Packets; ++p) {
    const Index left = n_out - p * L::size;
    if (left < L::size)
      acc[p].store_first(db + p * L::size, left);
    else
      acc[p].store(db + p * L::size);
  }
}

/// What `outer_block` may do on its way.
enum class Also {
  nothing,
  fetch,   ///< memory that is wanted next
  biases,  ///< the sums of delta
};

/// Inputs x Packets registers of a weight gradient: the outer products of m > 0 samples. With Cut the last register has
/// `tail` numbers. (What is known beforehand keeps the accumulators in registers.)
template <Into into, bool Cut, Also also, int Inputs, int Packets, class Scalar, class Input>
[[gnu::noinline]] void outer_block(const Scalar* delta, Index sample_stride, Input input, Index m, Scalar* dW,
                                   Index dW_stride, Index tail, typename Ahead<Scalar>::Part ahead, Scalar scale,
                                   Scalar* db) {
  using L = Lanes<Scalar>;
  const auto load = [tail](const Scalar* from, int p) __attribute__((always_inline)) {
    return Cut && p == Packets - 1 ? L::load_first(from + p * L::size, tail) : L::load(from + p * L::size);
  };
  const auto store = [tail](L value, Scalar * to, int p) __attribute__((always_inline)) {
    if (Cut && p == Packets - 1)
      value.store_first(to + p * L::size, tail);
    else
      value.store(to + p * L::size);
  };
  const auto next = [dW_stride](Scalar * column) __attribute__((always_inline)) { return opaque(column + dW_stride); };
  L acc[Inputs][Packets], sum[Packets];
  Scalar* column = dW;
  if constexpr (also == Also::biases)
    for (int p = 0; p < Packets; ++p) sum[p] = into == Into::more ? load(db, p) : L(Scalar(0));
  for (int r = 0; r < Inputs; ++r) {
    for (int p = 0; p < Packets; ++p) acc[r][p] = into == Into::more ? load(column, p) : L(Scalar(0));
    if constexpr (into == Into::more) column = next(column);
  }
  Index s = 0;
  do {
    L d[Packets];
    for (int p = 0; p < Packets; ++p) {
      d[p] = L::load(delta + p * L::size);
      if constexpr (loads_once<Scalar>(Inputs)) hold(d[p]);
    }
    if constexpr (also == Also::fetch) Ahead<Scalar>::fetch(ahead, s);
    if constexpr (also == Also::biases)
      for (int p = 0; p < Packets; ++p) sum[p] = sum[p] + d[p];
    const Scalar* a = input.at(s);
    for (int r = 0; r < Inputs; ++r) {
      const L x(a[r * input.apart()]);
      for (int p = 0; p < Packets; ++p) acc[r][p] = madd(d[p], x, acc[r][p]);
    }
    delta += sample_stride;
  } while (++s < m);
  if constexpr (into == Into::step) {  // every load before the first store: those of part of a register hold up loads
    column = dW;
    for (int r = 0; r < Inputs; ++r, column = next(column))
      for (int p = 0; p < Packets; ++p) acc[r][p] = madd(L(scale), acc[r][p], load(column, p));
  }
  column = dW;
  for (int r = 0; r < Inputs; ++r, column = next(column))
    for (int p = 0; p < Packets; ++p) store(acc[r][p], column, p);
  if constexpr (also == Also::biases)
    for (int p = 0; p < Packets; ++p) store(sum[p], db, p);
}

template <Also also>
using AlsoTag = std::integral_constant<Also, also>;

/// The outer products of m samples and, unless db is null, the sums of delta.
template <Into into, class Scalar, class Input>
void outer(const DeltaRows<Scalar>& delta, Input input, Index n_out, Index n_in, Index m, Scalar* dW, Index dW_stride,
           Ahead<Scalar>* ahead, Scalar* db, Scalar scale = 0) {
  using L = Lanes<Scalar>;
  const Index tail = n_out % L::size;
  in_blocks<Block<Scalar>::packets>(
      (n_out + L::size - 1) / L::size, [&](Index packet, auto n_packets) __attribute__((always_inline)) {
        constexpr int P = n_packets(), most = Block<Scalar>::rows_for(P);
        const Index j = packet * L::size;
        const Scalar* rows = delta.data + j * delta.block_stride;
        const bool cut = tail != 0 && j + P * L::size > n_out;
        Scalar* const sums = db ? db + j : nullptr;
        Index taken = 0;  // inputs that have had their turn
        if constexpr (P == 1 && into != Into::step && Input::is_whole) {
          taken = inputs_spread<Scalar>(n_in, m);
          outer_spread<into>(rows, delta.sample_stride, input.lanes(), n_out - j, taken, m, dW + j, dW_stride,
                             taken == n_in ? sums : nullptr);
        }
        in_ladder<most>(
            n_in,
            [&](Index i, auto n_inputs) __attribute__((always_inline)) {
              Scalar* to = dW + i * dW_stride + j;
              const auto block = [&](auto is_cut, auto also, const auto& wanted) __attribute__((always_inline)) {
                outer_block<into, is_cut(), also(), n_inputs(), P>(rows, delta.sample_stride, input.from(i), m, to,
                                                                   dW_stride, tail, wanted, scale, sums);
              };
              const typename Ahead<Scalar>::Part none;
              const auto cut_or_not = [&](auto also) __attribute__((always_inline)) {
                cut ? block(std::true_type{}, also, none) : block(std::false_type{}, also, none);
              };
              if constexpr (into != Into::step && n_inputs() < most)  // there are registers left
                if (sums && i + n_inputs() == n_in) return cut_or_not(AlsoTag<Also::biases>{});
              if constexpr (into != Into::step && Input::may_fetch && P == Block<Scalar>::packets && n_inputs() == most)
                if (const auto some = ahead && !cut ? ahead->take(m) : none; some.begin)
                  return block(std::false_type{}, AlsoTag<Also::fetch>{}, some);
              cut_or_not(AlsoTag<Also::nothing>{});
            },
            taken);
        if (sums && taken < n_in && (n_in - taken) % most == 0)
          sum_block<P>(rows, delta.sample_stride, n_out - j, m, into == Into::fresh, sums);
      });
}

template <class Scalar, class Input>
void outer(const DeltaRows<Scalar>& delta, Input input, Index n_out, Index n_in, Index m, bool fresh, Scalar* dW,
           Index dW_stride, Ahead<Scalar>* ahead, Scalar* db) {
  if (fresh)
    outer<Into::fresh>(delta, input, n_out, n_in, m, dW, dW_stride, ahead, db);
  else
    outer<Into::more>(delta, input, n_out, n_in, m, dW, dW_stride, ahead, db);
}

}  // namespace detail

/// db += delta summed over the samples of a tile, ascending; with `fresh`, db = that sum. (BP4)
template <class Scalar>
void sum_rows(const DeltaRows<Scalar>& delta, Index n_out, Index m, bool fresh, Scalar* db) {
  in_blocks<Block<Scalar>::packets>((n_out + Lanes<Scalar>::size - 1) / Lanes<Scalar>::size,
                                    [&](Index packet, auto n_packets) {
                                      const Index j = packet * Lanes<Scalar>::size;
                                      detail::sum_block<n_packets()>(delta.data + j * delta.block_stride,
                                                                     delta.sample_stride, n_out - j, m, fresh, db + j);
                                    });
}

/// dW += delta a^T over the samples of a tile, ascending, and unless it is null db += delta; with `fresh`, dW and db
/// are those sums. (BP3), (BP4)
///
/// a: m pointers to n_in numbers; dW (n_out, n_in) with its columns dW_stride apart.
template <class Scalar>
void outer_rows(const DeltaRows<Scalar>& delta, const Scalar* const* a, Index n_out, Index n_in, Index m, bool fresh,
                Scalar* dW, Index dW_stride, Scalar* db) {
  if (fresh && detail::is_held<Scalar>(n_out, m)) {
    detail::outer_held<detail::Into::fresh>(delta.data, delta.sample_stride, a, n_out, n_in, m, dW, dW_stride);
    if (db) sum_rows(delta, n_out, m, fresh, db);
    return;
  }
  detail::outer(delta, detail::InputRows<Scalar>{a, 0}, n_out, n_in, m, fresh, dW, dW_stride,
                static_cast<Ahead<Scalar>*>(nullptr), db);
}

/// W += scale delta a^T over the samples of a tile, ascending: a step of plain gradient descent, whose gradient is
/// nowhere but in registers. (BP3), (O1)
template <class Scalar>
void step_rows(const DeltaRows<Scalar>& delta, const Scalar* const* a, Index n_out, Index n_in, Index m, Scalar scale,
               Scalar* W) {
  if (detail::is_held<Scalar>(n_out, m))
    return detail::outer_held<detail::Into::step>(delta.data, delta.sample_stride, a, n_out, n_in, m, W, n_out, scale);
  detail::outer<detail::Into::step>(delta, detail::InputRows<Scalar>{a, 0}, n_out, n_in, m, W, n_out,
                                    static_cast<Ahead<Scalar>*>(nullptr), static_cast<Scalar*>(nullptr), scale);
}

/// outer_rows with a (n_in, a_stride) in sample lanes. (BP3), (BP4) `ahead` may be null.
template <class Scalar>
void outer_samples(const DeltaRows<Scalar>& delta, const Scalar* a, Index a_stride, Index n_out, Index n_in, Index m,
                   bool fresh, Scalar* dW, Index dW_stride, Ahead<Scalar>* ahead, Scalar* db) {
  const auto run = [&](auto input) { detail::outer(delta, input, n_out, n_in, m, fresh, dW, dW_stride, ahead, db); };
  if (a_stride == tile_samples)
    run(detail::InputLanes<tile_samples, Scalar>{a, a_stride});
  else
    run(detail::InputLanes<0, Scalar>{a, a_stride});
}

namespace detail {

/// Outputs x Groups registers of inputs of `outer_turned`, the first at `a`, of which `inputs` are there.
template <int Outputs, int Groups, class Scalar>
[[gnu::noinline]] void turned_block(const Scalar* delta, const Scalar* a, Index stride, Index inputs, Index m,
                                    bool fresh, Scalar* dW, Index dW_stride) {
  using L = Lanes<Scalar>;
  constexpr Index Q = quarter<Scalar>, width = L::size;
  const auto each = [&](int output, int group, auto body) {
    const Index first = group * width;
    for (Index k = 0; k < std::min(width, inputs - first); ++k) body(k, dW[(first + k) * dW_stride + output]);
  };
  alignas(64) Scalar numbers[width] = {};
  L acc[Outputs][Groups];
  for (int r = 0; r < Outputs; ++r)
    for (int g = 0; g < Groups; ++g) {
      if (!fresh) each(r, g, [&](Index k, Scalar& weight) { numbers[k] = weight; });
      acc[r][g] = L::load(numbers);
    }
  // Past the last input its row is read again, and what comes of it is dropped.
  const Scalar* rows[Groups * width];
  for (Index i = 0; i < Groups * width; ++i) rows[i] = a + std::min(i, inputs - 1) * stride;
  const auto add = [&](Index s, auto samples) __attribute__((always_inline)) {
    L x[Groups][Q];
    for (int g = 0; g < Groups; ++g)
      load_transposed([&](int k) { return load_quarter(rows[g * width + k] + s); }, x[g]);
    for (int q = 0; q < samples(); ++q)
      for (int r = 0; r < Outputs; ++r) {
        const L d(delta[r * stride + s + q]);
        for (int g = 0; g < Groups; ++g) acc[r][g] = madd(x[g][q], d, acc[r][g]);
      }
  };
  Index s = 0;
  for (; s + Q <= m; s += Q) add(s, std::integral_constant<int, Q>{});
  if (s < m)
    with_constant<Q>(
        m - s, [&](auto rest) __attribute__((always_inline)) { add(s, rest); });
  for (int r = 0; r < Outputs; ++r)
    for (int g = 0; g < Groups; ++g) {
      acc[r][g].store(numbers);
      each(r, g, [&](Index k, Scalar& weight) { weight = numbers[k]; });
    }
}

}  // namespace detail

/// The same chains for few outputs, with lanes over the inputs: a (n_in, stride) is turned around on its way into the
/// sums. delta (n_out, stride) is in sample lanes too. Of a, samples are read up to a multiple of `quarter`. (BP3)
template <class Scalar>
void outer_turned(const Scalar* delta, const Scalar* a, Index stride, Index n_out, Index n_in, Index m, bool fresh,
                  Scalar* dW, Index dW_stride) {
  constexpr Index width = Lanes<Scalar>::size;
  constexpr int at_once = Block<Scalar>::many_registers ? 8 : 4;  // turning again costs more than what it feeds
  in_blocks<at_once>(
      n_out, [&](Index j, auto outputs) __attribute__((always_inline)) {
        in_blocks<2>((n_in + width - 1) / width, [&](Index group, auto groups) __attribute__((always_inline)) {
          const Index i = group * width;
          detail::turned_block<outputs(), groups()>(delta + j * stride, a + i * stride, stride, n_in - i, m, fresh,
                                                    dW + i * dW_stride + j, dW_stride);
        });
      });
}

/// db += delta summed over the samples of a tile in sample lanes (n_out, stride), ascending; with `fresh`, db = that
/// sum. (BP4)
template <class Scalar>
void sum_samples(const Scalar* delta, Index stride, Index n_out, Index m, bool fresh, Scalar* db) {
  in_ladder<4>(
      n_out, [&](Index j, auto n_chains) __attribute__((always_inline)) {  // side by side: each waits for itself
        constexpr int n = n_chains();
        Scalar sum[n];
        for (int k = 0; k < n; ++k) sum[k] = fresh ? Scalar(0) : db[j + k];
        for (Index s = 0; s < m; ++s)
          for (int k = 0; k < n; ++k) sum[k] += delta[(j + k) * stride + s];
        for (int k = 0; k < n; ++k) db[j + k] = sum[k];
      });
}

}  // namespace bpnet::engine
