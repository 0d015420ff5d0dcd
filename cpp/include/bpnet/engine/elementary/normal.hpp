/// The normal distribution: Phi and its density, each with full relative accuracy far into the lower tail.
///
/// With t = |z|, Phi(-t) = e^(-t^2/2) P / (1 + t), where P stays between 0.4 and 0.53: a polynomial in u = t/(t + 5).
/// t^2 and 1 + t are taken with their rounding errors; e^(-t^2/2) = 2^n (1 + p) is multiplied out before it is rounded.
#pragma once

#include "bpnet/engine/elementary/exp.hpp"

namespace bpnet::engine {

template <class Scalar>
struct NormalConstants;

template <>
struct NormalConstants<float> {
  static constexpr float largest = 15;  // Phi(-15) and the density at 15 round to 0
  static constexpr float density = 0x1.988454p-2f, density_error = -0x1.e821f4p-26f;  // 1/sqrt(2 pi) = d (1 + error)
  // minimax fit on 0 <= t <= 15 of P, in powers of u - 1/2, relative error 1.7e-9
  static constexpr float P[] = {0x1.d8979cp-2f,  -0x1.76ff86p-3f, 0x1.fc6732p-4f,  0x1.47c26p-4f,
                                -0x1.b095e8p-2f, 0x1.91fc9p-1f,   -0x1.f0af0cp-1f, 0x1.ac636cp-1f,
                                -0x1.c012d6p-2f, -0x1.5d22bcp-6f, 0x1.abd464p-3f};
};

template <>
struct NormalConstants<double> {
  static constexpr double largest = 39;
  static constexpr double density = 0x1.9884533d43651p-2, density_error = -0x1.201b8c07f2c3fp-54;
  // minimax fit on 0 <= t <= 39 of P, in powers of u - 1/2, relative error 9.4e-18
  static constexpr double P[] = {
      0x1.d8979b0f2b39dp-2,  -0x1.76ff86859eb0ep-3, 0x1.fc66cc64a1512p-4,   0x1.47c1d03053221p-4,
      -0x1.b08e0007b9320p-2, 0x1.92037bab5f008p-1,  -0x1.f11aab023b70ap-1,  0x1.ab6d03879c32bp-1,
      -0x1.b75f4fd062bf5p-2, 0x1.0572006ba0ebep-8,  0x1.7e61f342ae43cp-3,   -0x1.c1b23aba3309bp-4,
      -0x1.4c131e47025f0p-5, 0x1.300907b5c47a3p-4,  -0x1.27199baf8b2fep-10, -0x1.5f81d342bc833p-5,
      0x1.0b48e9f2fbafdp-7,  0x1.a9b2b33bc54e6p-6,  -0x1.784f4971913b0p-8,  -0x1.0eddaf79938b9p-6,
      0x1.00d93fe2f1a93p-11, 0x1.09250c85f03f6p-7,  0x1.7f98b16a7468dp-9};
};

/// Phi(-t) = 2^n mantissa, with n that of e^(-t^2/2) (1 - lost) = 2^n (1 + p); lost: what rounding took from 1 + t,
/// over 1 + t.
template <class L>
struct NormalTail {
  L mantissa;
  ReducedExp<L> exponential;
  L lost;

  L value() const { return scale_exponent(mantissa, exponential.n); }
  /// Phi'(t) = 2^n times this.
  L density() const {
    using C = NormalConstants<typename L::Scalar>;
    const L standard(C::density), correction = (lost + L(C::density_error)) * standard;
    return standard + madd(exponential.p, standard, madd(exponential.p, correction, correction));
  }
};

/// 0 <= t <= largest.
template <class L>
[[gnu::always_inline]] inline NormalTail<L> normal_tail(L t) {
  using Scalar = typename L::Scalar;
  using C = NormalConstants<Scalar>;
  // 1/(1 + 4u) to 3.5 %, enough for `lost`: 1/(1 + t) = (1 - u)/(1 + 4u)
  static constexpr Scalar reciprocal[] = {Scalar(0.966), Scalar(-2.626), Scalar(3.56), Scalar(-1.754)};
  const L half(Scalar(0.5));
  const auto [square, square_lost] = two_product(t, t);
  const auto [d, d_lost] = two_sum(L(1), t);
  const L u = t / (t + L(5));
  const L lost = d_lost * (L(1) - u) * polynomial(u, reciprocal);
  const L y = u - half;
  const L P = madd(polynomial<1>(y, y * y, C::P), y, L(C::P[0]));
  const ReducedExp<L> e = reduce_exp(-half * square, madd(-half, square_lost, -lost));
  return {madd(e.p, P, P) / d, e, lost};
}

/// Phi(z) = erfc(-z/sqrt(2))/2. Within 3.3 ulp, 3.0 with fused multiply-add.
template <class L>
[[gnu::always_inline]] inline L normal_cdf(L z) {
  const L tail = normal_tail(min(abs(z), L(NormalConstants<typename L::Scalar>::largest))).value();
  return select(z < L(0), tail, L(1) - tail);
}

/// Phi'(z) = e^(-z^2/2) / sqrt(2 pi). Within 1 ulp.
template <class L>
[[gnu::always_inline]] inline L normal_pdf(L z) {
  using Scalar = typename L::Scalar;
  using C = NormalConstants<Scalar>;
  const L half(Scalar(0.5));
  const L t = min(abs(z), L(C::largest));
  const auto [square, square_lost] = two_product(t, t);
  const auto [n, p] = reduce_exp(-half * square, madd(-half, square_lost, L(C::density_error)));
  return scale_exponent(madd(p, L(C::density), L(C::density)), n);
}

/// Phi and its slope, the density, from one exponential. The slope within 1.1 ulp.
template <class L>
[[gnu::always_inline]] inline ValueSlope<L> normal_cdf_slope(L z) {
  using C = NormalConstants<typename L::Scalar>;
  const NormalTail<L> tail = normal_tail(min(abs(z), L(C::largest)));
  const L value = tail.value();
  return {select(z < L(0), value, L(1) - value), scale_exponent(tail.density(), tail.exponential.n)};
}

/// z Phi(z) and its slope Phi(z) + z Phi'(z). To the left both are formed before they are scaled by 2^n, so that they
/// are rounded once even where Phi is subnormal.
template <class L>
[[gnu::always_inline]] inline ValueSlope<L> gelu_slope(L z) {
  const L zero(0), t = min(abs(z), L(NormalConstants<typename L::Scalar>::largest));
  const NormalTail<L> tail = normal_tail(t);
  const L density = tail.density(), n = tail.exponential.n;
  const L right = L(1) - tail.value();
  const auto left = z < zero;
  return {
      select(left, scale_exponent(-t * tail.mantissa, n), z * right),
      select(left, scale_exponent(madd(-t, density, tail.mantissa), n), madd(t, scale_exponent(density, n), right))};
}

}  // namespace bpnet::engine
