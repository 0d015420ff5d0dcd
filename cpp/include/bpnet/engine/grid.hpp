/// A keyed permutation of the points of a grid, for many points side by side: what a sample order is made of.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>

#include "bpnet/engine/lanes.hpp"

namespace bpnet::engine {

/// A grid of rows x 2^y_bits points and the keys of its permutation. Point number x 2^y_bits + y is at (x, y); rows and
/// 2^y_bits are at most 2^24.
struct Grid {
  static constexpr std::size_t rounds = 6;  // 4 show in the distance of successive points, by 100 standard deviations
  std::uint64_t rows = 1;
  int y_bits = 0;
  std::array<std::uint64_t, rounds> keys{};

  std::uint64_t size() const { return rows << y_bits; }
};

namespace detail {

/// 64 bits of a coordinate under a round's key; the upper ones are well mixed.
template <class L>
[[gnu::always_inline]] inline typename L::Bits mix(typename L::Bits x, std::uint64_t key) {
  const auto h = (x + L::bits(key)) * L::bits(0x9E3779B97F4A7C15);
  return (h ^ (h >> 32)) * L::bits(0xD6E8FEB86659FD93);
}

/// One pass over the grid for Side registers of points, from number `first` on.
template <class L, int Side>
[[gnu::always_inline]] inline void permute_some(const Grid& grid, std::uint64_t first, std::uint64_t* points) {
  using Bits = typename L::Bits;
  const Bits rows = L::bits(grid.rows), y_mask = L::bits((std::uint64_t{1} << grid.y_bits) - 1);
  Bits x[Side], y[Side];
  for (int k = 0; k < Side; ++k) {
    const Bits point = lane_numbers<L>() + L::bits(first + static_cast<std::uint64_t>(k * L::size));
    x[k] = point >> grid.y_bits;
    y[k] = point & y_mask;
  }
  for (std::size_t round = 0; round < Grid::rounds; round += 2) {
    for (int k = 0; k < Side; ++k) {
      x[k] = x[k] + (multiply_halves<L>(mix<L>(y[k], grid.keys[round]) >> 32, rows) >> 32);
      x[k] = min(x[k], x[k] - rows);  // the difference wraps where x is a row's number already
    }
    for (int k = 0; k < Side; ++k) y[k] = (y[k] + (mix<L>(x[k], grid.keys[round + 1]) >> (64 - grid.y_bits))) & y_mask;
  }
  for (int k = 0; k < Side; ++k) {
    const Bits sent = (x[k] << grid.y_bits) | y[k];
    std::memcpy(points + k * L::size, &sent.v, sizeof(sent.v));
  }
}

}  // namespace detail

/// points[k] = where the permutation sends point first + k, for k < count. first + count is at most grid.size(), and
/// y_bits at least 1.
///
/// x += f(y), y += g(x) with keyed f and g are permutations, whatever f and g are; a few rounds of them mix (J. Black,
/// P. Rogaway, "Ciphers with arbitrary finite domains", 2002).
inline void permute(const Grid& grid, std::uint64_t first, Index count, std::uint64_t* points) {
  // Without AVX2 the products of integers are quicker one by one.
  using L = std::conditional_t<has_fma, Lanes<double>, Single<double>>;
  // A round is a chain of three products, each of which takes far longer than the next one waits for the multiplier.
  constexpr Index few = 8, many = 4 * few;
  static_assert(few % L::size == 0);
  const auto some = [&](auto at_once, Index k, std::uint64_t* to) __attribute__((always_inline)) {
    detail::permute_some<L, static_cast<int>(at_once() / L::size)>(grid, first + static_cast<std::uint64_t>(k), to);
  };
  constexpr auto of_few = std::integral_constant<Index, few>{};
  Index k = 0;
  for (; k + many <= count; k += many) some(std::integral_constant<Index, many>{}, k, points + k);
  for (; k + few <= count; k += few) some(of_few, k, points + k);
  if (count == 1) return detail::permute_some<Single<double>, 1>(grid, first, points);
  if (k == count) return;
  std::array<std::uint64_t, few> last;  // of which some are points nobody asked for
  some(of_few, k, last.data());
  std::copy_n(last.data(), count - k, points + k);
}

}  // namespace bpnet::engine
