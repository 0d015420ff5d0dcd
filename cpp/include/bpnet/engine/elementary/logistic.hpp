/// Sigmoid and tanh with their slopes, all from e^-|z|, so that nothing overflows and nothing cancels.
#pragma once

#include "bpnet/engine/elementary/exp.hpp"

namespace bpnet::engine {

/// (S1) f = 1/(1 + e^-z) and f' = f (1 - f). With e = e^-|z| and w = e/(1 + e) <= 1/2, f is w or 1 - w, and f' is
/// w - w^2. The rounding of 1 + e is made good. f within 1.97 ulp, f' within 3.3.
template <class L>
[[gnu::always_inline]] inline ValueSlope<L> sigmoid_slope(L z) {
  const L e = exp_of_nonpositive(negative_abs(z));
  const L s = L(1) + e;
  const L lost = e - (s - L(1));  // 1 + e = s + lost; dw/ds = -w/s = -w (1 - w)
  const L quotient = e / s;
  const L w = madd(-lost, madd(-quotient, quotient, quotient), quotient);
  return {select(z < L(0), w, L(1) - w), madd(-w, w, w)};
}

/// (S1) f = 1/(1 + e^-z), as sigmoid_slope has it.
template <class L>
[[gnu::always_inline]] inline L sigmoid(L z) {
  return sigmoid_slope(z).value;
}

template <class Scalar>
struct TanhConstants;

template <>
struct TanhConstants<float> {
  // minimax fit on |z| <= 0.5495 of (tanh(z)/z - 1) / z^2, error 1.0e-9 relative to tanh
  static constexpr float t[] = {-0x1.55554ap-2f, 0x1.110d2cp-3f, -0x1.b929aap-5f, 0x1.594788p-6f, -0x1.9b6f86p-8f};
};

template <>
struct TanhConstants<double> {
  // the same, error 2.0e-17
  static constexpr double t[] = {-0x1.55555555554a1p-2,  0x1.1111111102ce0p-3,  -0x1.ba1ba1ad9bc10p-5,
                                 0x1.664f45cad4f0fp-6,   -0x1.226dde20e1f39p-7, 0x1.d6c6396092d9bp-9,
                                 -0x1.7cf4d2ed28908p-10, 0x1.2fa90d374bc83p-11, -0x1.b934e67f3f222p-13,
                                 0x1.ac7a1452986f3p-15};
};

/// The polynomial, and whether z is so near zero that it is meant: up to just above 1/2, where the last digit doubles.
template <class L>
struct TanhNearZero {
  L value;
  typename L::Mask near;
};

template <class L>
[[gnu::always_inline]] inline TanhNearZero<L> tanh_near_zero(L z) {
  using Scalar = typename L::Scalar;
  const L z2 = z * z;
  return {madd(z2 * z, polynomial(z2, z2 * z2, TanhConstants<Scalar>::t), z), z2 < L(Scalar(0.3018))};
}

/// tanh and its slope 1 - tanh^2. With e = e^(-2|z|) and w = e/(1 + e), the slope is 4 w (1 - w) and |tanh| = 1 - 2 w;
/// but where |tanh| is below 1/2 it is a polynomial. tanh within 1.51 ulp, its slope within 3.3.
template <class L>
[[gnu::always_inline]] inline ValueSlope<L> tanh_slope(L z) {
  using Scalar = typename L::Scalar;
  const L x = negative_abs(z);
  const auto [n, p] = reduce_exp(max(x + x, L(ExpConstants<Scalar>::lowest - 2)));
  const L e4 = scale_exponent(p + L(1), n + L(2));  // 4 e, which is the slope far out, down to the subnormals
  const L w4 = e4 / madd(L(Scalar(0.25)), e4, L(1));
  const auto [value, near] = tanh_near_zero(z);
  const L slope = madd(L(Scalar(-0.25)) * w4, w4, w4);
  return {with_sign(select(near, value, madd(L(Scalar(-0.5)), w4, L(1))), z), slope};
}

/// tanh, as tanh_slope has it.
template <class L>
[[gnu::always_inline]] inline L tanh(L z) {
  using Scalar = typename L::Scalar;
  const L x = negative_abs(z);
  const auto [n, p] = reduce_exp(max(x + x, L(Scalar(-64))));  // 1 - 2 e^-64 rounds to 1
  const L power = power_of_two(n);
  const L e = madd(power, p, power);
  const auto [value, near] = tanh_near_zero(z);
  return with_sign(select(near, value, madd(L(-2), e / (e + L(1)), L(1))), z);
}

}  // namespace bpnet::engine
