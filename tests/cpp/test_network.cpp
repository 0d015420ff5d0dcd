/// Network against the equations written as plain loops in double.
#include <string>

#include "networks.hpp"

namespace {

using namespace networks;

// ---- the plain network ----------------------------------------------------------------------------------------------

/// One sample by the equations, in double: z, a, delta of each layer and the gradients by a.
struct Plain {
  std::vector<std::vector<double>> z, a, delta, grad;  // z[0], delta[0] are empty; a[0] is what layer 1 sees
  double cost = 0;
};

/// f(z) and the transposed Jacobian of f times g, by name.
std::vector<double> activate(const std::string& f, const std::vector<double>& z) {
  std::vector<double> a(z.size());
  double total = 0;
  for (std::size_t j = 0; j < z.size(); ++j) {
    if (f == "sigmoid") a[j] = 1 / (1 + std::exp(-z[j]));
    if (f == "tanh") a[j] = std::tanh(z[j]);
    if (f == "relu") a[j] = z[j] > 0 ? z[j] : 0;
    if (f == "identity") a[j] = z[j];
    if (f == "softmax") a[j] = std::exp(z[j]);
    total += a[j];
  }
  if (f == "softmax")
    for (double& p : a) p /= total;
  return a;
}
std::vector<double> pull(const std::string& f, const std::vector<double>& z, const std::vector<double>& a,
                         const std::vector<double>& g) {
  std::vector<double> delta(z.size());
  double mean = 0;
  for (std::size_t j = 0; j < z.size(); ++j) mean += a[j] * g[j];
  for (std::size_t j = 0; j < z.size(); ++j) {
    if (f == "sigmoid") delta[j] = a[j] * (1 - a[j]) * g[j];
    if (f == "tanh") delta[j] = (1 - a[j] * a[j]) * g[j];
    if (f == "relu") delta[j] = z[j] > 0 ? g[j] : 0;
    if (f == "identity") delta[j] = g[j];
    if (f == "softmax") delta[j] = a[j] * (g[j] - mean);
  }
  return delta;
}
/// C and dC/da of one output.
std::pair<double, double> cost_of(const std::string& name, double a, double y) {
  if (name == "quadratic") return {(a - y) * (a - y) / 2, a - y};
  if (name == "binary_cross_entropy") return {-y * std::log(a) - (1 - y) * std::log(1 - a), (a - y) / (a * (1 - a))};
  if (name == "log_cosh") return {std::log1p(2 * std::pow(std::sinh((a - y) / 2), 2)), std::tanh(a - y)};
  return {-y * std::log(a), -y / a};  // cross_entropy
}

/// (F1) to (BP5) for one sample x, y as layer 1 and the cost see them, times `weight`.
template <class Scalar>
Plain plain_pass(const Network<Scalar>& net, const std::string& cost, const std::vector<double>& x,
                 const std::vector<double>& y, double weight) {
  const auto L = to_size(net.depth());
  Plain p;
  p.z.resize(L + 1), p.a.resize(L + 1), p.delta.resize(L + 1), p.grad.resize(L + 1);
  p.a[0] = x;
  for (std::size_t l = 1; l <= L; ++l) {
    const auto W = net.W(static_cast<Index>(l));
    const auto b = net.b(static_cast<Index>(l));
    for (Index j = 0; j < W.rows(); ++j) {
      double z = static_cast<double>(b(j));
      for (Index i = 0; i < W.cols(); ++i) z += static_cast<double>(W(j, i)) * p.a[l - 1][to_size(i)];
      p.z[l].push_back(z);
    }
    p.a[l] = activate(net.activation(static_cast<Index>(l)).name(), p.z[l]);
  }
  for (std::size_t j = 0; j < y.size(); ++j) {
    const auto [c, slope] = cost_of(cost, p.a[L][j], y[j]);
    p.cost += weight * c;
    p.grad[L].push_back(weight * slope);
  }
  for (std::size_t l = L; l >= 1; --l) {
    p.delta[l] = pull(net.activation(static_cast<Index>(l)).name(), p.z[l], p.a[l], p.grad[l]);
    const auto W = net.W(static_cast<Index>(l));
    for (Index i = 0; i < W.cols(); ++i) {
      double g = 0;
      for (Index j = 0; j < W.rows(); ++j) g += static_cast<double>(W(j, i)) * p.delta[l][to_size(j)];
      p.grad[l - 1].push_back(g);
    }
  }
  return p;
}

/// |a - b| / |b| over whole arrays.
template <class Scalar>
double distance(const std::vector<Scalar>& a, const std::vector<double>& b) {
  double difference = 0, size = 0;
  CHECK(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - b[i], 2);
    size += b[i] * b[i];
  }
  return size == 0 ? std::sqrt(difference) : std::sqrt(difference / size);
}

template <class Scalar>
std::vector<double> standardised(const std::vector<float>& values, Index sample, const std::vector<Scalar>& shift,
                                 const std::vector<Scalar>& scale, Index n) {
  std::vector<double> row;
  for (Index i = 0; i < n; ++i) {
    double v = static_cast<double>(values[to_size(sample * n + i)]);
    if (!shift.empty()) v = (v - static_cast<double>(shift[to_size(i)])) / static_cast<double>(scale[to_size(i)]);
    row.push_back(v);
  }
  return row;
}

/// Forward, cost and every gradient. Double agrees to 1e-13 in the norm of each array (docs promise), float to a few
/// hundred roundings.
template <class Scalar>
void test_against_plain_loops(const Case& c, Index m, bool normalized, bool weighted, Reduction reduction) {
  const double tolerance = sizeof(Scalar) == 8 ? 1e-13 : 2e-5;
  Network<Scalar> net(c.sizes, c.activations);
  net.initialize(3);
  net.theta() += Vector<Scalar>::Constant(net.n_parameters(), Scalar(0.01));  // biases too
  if (normalized) {
    auto by = normalization_of<Scalar>(c);
    if (std::string(c.cost) != "quadratic" && std::string(c.cost) != "log_cosh") by.output_shift = by.output_scale = {};
    net.set_normalization(by);
  }
  const auto& normal = net.normalization();
  const Data data(c, m);
  const Index n = net.n_inputs(), k = net.n_outputs();
  const std::vector<Scalar> x(data.x.begin(), data.x.end()), y(data.y.begin(), data.y.end());
  auto batch = batch_of<Scalar>(samples_of(x, m, n), samples_of(y, m, k), c.cost);
  if (weighted) batch.weights.values = samples_of(data.weights, m, 1);

  double total = 0;
  for (const float w : data.weights) total += weighted ? static_cast<double>(w) : 1.0;
  const double scale = reduction == Reduction::mean ? 1 / total : 1;
  const auto L = to_size(net.depth());
  double cost = 0;
  std::vector<double> nabla(to_size(net.n_parameters())), x_gradient, out;
  std::vector<std::vector<double>> z(L + 1), a(L + 1), deltas(L + 1), grads(L + 1);
  for (Index s = 0; s < m; ++s) {
    const double weight = (weighted ? static_cast<double>(data.weights[to_size(s)]) : 1) * scale;
    const Plain p = plain_pass(net, c.cost, standardised(data.x, s, normal.input_shift, normal.input_scale, n),
                               standardised(data.y, s, normal.output_shift, normal.output_scale, k), weight);
    cost += p.cost;
    for (std::size_t l = 0; l <= L; ++l) {
      z[l].insert(z[l].end(), p.z[l].begin(), p.z[l].end());
      a[l].insert(a[l].end(), p.a[l].begin(), p.a[l].end());
      deltas[l].insert(deltas[l].end(), p.delta[l].begin(), p.delta[l].end());
      grads[l].insert(grads[l].end(), p.grad[l].begin(), p.grad[l].end());
    }
    for (std::size_t l = 1; l <= L; ++l)
      for (std::size_t j = 0; j < p.delta[l].size(); ++j) {
        const auto layer = static_cast<Index>(l);
        for (std::size_t i = 0; i < p.a[l - 1].size(); ++i)
          nabla[to_size(net.layout().W(layer)) + i * p.delta[l].size() + j] += p.delta[l][j] * p.a[l - 1][i];
        nabla[to_size(net.layout().b(layer)) + j] += p.delta[l][j];
      }
    for (std::size_t i = 0; i < to_size(n); ++i)
      x_gradient.push_back(p.grad[0][i] / (normalized ? static_cast<double>(normal.input_scale[i]) : 1));
    for (std::size_t j = 0; j < to_size(k); ++j)
      out.push_back(normal.of_output() ? p.a[L][j] * static_cast<double>(normal.output_scale[j]) +
                                             static_cast<double>(normal.output_shift[j])
                                       : p.a[L][j]);
  }

  std::vector<Scalar> predicted(to_size(m * k));
  net.predict(batch.x, predicted.data());
  CHECK_LE(distance(predicted, out), tolerance);

  std::vector<std::vector<Scalar>> z_rows, a_rows;
  LayerRows<Scalar> layers;
  for (const Index units : c.sizes) a_rows.emplace_back(to_size(m * units));
  z_rows.assign(a_rows.begin() + 1, a_rows.end());
  for (auto& array : a_rows) layers.a.push_back(array.data());
  for (auto& array : z_rows) layers.z.push_back(array.data());
  net.forward(batch.x, layers);
  for (std::size_t l = 0; l <= L; ++l) CHECK_LE(distance(a_rows[l], a[l]), tolerance);
  for (std::size_t l = 1; l <= L; ++l) CHECK_LE(distance(z_rows[l - 1], z[l]), tolerance);
  if (!normal.of_output()) CHECK(same_bits(a_rows[L], predicted));
  const auto top = std::exchange(a_rows[L], std::vector<Scalar>(a_rows[L].size()));
  LayerRows<Scalar> only_top{std::vector<Scalar*>(L, nullptr), std::vector<Scalar*>(L + 1, nullptr)};
  only_top.a[L] = a_rows[L].data();
  net.forward(batch.x, only_top);
  CHECK(same_bits(a_rows[L], top));

  const Everything<Scalar> got(net, batch, reduction);
  CHECK_LE(std::abs(got.cost - cost) / cost, tolerance);
  CHECK(same_cost(net, got.cost, net.cost(batch, reduction)));
  CHECK_LE(distance(got.nabla, nabla), tolerance);
  CHECK_LE(distance(got.x, x_gradient), tolerance);
  for (std::size_t l = 1; l <= L; ++l) CHECK_LE(distance(got.deltas[l - 1], deltas[l]), tolerance);
  for (std::size_t l = 0; l <= L; ++l) CHECK_LE(distance(got.activations[l], grads[l]), tolerance);
}

template <class Scalar>
void test_all() {
  for (const Case& c : cases())
    for (const Index m : {1, 5, 12, 13, 64, 150})
      for (const bool normalized : {false, true}) {
        test_against_plain_loops<Scalar>(c, m, normalized, false, Reduction::mean);
        test_against_plain_loops<Scalar>(c, m, normalized, m > 1, Reduction::mean);
        test_against_plain_loops<Scalar>(c, m, normalized, m > 1, Reduction::sum);
      }
  for (const Case& c : wide_cases()) test_against_plain_loops<Scalar>(c, 40, true, true, Reduction::sum);
}

}  // namespace

int main() {
  test_all<double>();
  test_all<float>();
  return check_report();
}
