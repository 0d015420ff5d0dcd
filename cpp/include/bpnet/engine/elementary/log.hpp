/// Logarithms.
///
/// x = 2^k (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)); log(1 + f) = 2 artanh(s), s = f/(2 + f), which is
/// f - (h - s (h + R)) with h = f^2/2 and R = 2 artanh(s)/s - 2, a polynomial in s^2: only small terms are rounded.
#pragma once

#include <limits>

#include "bpnet/engine/elementary/exp.hpp"

namespace bpnet::engine {

template <class Scalar>
struct LogConstants;

template <>
struct LogConstants<float> {
  static constexpr std::uint32_t sqrt_half = 0x3f3504f3;
  // minimax fit on |s| <= 0.1716 of (2 artanh(s)/s - 2) / s^2, error 8.1e-10 relative to 2 artanh(s)
  static constexpr float r[] = {0x1.55557ap-1f, 0x1.995eb6p-2f, 0x1.31e34cp-2f};
};

template <>
struct LogConstants<double> {
  static constexpr std::uint64_t sqrt_half = 0x3fe6a09e667f3bcd;
  // minimax fit on |s| <= 0.1716 of (2 artanh(s)/s - 2) / s^2, error 1.2e-18 relative to 2 artanh(s)
  static constexpr double r[] = {0x1.5555555555592p-1, 0x1.999999997fd78p-2, 0x1.24924941f4f23p-2, 0x1.c71c52060f32ap-3,
                                 0x1.74663fa0bc993p-3, 0x1.39a1a71a12948p-3, 0x1.2f063332d4488p-3};
};

/// x = 2^k (1 + f).
template <class L>
struct ReducedLog {
  L k, f;
};

/// Of a positive normal number.
template <class L>
[[gnu::always_inline]] inline ReducedLog<L> reduce_log(L x) {
  using Scalar = typename L::Scalar;
  using Word = typename L::Word;
  constexpr int shift = mantissa_bits<Scalar>;
  constexpr Word sqrt_half = LogConstants<Scalar>::sqrt_half;
  constexpr Word bias = exponent_bias<Scalar> + 1;  // keeps the difference positive
  const auto above = to_bits(x) + L::bits(static_cast<Word>((bias << shift) - sqrt_half));
  const auto fraction = (above & L::bits((Word(1) << shift) - 1)) + L::bits(sqrt_half);
  const L integer(Scalar(Word(1) << shift));  // its low bits count in ones
  const L k = from_bits<L>((above >> shift) | to_bits(integer)) - (integer + L(Scalar(bias)));
  return {k, from_bits<L>(fraction) - L(1)};
}

/// k ln 2 + log(1 + f) + c, for a small c.
template <class L>
[[gnu::always_inline]] inline L log_of_reduced(L k, L f, L c) {
  using Scalar = typename L::Scalar;
  using E = ExpConstants<Scalar>;
  const L s = f / (L(2) + f);
  const L s2 = s * s;
  const L h = L(Scalar(0.5)) * f * f;
  const L R = s2 * polynomial(s2, s2 * s2, LogConstants<Scalar>::r);
  const L tail = madd(k, L(E::ln2_lo), c) + s * (h + R);
  return madd(k, L(E::ln2_hi), f - (h - tail));
}

/// log x. Within 0.83 ulp.
template <class L>
[[gnu::always_inline]] inline L log(L x) {
  using Scalar = typename L::Scalar;
  using Limits = std::numeric_limits<Scalar>;
  const auto subnormal = x < L(Limits::min());
  const L scale(Scalar(Scalar(2) / Limits::epsilon()));  // 2^(mantissa_bits + 1)
  const auto [k, f] = reduce_log(select(subnormal, x * scale, x));
  const L exponent = select(subnormal, k - L(Scalar(mantissa_bits<Scalar> + 1)), k);
  const L limit = select(x == L(0), L(-Limits::infinity()), select(x < L(0), L(Limits::quiet_NaN()), x));
  return select((x > L(0)) & (x < L(Limits::infinity())), log_of_reduced(exponent, f, L(0)), limit);
}

/// log(1 + x), with every digit where x is small: 1 + x is rounded to u, and log(1 + x) = log u + (1 + x - u)/u.
/// Within 0.83 ulp.
template <class L>
[[gnu::always_inline]] inline L log1p(L x) {
  using Scalar = typename L::Scalar;
  using Limits = std::numeric_limits<Scalar>;
  const auto [u, lost] = two_sum(L(1), x);
  const auto [k, f] = reduce_log(u);
  const auto near = k == L(0);  // here x itself is f, unrounded
  const L result = log_of_reduced(k, select(near, x, f), select(near, L(0), lost / u));
  const L limit = select(x == L(-1), L(-Limits::infinity()), select(x < L(-1), L(Limits::quiet_NaN()), x));
  return select((x > L(-1)) & (x < L(Limits::infinity())), copysign(result, x), limit);
}

/// log(1 + e^z) = max(z, 0) + log1p(e^-|z|). Within 1.65 ulp.
template <class L>
[[gnu::always_inline]] inline L softplus(L z) {
  return max(z, L(0)) + log1p(exp_of_nonpositive(negative_abs(z)));
}

}  // namespace bpnet::engine
