/// The costs: one functor a row, listed in `Costs` at the end. Costs are per sample and output; outputs are summed.
///
/// A row names itself, gives the range [low, high] that the outputs must lie in, and has on lanes
///   apply(o, parameter)   C, dC/da and delta = dC/dz for an elementwise output activation. (BP1)
/// o.a + o.tail is the output to twice the digits, so a - y keeps its digits where a rounds to y. The costs with
/// logarithms take log f and its derivative from the activation, so they are formed from z and do not overflow.
#pragma once

#include <cmath>
#include <sstream>

#include "bpnet/activation.hpp"
#include "bpnet/engine/elementwise.hpp"

namespace bpnet {

/// What is known of an output before its cost is.
template <class L>
struct OutputLanes {
  L y, a, tail, slope;
  Logs<L> logs;
};

template <class L>
struct CostLanes {
  L cost, grad, delta;
};

namespace costs {

using activations::number;

/// How a parametrised cost calls its number, what it is by default and where it may lie (open range).
struct Parameter {
  const char* name;
  double standard, low, high;
};
inline constexpr Parameter no_parameter{"", 0, -infinity, infinity};

/// Costs of the residual r = a - y: Row::of_residual(r, parameter) gives C and dC/dr.
template <class Row>
struct OfResidual {
  static constexpr double low = -infinity, high = infinity;
  static constexpr bool uses_logs = false;
  static constexpr Parameter parameter = no_parameter;
  template <class L>
  static CostLanes<L> apply(const OutputLanes<L>& o, L parameter) {
    const ValueSlope<L> c = Row::of_residual((o.a - o.y) + o.tail, parameter);
    return {c.value, c.slope, o.slope * c.slope};
  }
};

/// 1/2 (a - y)^2. (Q1)
struct Quadratic : OfResidual<Quadratic> {
  static constexpr const char* name = "quadratic";
  template <class L>
  static ValueSlope<L> of_residual(L r, L) {
    return {number<L>(0.5) * r * r, r};
  }
};

/// |a - y|; its derivative at 0 is 0.
struct Absolute : OfResidual<Absolute> {
  static constexpr const char* name = "absolute";
  template <class L>
  static ValueSlope<L> of_residual(L r, L) {
    return {abs(r), select(r == r, select(r == number<L>(0), number<L>(0), copysign(number<L>(1), r)), r)};
  }
};

/// r^2/2 for |r| <= delta, else delta (|r| - delta/2). Huber (1964).
struct Huber : OfResidual<Huber> {
  static constexpr const char* name = "huber";
  static constexpr Parameter parameter{"delta", 1, 0, infinity};
  template <class L>
  static ValueSlope<L> of_residual(L r, L delta) {
    const L size = abs(r), half = number<L>(0.5);
    return {select(size > delta, delta * (size - half * delta), half * r * r), max(min(r, delta), -delta)};
  }
};

/// log cosh(a - y); derivative tanh(a - y). Near 0 it is log(1 + 2 sinh^2(r/2)), so nothing cancels.
struct LogCosh : OfResidual<LogCosh> {
  static constexpr const char* name = "log_cosh";
  template <class L>
  static ValueSlope<L> of_residual(L r, L) {
    const L size = abs(r), one = number<L>(1), half = number<L>(0.5);
    const L u = expm1(half * min(size, one));
    const L sinh = half * (u + u / (one + u));
    const L near = log1p(number<L>(2) * sinh * sinh);
    const L far = (size - number<L>(0.69314718055994530942)) + log1p(exp(number<L>(-2) * size));
    return {select(size < one, near, far), engine::tanh(r)};
  }
};

/// max(q (y - a), (q - 1)(y - a)); its derivative at 0 is 0. Koenker and Bassett (1978).
struct Quantile : OfResidual<Quantile> {
  static constexpr const char* name = "quantile";
  static constexpr Parameter parameter{"q", 0.5, 0, 1};
  template <class L>
  static ValueSlope<L> of_residual(L r, L q) {
    const L zero = number<L>(0), over = number<L>(1) - q;
    const L slope = select(r > zero, over, select(r < zero, -q, r));
    return {slope * r, slope};
  }
};

/// x log p with 0 log 0 = 0; NaN where p is.
template <class L>
L weighted_log(L x, L log_p) {
  return select((x == number<L>(0)) & (log_p == log_p), number<L>(0), x * log_p);
}
/// x / p with 0 / 0 = 0; NaN where p is.
template <class L>
L weighted_inverse(L x, L p) {
  return select((x == number<L>(0)) & (p == p), number<L>(0), x / p);
}

/// a - y log a; its derivative (a - y)/a, formed from the residual, and its delta (log f)' (a - y).
struct Poisson {
  static constexpr const char* name = "poisson";
  static constexpr double low = 0, high = infinity;
  static constexpr bool uses_logs = true;
  static constexpr Parameter parameter = no_parameter;
  template <class L>
  static CostLanes<L> apply(const OutputLanes<L>& o, L) {
    const L residual = (o.a - o.y) + o.tail, nothing = number<L>(0);
    const auto no_event = (o.y == nothing) & (o.a == o.a);
    return {o.a - weighted_log(o.y, o.logs.value), select(no_event, number<L>(1), residual / o.a),
            select(no_event, o.slope, o.logs.slope * residual)};
  }
};

/// -y log a - (1 - y) log(1 - a). With a sigmoid, delta = (1 - y) a - y (1 - a) = a - y.
struct BinaryCrossEntropy {
  static constexpr const char* name = "binary_cross_entropy";
  static constexpr double low = 0, high = 1;
  static constexpr bool uses_logs = true;
  static constexpr Parameter parameter = no_parameter;
  template <class L>
  static CostLanes<L> apply(const OutputLanes<L>& o, L) {
    const L one = number<L>(1), other = one - o.y;
    return {-weighted_log(o.y, o.logs.value) - weighted_log(other, o.logs.rest),
            weighted_inverse(other, (one - o.a) - o.tail) - weighted_inverse(o.y, o.a),
            -weighted_log(other, o.logs.rest_slope) - weighted_log(o.y, o.logs.slope)};
  }
};

/// -y log a, y in 0..1 (classes: 1 for the right one). With softmax, delta = a sum(y) - y: engine/softmax.hpp.
struct CrossEntropy {
  static constexpr const char* name = "cross_entropy";
  static constexpr double low = 0, high = 1;
  static constexpr bool uses_logs = true;
  static constexpr Parameter parameter = no_parameter;
  template <class L>
  static CostLanes<L> apply(const OutputLanes<L>& o, L) {
    return {-weighted_log(o.y, o.logs.value), -weighted_inverse(o.y, o.a), -weighted_log(o.y, o.logs.slope)};
  }
};

/// Rows in the order of their numbers. To add a cost, write its functor above and list it here.
using Costs = engine::List<Quadratic, Absolute, Huber, LogCosh, Poisson, Quantile, BinaryCrossEntropy, CrossEntropy>;

/// The arrays of one tile's outputs, `count` numbers each; tail, logs, grad and delta may be null.
template <class Scalar>
struct OutputArrays {
  const Scalar* y;
  const Scalar* a;
  const Scalar* tail;
  const Scalar* slope;
  engine::LogArrays<Scalar> logs;
  Scalar* cost;
  Scalar* grad;
  Scalar* delta;
};

/// C, dC/da and delta of one tile's outputs. (BP1)
template <class Row, class Scalar>
void map_cost(const OutputArrays<Scalar>& o, Scalar parameter, Index count) {
  using L = engine::Lanes<Scalar>;
  const L zero(Scalar(0)), p(parameter);
  const auto [y, a, tail, slope, logs, cost, grad, delta] = o;  // a store might change what lies in o
  const auto read = [&](const Scalar* from, Index i) __attribute__((always_inline)) {
    return from ? L::load(from + i) : zero;
  };
  for (Index i = 0; i < count; i += L::size) {
    OutputLanes<L> lanes{L::load(y + i), L::load(a + i), read(tail, i), read(slope, i), {zero, zero, zero, zero}};
    if constexpr (Row::uses_logs)
      lanes.logs = {L::load(logs.value + i), read(logs.slope, i), L::load(logs.rest + i), read(logs.rest_slope, i)};
    const CostLanes<L> c = Row::apply(lanes, p);
    c.cost.store(cost + i);
    if (grad) c.grad.store(grad + i);
    if (delta) c.delta.store(delta + i);
  }
}

}  // namespace costs

/// A cost written by the user: rows of outputs and targets in, per-sample costs and dC/da out.
template <class Scalar>
class CustomCost {
 public:
  virtual ~CustomCost() = default;
  /// a, y, grad: m rows of n numbers, one after the other; cost: m numbers.
  virtual void evaluate(const Scalar* a, const Scalar* y, Index m, Index n, Scalar* cost, Scalar* grad) const = 0;
};

/// A row of the table with its parameter.
class Cost {
 public:
  /// std::invalid_argument where the name is unknown.
  Cost(std::string_view name) : index_(find(name)), parameter_(row().parameter.standard) {}
  Cost(const char* name) : Cost(std::string_view(name)) {}
  /// std::invalid_argument where the parameter is outside its range.
  Cost(std::string_view name, double parameter) : index_(find(name)), parameter_(parameter) {
    const auto& range = row().parameter;
    if (!(parameter > range.low && parameter < range.high))
      throw std::invalid_argument(std::string(range.name) + " of " + row().name + " is " + std::to_string(parameter) +
                                  ", but must lie between " + std::to_string(range.low) + " and " +
                                  std::to_string(range.high));
  }

  struct Row {
    const char* name;
    double low, high;
    bool uses_logs;
    costs::Parameter parameter;
  };
  static constexpr auto table = costs::Costs::map([](auto tag) {
    using T = typename decltype(tag)::type;
    return Row{T::name, T::low, T::high, T::uses_logs, T::parameter};
  });
  static constexpr int count = costs::Costs::size;
  int index() const { return index_; }
  double parameter() const { return parameter_; }
  const Row& row() const { return table[static_cast<std::size_t>(index_)]; }
  const char* name() const { return row().name; }
  bool is_cross_entropy() const { return index_ == count - 1; }

  /// std::invalid_argument where the outputs of `output` may leave the range that this cost is defined on, or its
  /// parameter its own once it is a Scalar.
  template <class Scalar>
  void check(Activation output) const {
    const auto& range = row().parameter;
    if (const auto rounded = static_cast<Scalar>(parameter_); !(rounded > range.low && rounded < range.high)) {
      std::ostringstream text;
      text << range.name << " of " << name() << " is " << parameter_ << ", which is " << rounded << " in "
           << (sizeof(Scalar) == 4 ? "float32" : "float64") << ", but must lie between " << range.low << " and "
           << range.high;
      throw std::invalid_argument(text.str());
    }
    if (output.low() < row().low || output.high() > row().high)
      throw std::invalid_argument(std::string("cost '") + name() + "' needs outputs " +
                                  (row().high == 1 ? "within [0, 1]" : "of at least 0") + ", but output_activation '" +
                                  output.name() + "' gives others");
  }

 private:
  static int find(std::string_view name) {
    for (int k = 0; k < count; ++k)
      if (name == table[static_cast<std::size_t>(k)].name) return k;
    throw std::invalid_argument("unknown cost '" + std::string(name) + "'");
  }

  int index_;
  double parameter_;
};

}  // namespace bpnet
