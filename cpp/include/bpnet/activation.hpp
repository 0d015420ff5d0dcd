/// The activations: one functor a row, listed in `Activations` at the end. (F2)
///
/// A row names itself, gives the open or closed range (low, high) of its values, and has on lanes L
///   value(z)        f(z)
///   value_slope(z)  f(z), f'(z); at a kink the left derivative
/// and, where it can do better than the defaults of `Activated`,
///   tail(z, a, f')  f(z) - a, what rounding took away where f saturates at a number other than 0
///   logs(z, a, f')  log f, (log f)', log(1 - f), (log(1 - f))', for the costs with logarithms
/// NaN in gives NaN out; infinity gives the limit.
#pragma once

#include <array>
#include <limits>
#include <string>
#include <string_view>

#include "bpnet/engine/elementary.hpp"
#include "bpnet/engine/tile.hpp"
#include "bpnet/error.hpp"

namespace bpnet {

using engine::ValueSlope;

inline constexpr double infinity = std::numeric_limits<double>::infinity();

/// log f, log(1 - f) and their derivatives in z.
template <class L>
struct Logs {
  L value, slope, rest, rest_slope;
};

namespace activations {

/// A number of the lanes' own type.
template <class L>
L number(double x) {
  return L(static_cast<typename L::Scalar>(x));
}

/// z kept within +-limit, past which the factor it meets is 0 or 1 already: infinity * 0 does not arise. NaN stays.
template <class L>
L bounded(L z, double limit) {
  return max(min(z, number<L>(limit)), number<L>(-limit));
}

/// Where sigmoid(z) and tanh(log(1 + e^z)) are e^z to the last digit and may be subnormal.
template <class L>
auto is_far_left(L z) {
  return z < number<L>(-80);
}
/// z e^z and its slope (1 + z) e^z out there, as products with e^(z/2) twice, so that they are rounded once.
template <class L>
ValueSlope<L> far_left(L z) {
  const L x = max(z, number<L>(-1600)), root = exp(number<L>(0.5) * x);
  return {(x * root) * root, ((x + number<L>(1)) * root) * root};
}

/// The default tail and logarithms.
template <class Row>
struct Activated {
  static constexpr bool has_tail = false;
  template <class L>
  static L tail(L, L, L) {
    return number<L>(0);
  }
  template <class L>
  static Logs<L> logs(L, L a, L slope) {
    const L zero = number<L>(0), one = number<L>(1);
    const auto flat = slope == zero;  // where f stands still its logarithm does too
    return {log(a), select(flat, zero, slope / a), log1p(-a), select(flat, zero, -slope / (one - a))};
  }
};

struct Identity : Activated<Identity> {
  static constexpr const char* name = "identity";
  static constexpr double low = -infinity, high = infinity;
  template <class L>
  static L value(L z) {
    return z;
  }
  template <class L>
  static ValueSlope<L> value_slope(L z) {
    return {z, select(z == z, number<L>(1), z)};
  }
};

/// (S1)
struct Sigmoid : Activated<Sigmoid> {
  static constexpr const char* name = "sigmoid";
  static constexpr double low = 0, high = 1;
  static constexpr bool has_tail = true;
  template <class L>
  static L value(L z) {
    return engine::sigmoid(z);
  }
  template <class L>
  static ValueSlope<L> value_slope(L z) {
    return engine::sigmoid_slope(z);
  }
  template <class L>
  static L tail(L z, L a, L slope) {
    const L zero = number<L>(0);
    return select(z > zero, (number<L>(1) - a) - slope / a, zero);  // 1 - a is exact for a >= 1/2
  }
  template <class L>
  static Logs<L> logs(L z, L a, L) {
    return {-engine::softplus(-z), engine::sigmoid(-z), -engine::softplus(z), -a};
  }
};

struct Tanh : Activated<Tanh> {
  static constexpr const char* name = "tanh";
  static constexpr double low = -1, high = 1;
  static constexpr bool has_tail = true;
  template <class L>
  static L value(L z) {
    return engine::tanh(z);
  }
  template <class L>
  static ValueSlope<L> value_slope(L z) {
    return engine::tanh_slope(z);
  }
  template <class L>
  static L tail(L z, L a, L slope) {
    const L one = number<L>(1), size = abs(a);
    const L missing = slope / (one + size);  // 1 - |tanh z|
    return select(size >= number<L>(0.5), copysign(one, z) * ((one - size) - missing), number<L>(0));
  }
};

/// z for z > 0, else alpha z.
template <class Row>
struct Leaky : Activated<Row> {
  template <class L>
  static L value(L z) {
    return select(z <= number<L>(0), number<L>(Row::alpha) * z, z);
  }
  template <class L>
  static ValueSlope<L> value_slope(L z) {
    const L zero = number<L>(0);
    return {value(z), select(z <= zero, number<L>(Row::alpha), select(z > zero, number<L>(1), z))};
  }
};

struct Relu : Activated<Relu> {
  static constexpr const char* name = "relu";
  static constexpr double low = 0, high = infinity;
  template <class L>
  static L value(L z) {
    return select(z <= number<L>(0), number<L>(0), z);
  }
  template <class L>
  static ValueSlope<L> value_slope(L z) {
    const L zero = number<L>(0);
    return {value(z), select(z <= zero, zero, select(z > zero, number<L>(1), z))};
  }
};

struct LeakyRelu : Leaky<LeakyRelu> {
  static constexpr const char* name = "leaky_relu";
  static constexpr double low = -infinity, high = infinity;
  static constexpr double alpha = 0.01;
};

/// scale z for z > 0, else scale alpha (e^z - 1).
template <class Row>
struct ExponentialLinear : Activated<Row> {
  static constexpr double product = Row::scale * Row::alpha;
  template <class L>
  static L value(L z) {
    return select(z <= number<L>(0), number<L>(product) * expm1(z), number<L>(Row::scale) * z);
  }
  template <class L>
  static ValueSlope<L> value_slope(L z) {
    const L zero = number<L>(0);
    const L right = select(z > zero, number<L>(Row::scale), z);
    return {value(z), select(z <= zero, number<L>(product) * exp(z), right)};
  }
};

struct Elu : ExponentialLinear<Elu> {
  static constexpr const char* name = "elu";
  static constexpr double low = -1, high = infinity;
  static constexpr double scale = 1, alpha = 1;
  static constexpr bool has_tail = true;
  template <class L>
  static L tail(L z, L a, L) {
    return select(a <= number<L>(-0.5), exp(z) - (number<L>(1) + a), number<L>(0));
  }
};

/// Klambauer, Unterthiner, Mayr, Hochreiter (2017).
struct Selu : ExponentialLinear<Selu> {
  static constexpr const char* name = "selu";
  static constexpr double scale = 1.0507009873554804934193349852946;
  static constexpr double alpha = 1.6732632423543772848170429916717;
  static constexpr double low = -scale * alpha, high = infinity;
};

/// log(1 + e^z)
struct Softplus : Activated<Softplus> {
  static constexpr const char* name = "softplus";
  static constexpr double low = 0, high = infinity;
  template <class L>
  static L value(L z) {
    return engine::softplus(z);
  }
  template <class L>
  static ValueSlope<L> value_slope(L z) {
    return {engine::softplus(z), engine::sigmoid(z)};
  }
  template <class L>
  static Logs<L> logs(L z, L a, L slope) {
    const auto tiny = z < number<L>(-40);  // there softplus(z) is e^z to the last digit
    const L one = number<L>(1);
    return {select(tiny, z, log(a)), select(tiny, one, slope / a), log1p(-a), -slope / (one - a)};
  }
};

/// z / (1 + |z|)
struct Softsign : Activated<Softsign> {
  static constexpr const char* name = "softsign";
  static constexpr double low = -1, high = 1;
  template <class L>
  static L value(L z) {
    const L size = abs(z);
    return select(size == number<L>(infinity), copysign(number<L>(1), z), z / (number<L>(1) + size));
  }
  template <class L>
  static ValueSlope<L> value_slope(L z) {
    const L q = number<L>(1) / (number<L>(1) + abs(z));
    return {value(z), q * q};
  }
};

/// z Phi(z), Phi the normal distribution function; slope Phi(z) + z phi(z). Hendrycks and Gimpel (2016).
struct Gelu : Activated<Gelu> {
  static constexpr const char* name = "gelu";
  static constexpr double low = -0.16997120747990369, high = infinity;
  template <class L>
  static L value(L z) {
    return engine::gelu_slope(z).value;
  }
  template <class L>
  static ValueSlope<L> value_slope(L z) {
    return engine::gelu_slope(z);
  }
};

/// z sigmoid(z); slope s (1 + z (1 - s)).
struct Silu : Activated<Silu> {
  static constexpr const char* name = "silu";
  static constexpr double low = -0.27846454276107379, high = infinity;
  template <class L>
  static L value(L z) {
    return select(is_far_left(z), far_left(z).value, max(z, number<L>(-800)) * engine::sigmoid(z));
  }
  template <class L>
  static ValueSlope<L> value_slope(L z) {
    const ValueSlope<L> far = far_left(z);
    const L s = engine::sigmoid(z), rest = engine::sigmoid(-z);
    return {select(is_far_left(z), far.value, max(z, number<L>(-800)) * s),
            select(is_far_left(z), far.slope, s * madd(bounded(z, 800), rest, number<L>(1)))};
  }
};

/// z tanh(log(1 + e^z)), as a ratio of polynomials in e = e^-|z|. Misra (2019).
struct Mish : Activated<Mish> {
  static constexpr const char* name = "mish";
  static constexpr double low = -0.30884340154344, high = infinity;
  template <class L>
  static L value(L z) {
    return value_slope(z).value;
  }
  template <class L>
  static ValueSlope<L> value_slope(L z) {
    const L zero = number<L>(0), one = number<L>(1), two = number<L>(2);
    const auto left = z < zero;
    const L e = exp(-abs(z));
    const L numerator = select(left, e * (e + two), madd(two, e, one));
    const L denominator = select(left, madd(e, e + two, two), madd(two * e, one + e, one));
    const L t = numerator / denominator;  // tanh(softplus(z))
    const L bend =
        select(left, e, e * e) * number<L>(4) * (one + e) / (denominator * denominator);  // (1 - t^2) sigmoid(z)
    const ValueSlope<L> far = far_left(z);
    return {select(is_far_left(z), far.value, max(z, number<L>(-800)) * t),
            select(is_far_left(z), far.slope, madd(bounded(z, 800), bend, t))};
  }
};

/// clip(z/6 + 1/2, 0, 1)
struct HardSigmoid : Activated<HardSigmoid> {
  static constexpr const char* name = "hard_sigmoid";
  static constexpr double low = 0, high = 1;
  template <class L>
  static L value(L z) {
    const L ramp = (z + number<L>(3)) / number<L>(6);  // z + 3 is exact near the kink
    return max(min(ramp, number<L>(1)), number<L>(0));
  }
  template <class L>
  static ValueSlope<L> value_slope(L z) {
    const L zero = number<L>(0);
    const L inside = select((z > number<L>(-3)) & (z <= number<L>(3)), number<L>(1) / number<L>(6), zero);
    return {value(z), select(z == z, inside, z)};
  }
};

/// clip(z, -1, 1)
struct HardTanh : Activated<HardTanh> {
  static constexpr const char* name = "hard_tanh";
  static constexpr double low = -1, high = 1;
  template <class L>
  static L value(L z) {
    return max(min(z, number<L>(1)), number<L>(-1));
  }
  template <class L>
  static ValueSlope<L> value_slope(L z) {
    const L inside = select((z > number<L>(-1)) & (z <= number<L>(1)), number<L>(1), number<L>(0));
    return {value(z), select(z == z, inside, z)};
  }
};

struct Sine : Activated<Sine> {
  static constexpr const char* name = "sine";
  static constexpr double low = -1, high = 1;
  template <class L>
  static L value(L z) {
    return engine::sin(z);
  }
  template <class L>
  static ValueSlope<L> value_slope(L z) {
    return {engine::sin(z), engine::cos(z)};
  }
};

/// e^(-z^2)
struct Gaussian : Activated<Gaussian> {
  static constexpr const char* name = "gaussian";
  static constexpr double low = 0, high = 1;
  static constexpr bool has_tail = true;
  template <class L>
  static L value(L z) {
    return engine::gauss(z);
  }
  template <class L>
  static ValueSlope<L> value_slope(L z) {
    const L x = bounded(z, 40);
    const auto square = engine::two_product(x, x);
    const L half = number<L>(-0.5), root = engine::exp_sum(half * square.hi, half * square.lo);  // e^(-z^2/2)
    return {engine::gauss(z), ((number<L>(-2) * x) * root) * root};
  }
  template <class L>
  static L tail(L z, L a, L) {
    return select(a >= number<L>(0.5), expm1(-(z * z)) - (a - number<L>(1)), number<L>(0));
  }
  template <class L>
  static Logs<L> logs(L z, L a, L slope) {
    const L rest = -expm1(-(z * z));  // 1 - f
    return {-(z * z), number<L>(-2) * z, log(rest),
            select(z == number<L>(0), number<L>(0), -slope / rest + number<L>(0) * a)};
  }
};

struct Exponential : Activated<Exponential> {
  static constexpr const char* name = "exponential";
  static constexpr double low = 0, high = infinity;
  static constexpr bool has_tail = true;
  template <class L>
  static L value(L z) {
    return exp(z);
  }
  template <class L>
  static ValueSlope<L> value_slope(L z) {
    const L a = exp(z);
    return {a, a};
  }
  template <class L>
  static L tail(L z, L a, L) {
    return select(abs(z) < number<L>(0.5), expm1(z) - (a - number<L>(1)), number<L>(0));
  }
  template <class L>
  static Logs<L> logs(L z, L a, L) {
    const L one = number<L>(1);
    return {z, select(z == z, one, z), log1p(-a), -a / (one - a)};
  }
};

/// e^(z_j) / sum_k e^(z_k): the one row whose Jacobian is not diagonal; engine/softmax.hpp computes it.
struct Softmax {
  static constexpr const char* name = "softmax";
  static constexpr double low = 0, high = 1;
  /// From log a, a and the tail of a: only log(1 - a) is left to form.
  template <class L>
  static Logs<L> logs(L log_a, L a, L tail) {
    const L one = number<L>(1), zero = number<L>(0);
    return {log_a, zero, select(a >= number<L>(0.5), log((one - a) - tail), log1p(-a)), zero};
  }
};

/// Rows in the order of their numbers. To add an activation, write its functor above and list it here.
using Activations = engine::List<Identity, Sigmoid, Tanh, Relu, LeakyRelu, Elu, Selu, Softplus, Softsign, Gelu, Silu,
                                 Mish, HardSigmoid, HardTanh, Sine, Gaussian, Exponential, Softmax>;

}  // namespace activations

/// A row of the table.
class Activation {
 public:
  /// std::invalid_argument where the name is unknown.
  Activation(std::string_view name) : index_(find(name)) {}
  Activation(const char* name) : Activation(std::string_view(name)) {}

  struct Row {
    const char* name;
    double low, high;
  };
  static constexpr auto table = activations::Activations::map([](auto tag) {
    using T = typename decltype(tag)::type;
    return Row{T::name, T::low, T::high};
  });
  static constexpr int count = activations::Activations::size;

  int index() const { return index_; }
  const Row& row() const { return table[static_cast<std::size_t>(index_)]; }
  const char* name() const { return row().name; }
  /// Least and greatest value, or their bounds.
  double low() const { return row().low; }
  double high() const { return row().high; }
  bool is_softmax() const { return index_ == count - 1; }
  bool is_identity() const { return index_ == 0; }
  friend bool operator==(Activation a, Activation b) { return a.index_ == b.index_; }

 private:
  static int find(std::string_view name) {
    for (int k = 0; k < count; ++k)
      if (name == table[static_cast<std::size_t>(k)].name) return k;
    throw std::invalid_argument("unknown activation '" + std::string(name) + "'");
  }

  int index_;
};

}  // namespace bpnet
