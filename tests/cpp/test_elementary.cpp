/// Every elementary function within its error bound of long double <cmath>, in both dtypes, as Lanes and as Single; and
/// the two equal bit for bit. With an argument, the number of points a function, prints the largest errors.
#include <array>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "bpnet/engine/elementary.hpp"
#include "check.hpp"

using namespace bpnet::engine;
using bpnet::Index;
using Real = long double;  // 64 bits of mantissa

namespace {

bool print_table = false;
std::size_t n_points = 60000;

// ---- what is expected -----------------------------------------------------------------------------------------------

/// e^(-z^2 scale); z^2 has 106 bits, a Real 64.
Real exp_minus_square(Real z, Real scale) {
  if (std::abs(z) > 100) return 0;
  const Real square = z * z;
  return std::exp(-square * scale) * (1 - std::fma(z, z, -square) * scale);
}

Real normal_tail(Real t) {  // Phi(-t); erfc at the rounded t / sqrt(2), then what the rounding did to the exponent
  if (std::abs(t) > 100) return t > 0 ? Real(0) : Real(1);
  const Real x = t * std::sqrt(Real(0.5)), half_square = t * t / 2;
  const Real off = std::fma(x, x, -half_square) - std::fma(t, t / 2, -half_square);
  return std::erfc(x) / 2 * (t > 1 ? std::exp(off) : 1);
}

Real logistic(Real z) {
  const Real e = std::exp(-std::abs(z));
  return (z < 0 ? e : Real(1)) / (1 + e);
}

Real logistic_slope(Real z) {
  const Real e = std::exp(-std::abs(z));
  return e / ((1 + e) * (1 + e));
}

// ---- how it is compared ---------------------------------------------------------------------------------------------

/// |got - expected| in units of the last digit of expected, or of the smallest subnormal. Infinity counts as
/// 2^max_exponent.
template <class Scalar>
Real ulp_error(Scalar got, Real expected) {
  using Limits = std::numeric_limits<Scalar>;
  if (std::isnan(expected) || std::isnan(got)) return std::isnan(expected) && std::isnan(got) ? Real(0) : HUGE_VALL;
  if (std::isinf(expected)) return Real(got) == expected ? Real(0) : HUGE_VALL;
  const Real overflow = std::ldexp(Real(1), Limits::max_exponent);
  if (std::abs(expected) > overflow) expected = std::copysign(overflow, expected);
  const Real value = std::isinf(got) ? std::copysign(overflow, Real(got)) : Real(got);
  if (value == expected) return 0;
  const int exponent = expected == 0 ? Limits::min_exponent : std::min(std::ilogb(expected) + 1, Limits::max_exponent);
  return std::abs(value - expected) / std::ldexp(Real(1), std::max(exponent, Limits::min_exponent) - Limits::digits);
}

template <class Scalar>
bool same_bits(Scalar a, Scalar b) {
  return std::bit_cast<BitsOf<Scalar>>(a) == std::bit_cast<BitsOf<Scalar>>(b) || (std::isnan(a) && std::isnan(b));
}

/// Specials; bit patterns from all over the range; an even grid on [-spread, spread] and finer ones around 0, 1 and -1.
template <class Scalar>
std::vector<Scalar> arguments(Scalar spread) {
  using Limits = std::numeric_limits<Scalar>;
  using Word = BitsOf<Scalar>;
  std::vector<Scalar> x;
  for (Scalar s :
       {Limits::infinity(), Limits::max(), Limits::min(), Limits::denorm_min(), Scalar(0), Scalar(1), Scalar(2),
        Scalar(0.5), Scalar(20), Scalar(40), Scalar(88.5), Scalar(104), Scalar(709.5), Scalar(745)})
    x.push_back(s), x.push_back(-s);
  x.push_back(Limits::quiet_NaN());
  const std::size_t n = n_points / 6;
  const Word stride = static_cast<Word>(static_cast<Word>(~Word(0)) / n) | 1;
  for (Word k = 0; k < 2 * n; ++k) x.push_back(std::bit_cast<Scalar>(static_cast<Word>(k * (stride / 2))));
  for (std::size_t k = 0; k < 2 * n; ++k)
    x.push_back(static_cast<Scalar>(spread * (Scalar(k) / Scalar(n) - 1) * Scalar(1.0000123)));
  for (std::size_t k = 0; k < n; ++k) {
    const Scalar step = static_cast<Scalar>(std::pow(10.0L, -8 * Real(k) / Real(n)));
    x.push_back(k % 2 ? 1 + step : 1 - step);
    x.push_back(k % 4 < 2 ? -1 + step : step);
  }
  for (Scalar& value : x)  // signalling NaNs are nobody's input
    if (std::isnan(value)) value = Limits::quiet_NaN();
  return x;
}

template <class L, class Function>
std::vector<typename L::Scalar> apply(Function f, const std::vector<typename L::Scalar>& x) {
  std::vector<typename L::Scalar> padded(x), y(x.size() + static_cast<std::size_t>(L::size));
  padded.resize(y.size());
  for (std::size_t k = 0; k < x.size(); k += static_cast<std::size_t>(L::size)) f(L::load(&padded[k])).store(&y[k]);
  y.resize(x.size());
  return y;
}

template <class Scalar>
void check_error(const char* name, const char* kind, double bound, const std::vector<Scalar>& x,
                 const std::vector<Scalar>& y, const std::vector<Real>& expected) {
  Real worst = 0;
  std::size_t at = 0;
  for (std::size_t k = 0; k < x.size(); ++k)
    if (const Real error = ulp_error(y[k], expected[k]); error > worst) worst = error, at = k;
  if (!CHECK_LE(worst, bound))
    std::fprintf(stderr, "    %s(%.17g) = %.17g, not %.20Lg (%s)\n", name, double(x[at]), double(y[at]), expected[at],
                 kind);
  if (print_table)
    std::printf("%-16s %-7s %-6s %8.3Lf  at %.9g\n", name, sizeof(Scalar) == 4 ? "float32" : "float64", kind, worst,
                double(x[at]));
}

template <class Scalar, class Function>
void check_function(const char* name, double bound, Function f, Real (*reference)(Real), double spread) {
  const std::vector<Scalar> x = arguments(static_cast<Scalar>(spread));
  std::vector<Real> expected(x.size());
  for (std::size_t k = 0; k < x.size(); ++k) expected[k] = reference(static_cast<Real>(x[k]));
  const auto wide = apply<Lanes<Scalar>>(f, x), single = apply<Single<Scalar>>(f, x);
  check_error(name, "Lanes", bound, x, wide, expected);
  if (!has_fma) return check_error(name, "Single", bound, x, single, expected);
  std::size_t different = 0;
  for (std::size_t k = 0; k < x.size(); ++k) different += !same_bits(wide[k], single[k]);
  if (!CHECK(different == 0)) std::fprintf(stderr, "    %s: %zu lanes differ from Single\n", name, different);
}

/// One row a function: its bound in both dtypes (a little above what was measured), `f` over lanes, its reference, the
/// range where it changes.
template <class Function>
void check_both(const char* name, double bound, Function f, Real (*reference)(Real), double spread32, double spread64) {
  check_function<float>(name, bound, f, reference, spread32);
  check_function<double>(name, bound, f, reference, spread64);
}

void check_functions() {
  check_both(
      "exp", 1, [](auto x) { return exp(x); }, [](Real x) { return std::exp(x); }, 104, 746);
  check_both(
      "expm1", 2, [](auto x) { return expm1(x); }, [](Real x) { return std::expm1(x); }, 90, 720);
  check_both(
      "log", 1, [](auto x) { return log(x); }, [](Real x) { return std::log(x); }, 3, 3);
  check_both(
      "log1p", 1, [](auto x) { return log1p(x); }, [](Real x) { return std::log1p(x); }, 3, 3);
  check_both(
      "sin", 1, [](auto x) { return sin(x); }, [](Real x) { return std::sin(x); }, 3500, 1600000);
  check_both(
      "cos", 1, [](auto x) { return cos(x); }, [](Real x) { return std::cos(x); }, 3500, 1600000);
  check_both(
      "sin", 1, [](auto x) { return sin(x); }, [](Real x) { return std::sin(x); }, 7, 7);
  check_both(
      "cos", 1, [](auto x) { return cos(x); }, [](Real x) { return std::cos(x); }, 7, 7);
  check_both(
      "gauss", 1, [](auto x) { return gauss(x); }, [](Real x) { return exp_minus_square(x, 1); }, 11, 28);
  check_both(
      "normal_cdf", 3.5, [](auto x) { return normal_cdf(x); }, [](Real x) { return normal_tail(-x); }, 15, 39);
  check_both(
      "normal_pdf", 1, [](auto x) { return normal_pdf(x); },
      [](Real x) { return exp_minus_square(x, 0.5L) * 0.398942280401432677939946L; }, 15, 39);
  check_both(
      "normal slope", 1.25, [](auto x) { return normal_cdf_slope(x).slope; },
      [](Real x) { return exp_minus_square(x, 0.5L) * 0.398942280401432677939946L; }, 15, 39);
  check_both(
      "normal_cdf", 3.5, [](auto x) { return normal_cdf(x); }, [](Real x) { return normal_tail(-x); }, 3, 3);
  check_both(
      "sigmoid", 2, [](auto x) { return sigmoid(x); }, logistic, 104, 746);
  check_both(
      "sigmoid", 2, [](auto x) { return sigmoid(x); }, logistic, 8, 20);
  check_both(
      "sigmoid slope", 3.5, [](auto x) { return sigmoid_slope(x).slope; }, logistic_slope, 104, 746);
  check_both(
      "sigmoid slope", 3.5, [](auto x) { return sigmoid_slope(x).slope; }, logistic_slope, 8, 20);
  check_both(
      "tanh", 1.75, [](auto x) { return tanh(x); }, [](Real x) { return std::tanh(x); }, 10, 20);
  check_both(
      "tanh slope", 3.5, [](auto x) { return tanh_slope(x).slope; }, [](Real x) { return 4 * logistic_slope(2 * x); },
      53, 374);
  check_both(
      "tanh slope", 3.5, [](auto x) { return tanh_slope(x).slope; }, [](Real x) { return 4 * logistic_slope(2 * x); },
      4, 10);
  check_both(
      "softplus", 1.75, [](auto x) { return softplus(x); },
      [](Real x) { return std::max(x, Real(0)) + std::log1p(std::exp(-std::abs(x))); }, 104, 746);
}

/// Zeros keep their sign where the function is odd.
template <class L>
void check_signed_zero() {
  using Scalar = typename L::Scalar;
  const auto is_minus_zero = [](L y) {
    Scalar lanes[static_cast<std::size_t>(L::size)];
    y.store(lanes);
    return lanes[0] == 0 && std::signbit(lanes[0]);
  };
  const L zero(Scalar(-0.0));
  CHECK(is_minus_zero(expm1(zero)));
  CHECK(is_minus_zero(log1p(zero)));
  CHECK(is_minus_zero(sin(zero)));
  CHECK(is_minus_zero(tanh(zero)));
  CHECK(is_minus_zero(tanh_slope(zero).value));
}

/// What every user knows by heart is exact.
template <class L>
void check_exact_values() {
  using Scalar = typename L::Scalar;
  const auto equal = [](L y, double expected) {
    Scalar lanes[static_cast<std::size_t>(L::size)];
    y.store(lanes);
    return lanes[0] == static_cast<Scalar>(expected);
  };
  const L zero(Scalar(0)), one(Scalar(1));
  CHECK(equal(exp(zero), 1) && equal(gauss(zero), 1) && equal(cos(zero), 1) && equal(log(one), 0));
  CHECK(equal(sigmoid(zero), 0.5) && equal(sigmoid_slope(zero).slope, 0.25));
  CHECK(equal(tanh_slope(zero).slope, 1) && equal(normal_cdf(zero), 0.5));
}

/// The value that comes with a slope is the value itself.
template <class L>
void check_pairs() {
  const auto x = arguments(typename L::Scalar(50));
  const auto equal = [&](auto f, auto g) {
    const auto a = apply<L>(f, x), b = apply<L>(g, x);
    for (std::size_t k = 0; k < x.size(); ++k)
      if (!same_bits(a[k], b[k])) return false;
    return true;
  };
  CHECK(equal([](auto z) { return sigmoid(z); }, [](auto z) { return sigmoid_slope(z).value; }));
  CHECK(equal([](auto z) { return normal_cdf(z); }, [](auto z) { return normal_cdf_slope(z).value; }));
  CHECK(equal([](auto z) { return tanh(z); }, [](auto z) { return tanh_slope(z).value; }));
}

/// A root by steps is the processor's, wherever it lies (tests/test_elementwise.py has those that are nearly rounded
/// the other way).
template <class L>
void check_roots() {
  const auto x = arguments(typename L::Scalar(50));
  const auto by_steps = apply<L>([](auto v) { return sqrt_by_steps(v); }, x);
  for (std::size_t k = 0; k < x.size(); ++k) CHECK(same_bits(by_steps[k], std::sqrt(x[k])));
}

/// Sums and products keep what rounding loses; an exponent of two parts counts both.
template <class L>
void check_exact_arithmetic() {
  using Scalar = typename L::Scalar;
  const auto first = [](L y) {
    Scalar lanes[static_cast<std::size_t>(L::size)];
    y.store(lanes);
    return static_cast<Real>(lanes[0]);
  };
  const Scalar eps = std::numeric_limits<Scalar>::epsilon();
  const L a(1 + eps), b(Scalar(1) - eps / 2), tiny(eps / 4);
  CHECK(first(two_product(a, a).hi) == 1 + 2 * Real(eps) && first(two_product(a, a).lo) == Real(eps) * Real(eps));
  CHECK(first(two_product(a, b).hi) + first(two_product(a, b).lo) == (1 + Real(eps)) * (1 - Real(eps) / 2));
  CHECK(first(two_sum(tiny, a).hi) == 1 + Real(eps) && first(two_sum(tiny, a).lo) == Real(eps) / 4);
  const Real expected = std::exp(Real(60)) * (1 + Real(4) * Real(eps));
  CHECK_LE(ulp_error(static_cast<Scalar>(first(exp_sum(L(60), L(4 * eps)))), expected), 1);
}

template <class L>
void check_details() {
  check_signed_zero<L>();
  check_exact_values<L>();
  check_pairs<L>();
  check_roots<L>();
  check_exact_arithmetic<L>();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) n_points = static_cast<std::size_t>(std::atof(argv[1])), print_table = true;
  check_functions();
  check_details<Lanes<float>>();
  check_details<Lanes<double>>();
  check_details<Single<float>>();
  check_details<Single<double>>();
  return check_report();
}
