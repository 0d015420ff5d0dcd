/// The random numbers are Philox's, distributed as they should be, and the same everywhere.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "bpnet/random.hpp"
#include "check.hpp"
#include "golden.hpp"

namespace {

using bpnet::RandomStream;
using Words = std::array<std::uint32_t, 4>;

// The known answers that come with Random123, the authors' own implementation.
static_assert(bpnet::philox({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
static_assert(bpnet::philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
              Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
static_assert(bpnet::philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
              Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});

// What goes where: index / 2 and the stream are the counter, the seed is the key, and a block holds two numbers.
static_assert(RandomStream(0x299f31d0a4093822, 0x0370734413198a2e).bits(0x0b47'5510'dead'beef) == [] {
  const Words w = bpnet::philox({0x6f56df77, 0x05a3aa88, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0});
  return w[2] | std::uint64_t{w[3]} << 32;
}());
static_assert(bpnet::stream_of(bpnet::StreamUse::Weights, 1) != bpnet::stream_of(bpnet::StreamUse::Biases, 1));

constexpr std::size_t n = 1'000'000;
const double root_n = std::sqrt(static_cast<double>(n));

std::vector<double> uniforms(const RandomStream& stream) {
  std::vector<double> u(n);
  stream.uniforms(0, n, u.data());
  return u;
}

std::vector<double> normals(const RandomStream& stream) {
  std::vector<double> z(n);
  stream.normals(0, n, z.data());
  return z;
}

double moment(const std::vector<double>& x, double centre, int power) {
  double sum = 0;
  for (const double v : x) sum += std::pow(v - centre, power);
  return sum / static_cast<double>(x.size());
}

/// Kolmogorov and Smirnov: sqrt(n) times the largest distance of the empirical distribution from `cdf`.
template <class Cdf>
double distance(std::vector<double> x, Cdf cdf) {
  std::ranges::sort(x);
  double largest = 0;
  for (std::size_t k = 0; k < x.size(); ++k) {
    const double f = cdf(x[k]), size = static_cast<double>(x.size()), below = static_cast<double>(k);
    largest = std::max({largest, f - below / size, (below + 1) / size - f});
  }
  return largest * std::sqrt(static_cast<double>(x.size()));
}

double correlation(const std::vector<double>& x, const std::vector<double>& y, std::size_t lag = 0) {
  double sum = 0;
  for (std::size_t k = 0; k + lag < x.size(); ++k) sum += x[k] * y[k + lag];
  return sum / static_cast<double>(x.size());
}

/// A sample moment has the standard deviation sqrt((mu_2p - mu_p^2) / n); five of them are allowed.
void test_uniform_moments() {
  const auto u = uniforms(RandomStream(1, 2));
  CHECK(std::ranges::all_of(u, [](double v) { return 0 <= v && v < 1; }));
  CHECK_LE(std::abs(moment(u, 0.5, 1)), 5 * std::sqrt(1.0 / 12) / root_n);
  CHECK_LE(std::abs(moment(u, 0.5, 2) - 1.0 / 12), 5 * std::sqrt(1.0 / 80 - 1.0 / 144) / root_n);
  CHECK_LE(std::abs(moment(u, 0.5, 3)), 5 * std::sqrt(1.0 / 448) / root_n);
  CHECK_LE(std::abs(moment(u, 0.5, 4) - 1.0 / 80), 5 * std::sqrt(1.0 / 2304 - 1.0 / 6400) / root_n);
  CHECK_LE(distance(u, [](double v) { return v; }), 2.2);  // exceeded once in 8000 times
}

void test_normal_moments() {
  const auto z = normals(RandomStream(3, 4));
  CHECK_LE(std::abs(moment(z, 0, 1)), 5 / root_n);
  CHECK_LE(std::abs(moment(z, 0, 2) - 1), 5 * std::sqrt(2.0) / root_n);
  CHECK_LE(std::abs(moment(z, 0, 3)), 5 * std::sqrt(15.0) / root_n);
  CHECK_LE(std::abs(moment(z, 0, 4) - 3), 5 * std::sqrt(96.0) / root_n);
  CHECK_LE(distance(z, [](double v) { return 0.5 * std::erfc(-v / std::sqrt(2.0)); }), 2.2);
  const auto beyond_3 = static_cast<double>(std::ranges::count_if(z, [](double v) { return std::abs(v) > 3; }));
  const double expected = static_cast<double>(n) * std::erfc(3 / std::sqrt(2.0));
  CHECK_LE(std::abs(beyond_3 - expected), 5 * std::sqrt(expected));
}

/// Each value is the one that Box and Muller's formula gives, by libm.
void test_normal_formula() {
  const RandomStream stream(5, 6);
  for (std::uint64_t k = 0; k < 10000; k += 2) {
    const double radius = std::sqrt(-2 * std::log(stream.uniform(k) + 0x1p-53));
    const double angle = 2 * 3.14159265358979323846 * (stream.uniform(k + 1) - 0.5);
    CHECK_LE(std::abs(stream.normal(k) - radius * std::cos(angle)), 1e-14);
    CHECK_LE(std::abs(stream.normal(k + 1) - radius * std::sin(angle)), 1e-14);
  }
}

void test_streams_are_independent() {
  const auto z = normals(RandomStream(7, 8));
  for (const auto& [seed, stream] : {std::pair{7, 9}, {8, 8}, {8, 7}, {1 << 20, 8}})
    CHECK_LE(std::abs(correlation(
                 z, normals(RandomStream(static_cast<std::uint64_t>(seed), static_cast<std::uint64_t>(stream))))),
             5 / root_n);
  for (const std::size_t lag : {1u, 2u, 3u, 4u, 64u, 1000u}) CHECK_LE(std::abs(correlation(z, z, lag)), 5 / root_n);
}

/// Runs of numbers equal the numbers asked for one by one, wherever they begin and end.
void test_runs() {
  const RandomStream stream(0xfedcba9876543210, 0x0123456789abcdef);
  for (const std::uint64_t first : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 40})
    for (std::uint64_t count = 0; count < 6; ++count) {
      std::array<double, 7> u, z;
      u.fill(-1), z.fill(-100);
      stream.uniforms(first, count, u.data());
      stream.normals(first, count, z.data());
      for (std::uint64_t k = 0; k < count; ++k)
        CHECK(u[k] == stream.uniform(first + k) && z[k] == stream.normal(first + k));
      CHECK(u[count] == -1 && z[count] == -100);
    }
}

void test_golden_values() {
  const RandomStream stream(20, 24);
  std::vector<double> x(1000);
  stream.uniforms(0, x.size(), x.data());
  check_golden("uniform", x, 0x88165bb3d6e77f8e);
  stream.normals(0, x.size(), x.data());
  check_golden("normal", x, 0x8d96457fc0d845cd);
}

}  // namespace

int main() {
  test_uniform_moments();
  test_normal_moments();
  test_normal_formula();
  test_streams_are_independent();
  test_runs();
  test_golden_values();
  return check_report();
}
