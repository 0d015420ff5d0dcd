/// Random numbers that are pure functions of (seed, stream, index): no state, the same bits on every processor.
///
/// The generator is Philox4x32-10: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2,
/// 3", SC 2011. The key is the seed; the counter is (index / 2, stream), and each block of 128 bits holds two numbers.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

#include "bpnet/engine/elementary.hpp"
#include "bpnet/engine/lanes.hpp"

namespace bpnet {

/// 128 random bits of a counter under a key: ten rounds of Philox4x32.
constexpr std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  auto [c0, c1, c2, c3] = counter;
  auto [k0, k1] = key;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53} * c0;
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57} * c2;
    c0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<std::uint32_t>(p1);
    c2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<std::uint32_t>(p0);
    k0 += 0x9E3779B9;  // Weyl sequences: the golden ratio and sqrt(3) - 1
    k1 += 0xBB67AE85;
  }
  return {c0, c1, c2, c3};
}

/// What a stream is for. Streams of one seed that differ in use or number are independent.
enum class StreamUse : std::uint32_t { Weights = 1, Biases = 2, SampleOrder = 3, Dropout = 4 };

/// The stream of a use: number is the layer l, the epoch, ... (below 2^56).
constexpr std::uint64_t stream_of(StreamUse use, std::uint64_t number) {
  return (std::uint64_t{static_cast<std::uint32_t>(use)} << 56) ^ number;
}

/// What one random number costs, in multiply-adds.
inline constexpr double draw_work = 20;

/// The numbers 0, 1, 2, ... of one stream. `normal` is made of the same bits as `uniform`: use one of them in a stream.
class RandomStream {
 public:
  constexpr RandomStream(std::uint64_t seed, std::uint64_t stream) : seed_(seed), stream_(stream) {}

  /// 64 random bits.
  constexpr std::uint64_t bits(std::uint64_t index) const { return block(index / 2)[index % 2]; }

  /// Uniform in [0, 1), a multiple of 2^-53.
  constexpr double uniform(std::uint64_t index) const { return unit(bits(index)); }

  /// Standard normal, |value| < 8.6.
  double normal(std::uint64_t index) const { return normals_of(block(index / 2))[index % 2]; }

  /// out[k] = uniform(first + k) for k < count, at half the price.
  constexpr void uniforms(std::uint64_t first, std::uint64_t count, double* out) const {
    for_each_block(first, count, out, [](Pair bits) { return std::array{unit(bits[0]), unit(bits[1])}; });
  }

  /// out[k] = normal(first + k) for k < count, at half the price.
  void normals(std::uint64_t first, std::uint64_t count, double* out) const {
    for_each_block(first, count, out, normals_of);
  }

 private:
  using Pair = std::array<std::uint64_t, 2>;

  constexpr Pair block(std::uint64_t number) const {
    const auto low = [](std::uint64_t x) { return static_cast<std::uint32_t>(x); };
    const auto high = [](std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); };
    const auto words = philox({low(number), high(number), low(stream_), high(stream_)}, {low(seed_), high(seed_)});
    return {words[0] | (std::uint64_t{words[1]} << 32), words[2] | (std::uint64_t{words[3]} << 32)};
  }

  static constexpr double unit(std::uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-53; }

  /// G. Box, M. Muller (1958): sqrt(-2 log u) times the cosine and the sine of a uniform angle are independent normals.
  static std::array<double, 2> normals_of(Pair bits) {
    using Single = engine::Single<double>;
    const double u = unit(bits[0]) + 0x1p-53;  // in (0, 1]: log never sees 0
    const double radius = std::sqrt(-2 * engine::log(Single(u)).v);
    const auto [sine, cosine] = engine::sincos(Single((unit(bits[1]) - 0.5) * 6.283185307179586));
    return {radius * cosine.v, radius * sine.v};
  }

  template <class PairOf>
  constexpr void for_each_block(std::uint64_t first, std::uint64_t count, double* out, PairOf pair_of) const {
    std::uint64_t k = 0;
    if (count > 0 && first % 2 == 1) out[k++] = pair_of(block(first / 2))[1];
    for (; k + 1 < count; k += 2) {
      const auto pair = pair_of(block((first + k) / 2));
      out[k] = pair[0];
      out[k + 1] = pair[1];
    }
    if (k < count) out[k] = pair_of(block((first + k) / 2))[0];
  }

  std::uint64_t seed_;
  std::uint64_t stream_;
};

}  // namespace bpnet
