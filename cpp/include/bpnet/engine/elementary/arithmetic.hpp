/// What the elementary functions are made of: polynomials, and sums and products with their rounding error.
#pragma once

#include <cstddef>
#include <limits>

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
  if constexpr (sizeof(Scalar) == 8) y = madd(y, nmadd(x, y, L(1)), y);
  return y;
}

/// A bit pattern less half of that of x is one of 1/sqrt(x) within 3.5 %.
inline constexpr BitsOf<double> inverse_root_guess = 0x5fe6eb50c7b537a9u;

/// sqrt(x), correctly rounded as the divider's: doubles by Newton steps, where that can be. A step of third order that
/// is fitted to the guess y of 1/sqrt(x) brings it within 2.6e-5; then g is near sqrt(x) and h near half of
/// 1/sqrt(x), and each step makes their relative error e to 1.5 e^2.
///
/// For x in [1, 4), the last h is within 2^-51.6 of itself and the last g but one within 1.1 2^-53, so what is rounded
/// to the result is within 2^-104 of sqrt(x). Were it rounded to another number than sqrt(x) is, the halfway point
/// M 2^-53 of the two, M odd, would lie between: x = (M^2 + k) 2^-106 with |k| <= 16. Such x are few, and
/// tests/test_elementwise.py tries them all.
template <class L>
[[gnu::always_inline]] inline L sqrt_by_steps(L x) {
  if constexpr (sizeof(typename L::Scalar) == 8 && madd_rounds_once<L>) {
    constexpr double least = 0x1p-900;  // x - g^2 is no subnormal then
    if (all_between(x, L(least), L(std::numeric_limits<double>::max()))) [[likely]] {
      const L half(0.5);
      L y = from_bits<L>(L::bits(inverse_root_guess) - (to_bits(x) >> 1));
      L e = nmadd(x * y, y, L(1));
      y = madd(y * e, madd(e, L(0.3755), L(0.5011)), y);
      L g = x * y, h = y * half;
      e = nmadd(g, h, half);
      g = madd(g, e, g);
      h = madd(h, e, h);
      e = nmadd(g, h, half);
      L left = nmadd(g, g, x);
      h = madd(h, e, h);
      g = madd(left, h, g);
      left = nmadd(g, g, x);
      return madd(left, h, g);
    }
  }
  return sqrt(x);
}

}  // namespace bpnet::engine
