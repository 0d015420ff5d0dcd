/// Sigmoid and tanh with their slopes, all from e^-|z| or by pieces of |z|: nothing overflows and nothing cancels.
#pragma once

#include <iterator>

#include "bpnet/engine/elementary/exp.hpp"
#include "bpnet/engine/elementary/logistic_pieces.hpp"

namespace bpnet::engine {

/// Whether a function has pieces: float32 where multiply-adds round once. They take two thirds of the time that an
/// exponential and a division do; where those are needed beyond the last piece, a register has a branch of its own.
template <class L>
inline constexpr bool has_pieces = sizeof(typename L::Scalar) == 4 && madd_rounds_once<L>;

/// One piece's polynomial in r = t - centre; with FirstHalf, of the first eight pieces.
template <class Pieces, class L, bool FirstHalf>
struct Piecewise {
  typename L::Bits place;
  L r;

  [[gnu::always_inline]] explicit Piecewise(L t)
      : place(to_bits(madd(t, L(Pieces::inverse_width), L(rounding_offset<float>)))), r(t - find(Pieces::centre)) {}

  [[gnu::always_inline]] L find(const Sixteen& table) const { return look_up<FirstHalf, L>(table, place); }

  /// c[k] + c[k + 2] r^2 + ...
  template <std::size_t k>
  [[gnu::always_inline]] L every_other(L square) const {
    const L c = find(Pieces::c[k]);
    if constexpr (k + 2 < std::size(Pieces::c))
      return madd(every_other<k + 2>(square), square, c);
    else
      return c;
  }

  [[gnu::always_inline]] L value() const {
    const L square = r * r;
    const L low = madd(find(Pieces::c[1]), r, find(Pieces::c[0]));
    return madd(madd(every_other<3>(square), r, every_other<2>(square)), square, low);
  }
};

/// inside(Piecewise) of t >= 0; where a lane lies beyond the last piece (or is NaN), beyond(what that gave) mends it.
template <class Pieces, class L, class Inside, class Beyond>
[[gnu::always_inline]] inline auto by_pieces(L t, Inside inside, Beyond beyond) {
  if constexpr (looks_up_halves<L>)
    if (all_less(t, L(Pieces::half))) [[likely]]
      return inside(Piecewise<Pieces, L, true>(t));
  auto found = inside(Piecewise<Pieces, L, false>(t));
  if (!all_less(t, L(Pieces::end))) [[unlikely]]
    beyond(found);
  return found;
}

template <class Scalar>
struct ExpFractionConstants;

// B(r^2)/A(r^2) is tanh(r/2)/r at r = 0 and where r^2 is a Chebyshev node of [0, (ln(2)/2)^2]; e^r is as far off as
// said. The first is chosen so that numerator and denominator lie between 1.4 and 2, where they are rounded best.
template <>
struct ExpFractionConstants<float> {
  static constexpr float a[] = {0x1.aep+0f, 0x1.57f366p-3f}, b[] = {0x1.aep-1f, 0x1.ca45f6p-7f};  // 7e-10
};

template <>
struct ExpFractionConstants<double> {
  static constexpr double a[] = {0x1.aep+0, 0x1.7e36c4749a2f7p-3, 0x1.b4b82625e370fp-10},
                          b[] = {0x1.aep-1, 0x1.7e306727be158p-6, 0x1.d1aa149cfeaf3p-15};  // 7e-18
};

/// e^x = 2^n numerator / denominator, n an integer.
template <class L>
struct ExpFraction {
  L numerator, denominator, n;
};

/// Of x <= 0 (or NaN), |x| < 1100. Where a quotient is formed of e^x anyway, half of a polynomial's degree does: with
/// r as in exp.hpp, e^r = (A + r B) / (A - r B).
template <class L>
[[gnu::always_inline]] inline ExpFraction<L> exp_fraction(L x) {
  using C = ExpConstants<typename L::Scalar>;
  using F = ExpFractionConstants<typename L::Scalar>;
  const L offset(rounding_offset<typename L::Scalar>);
  const L n = madd(x, L(C::log2_e), offset) - offset;
  const L r = madd(n, L(-C::ln2_lo), madd(n, L(-C::ln2_hi), x));
  const L r2 = r * r, a = polynomial(r2, F::a), b = polynomial(r2, F::b);
  return {madd(r, b, a), madd(-r, b, a), n};
}

/// (S1) f = 1/(1 + e^-z) and f' = f (1 - f). With e = e^-|z| = N/D and w = e/(1 + e) = N/(D + N) <= 1/2, f is w or
/// 1 - w, and f' is w - w^2. By pieces f within 1.64 ulp, f' within 2.9; by the fraction 1.9 and 2.6; without fused
/// multiply-add 1.97 and 3.3.
template <class L>
[[gnu::always_inline]] inline ValueSlope<L> sigmoid_slope(L z) {
  L w;
  if constexpr (has_pieces<L>) {
    const L t = abs(z);
    w = by_pieces<SigmoidPieces>(
        t, [](const auto& piece) __attribute__((always_inline)) { return piece.value(); },
        [t](L & found) __attribute__((always_inline)) {
          const L e = exp_of_nonpositive(-t);
          found = select(t < L(SigmoidPieces::end), found, madd(-e, madd(-e, e, e), e));  // e - e^2 + e^3 - ...
        });
  } else if constexpr (madd_rounds_once<L>) {
    using Scalar = typename L::Scalar;
    constexpr Scalar a = ExpFractionConstants<Scalar>::a[0];
    const auto [numerator, d, n] = exp_fraction(max(negative_abs(z), L(ExpConstants<Scalar>::lowest - 2)));
    const L e = scale_exponent(numerator, n), s = d + e, q = e / s;
    const L lost = e - (s - d);                       // d + e = s + lost
    const L left = nmadd(q, lost, nmadd(q, s, e));    // e - q (d + e)
    w = madd(left, nmadd(q, L(1 / a), L(1 / a)), q);  // 1/(d + e) is (1 - w)/d, and d is nearly a
  } else {
    const L e = exp_of_nonpositive(negative_abs(z)), s = L(1) + e, q = e / s;
    const L lost = e - (s - L(1));  // 1 + e = s + lost; dw/ds = -w/s = -w (1 - w)
    w = madd(-lost, madd(-q, q, q), q);
  }
  return {select(z < L(0), w, L(1) - w), madd(-w, w, w)};
}

/// (S1) f = 1/(1 + e^-z), as sigmoid_slope has it.
template <class L>
[[gnu::always_inline]] inline L sigmoid(L z) {
  return sigmoid_slope(z).value;
}

/// tanh and its slope by pieces. What |tanh| is less than at the centre of the piece, w = 1 - |tanh| is more: each has
/// all its digits where it is small, and the slope is w (1 + |tanh|).
template <class L>
[[gnu::always_inline]] inline ValueSlope<L> tanh_slope_by_pieces(L z) {
  struct Parts {
    L size, w;
  };
  const L t = abs(z);
  const auto [size, w] = by_pieces<TanhPieces>(
      t, [](const auto& piece) __attribute__((always_inline)) {
        const L quotient = piece.value();
        return Parts{madd(-quotient, piece.r, piece.find(TanhPieces::value)),
                     madd(quotient, piece.r, piece.find(TanhPieces::rest))};
      },
      [t](Parts & found) __attribute__((always_inline)) {  // w = 2 (e - e^2 + e^3 - ...), e = e^(-2|z|)
        const auto inside = t < L(TanhPieces::end);
        const L e = exp_of_nonpositive(-(t + t)), e2 = e + e;
        found.w = select(inside, found.w, madd(-e2, madd(-e, e, e), e2));
        found.size = select(inside, found.size, L(1) - found.w);
      });
  return {with_sign(size, z), madd(w, size, w)};
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
/// but where |tanh| is below 1/2 it is a polynomial. tanh within 1.71 ulp and its slope within 3.3, by pieces 1.67 and
/// 2.9.
template <class L>
[[gnu::always_inline]] inline ValueSlope<L> tanh_slope(L z) {
  if constexpr (has_pieces<L>) return tanh_slope_by_pieces(z);
  using Scalar = typename L::Scalar;
  const L x = negative_abs(z);
  const auto [numerator, d, n] = exp_fraction(max(x + x, L(ExpConstants<Scalar>::lowest - 2)));
  const L e4 = scale_exponent(numerator, n + L(2));  // of 4 e, which is the slope far out, down to the subnormals
  const L w4 = e4 / madd(L(Scalar(0.25)), e4, d);
  const auto [value, near] = tanh_near_zero(z);
  const L slope = madd(L(Scalar(-0.25)) * w4, w4, w4);
  return {with_sign(select(near, value, madd(L(Scalar(-0.5)), w4, L(1))), z), slope};
}

/// tanh, as tanh_slope has it.
template <class L>
[[gnu::always_inline]] inline L tanh(L z) {
  if constexpr (has_pieces<L>) return tanh_slope_by_pieces(z).value;
  using Scalar = typename L::Scalar;
  const L x = negative_abs(z);
  const auto [numerator, d, n] = exp_fraction(max(x + x, L(Scalar(-64))));  // 1 - 2 e^-64 rounds to 1
  const L e = numerator * power_of_two(n);
  const auto [value, near] = tanh_near_zero(z);
  return with_sign(select(near, value, madd(L(-2), e / (e + d), L(1))), z);
}

}  // namespace bpnet::engine
