/// The exponential, and what is the exponential of something: exp(-z^2).
///
/// x = n ln 2 + r with |r| <= ln(2)/2 and n an integer; e^x = 2^n (1 + p), p = e^r - 1 = r + r^2 q(r), q a polynomial.
/// n ln 2 is taken off in two parts: n times the upper one is exact, with or without fused multiply-add.
#pragma once

#include "bpnet/engine/elementary/arithmetic.hpp"

namespace bpnet::engine {

template <class Scalar>
struct ExpConstants;

template <>
struct ExpConstants<float> {
  static constexpr float log2_e = 0x1.715476p+0f, ln2_hi = 0x1.62e4p-1f, ln2_lo = 0x1.7f7d1cp-20f;
  static constexpr float lowest = -104, highest = 89;  // e^x rounds to 0 and to infinity here, and beyond
  // minimax fit on |r| <= 0.3467 of (e^r - 1 - r) / r^2, error 1.3e-8 relative to e^r - 1
  static constexpr float q[] = {0x1.fffffep-2f, 0x1.5554b0p-3f, 0x1.555674p-5f, 0x1.1227b0p-7f, 0x1.6bebfep-10f};
};

template <>
struct ExpConstants<double> {
  static constexpr double log2_e = 0x1.71547652b82fep+0, ln2_hi = 0x1.62e42fefa38p-1, ln2_lo = 0x1.ef35793c7673p-45;
  static constexpr double lowest = -746, highest = 710;
  // minimax fit on |r| <= 0.3467 of (e^r - 1 - r) / r^2, error 1.8e-17 relative to e^r - 1
  static constexpr double q[] = {0x1.0000000000005p-1,  0x1.5555555555539p-3,  0x1.555555555228ep-5,
                                 0x1.111111111900ep-7,  0x1.6c16c17ee71f2p-10, 0x1.a01a0174fbc5bp-13,
                                 0x1.a019a74a87471p-16, 0x1.71de882372904p-19, 0x1.28a2067f05181p-22,
                                 0x1.ae6bae8c28464p-26};
};

/// e^x = 2^n (1 + p).
template <class L>
struct ReducedExp {
  L n, p;
};

/// Of e^(x + low), |x| < 1100, |low| < 0.001. x - n ln2_hi is exact, so that p is rounded once where it is not small.
template <class L>
[[gnu::always_inline]] inline ReducedExp<L> reduce_exp(L x, L low = L(0)) {
  using C = ExpConstants<typename L::Scalar>;
  const L offset(rounding_offset<typename L::Scalar>);
  const L n = madd(x, L(C::log2_e), offset) - offset;
  const L upper = madd(n, L(-C::ln2_hi), x);
  const L lower = madd(n, L(-C::ln2_lo), low);
  const L r = upper + lower;
  const L r2 = r * r;
  return {n, upper + madd(r2, polynomial(r, r2, C::q), lower)};
}

/// e^x. Within 0.97 ulp.
template <class L>
[[gnu::always_inline]] inline L exp(L x) {
  using C = ExpConstants<typename L::Scalar>;
  const auto [n, p] = reduce_exp(min(max(x, L(C::lowest)), L(C::highest)));
  return scale_exponent(p + L(1), n);
}

/// e^(hi + lo), |lo| < 0.001 and finite: for an exponent known to more digits than fit one number. As accurate as exp.
template <class L>
[[gnu::always_inline]] inline L exp_sum(L hi, L lo) {
  using C = ExpConstants<typename L::Scalar>;
  const auto [n, p] = reduce_exp(min(max(hi, L(C::lowest)), L(C::highest)), lo);
  return scale_exponent(p + L(1), n);
}

/// e^x for x <= 0 (or NaN).
template <class L>
[[gnu::always_inline]] inline L exp_of_nonpositive(L x) {
  const auto [n, p] = reduce_exp(max(x, L(ExpConstants<typename L::Scalar>::lowest)));
  return scale_exponent(p + L(1), n);
}

/// e^x - 1 = 2^n p + (2^n - 1), with every digit where x is small. Within 1.85 ulp.
template <class L>
[[gnu::always_inline]] inline L expm1(L x) {
  using Scalar = typename L::Scalar;
  using C = ExpConstants<Scalar>;
  const auto [n, p] = reduce_exp(min(max(x, L(Scalar(-64))), L(C::highest)));  // e^-64 - 1 is -1
  const auto top = n > L(Scalar(exponent_bias<Scalar>));                       // 2^n itself is too large
  const L power = power_of_two(select(top, n - L(1), n));
  const L result = madd(power, p, power - select(top, L(Scalar(0.5)), L(1)));
  return copysign(select(top, result + result, result), x);
}

/// e^(-z^2), the rounding error of z^2 made good. Within 0.95 ulp.
template <class L>
[[gnu::always_inline]] inline L gauss(L z) {
  const L t = min(abs(z), L(typename L::Scalar(sizeof(typename L::Scalar) == 4 ? 11 : 28)));  // 0 beyond
  const auto [hi, lo] = two_product(t, t);
  return exp_sum(-hi, -lo);
}

}  // namespace bpnet::engine
