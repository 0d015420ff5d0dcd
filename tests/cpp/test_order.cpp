/// The sample order is a permutation, and as good as a shuffle.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "bpnet/train/order.hpp"
#include "check.hpp"
#include "golden.hpp"

namespace {

using bpnet::SampleOrder;

std::vector<std::uint32_t> permutation(std::uint64_t seed, std::uint64_t epoch, std::uint64_t m) {
  std::vector<std::uint32_t> samples(m);
  SampleOrder(seed, epoch, m).fill(0, m, samples.data());
  return samples;
}

/// How many standard deviations chi^2 lies above its mean, for equally likely cells but for a known number of freedoms.
double excess(const std::vector<double>& counts, double degrees_of_freedom) {
  const double expected = std::accumulate(counts.begin(), counts.end(), 0.0) / static_cast<double>(counts.size());
  double chi2 = 0;
  for (const double count : counts) chi2 += (count - expected) * (count - expected) / expected;
  return (chi2 - degrees_of_freedom) / std::sqrt(2 * degrees_of_freedom);
}

void test_is_a_bijection() {
  std::vector<std::uint64_t> sizes(301);
  std::iota(sizes.begin(), sizes.end(), std::uint64_t{0});
  sizes.insert(sizes.end(), {1000, 1023, 1024, 1025, 1026, 2047, 2048, 2049, 4095, 4096, 4097, 65536, 100003});
  for (const std::uint64_t m : sizes)
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
      auto samples = permutation(seed, 5, m);
      std::ranges::sort(samples);
      for (std::uint64_t k = 0; k < m; ++k) CHECK(samples[k] == k);
    }
}

/// Any run of positions equals the positions one by one, whatever the type of the numbers.
void test_runs() {
  for (const std::uint64_t m : {std::uint64_t{7}, std::uint64_t{1024}, std::uint64_t{1025}, std::uint64_t{30000}}) {
    const SampleOrder order(1, 2, m);
    CHECK(order.size() == m);
    for (std::uint64_t first = 0; first < m; first += 1 + m / 13)
      for (const std::uint64_t count :
           {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{5}, std::uint64_t{32}, std::uint64_t{33}}) {
        if (first + count > m) continue;
        std::vector<std::int64_t> samples(count + 1, -1);
        order.fill(first, count, samples.data());
        for (std::uint64_t k = 0; k < count; ++k) CHECK(samples[k] == static_cast<std::int64_t>(order(first + k)));
        CHECK(samples[count] == -1);
      }
  }
}

/// All m! orders of few samples come about equally often, over epochs and over seeds.
void test_few_samples() {
  for (const std::uint64_t m : {2u, 3u, 4u, 5u})
    for (const bool over_seeds : {false, true}) {
      std::map<std::vector<std::uint32_t>, double> seen;
      for (std::uint64_t k = 0; k < 24000; ++k) ++seen[over_seeds ? permutation(k, 0, m) : permutation(1, k, m)];
      std::vector<double> counts;
      for (const auto& [order, count] : seen) counts.push_back(count);
      const double orders = std::tgamma(static_cast<double>(m) + 1);
      CHECK(static_cast<double>(counts.size()) == orders);
      CHECK_LE(excess(counts, orders - 1), 4.5);
    }
}

/// Over the epochs: where a sample comes, which one comes next, how far that one is, where it comes in the next epoch.
/// m is a multiple of the 32 cells a side, so that all cells are alike.
void test_many_samples() {
  constexpr std::uint64_t cells = 32, epochs = 1000;
  for (const std::uint64_t m : {1056u, 1984u, 4128u}) {
    const auto cell = [m](std::uint64_t k) { return k * cells / m; };
    std::vector<double> place(cells * cells), next(cells * cells), step(m - 1), again(cells * cells);
    double fixed_points = 0;
    auto before = permutation(11, 0, m);
    for (std::uint64_t epoch = 1; epoch <= epochs; ++epoch) {
      const auto samples = permutation(11, epoch, m);
      for (std::uint64_t k = 0; k < m; ++k) {
        ++place[cell(k) * cells + cell(samples[k])];
        ++again[cell(before[k]) * cells + cell(samples[k])];
        fixed_points += samples[k] == k;
        if (k == 0) continue;
        ++next[cell(samples[k - 1]) * cells + cell(samples[k])];
        ++step[(samples[k] + m - samples[k - 1]) % m - 1];
      }
      before = samples;
    }
    constexpr double freedoms = (cells - 1) * (cells - 1);
    CHECK_LE(std::abs(excess(place, freedoms)), 4.5);
    CHECK_LE(std::abs(excess(again, freedoms)), 4.5);
    CHECK_LE(std::abs(excess(step, static_cast<double>(m - 2))), 4.5);
    for (std::uint64_t c = 0; c < cells; ++c)  // a sample does not follow itself
      next[c * cells + c] *= static_cast<double>(m) / static_cast<double>(m - cells);
    CHECK_LE(std::abs(excess(next, freedoms)), 4.5);
    CHECK_LE(std::abs(fixed_points / epochs - 1), 4.5 / std::sqrt(static_cast<double>(epochs)));
  }
}

/// Seeds and epochs that are neighbours give unrelated orders: Spearman's correlation is 0 +- 1 / sqrt(m).
void test_neighbours_are_unrelated() {
  constexpr std::uint64_t m = 100003;
  const auto correlation = [](const std::vector<std::uint32_t>& a, const std::vector<std::uint32_t>& b) {
    double sum = 0;
    for (std::size_t k = 0; k < m; ++k) sum += (a[k] - (m - 1) / 2.0) * (b[k] - (m - 1) / 2.0);
    return sum * 12 / (static_cast<double>(m) * (static_cast<double>(m) * m - 1));
  };
  std::vector<std::uint32_t> identity(m);
  std::iota(identity.begin(), identity.end(), 0u);
  const double bound = 4.5 / std::sqrt(static_cast<double>(m));
  for (std::uint64_t k = 0; k < 20; ++k) {
    const auto samples = permutation(k, k, m);
    CHECK_LE(std::abs(correlation(samples, identity)), bound);
    CHECK_LE(std::abs(correlation(samples, permutation(k, k + 1, m))), bound);
    CHECK_LE(std::abs(correlation(samples, permutation(k + 1, k, m))), bound);
  }
}

void test_largest() {
  const SampleOrder order(1, 2, SampleOrder::max_samples);
  CHECK(order(0) < SampleOrder::max_samples && order(SampleOrder::max_samples - 1) < SampleOrder::max_samples);
  const SampleOrder odd(1, 2, SampleOrder::max_samples / 3);  // points beyond m are sent round again
  std::vector<std::uint64_t> samples(10000);
  odd.fill(odd.size() - samples.size(), samples.size(), samples.data());
  std::ranges::sort(samples);
  CHECK(std::ranges::adjacent_find(samples) == samples.end() && samples.back() < odd.size());
  bool thrown = false;
  try {
    SampleOrder(1, 2, SampleOrder::max_samples + 1);
  } catch (const std::invalid_argument&) {
    thrown = true;
  }
  CHECK(thrown);
}

void test_golden_values() {
  check_golden("few samples", permutation(3, 4, 1000), 0xde3f7ff3b4a9f719);
  check_golden("many samples", permutation(3, 4, 10000), 0x25e13039153e4645);
}

}  // namespace

int main() {
  test_is_a_bijection();
  test_runs();
  test_few_samples();
  test_many_samples();
  test_neighbours_are_unrelated();
  test_largest();
  test_golden_values();
  return check_report();
}
