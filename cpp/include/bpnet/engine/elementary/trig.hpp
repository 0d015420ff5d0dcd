/// Sine and cosine of every finite number.
///
/// x = n pi/2 + r + low with |r| <= pi/4. Up to `limit`, pi/2 is taken off in parts so short that n times each is
/// exact; beyond, for the lanes that need it, x times 2/pi is formed in integers (Payne and Hanek).
#pragma once

#include <limits>

#include "bpnet/engine/elementary/arithmetic.hpp"

namespace bpnet::engine {

template <class Scalar>
struct TrigConstants;

template <>
struct TrigConstants<float> {
  static constexpr float limit = 3000;  // n < 2^11, parts of 13 bits
  static constexpr float two_over_pi = 0x1.45f306p-1f;
  static constexpr float half_pi[] = {0x1.921p+0f, 0x1.f6ap-13f, 0x1.11p-26f, 0x1.68c234p-39f};
  // minimax fits on |r| <= pi/4 of (sin r - r)/r^3, relative error 3.6e-9, and (cos r - 1 + r^2/2)/r^4, error 9.6e-11
  static constexpr float sine[] = {-0x1.555546p-3f, 0x1.11075cp-7f, -0x1.994cfap-13f};
  static constexpr float cosine[] = {0x1.55554ap-5f, -0x1.6c0c86p-10f, 0x1.9a00cep-16f};
};

template <>
struct TrigConstants<double> {
  static constexpr double limit = 1.5e6;  // n < 2^20, parts of 33 bits
  static constexpr double two_over_pi = 0x1.45f306dc9c883p-1;
  static constexpr double half_pi[] = {0x1.921fb544p+0, 0x1.0b4611a6p-34, 0x1.3198a2ep-69, 0x1.b839a252049c0p-104};
  // minimax fits on |r| <= pi/4 of (sin r - r)/r^3, relative error 3.5e-18, and (cos r - 1 + r^2/2)/r^4, error 4.7e-20
  static constexpr double sine[] = {-0x1.5555555555549p-3, 0x1.111111110f861p-7,   -0x1.a01a019c0e4bdp-13,
                                    0x1.71de3574ba183p-19, -0x1.ae5e63cd4c570p-26, 0x1.5d9246bc24169p-33};
  static constexpr double cosine[] = {0x1.555555555554cp-5,   -0x1.6c16c16c15162p-10, 0x1.a01a019caef43p-16,
                                      -0x1.27e4f807d6a66p-22, 0x1.1ee9ea6d176e2p-29,  -0x1.8fadd09ac7bfap-37};
};

/// x = n pi/2 + r + low; n modulo 4 is in the lowest two bits of `quadrant`.
template <class L>
struct Angle {
  L r, low;
  typename L::Bits quadrant;
};

/// n modulo 4, r and low of one finite |x| >= 3000. 2/pi is cut to the 192 bits that matter: below them the product is
/// less than 2^-137, and no double comes nearer than 2^-61 to a multiple of pi/2.
[[gnu::noinline]] inline void reduce_huge_angle(double x, double& n, double& r, double& low) {
  // 64 bits before the point, the rest behind it
  static constexpr std::uint64_t two_over_pi[] = {
      0x0000000000000000, 0xa2f9836e4e441529, 0xfc2757d1f534ddc0, 0xdb6295993c439041, 0xfe5163abdebbc561,
      0xb7246e3a424dd2e0, 0x06492eea09d1921c, 0xfe1deb1cb129a73e, 0xe88235f52ebb4484, 0xe99c7026b45f7e41,
      0x3991d639835339f4, 0x9c845f8bbdf9283b, 0x1ff897ffde05980f, 0xef2f118b5a0a6d1f, 0x6d367ecf27cb09b7,
      0x4f463f669e5fea2d, 0x7527bac7ebe5f17b, 0x3d0739f78a5292ea, 0x6bfb5fb11f8d5d08, 0x56033046fc7b6bab};
  const std::uint64_t bits = std::bit_cast<std::uint64_t>(x);
  const std::uint64_t mantissa = (bits & 0xfffffffffffffu) | 0x10000000000000u;
  const int exponent = static_cast<int>(bits >> 52 & 0x7ff) - 1075;  // |x| = mantissa 2^exponent, exponent >= -41
  // window: bits of 2/pi from weight 2^(1 - exponent) down, so that mantissa window 2^exponent is wanted modulo 4
  const int first = 64 + exponent - 2;
  const auto at = [&](int k) { return k < 20 ? two_over_pi[k] : 0; };
  std::uint32_t window[6];  // lowest first
  for (int k = 0; k < 6; ++k) {
    const int bit = first + 160 - 32 * k;
    const std::uint64_t word = at(bit / 64), next = at(bit / 64 + 1);
    const int offset = bit % 64;
    window[k] = static_cast<std::uint32_t>((offset == 0 ? word : word << offset | next >> (64 - offset)) >> 32);
  }
  std::uint32_t product[6] = {};  // mantissa window modulo 2^192
  for (int i = 0; i < 2; ++i) {
    std::uint64_t carry = 0;
    for (int k = 0; k + i < 6; ++k) {
      carry += (mantissa >> (32 * i) & 0xffffffff) * window[k] + product[k + i];
      product[k + i] = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
  }
  const auto word = [&](int k) { return std::uint64_t(product[2 * k + 1]) << 32 | product[2 * k]; };
  std::uint64_t f2 = word(2), f1 = word(1), f0 = word(0);
  std::uint64_t quadrant = f2 >> 62;  // two bits before the point
  f2 = f2 << 2 | f1 >> 62;
  f1 = f1 << 2 | f0 >> 62;
  f0 = f0 << 2;
  const bool negative = f2 >> 63 != 0;  // a fraction in [1/2, 1) is one less in the next quadrant
  if (negative) {
    ++quadrant;
    f0 = ~f0 + 1;
    f1 = ~f1 + (f0 == 0);
    f2 = ~f2 + (f0 == 0 && f1 == 0);
  }
  int lead = 0;  // bring the first one to the top
  if (f2 == 0) f2 = f1, f1 = f0, f0 = 0, lead = 64;
  const int zeros = std::countl_zero(f2);
  if (zeros > 0) f2 = f2 << zeros | f1 >> (64 - zeros), f1 = f1 << zeros | f0 >> (64 - zeros);
  lead += zeros;
  // fraction = hi + lo, 106 bits; times pi/2
  using S = Single<double>;
  const S scale(std::bit_cast<double>(static_cast<std::uint64_t>(1023 - lead) << 52));
  const S hi(static_cast<double>(f2 >> 11) * 0x1p-53);
  const S lo(static_cast<double>((f2 & 0x7ff) << 42 | f1 >> 22) * 0x1p-106);
  const Pair<S> main = two_product(hi, S(0x1.921fb54442d18p+0));
  const S rest = main.lo + (hi * S(0x1.1a62633145c07p-54) + lo * S(0x1.921fb54442d18p+0));
  const Pair<S> angle = two_sum(main.hi, rest);
  const bool flip = negative != std::signbit(x);
  n = static_cast<double>((std::signbit(x) ? 4 - (quadrant & 3) : quadrant) & 3);
  r = ((flip ? -angle.hi : angle.hi) * scale).v;
  low = ((flip ? -angle.lo : angle.lo) * scale).v;
}

/// The lanes with |x| >= limit, one after another.
template <class L>
[[gnu::noinline]] void reduce_huge_angles(L x, Angle<L>& angle) {
  using Scalar = typename L::Scalar;
  using C = TrigConstants<Scalar>;
  Scalar value[L::size], r[L::size], low[L::size], n[L::size];
  x.store(value), angle.r.store(r), angle.low.store(low);
  (from_bits<L>((angle.quadrant & L::bits(3)) | to_bits(L(rounding_offset<Scalar>))) - L(rounding_offset<Scalar>))
      .store(n);
  for (Index k = 0; k < L::size; ++k) {
    if (!(std::abs(value[k]) >= C::limit && std::abs(value[k]) < std::numeric_limits<Scalar>::infinity())) continue;
    double n_k, r_k, low_k;
    reduce_huge_angle(static_cast<double>(value[k]), n_k, r_k, low_k);
    n[k] = static_cast<Scalar>(n_k);
    r[k] = static_cast<Scalar>(r_k);
    low[k] = static_cast<Scalar>((r_k - static_cast<double>(r[k])) + low_k);
  }
  angle = {L::load(r), L::load(low), to_bits(L::load(n) + L(rounding_offset<Scalar>))};
}

template <class L>
[[gnu::always_inline]] inline Angle<L> reduce_angle(L x) {
  using Scalar = typename L::Scalar;
  using C = TrigConstants<Scalar>;
  const L offset(rounding_offset<Scalar>);
  const L t = madd(x, L(C::two_over_pi), offset);
  const L n = t - offset;
  const L first = madd(n, L(-C::half_pi[0]), x);
  const Pair<L> second = two_sum(first, n * L(-C::half_pi[1]));
  const Pair<L> third = two_sum(second.hi, n * L(-C::half_pi[2]));
  const L rest = madd(n, L(-C::half_pi[3]), second.lo + third.lo);
  const L r = third.hi + rest;
  Angle<L> angle{r, rest - (r - third.hi), to_bits(t)};
  const auto huge = (abs(x) >= L(C::limit)) & (abs(x) < L(std::numeric_limits<Scalar>::infinity()));
  if (any(huge, x)) [[unlikely]]
    reduce_huge_angles(x, angle);
  return angle;
}

template <class L>
struct SineCosine {
  L sine, cosine;
};

/// sin and cos of x. Within 0.8 ulp.
template <class L>
[[gnu::always_inline]] inline SineCosine<L> sincos(L x) {
  using Scalar = typename L::Scalar;
  using C = TrigConstants<Scalar>;
  const auto [r, low, quadrant] = reduce_angle(x);
  const L r2 = r * r;
  const L half_r2 = L(Scalar(0.5)) * r2;
  // sin(r + low) = r + (r^3 S(r^2) + low cos r)
  const L s = r + madd(r2 * r, polynomial(r2, C::sine), low - low * half_r2);
  // cos(r + low) = 1 - r^2/2 + (r^4 C(r^2) - low sin r); 1 - r^2/2 rounds to w, and what that lost is added back
  const L w = L(1) - half_r2;
  const L c = w + (((L(1) - w) - half_r2) + madd(r2 * r2, polynomial(r2, C::cosine), -(low * r)));
  // odd n: sine and cosine change places; n = 2, 3: the sine changes its sign; n = 1, 2: the cosine does
  constexpr int top = 8 * sizeof(Scalar) - 1;
  const auto odd = from_bits<L>((quadrant << top) | to_bits(L(1))) < L(0);
  const auto sine_sign = (quadrant >> 1) << top;
  const auto cosine_sign = ((quadrant + L::bits(1)) >> 1) << top;
  const L sine = from_bits<L>(to_bits(select(odd, c, s)) ^ sine_sign);
  const L cosine = from_bits<L>(to_bits(select(odd, s, c)) ^ cosine_sign);
  return {select(x == L(0), x, sine), cosine};
}

template <class L>
[[gnu::always_inline]] inline L sin(L x) {
  return sincos(x).sine;
}

template <class L>
[[gnu::always_inline]] inline L cos(L x) {
  return sincos(x).cosine;
}

}  // namespace bpnet::engine
