/// What the elementary functions are made of: polynomials, and sums and products with their rounding error.
#pragma once

#include <cstddef>

#include "bpnet/engine/lanes.hpp"

namespace bpnet::engine {

/// An unevaluated sum: hi is the rounded value, lo what rounding lost.
template <class L>
struct Pair {
  L hi, lo;
};

/// f(z) and f'(z).
template <class L>
struct ValueSlope {
  L value, slope;
};

/// a + b = hi + lo exactly, short of overflow.
template <class L>
[[gnu::always_inline]] inline Pair<L> two_sum(L a, L b) {
  const L hi = a + b;
  const L b_part = hi - a;
  return {hi, (a - (hi - b_part)) + (b - b_part)};
}

/// Whether `madd` of L rounds once.
template <class L>
inline constexpr bool madd_rounds_once = has_fma || L::size == 1;

/// a b = hi + lo exactly, short of underflow of lo; without fused multiply-add, also short of overflow of 2^27 a or
/// 2^27 b.
template <class L>
[[gnu::always_inline]] inline Pair<L> two_product(L a, L b) {
  const L hi = a * b;
  if constexpr (madd_rounds_once<L>) {
    return {hi, madd(a, b, -hi)};
  } else {  // Dekker: halves whose products are exact
    const L splitter(typename L::Scalar(sizeof(typename L::Scalar) == 4 ? 0x1p12 + 1 : 0x1p27 + 1));
    const L a_wide = a * splitter, b_wide = b * splitter;
    const L a_hi = a_wide - (a_wide - a), b_hi = b_wide - (b_wide - b);
    const L a_lo = a - a_hi, b_lo = b - b_hi;
    return {hi, ((a_hi * b_hi - hi) + a_hi * b_lo + a_lo * b_hi) + a_lo * b_lo};
  }
}

/// c[k] + c[k + step] x + c[k + 2 step] x^2 + ..., by Horner's rule.
template <std::size_t k = 0, std::size_t step = 1, class L, std::size_t n>
[[gnu::always_inline]] inline L polynomial(L x, const typename L::Scalar (&c)[n]) {
  if constexpr (k + step >= n)
    return L(c[k]);
  else
    return madd(polynomial<k + step, step>(x, c), x, L(c[k]));
}

/// c[k] + c[k + 1] x + c[k + 2] x^2 + ..., the even and the odd powers side by side: half the latency. square = x^2.
template <std::size_t k = 0, class L, std::size_t n>
[[gnu::always_inline]] inline L polynomial(L x, L square, const typename L::Scalar (&c)[n]) {
  return madd(polynomial<k + 1, 2>(square, c), x, polynomial<k, 2>(square, c));
}

/// A bit pattern less that of x is one of 1/x within 13 %: the exponent changes its sign, the fraction falls linearly.
template <class Scalar>
inline constexpr BitsOf<Scalar> reciprocal_guess = static_cast<BitsOf<Scalar>>(sizeof(Scalar) == 4
                                                                                   ? 0x7ef311c7u
                                                                                   : 0x7fde623822fc16e6u);

/// 1/x for a normal x > 0 whose reciprocal is normal too, by Newton steps: a third of a division's time where many are
/// asked for. Each step makes the relative error e to e^3, the last one of double to e^2. Within 0.51 ulp in float
/// (every x), 1 ulp in double.
template <class L>
[[gnu::always_inline]] inline L reciprocal(L x) {
  using Scalar = typename L::Scalar;
  L y = from_bits<L>(L::bits(reciprocal_guess<Scalar>) - to_bits(x));
  for (int k = 0; k < 2; ++k) {
    const L e = nmadd(x, y, L(1));
    y = madd(y, madd(e, e, e), y);
  }
  if constexpr (sizeof(Scalar) == 8) y = madd(y, madd(-x, y, L(1)), y);
  return y;
}

}  // namespace bpnet::engine
