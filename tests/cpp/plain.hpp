/// Kernels as plain loops and formulas on single numbers, in the order of operations that the engine promises.
#pragma once

#include <algorithm>
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

/// Softmax of one sample as engine/softmax.hpp says it: the largest z first, its own 1 left out of the sum.
template <class Scalar>
struct SoftmaxOf {
  std::vector<Scalar> a, tail, log_a;

  explicit SoftmaxOf(std::span<const Scalar> z) {
    using S = Single<Scalar>;
    std::size_t top = 0;
    for (std::size_t i = 1; i < z.size(); ++i)
      if (z[top] < z[i]) top = i;
    Scalar others = 0;
    std::vector<Scalar> shifted, powers;
    for (std::size_t i = 0; i < z.size(); ++i) {
      shifted.push_back(z[i] == z[top] ? Scalar(0) : z[i] - z[top]);
      powers.push_back(bpnet::engine::exp(S(shifted[i])).v);
      others += i == top ? powers.back() - 1 : powers.back();
    }
    const Scalar total = 1 + others, log_total = bpnet::engine::log1p(S(others)).v;
    for (std::size_t i = 0; i < z.size(); ++i) {
      a.push_back(powers[i] / total);
      log_a.push_back(shifted[i] - log_total);
      tail.push_back(i == top && a[i] >= Scalar(0.5) ? (1 - a[i]) - others / total : Scalar(0));
    }
  }
};

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
