/// The initial weights have the scale, the shape and the bits that their scheme promises.
#include <Eigen/LU>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bpnet/initializer.hpp"
#include "check.hpp"
#include "golden.hpp"

namespace {

using bpnet::Index;
using bpnet::Initializer;
using bpnet::InitScheme;

template <class Scalar = double>
std::vector<Scalar> weights(const Initializer& by, Index n_out, Index n_in, std::uint64_t seed = 1) {
  std::vector<Scalar> W(static_cast<std::size_t>(n_out * n_in));
  bpnet::initialize(by, n_out, n_in, seed, bpnet::stream_of(bpnet::StreamUse::Weights, 1), W.data());
  return W;
}

template <class Scalar = double>
std::vector<Scalar> biases(const Initializer& by, Index n_out, Index n_in, std::uint64_t seed = 1) {
  std::vector<Scalar> b(static_cast<std::size_t>(n_out));
  bpnet::initialize_biases(by, n_out, n_in, seed, bpnet::stream_of(bpnet::StreamUse::Biases, 1), b.data());
  return b;
}

double mean(const std::vector<double>& x) {
  double sum = 0;
  for (const double v : x) sum += v;
  return sum / static_cast<double>(x.size());
}
double variance(const std::vector<double>& x) {
  const double centre = mean(x);
  double sum = 0;
  for (const double v : x) sum += (v - centre) * (v - centre);
  return sum / static_cast<double>(x.size());
}

/// The law of each scheme for a layer of 200 inputs and 300 outputs: mean, variance and the largest distance from the
/// mean.
void test_scales() {
  constexpr double n_in = 200, n_out = 300, unlimited = std::numeric_limits<double>::infinity();
  struct Row {
    Initializer by;
    double mean, variance, limit;
  };
  const Row rows[]{
      {{InitScheme::GlorotUniform}, 0, 2 / (n_in + n_out), std::sqrt(6 / (n_in + n_out))},
      {{InitScheme::GlorotNormal}, 0, 2 / (n_in + n_out), unlimited},
      {{InitScheme::HeUniform}, 0, 2 / n_in, std::sqrt(6 / n_in)},
      {{InitScheme::HeNormal}, 0, 2 / n_in, unlimited},
      {{InitScheme::LecunUniform}, 0, 1 / n_in, std::sqrt(3 / n_in)},
      {{InitScheme::LecunNormal}, 0, 1 / n_in, unlimited},
      {{InitScheme::Orthogonal, 2}, 0, 4 / n_out, 2},
      {{InitScheme::Normal, 3, 0.5}, 3, 0.25, unlimited},
      {{InitScheme::Uniform, -1, 5}, 2, 3, 3},
      {{InitScheme::Zeros}, 0, 0, 0},
      {{InitScheme::Constant, -1.5}, -1.5, 0, 0},
  };
  for (const Row& row : rows) {
    const auto W = weights(row.by, 300, 200);
    const double n = static_cast<double>(W.size());
    CHECK_LE(std::abs(mean(W) - row.mean), 5 * std::sqrt(row.variance / n));
    CHECK_LE(std::abs(variance(W) - row.variance), 5 * row.variance * std::sqrt(2 / n));
    for (const double w : W) CHECK_LE(std::abs(w - row.mean), row.limit * (1 + 1e-15));
    if (std::isfinite(row.limit) && row.by.scheme != InitScheme::Orthogonal)
      CHECK_LE(row.limit * 0.999, std::abs(*std::ranges::max_element(W) - row.mean));
    if (row.by.scheme == InitScheme::Orthogonal) continue;
    const auto b = biases(row.by, 300, 200);
    CHECK_LE(std::abs(mean(b) - row.mean), 5 * std::sqrt(row.variance / n_out));
    CHECK_LE(std::abs(variance(b) - row.variance), 5 * row.variance * std::sqrt(2 / n_out));
  }
}

/// Rows, or columns where these are fewer, are orthogonal and of length gain.
template <class Scalar>
void test_orthogonal(double tolerance) {
  for (const auto& [n_out, n_in] : {std::pair<Index, Index>{16, 16},
                                    {1, 1},
                                    {1, 7},
                                    {7, 1},
                                    {2, 3},
                                    {3, 2},
                                    {17, 16},
                                    {40, 25},
                                    {25, 40},
                                    {300, 300}})
    for (const double gain : {1.0, -1.5}) {
      const auto values = weights<Scalar>({InitScheme::Orthogonal, gain}, n_out, n_in);
      bpnet::Matrix<double> tall = bpnet::ConstMatrixMap<Scalar>(values.data(), n_out, n_in).template cast<double>();
      if (n_out < n_in) tall = tall.transpose().eval();
      const bpnet::Matrix<double> gram = tall.transpose().lazyProduct(tall);
      const bpnet::Matrix<double> expected = bpnet::Matrix<double>::Identity(gram.rows(), gram.cols()) * gain * gain;
      CHECK_LE((gram - expected).cwiseAbs().maxCoeff(), tolerance);
    }
}

/// Uniform among all orthogonal matrices: the moments of the Haar measure for n = 3, within 5 standard deviations.
void test_orthogonal_is_uniform() {
  constexpr int draws = 20000;
  double trace = 0, trace2 = 0, determinant = 0;
  std::array<double, 9> fourth{};
  for (int k = 0; k < draws; ++k) {
    const auto values = weights({InitScheme::Orthogonal, 1}, 3, 3, static_cast<std::uint64_t>(k));
    const Eigen::Map<const Eigen::Matrix3d> W(values.data());
    trace += W.trace() / draws;
    trace2 += W.trace() * W.trace() / draws;
    determinant += (W.determinant() > 0 ? 1.0 : -1.0) / draws;
    for (std::size_t i = 0; i < 9; ++i) fourth[i] += std::pow(values[i], 4) / draws;
  }
  CHECK_LE(std::abs(trace), 5 * std::sqrt(1.0 / draws));
  CHECK_LE(std::abs(trace2 - 1), 5 * std::sqrt(3.0 / draws));
  CHECK_LE(std::abs(determinant), 5 * std::sqrt(1.0 / draws));
  for (const double moment : fourth) CHECK_LE(std::abs(moment - 0.2), 5 * std::sqrt((1.0 / 9 - 0.04) / draws));
}

void test_nguyen_widrow() {
  for (const auto& [n_out, n_in] : {std::pair<Index, Index>{10, 1}, {30, 2}, {5, 20}, {300, 200}}) {
    const double beta = 0.7 * std::pow(static_cast<double>(n_out), 1 / static_cast<double>(n_in));
    const auto values = weights({InitScheme::NguyenWidrow}, n_out, n_in);
    const bpnet::ConstMatrixMap<double> W(values.data(), n_out, n_in);
    for (Index i = 0; i < n_out; ++i) CHECK_LE(std::abs(W.row(i).norm() - beta), 1e-14 * beta);
    for (const double b : biases({InitScheme::NguyenWidrow}, n_out, n_in)) CHECK_LE(std::abs(b), beta);
  }
  const double beta = 0.7 * std::sqrt(900.0);
  const auto b = biases({InitScheme::NguyenWidrow}, 900, 2);
  CHECK_LE(std::abs(mean(b)), 5 * beta / std::sqrt(3 * 900.0));
  CHECK_LE(beta * 0.98, *std::ranges::max_element(b));
  CHECK_LE(*std::ranges::min_element(b), -beta * 0.98);
}

/// float32 holds the numbers of float64, rounded.
void test_both_types_agree() {
  for (const auto& row : bpnet::init_schemes) {
    const Initializer by = bpnet::initializer_named(row.name);
    const auto agree = [](float a, double b) { return a == static_cast<float>(b); };
    CHECK(std::ranges::equal(weights<float>(by, 37, 23), weights<double>(by, 37, 23), agree));
    if (row.elements) CHECK(std::ranges::equal(biases<float>(by, 37, 23), biases<double>(by, 37, 23), agree));
  }
}

void test_names() {
  for (const auto& row : bpnet::init_schemes) CHECK(bpnet::initializer_named(row.name).scheme == row.scheme);
  CHECK((bpnet::initializer_named("normal") == Initializer{InitScheme::Normal, 0, 1}));
  for (const auto* name : {"relu", "leaky_relu", "elu", "gelu", "silu", "mish", "softplus"})
    CHECK(bpnet::automatic_initializer(name).scheme == InitScheme::HeNormal);
  CHECK(bpnet::automatic_initializer("selu").scheme == InitScheme::LecunNormal);
  CHECK(bpnet::automatic_initializer("sine").scheme == InitScheme::HeUniform);
  for (const auto* name : {"sigmoid", "tanh", "identity", "softmax"})
    CHECK(bpnet::automatic_initializer(name).scheme == InitScheme::GlorotUniform);
  CHECK(bpnet::default_bias_initializer({InitScheme::NguyenWidrow}).scheme == InitScheme::NguyenWidrow);
  CHECK(bpnet::default_bias_initializer({InitScheme::HeNormal}).scheme == InitScheme::Zeros);
}

template <class Call>
std::string complaint(Call call) {
  try {
    call();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

void test_complaints() {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  const auto of = [](const Initializer& by) { return complaint([&] { weights(by, 2, 3); }); };
  CHECK(of({InitScheme::Normal, nan, 1}) == "normal: mean must be finite, but is nan");
  CHECK(of({InitScheme::Normal, 0, -1}) == "normal: std must not be negative, but is -1");
  CHECK(of({InitScheme::Uniform, 0.5, 0.25}) == "uniform: low is 0.5, above high, which is 0.25");
  CHECK(of({InitScheme::Uniform, -1.7e308, 1.7e308}) == "uniform: high - low must be finite");
  CHECK(of({InitScheme::Orthogonal, inf}) == "orthogonal: gain must be finite, but is inf");
  CHECK(of({InitScheme::Constant, -inf}) == "constant: value must be finite, but is -inf");
  CHECK(of({InitScheme::HeNormal, nan, nan}).empty());  // takes no numbers
  CHECK(complaint([] { biases({InitScheme::Orthogonal, 1}, 2, 3); }) == "orthogonal is for weights, not for biases");
  CHECK(complaint([] { weights({}, 0, 3); }).starts_with("a layer of 3 inputs and 0 outputs"));
  CHECK(complaint([] {
          bpnet::initializer_named("xavier");
        }).starts_with("unknown initializer 'xavier'; known are glorot_uniform, "));
}

void test_golden_values() {
  check_golden("orthogonal 16 x 16", weights({InitScheme::Orthogonal, 1}, 16, 16), 0x210077515fdd025a);
  check_golden("orthogonal 23 x 50", weights({InitScheme::Orthogonal, 0.5}, 23, 50), 0x3781698087e9553c);
  check_golden("orthogonal 20001 x 3", weights({InitScheme::Orthogonal, 1}, 20001, 3), 0x9e94754062bfd380);
  check_golden("orthogonal 3 x 20001", weights({InitScheme::Orthogonal, 1}, 3, 20001), 0xeace2c546cbc227c);
  check_golden("nguyen_widrow 20001 x 3", weights({InitScheme::NguyenWidrow}, 20001, 3), 0xa1f46f184cb943cf);
  check_golden("nguyen_widrow", weights({InitScheme::NguyenWidrow}, 20, 50), 0xe05102ba245a7376);
  check_golden("glorot_uniform", weights({InitScheme::GlorotUniform}, 20, 50), 0xe09d165015666225);
  check_golden("he_normal", weights({InitScheme::HeNormal}, 20, 50), 0x491d29b0cb3d5935);
  check_golden("uniform, float32", weights<float>({InitScheme::Uniform, -1, 2}, 20, 50), 0x2258af3e4bdc31ff);
}

/// Whoever wants to stop is heard in the middle of a matrix, in every scheme that has something to compute.
void test_interruption() {
  struct Stopper : bpnet::engine::Watcher {
    bool stop() override { return true; }
  };
  for (const auto& row : bpnet::init_schemes) {
    const Initializer by = bpnet::initializer_named(row.name);
    if (by.scheme == InitScheme::Zeros || by.scheme == InitScheme::Constant) continue;  // over too soon
    const Index n = by.scheme == InitScheme::Orthogonal ? 1200 : 4000;
    std::vector<float> W(static_cast<std::size_t>(n * n));
    Stopper stopper;
    bpnet::engine::Pulse pulse(&stopper);
    bool heard = false;
    try {
      bpnet::initialize(by, n, n, 1, 1, W.data(), bpnet::engine::Checkpoint(&pulse, nullptr));
    } catch (const bpnet::engine::Interrupted&) {
      heard = true;
    }
    CHECK(heard);
    CHECK(W.back() == 0);
  }
}

}  // namespace

int main() {
  test_scales();
  test_orthogonal<double>(1e-12);
  test_orthogonal<float>(1e-5);
  test_orthogonal_is_uniform();
  test_nguyen_widrow();
  test_both_types_agree();
  test_names();
  test_complaints();
  test_golden_values();
  test_interruption();
  return check_report();
}
