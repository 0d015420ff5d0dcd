/// The outputs of a tile, which pass through activation, cost and delta^L part by part, against single numbers, bit for
/// bit: both layouts, outputs that fill many parts, targets and labels, with and without each gradient.
#include <array>

#include "bpnet/output.hpp"
#include "networks.hpp"
#include "plain.hpp"

namespace {

using namespace networks;
using engine::Layout;
namespace f = bpnet::activations;
namespace c = bpnet::costs;

/// What one sample's outputs make of z and y.
template <class Scalar>
struct Sample {
  std::vector<Scalar> grad, delta;
  Scalar cost;
};

template <class F, class C, class Scalar>
Sample<Scalar> plain_sample(const std::vector<Scalar>& z, const std::vector<Scalar>& y, Scalar scale) {
  using S = engine::Single<Scalar>;
  const S zero(Scalar(0)), parameter(static_cast<Scalar>(C::parameter.standard));
  std::vector<Scalar> costs, grad, delta, a, tail;
  for (std::size_t i = 0; i < z.size(); ++i) {
    const S one(z[i]);
    const auto both = F::value_slope(one);
    OutputLanes<S> o{S(y[i]), both.value, zero, both.slope, {zero, zero, zero, zero}};
    if constexpr (F::has_tail) o.tail = F::tail(one, both.value, both.slope);
    if constexpr (C::uses_logs) o.logs = F::logs(one, both.value, both.slope);
    const auto out = C::apply(o, parameter);
    costs.push_back(out.cost.v);
    grad.push_back(out.grad.v * scale);
    delta.push_back(out.delta.v * scale);
  }
  return {grad, delta, plain::sum_of<Scalar>(z.size(), [&](std::size_t i) { return costs[i]; })};
}

/// Softmax with a cost of its outputs.
template <class C, class Scalar>
Sample<Scalar> plain_softmax(const std::vector<Scalar>& z, const std::vector<Scalar>& y, Scalar scale) {
  using S = engine::Single<Scalar>;
  const S zero(Scalar(0));
  const plain::SoftmaxOf<Scalar> soft{std::span<const Scalar>(z)};
  std::vector<Scalar> costs, grad;
  for (std::size_t i = 0; i < z.size(); ++i) {
    OutputLanes<S> o{S(y[i]), S(soft.a[i]), S(soft.tail[i]), zero, {zero, zero, zero, zero}};
    if constexpr (C::uses_logs) o.logs = f::Softmax::logs(S(soft.log_a[i]), o.a, o.tail);
    const auto out = C::apply(o, zero);
    costs.push_back(out.cost.v);
    grad.push_back(out.grad.v);
  }
  auto delta = std::is_same_v<C, c::CrossEntropy> ? plain::softmax_minus<Scalar>(soft.a, soft.tail, y)
                                                  : plain::softmax_pulled<Scalar>(soft.a, grad);
  for (auto* all : {&grad, &delta})
    for (Scalar& g : *all) g *= scale;
  return {grad, delta, plain::sum_of<Scalar>(z.size(), [&](std::size_t i) { return costs[i]; })};
}

template <class F, class C, class Scalar>
void test_outputs(Index n, Index m, Layout layout, bool labels) {
  constexpr bool softmax = std::is_same_v<F, f::Softmax>;
  const Network<Scalar> net({2, n}, F::name, F::name, 5);
  const Data data({{2, n}, {}, ""}, m);
  const std::vector<Scalar> x(data.x.begin(), data.x.end());
  std::vector<Scalar> y(data.y.begin(), data.y.end());
  std::vector<std::int64_t> classes;
  for (Index s = 0; s < m; ++s) classes.push_back((7 * s + 3) % n);
  if (labels)
    for (Index s = 0; s < m; ++s)
      for (Index i = 0; i < n; ++i) y[to_size(s * n + i)] = i == classes[to_size(s)] ? Scalar(1) : Scalar(0);
  const Targets targets = labels ? Targets{samples_of(classes), true} : Targets{samples_of(y, m, n)};

  for (const bool differentiate : {false, true})
    for (const bool want_grad : {false, true}) {
      if (want_grad && !differentiate) continue;
      Workspace<Scalar> w;
      w.prepare(net.shape(), net.sizes());
      w.m = m;
      w.layout = layout;
      for (Index s = 0; s < m; ++s) w.indices[to_size(s)] = s;
      detail::load_inputs(net, samples_of(x, m, 2), w);
      detail::affine(net, 1, w.delta, w);
      const Index stride = detail::stride_of(w, n);
      const auto number = [&](const Scalar* tile, Index i, Index s) {
        return layout == Layout::sample_lanes ? tile[i * stride + s] : tile[s * stride + i];
      };
      std::vector<std::vector<Scalar>> z(to_size(m));
      for (Index s = 0; s < m; ++s)
        for (Index i = 0; i < n; ++i) z[to_size(s)].push_back(number(w.delta, i, s));
      std::fill_n(w.sample_scale, engine::padded(m), Scalar(0));
      for (Index s = 0; s < m; ++s) w.sample_scale[s] = static_cast<Scalar>(s % 5) / 3;
      cost_tile(net, targets, CostUse<Scalar>{Cost(C::name), nullptr}, differentiate, want_grad, w);
      for (Index s = 0; s < m; ++s) {
        const auto of_y = std::vector<Scalar>(y.begin() + s * n, y.begin() + (s + 1) * n);
        Sample<Scalar> one;
        if constexpr (softmax)
          one = plain_softmax<C>(z[to_size(s)], of_y, w.sample_scale[s]);
        else
          one = plain_sample<F, C>(z[to_size(s)], of_y, w.sample_scale[s]);
        CHECK(same_bits(&w.sample_cost[s], &one.cost, 1));
        for (Index i = 0; i < n; ++i) {
          const Scalar delta = number(w.delta, i, s), grad = number(w.grad, i, s);
          if (differentiate) CHECK(same_bits(&delta, &one.delta[to_size(i)], 1));
          if (want_grad) CHECK(same_bits(&grad, &one.grad[to_size(i)], 1));
        }
      }
    }
}

template <class Scalar>
void test_outputs() {
  // without fused multiply-add, functions of Lanes and of Single differ
  if constexpr (engine::has_fma)
    for (const Index n : {1, 2, 9, 15, 16, 17, 31, 40, 64, 65, 130, 300, 1100})
      for (const Index m : {1, 5, 16, 17, 33, 48, 64})
        for (const Layout layout : {Layout::sample_lanes, Layout::unit_lanes})
          for (const bool labels : {false, true}) {
            if (n > 300 && m != 5 && m != 64) continue;
            test_outputs<f::Sigmoid, c::Quadratic, Scalar>(n, m, layout, labels);
            test_outputs<f::Identity, c::Huber, Scalar>(n, m, layout, labels);
            test_outputs<f::Sigmoid, c::BinaryCrossEntropy, Scalar>(n, m, layout, labels);
            test_outputs<f::Exponential, c::Poisson, Scalar>(n, m, layout, labels);
            test_outputs<f::Softmax, c::CrossEntropy, Scalar>(n, m, layout, labels);
            test_outputs<f::Softmax, c::Quadratic, Scalar>(n, m, layout, labels);
          }
}

}  // namespace

int main() {
  test_outputs<float>();
  test_outputs<double>();
  return check_report();
}
