/// Kernels as plain loops and formulas on single numbers, in the order of operations that the engine promises.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "bpnet/engine/grid.hpp"
#include "bpnet/engine/softmax.hpp"
#include "bpnet/engine/update.hpp"

namespace plain {

using namespace bpnet::engine;

/// a b + c as Lanes compute it.
template <class Scalar>
Scalar fused(Scalar a, Scalar b, Scalar c) {
  if constexpr (has_fma)
    return std::fma(a, b, c);
  else
    return a * b + c;
}

/// The sum of n numbers as engine/units.hpp says it: sixteen partial sums, zeros to a multiple of sixteen included,
/// folded in halves.
template <class Scalar, class Value>
Scalar sum_of(std::size_t n, const Value& value) {
  std::array<Scalar, 16> parts{};
  for (std::size_t i = 0; i < (n + 15) / 16 * 16; ++i) {
    const Scalar x = i < n ? value(i) : Scalar(0);
    parts[i % 16] = i < 16 ? x : parts[i % 16] + x;
  }
  for (std::size_t half = 8; half > 0; half /= 2)
    for (std::size_t k = 0; k < half; ++k) parts[k] += parts[k + half];
  return parts[0];
}

/// Softmax of one sample as engine/softmax.hpp says it: the largest z first, its own 1 left out of the sum.
template <class Scalar>
struct SoftmaxOf {
  std::vector<Scalar> a, tail, log_a;

  explicit SoftmaxOf(std::span<const Scalar> z) {
    using S = Single<Scalar>;
    const Scalar top = *std::max_element(z.begin(), z.end()), infinity = std::numeric_limits<Scalar>::infinity();
    std::vector<Scalar> shifted, powers;
    for (const Scalar x : z) {
      shifted.push_back(x == top ? Scalar(0) : x - (top == top ? top : -infinity));
      powers.push_back(bpnet::engine::exp(S(shifted.back())).v);
    }
    const auto power = [&](std::size_t i) { return powers[i]; };
    const Scalar smaller =
        sum_of<Scalar>(z.size(), [&](std::size_t i) { return power(i) == 1 ? Scalar(0) : power(i); });
    const auto largest = static_cast<Scalar>(std::count(powers.begin(), powers.end(), Scalar(1)));
    const Scalar others = smaller + (largest - 1), total = 1 + others, log_total = bpnet::engine::log1p(S(others)).v;
    for (std::size_t i = 0; i < z.size(); ++i) {
      a.push_back(powers[i] / total);
      log_a.push_back(shifted[i] - log_total);
      tail.push_back(a[i] >= Scalar(0.5) ? (1 - a[i]) - others / total : Scalar(0));
    }
  }
};

/// The deltas of softmax: from g = dC/da, and of the cross entropy to y, given the tail.
template <class Scalar>
std::vector<Scalar> softmax_pulled(std::span<const Scalar> a, std::span<const Scalar> g) {
  const Scalar top = *std::max_element(a.begin(), a.end());
  Scalar level = -std::numeric_limits<Scalar>::infinity();
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i] == top) level = std::max(level, g[i]);
  level += 0;  // not -0
  const Scalar mean = sum_of<Scalar>(a.size(), [&](std::size_t i) { return a[i] * (g[i] - level); });
  std::vector<Scalar> delta;
  for (std::size_t i = 0; i < a.size(); ++i) delta.push_back(a[i] * ((g[i] - level) - mean));
  return delta;
}
template <class Scalar>
std::vector<Scalar> softmax_minus(std::span<const Scalar> a, std::span<const Scalar> tail, std::span<const Scalar> y) {
  const Scalar sum = sum_of<Scalar>(a.size(), [&](std::size_t i) { return y[i]; });
  std::vector<Scalar> delta;
  for (std::size_t i = 0; i < a.size(); ++i) delta.push_back(fused(tail[i], sum, fused(a[i], sum, -y[i])));
  return delta;
}

/// 1 / (root scale + eps) by the same Newton steps, on one number.
template <class Scalar>
Scalar inverse_root(Scalar root, Scalar scale, Scalar eps) {
  const Scalar x = std::min(fused(root, scale, eps), std::numeric_limits<Scalar>::max() / 8);
  Scalar y = std::bit_cast<Scalar>(reciprocal_guess<Scalar> - std::bit_cast<BitsOf<Scalar>>(x));
  for (int k = 0; k < 2; ++k) {
    const Scalar e = fused(-x, y, Scalar(1));
    y = fused(y, fused(e, e, e), y);
  }
  if (sizeof(Scalar) == 8) y = fused(y, fused(-x, y, Scalar(1)), y);
  return y;
}

/// One number's step by the equations (O1) to (O4), in the engine's order of operations.
template <class Rule, class Scalar>
void update_one(const Update<Scalar>& u, Scalar& theta, Scalar g, Scalar& first, Scalar& second) {
  if (u.l1 != 0 || u.l2 != 0) {
    g = fused(u.l2, theta, g);
    g += theta == 0 ? Scalar(0) : std::copysign(u.l1, theta);
  }
  if constexpr (std::is_same_v<Rule, PlainStep>) {
    theta = fused(-u.eta, g, theta);
  } else if constexpr (std::is_same_v<Rule, MomentumStep>) {
    first = fused(u.mu, first, g);
    theta = fused(-u.eta, first, theta);
  } else if constexpr (std::is_same_v<Rule, NesterovStep>) {
    first = fused(u.mu, first, g);
    theta = fused(-u.eta, fused(u.mu, first, g), theta);
  } else if constexpr (std::is_same_v<Rule, RmsPropStep>) {
    first = fused(u.decay1, first, g * g);
    theta = fused(-(u.eta * g), inverse_root(std::sqrt(first), u.root_mean2, u.eps), theta);
  } else {
    if (u.shrink != 0) theta = fused(-u.shrink, theta, theta);
    first = fused(u.decay1, first, g);
    second = fused(u.decay2, second, g * g);
    theta = fused(-(u.eta * u.mean1 * first), inverse_root(std::sqrt(second), u.root_mean2, u.eps), theta);
  }
}

/// Where the permutation of a grid sends a point.
inline std::uint64_t permuted(const bpnet::engine::Grid& grid, std::uint64_t point) {
  const auto mixed = [](std::uint64_t v, std::uint64_t key) {
    std::uint64_t h = (v + key) * 0x9E3779B97F4A7C15;
    h ^= h >> 32;
    return h * 0xD6E8FEB86659FD93;
  };
  const std::uint64_t columns = std::uint64_t{1} << grid.y_bits;
  std::uint64_t x = point / columns, y = point % columns;
  for (std::size_t r = 0; r < bpnet::engine::Grid::rounds; r += 2) {
    x = (x + ((mixed(y, grid.keys[r]) >> 32) * grid.rows >> 32)) % grid.rows;
    y = (y + (mixed(x, grid.keys[r + 1]) >> (64 - grid.y_bits))) % columns;
  }
  return x * columns + y;
}

}  // namespace plain
