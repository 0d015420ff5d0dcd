/// Network against the equations written as plain loops in double; the two layouts of a tile against one another, bit
/// for bit; arrays of any kind against their plain copies, bit for bit; and what does not fit is refused with a reason.
#include <cmath>
#include <functional>
#include <string>

#include "bpnet/network.hpp"
#include "numbers.hpp"

namespace {

using namespace bpnet;
using ::Index;

using Rows = std::vector<std::vector<double>>;  // one row a sample

/// m rows of n numbers, side by side in memory.
template <class Scalar>
Samples samples_of(const std::vector<Scalar>& values, Index m, Index n) {
  const auto bytes = static_cast<std::ptrdiff_t>(sizeof(Scalar));
  return {values.data(), m, n, n * bytes, bytes, element_type<Scalar>(), false};
}
Samples samples_of(const std::vector<std::int64_t>& classes) {
  return {classes.data(), static_cast<Index>(classes.size()), 1, 8, 8, ElementType::int64, false};
}

template <class Scalar>
Batch<Scalar> batch_of(const Samples& x, const Targets& y, const Cost& cost = "quadratic") {
  return {x, y, {}, {0, x.count, nullptr}, {cost, nullptr}};
}

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

/// Every array a gradient call can fill.
template <class Scalar>
struct Everything {
  double cost = 0;
  std::vector<Scalar> nabla, x;
  std::vector<std::vector<Scalar>> deltas, activations;

  Everything(const Network<Scalar>& net, const Batch<Scalar>& batch, Reduction reduction, const Call& call = {})
      : nabla(to_size(net.n_parameters())), x(to_size(batch.x.count * net.n_inputs())) {
    GradientRows<Scalar> rows{nabla.data(), x.data(), {}, {}};
    for (const Index n : net.sizes()) activations.emplace_back(to_size(batch.x.count * n));
    deltas.assign(activations.begin() + 1, activations.end());
    for (auto& array : deltas) rows.deltas.push_back(array.data());
    for (auto& array : activations) rows.activations.push_back(array.data());
    cost = net.gradient(batch, reduction, rows, call);
  }
};

template <class Scalar>
bool is_wide(const Network<Scalar>& net) {
  return net.n_parameters() > 100000;
}
/// A wide network sums the samples' costs in another order where dC/dtheta is asked for too: then to the last digits.
template <class Scalar>
bool same_cost(const Network<Scalar>& net, double a, double b) {
  return is_wide(net) ? std::abs(a - b) <= 1e-14 * std::abs(b) : a == b;
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

struct Case {
  std::vector<Index> sizes;
  std::vector<Activation> activations;
  const char* cost;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {{3, 2}, {"identity"}, "quadratic"},
      {{4, 7, 3}, {"sigmoid", "sigmoid"}, "quadratic"},
      {{5, 17, 9, 2}, {"tanh", "relu", "sigmoid"}, "binary_cross_entropy"},
      {{6, 33, 4}, {"relu", "softmax"}, "cross_entropy"},
      {{3, 5, 20, 6, 1}, {"tanh", "softmax", "sigmoid", "identity"}, "log_cosh"},
      {{6, 10, 5}, {"tanh", "softmax"}, "quadratic"},
  };
  return all;
}

/// More than a megabyte of weights, which are walked block by block for many tiles together.
const std::vector<Case>& wide_cases() {
  static const std::vector<Case> all{{{500, 490, 30, 3}, {"tanh", "relu", "identity"}, "quadratic"},
                                     {{70, 1030, 180}, {"sigmoid", "softmax"}, "cross_entropy"}};
  return all;
}

/// Data of a case as plain doubles that both types hold exactly.
struct Data {
  Index m;
  std::vector<float> x, y, weights;

  Data(const Case& c, Index samples)
      : m(samples),
        x(normals<float>(c.sizes.front() * m, 1)),
        y(normals<float>(c.sizes.back() * m, 2)),
        weights(normals<float>(m, 3)) {
    for (auto* positive : {&y, &weights})
      for (float& v : *positive) v = std::abs(v) / 8;  // suits every cost
    weights[to_size(m / 2)] = 0;
  }
};

/// Standardisation with numbers of its own for each unit.
template <class Scalar>
Normalization<Scalar> normalization_of(const Case& c) {
  const auto positive = [](Index n, std::uint64_t stream) {
    auto v = normals<Scalar>(n, stream);
    for (Scalar& x : v) x = std::abs(x) + Scalar(0.5);
    return v;
  };
  const Index n = c.sizes.front(), k = c.sizes.back();
  return {normals<Scalar>(n, 4), positive(n, 5), normals<Scalar>(k, 6), positive(k, 7)};
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

/// Each destination alone gets the same bits as all of them together, and nothing else is needed.
template <class Scalar>
void test_each_gradient_alone(const Case& c) {
  Network<Scalar> net(c.sizes, c.activations);
  net.initialize(3);
  const Data data(c, 70);
  const std::vector<Scalar> x(data.x.begin(), data.x.end()), y(data.y.begin(), data.y.end());
  const auto batch =
      batch_of<Scalar>(samples_of(x, data.m, net.n_inputs()), samples_of(y, data.m, net.n_outputs()), c.cost);
  const Everything<Scalar> all(net, batch, Reduction::mean);
  std::vector<Scalar> nabla(all.nabla.size()), x_gradient(all.x.size());
  CHECK(net.gradient(batch, Reduction::mean, {nabla.data(), nullptr, {}, {}}) == all.cost &&
        same_bits(nabla, all.nabla));
  CHECK(same_cost(net, net.gradient(batch, Reduction::mean, {nullptr, x_gradient.data(), {}, {}}), all.cost));
  CHECK(same_bits(x_gradient, all.x));
  auto deltas = all.deltas, activations = all.activations;
  GradientRows<Scalar> only_deltas, only_activations;
  for (auto& array : deltas) {
    std::fill(array.begin(), array.end(), not_a_number<Scalar>);
    only_deltas.deltas.push_back(array.data());
  }
  for (auto& array : activations) {
    std::fill(array.begin(), array.end(), not_a_number<Scalar>);
    only_activations.activations.push_back(array.data());
  }
  CHECK(same_cost(net, net.gradient(batch, Reduction::mean, only_deltas), all.cost));
  for (std::size_t l = 0; l < deltas.size(); ++l) CHECK(same_bits(deltas[l], all.deltas[l]));
  CHECK(same_cost(net, net.gradient(batch, Reduction::mean, only_activations), all.cost));
  for (std::size_t l = 0; l < activations.size(); ++l) CHECK(same_bits(activations[l], all.activations[l]));
}

// ---- bits -----------------------------------------------------------------------------------------------------------

/// Few samples are computed with lanes over units, many with lanes over samples. The samples of a small batch have the
/// same bits when they stand inside a large one: outputs, deltas, grad_x C, and, where the others weigh 0, dC/dtheta.
template <class Scalar>
void test_layouts(const Case& c, bool normalized) {
  Network<Scalar> net(c.sizes, c.activations);
  net.initialize(5);
  if (normalized) net.set_normalization(normalization_of<Scalar>(c));
  const bool wide = is_wide(net);
  const Index many = wide ? 64 * 8 + 30 : 64;  // more tiles than go through a wide network together
  const Index n = net.n_inputs(), k = net.n_outputs();
  const Data data(c, many);
  const std::vector<Scalar> x(data.x.begin(), data.x.end()), y(data.y.begin(), data.y.end());
  const auto all = batch_of<Scalar>(samples_of(x, many, n), samples_of(y, many, k), c.cost);
  std::vector<Scalar> all_out(to_size(many * k));
  net.predict(all.x, all_out.data());
  const Everything<Scalar> whole(net, all, Reduction::sum);
  for (Index m = 1; m <= many; m += wide ? 270 : m < 20 ? 1 : 11)
    for (const Index begin : {Index(0), many - m}) {
      const auto part = batch_of<Scalar>(all.x.slice(begin, m), all.y.values.slice(begin, m), c.cost);
      std::vector<Scalar> out(to_size(m * k));
      net.predict(part.x, out.data());
      CHECK(same_bits(out.data(), all_out.data() + begin * k, m * k));
      const Everything<Scalar> few(net, part, Reduction::sum);
      CHECK(same_bits(few.x.data(), whole.x.data() + begin * n, m * n));
      for (std::size_t l = 0; l < few.deltas.size(); ++l)
        CHECK(same_bits(few.deltas[l].data(), whole.deltas[l].data() + begin * c.sizes[l + 1], m * c.sizes[l + 1]));

      std::vector<Scalar> weights(to_size(many), 0);
      std::fill_n(weights.begin() + begin, m, Scalar(1));
      auto weighted = all;
      weighted.weights.values = samples_of(weights, many, 1);
      const Everything<Scalar> mean_of_part(net, part, Reduction::mean), mean_of_all(net, weighted, Reduction::mean);
      CHECK(same_cost(net, mean_of_part.cost, mean_of_all.cost));
      CHECK(same_bits(mean_of_part.nabla, mean_of_all.nabla));
    }
}

/// Class labels stand for their 1-of-n rows.
template <class Scalar>
void test_labels() {
  for (const Index m : {5, 64, 150}) {
    Network<Scalar> net({4, 9, 6}, "tanh", "softmax", 8);
    const auto x = normals<Scalar>(4 * m, 1);
    const auto classes = labels(m, 6, 2);
    std::vector<Scalar> y(to_size(6 * m), 0);
    for (Index s = 0; s < m; ++s) y[to_size(6 * s + classes[to_size(s)])] = 1;
    const Everything<Scalar> by_label(
        net, batch_of<Scalar>(samples_of(x, m, 4), Targets(samples_of(classes), true), "cross_entropy"),
        Reduction::mean);
    const Everything<Scalar> by_row(net, batch_of<Scalar>(samples_of(x, m, 4), samples_of(y, m, 6), "cross_entropy"),
                                    Reduction::mean);
    CHECK(by_label.cost == by_row.cost && same_bits(by_label.nabla, by_row.nabla) && same_bits(by_label.x, by_row.x));
  }
}

/// An array of another type or shape in memory, and the plain copy of it.
template <class Scalar>
struct OddArray {
  std::vector<char> bytes;
  Samples view;
  std::vector<Scalar> copy;

  /// m rows of n numbers, `value_bytes` apart; write(at, s, i) puts a number there and returns it.
  template <class Write>
  OddArray(Index m, Index n, ElementType type, Index size, bool backwards, bool swapped, Write write) {
    const Index value_bytes = size + 1, row_bytes = n * value_bytes + 3;
    bytes.assign(to_size(m * row_bytes), '\x7f');
    const Index step = backwards ? -1 : 1;
    char* origin = bytes.data() + (backwards ? (m - 1) * row_bytes + (n - 1) * value_bytes : 0);
    view = {origin, m, n, step * row_bytes, step * value_bytes, type, swapped};
    for (Index s = 0; s < m; ++s)
      for (Index i = 0; i < n; ++i) {
        char* at = origin + step * (s * row_bytes + i * value_bytes);
        copy.push_back(write(at, s, i));
        if (swapped) std::reverse(at, at + size);
      }
  }
};

/// Whatever x, y and the weights look like in memory, the results are those of their contiguous copies.
template <class Scalar>
void test_odd_arrays() {
  const auto numbers = normals<double>(200 * 5, 1);
  for (const Index m : {1, 5, 64, 150})
    for (const bool backwards : {false, true})
      for (const bool swapped : {false, true}) {
        Network<Scalar> net({5, 12, 2}, "sigmoid", "identity", 4);
        const auto as = [&]<class Source>(Source, double shift) {
          return [&numbers, shift](char* at, Index s, Index i) {
            const auto v = static_cast<Source>(numbers[to_size(s * 5 + i)] * 3 + shift);
            std::memcpy(at, &v, sizeof(Source));
            return static_cast<Scalar>(v);
          };
        };
        // half precision: sign, exponent 15, fraction; 1 to 2 in size
        const auto as_half = [](char* at, Index s, Index i) {
          const auto fraction = static_cast<unsigned>((s * 37 + i * 101) % 1024);
          const auto bits = static_cast<std::uint16_t>((s % 2 ? 0x8000u : 0u) | 15u << 10 | fraction);
          std::memcpy(at, &bits, 2);
          return static_cast<Scalar>((s % 2 ? -1.0 : 1.0) * (1 + fraction / 1024.0));
        };
        std::vector<OddArray<Scalar>> xs;
        xs.emplace_back(m, 5, ElementType::float64, 8, backwards, swapped, as(double{}, 0));
        xs.emplace_back(m, 5, ElementType::float32, 4, backwards, swapped, as(float{}, 0));
        xs.emplace_back(m, 5, ElementType::float16, 2, backwards, swapped, as_half);
        xs.emplace_back(m, 5, ElementType::int8, 1, backwards, swapped, as(std::int8_t{}, 0));
        const OddArray<Scalar> y(m, 2, ElementType::int16, 2, backwards, swapped, as(std::int16_t{}, 0));
        const OddArray<Scalar> weights(m, 1, ElementType::float64, 8, backwards, swapped, as(double{}, 20));
        for (const auto& x : xs)
          for (const bool normalized : {false, true}) {
            if (normalized) net.set_normalization({{1, 2, 3, 4, 5}, {1, 2, 3, 4, 5}, {6, 7}, {}});
            const Samples plain_x = samples_of(x.copy, m, 5);
            std::vector<Scalar> out(to_size(2 * m)), plain_out(to_size(2 * m));
            net.predict(x.view, out.data());
            net.predict(plain_x, plain_out.data());
            CHECK(same_bits(out, plain_out));
            auto batch = batch_of<Scalar>(x.view, y.view);
            auto plain = batch_of<Scalar>(plain_x, samples_of(y.copy, m, 2));
            batch.weights.values = weights.view;
            plain.weights.values = samples_of(weights.copy, m, 1);
            const Everything<Scalar> odd(net, batch, Reduction::mean), even(net, plain, Reduction::mean);
            CHECK(odd.cost == even.cost && same_bits(odd.nabla, even.nabla) && same_bits(odd.x, even.x));
          }
      }
}

// ---- refusals -------------------------------------------------------------------------------------------------------

/// body() throws std::invalid_argument, and what() has both words.
void refuses(const char* word, const char* other, const std::function<void()>& body) {
  try {
    body();
  } catch (const std::invalid_argument& error) {
    const std::string what = error.what();
    if (!CHECK(what.find(word) != std::string::npos && what.find(other) != std::string::npos))
      std::cerr << "    '" << what << "' has not both '" << word << "' and '" << other << "'\n";
    return;
  }
  if (!CHECK(false)) std::cerr << "    nothing was thrown for '" << word << "', '" << other << "'\n";
}

void test_refusals() {
  using Net = Network<double>;
  refuses("sizes", "at least one layer", [] { Net net({3}); });
  refuses("sizes", "at least one layer", [] { Net net(std::vector<Index>{}); });
  refuses("sizes[1]", "0", [] { Net net({3, 0, 1}); });
  refuses("sizes[0]", "-2", [] { Net net({-2, 1}); });
  refuses("too large", "overflows", [] { Net net({Index(1) << 40, Index(1) << 40}); });
  refuses("1 activations", "2 layers", [] { Net net({3, 4, 1}, std::vector<Activation>{"tanh"}); });
  refuses("activation", "'tahn'", [] { Net net({3, 1}, "tahn"); });
  refuses("cost", "'squared'", [] { Cost cost("squared"); });
  refuses("delta", "0", [] { Cost cost("huber", 0); });
  refuses("q", "1", [] { Cost cost("quantile", 1.5); });

  Net net({3, 2}, "sigmoid", "softmax");
  const auto numbers = normals<double>(100, 1);
  std::vector<double> out(100);
  const Samples x = samples_of(numbers, 4, 3), y = samples_of(numbers, 4, 2);
  const auto gradient = [&](const Batch<double>& batch) { net.gradient(batch, Reduction::mean, {}); };
  refuses("x has 2 values", "takes 3", [&] { net.predict(y, out.data()); });
  refuses("x has 2 values", "takes 3", [&] { net.forward(y, {}); });
  refuses("x has 2 values", "takes 3", [&] { gradient(batch_of<double>(y, y)); });
  refuses("y has 3 values", "2", [&] { gradient(batch_of<double>(x, x)); });
  refuses("y has 3 samples", "x has 4", [&] { gradient(batch_of<double>(x, y.slice(0, 3))); });
  refuses("x has 0 samples", "at least 1", [&] { gradient(batch_of<double>(x.slice(0, 0), y.slice(0, 0))); });
  refuses("poisson", "at least 0", [&] { Net({3, 2}, "sigmoid", "tanh").cost(batch_of<double>(x, y, "poisson")); });
  refuses("cross_entropy", "[0, 1]", [&] {
    Net({3, 2}, "sigmoid", "relu").cost(batch_of<double>(x, y, "cross_entropy"));
  });

  const std::vector<std::int64_t> classes{0, 1, 2, 0}, negative{0, -1, 0, 0};
  const std::vector<std::uint64_t> enormous{0, std::uint64_t{1} << 63, 0, 0};
  const std::vector<double> halves{0, 1, 0, 0.5}, undefined{0, not_a_number<double>, 0, 0};
  const auto labelled = [&](const Samples& labels) {
    return [&gradient, &x, labels] { gradient(batch_of<double>(x, Targets(labels, true), "cross_entropy")); };
  };
  refuses("y[2] is 2", "0 to 1", labelled(samples_of(classes)));
  refuses("y[1] is -1", "0 to 1", labelled(samples_of(negative)));
  refuses("y[1] is 9.22337", "0 to 1", labelled({enormous.data(), 4, 1, 8, 8, ElementType::uint64, false}));
  refuses("y[3] is 0.5", "0 to 1", labelled(samples_of(halves, 4, 1)));
  refuses("y[1] is nan", "0 to 1", labelled(samples_of(undefined, 4, 1)));
  refuses("y has 2 values", "1", labelled(y));

  const auto weighted = [&](const std::vector<double>& weights, Index width = 1) {
    return [&, weights, width] {
      auto batch = batch_of<double>(x, y);
      batch.weights.values = samples_of(weights, static_cast<Index>(weights.size()) / width, width);
      gradient(batch);
    };
  };
  refuses("sample_weight has 3", "4 samples", weighted({1, 1, 1}));
  refuses("sample_weight", "4 samples", weighted({1, 1, 1, 1, 1, 1, 1, 1}, 2));
  refuses("sample_weight[1] is -1", "not negative", weighted({1, -1, 1, 1}));
  refuses("sample_weight[2] is", "finite", weighted({1, 1, infinity, 1}));
  refuses("sample_weight[3] is", "finite", weighted({1, 1, 1, not_a_number<double>}));
  refuses("sample_weight sums to 0", "", weighted({0, 0, 0, 0}));
  refuses("sample_weight sums to more", "", weighted({1e308, 1e308, 1e308, 1e308}));

  refuses("input_shift has 2", "needs 3", [&] { net.set_normalization({{1, 2}, {}, {}, {}}); });
  refuses("input_scale", "positive", [&] { net.set_normalization({{}, {1, 0, 1}, {}, {}}); });
  refuses("output_scale", "positive", [&] { net.set_normalization({{}, {}, {}, {1, -1}}); });
  refuses("output_shift", "finite", [&] { net.set_normalization({{}, {}, {infinity, 1}, {}}); });
  CHECK(!net.normalization().of_input() && !net.normalization().of_output());
}

/// No samples: nothing is written, nothing is wrong. Copies are alike and independent.
void test_small_print() {
  Network<float> net({3, 4, 2});
  const std::vector<float> x(3, 1);
  net.predict(samples_of(x, 0, 3), nullptr);
  Network<float> copy = net;
  CHECK(copy.theta() == net.theta());
  copy.W(1)(0, 0) += 1;
  CHECK(copy.theta() != net.theta() && copy.weights(2)[0] == net.weights(2)[0]);
  const Network<float> moved = std::move(copy);
  CHECK(moved.W(1)(0, 0) == net.W(1)(0, 0) + 1);
  net = moved;
  CHECK(net.theta() == moved.theta());

  // The Eigen calls are the same calls.
  const Matrix<float> X = Matrix<float>::Constant(3, 5, 0.25f), Y = Matrix<float>::Constant(2, 5, 0.5f);
  const Matrix<float> out = net.predict(X);
  CHECK(out.rows() == 2 && out.cols() == 5 && out.col(0) == out.col(4));
  const auto g = net.gradient(X, Y, "quadratic", Wrt::both);
  CHECK(net.gradient(X, Y).nabla == g.nabla && net.gradient(X, Y, "quadratic", Wrt::x).x == g.x);
  CHECK(net.gradient(X, Y).x.size() == 0 && net.gradient(X, Y, "quadratic", Wrt::x).nabla.size() == 0);
  const Everything<float> all(net, batch_of<float>(columns(X), columns(Y)), Reduction::mean);
  CHECK(g.cost == all.cost && same_bits(g.nabla.data(), all.nabla.data(), net.n_parameters()));
  CHECK(same_bits(g.x.data(), all.x.data(), 15));
}

/// One sample has the bits of the same sample in a batch, with scratch on the stack and from the heap.
template <class Scalar>
void test_predict_one() {
  for (const Index width : {1, 100, 128, 129, 2048, 2049})
    for (const char* output : {"identity", "sigmoid", "softmax"}) {
      const Network<Scalar> net({3, width, 2, 16}, "tanh", output, 3);
      const auto x = normals<Scalar>(3 * 20, 1);
      std::vector<Scalar> batch(16 * 20), one(16);
      net.predict(samples_of(x, 20, 3), batch.data());
      for (Index s = 0; s < 20; ++s) {
        net.predict_one(x.data() + 3 * s, one.data());
        CHECK(same_bits(one.data(), batch.data() + 16 * s, 16));
      }
    }
}

template <class Scalar>
void test_all() {
  for (const Case& c : cases()) {
    for (const Index m : {1, 5, 12, 13, 64, 150})
      for (const bool normalized : {false, true}) {
        test_against_plain_loops<Scalar>(c, m, normalized, false, Reduction::mean);
        test_against_plain_loops<Scalar>(c, m, normalized, m > 1, Reduction::mean);
        test_against_plain_loops<Scalar>(c, m, normalized, m > 1, Reduction::sum);
      }
    test_each_gradient_alone<Scalar>(c);
    test_layouts<Scalar>(c, false);
    test_layouts<Scalar>(c, true);
  }
  for (const Case& c : wide_cases()) {
    test_against_plain_loops<Scalar>(c, 40, true, true, Reduction::sum);
    test_each_gradient_alone<Scalar>(c);
    test_layouts<Scalar>(c, false);
  }
  test_labels<Scalar>();
  test_odd_arrays<Scalar>();
  test_predict_one<Scalar>();
}

}  // namespace

int main() {
  test_all<double>();
  test_all<float>();
  test_refusals();
  test_small_print();
  return check_report();
}
