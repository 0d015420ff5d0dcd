/// What the kernels share: the size of a tile, its two layouts, a dispatcher for block tails.
#pragma once

#include <array>
#include <cstring>
#include <type_traits>
#include <utility>

#include "bpnet/engine/lanes.hpp"

namespace bpnet::engine {

/// Samples that go through all layers together.
inline constexpr Index tile_samples = 64;
/// Rows of a tile are padded to this many numbers, so that whole registers of any level fit.
inline constexpr Index padding = 16;
/// Numbers that may be read (never written) past the end of a weight or gradient array.
inline constexpr Index slack = 16;

constexpr Index padded(Index n) { return (n + padding - 1) / padding * padding; }

/// Numbers that m samples of n units take in panels of any level.
constexpr Index panels_room(Index n, Index m) { return (n + tile_samples - 1) / tile_samples * tile_samples * m; }

/// Where unit i of sample s lies in a tile. Both compute the same bits; only speed differs.
enum class Layout {
  sample_lanes,  ///< data[i * stride + s]: a register holds one unit of many samples
  unit_lanes,    ///< data[s * stride + i]: a register holds many units of one sample, as the caller's rows do
};

/// The block of accumulators that a level's registers hold: `rows` broadcast numbers x `packets` registers.
template <class Scalar>
struct Block {
  static constexpr bool many_registers = Lanes<Scalar>::size * sizeof(Scalar) == 64;  // AVX-512 has 32
  static constexpr int rows = has_fma ? 6 : 3;
  static constexpr int packets = many_registers ? 4 : 2;
  /// Rows where only P registers are needed: as many accumulators, or enough chains to hide their latency.
  static constexpr int rows_for(int P) { return many_registers ? (P <= 2 ? 12 : rows) : rows * (P == 1 ? 2 : 1); }
  /// Registers beside each of R rows, where there are no more rows: as many accumulators again.
  static constexpr int packets_for(int R) { return rows * packets / R; }
  static constexpr Index panel = packets * Lanes<Scalar>::size;  ///< units that one block of a weight gradient is wide
};

/// Whether a register that is multiplied `times` times has to be held. Left to itself GCC reads what is used two or
/// three times as an operand of every multiply-add, and an AVX-512 core may load fewer registers than it multiplies.
template <class Scalar>
constexpr bool loads_once(int times) {
  return Block<Scalar>::many_registers && times < 4;
}

namespace detail {

/// Where the sums of a weight gradient go.
enum class Into {
  fresh,  ///< there
  more,   ///< it goes on from what is there
  step,   ///< scale times the sum is added to what is there
};

}  // namespace detail

/// The same pointer, about which the compiler knows nothing. What lies at constant distances from it is then addressed
/// as such; left to itself GCC keeps a register for each distance, and where it has no more of them, for each sample's.
template <class T>
[[gnu::always_inline]] inline T* opaque(T* pointer) {
  asm("" : "+r"(pointer));
  return pointer;
}

/// Types in a row: the rows of a table.
template <class Row>
struct RowTag {
  using type = Row;
};
template <class... Rows>
struct List {
  static constexpr int size = sizeof...(Rows);
  /// One value a row: f(RowTag<Row>{}).
  template <class F>
  static constexpr auto map(F f) {
    return std::array{f(RowTag<Rows>{})...};
  }
};

/// Calls body(integral_constant<int, n>) for the n in 1..Max that n is.
template <int Max, class Body>
[[gnu::always_inline]] inline void with_constant(Index n, Body&& body) {
  if constexpr (Max == 1) {
    body(std::integral_constant<int, 1>{});
  } else {
    if (n >= Max) return body(std::integral_constant<int, Max>{});
    with_constant<Max - 1>(n, std::forward<Body>(body));
  }
}

/// Calls body(integral_constant<int, k>) for k = 0, 1, ..., Count - 1.
template <int Count, class Body>
[[gnu::always_inline]] inline void with_each(Body&& body) {
  [&]<int... k>(std::integer_sequence<int, k...>) __attribute__((always_inline)) {
    (body(std::integral_constant<int, k>{}), ...);
  }
  (std::make_integer_sequence<int, Count>{});
}

/// Walks 0..n in steps of Step, the last one shorter: body(begin, integral_constant<int, step>).
template <int Step, class Body>
[[gnu::always_inline]] inline void in_blocks(Index n, Body&& body) {
  for (Index begin = 0; begin < n; begin += Step) with_constant<Step>(n - begin, [&](auto step) { body(begin, step); });
}

/// The same, but what is left over goes in steps of 8, 4, 2, 1: hardly slower, and far less code to compile where there
/// are many kinds of a body.
template <int Step, class Body>
[[gnu::always_inline]] inline void in_ladder(Index n, Body&& body, Index begin = 0) {
  for (; begin + Step <= n; begin += Step) body(begin, std::integral_constant<int, Step>{});
  if constexpr (Step > 1) {
    constexpr int next = Step > 8 ? 8 : Step > 4 ? 4 : Step > 2 ? 2 : 1;
    in_ladder<next>(n, std::forward<Body>(body), begin);
  }
}

/// As `in_ladder`, but steps of one kind are handed over together: body(begin, integral_constant<int, step>, how many).
template <int Step, class Body>
[[gnu::always_inline]] inline void in_runs(Index n, Body&& body, Index begin = 0) {
  if (const Index steps = (n - begin) / Step; steps > 0) {
    body(begin, std::integral_constant<int, Step>{}, steps);
    begin += steps * Step;
  }
  if constexpr (Step > 1) {
    constexpr int next = Step > 8 ? 8 : Step > 4 ? 4 : Step > 2 ? 2 : 1;
    in_runs<next>(n, std::forward<Body>(body), begin);
  }
}

}  // namespace bpnet::engine
