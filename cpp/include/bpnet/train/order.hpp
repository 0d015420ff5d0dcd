/// The order in which an epoch visits its samples: a permutation of 0..m-1 that is computed, not stored.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

#include "bpnet/random.hpp"

namespace bpnet {

/// A permutation of 0..m-1 keyed by (seed, epoch), m <= 2^48. Fixed size, no allocation, the same on every processor.
///
/// Up to `table_limit` samples it is a Fisher-Yates shuffle. Above, position = x 2^k + y is a point of a nearly square
/// grid of rows x 2^k >= m points, and keyed rounds x += f(y), y += g(x) permute it (J. Black, P. Rogaway, "Ciphers
/// with arbitrary finite domains", 2002). A point beyond m, fewer than one in rows, is sent round again.
class SampleOrder {
 public:
  static constexpr std::uint64_t table_limit = 1024;
  static constexpr std::uint64_t max_samples = std::uint64_t{1} << 48;

  /// Throws std::invalid_argument for m > max_samples.
  SampleOrder(std::uint64_t seed, std::uint64_t epoch, std::uint64_t m) : m_(m) {
    if (m > max_samples)
      throw std::invalid_argument("m is " + std::to_string(m) + ", but a shuffle takes at most 2^48 samples");
    const RandomStream stream(seed, stream_of(StreamUse::SampleOrder, epoch));
    if (m <= table_limit)
      shuffle(stream);
    else
      make_keys(stream);
  }

  std::uint64_t size() const { return m_; }

  /// The sample visited at a position < size().
  std::uint64_t operator()(std::uint64_t position) const {
    if (m_ <= table_limit) return table_[position];
    std::uint64_t x[1] = {position};
    permute(x);
    return walk(x[0]);
  }

  /// out[k] = (*this)(first + k) for k < count.
  template <class Integer>
  void fill(std::uint64_t first, std::uint64_t count, Integer* out) const {
    std::uint64_t k = 0;
    if (m_ > table_limit) {
      for (; k + block <= count; k += block) {  // side by side: a round is a chain of three products
        std::uint64_t points[block];
        for (std::uint64_t lane = 0; lane < block; ++lane) points[lane] = first + k + lane;
        permute(points);
        for (std::uint64_t lane = 0; lane < block; ++lane) out[k + lane] = static_cast<Integer>(walk(points[lane]));
      }
    }
    for (; k < count; ++k) out[k] = static_cast<Integer>((*this)(first + k));
  }

 private:
  static constexpr int rounds = 6;  // 4 show in the distance of successive samples, by 100 standard deviations
  static constexpr std::uint64_t block = 8;

  void shuffle(const RandomStream& stream) {
    for (std::uint64_t i = 0; i < m_; ++i) table_[i] = static_cast<std::uint16_t>(i);
    std::uint64_t draw = 0;
    for (std::uint64_t i = m_; i > 1; --i) {
      const std::uint64_t k = m_ - i;
      draw = k % 2 == 0 ? stream.bits(k / 2) : draw << 32;
      const std::uint64_t j = ((draw >> 32) * i) >> 32;  // in 0..i-1; no value is favoured by more than i / 2^32
      std::swap(table_[i - 1], table_[j]);
    }
  }

  void make_keys(const RandomStream& stream) {
    y_bits_ = static_cast<int>(std::bit_width(m_ - 1)) / 2;
    rows_ = ((m_ - 1) >> y_bits_) + 1;
    for (std::uint64_t r = 0; r < rounds; ++r) keys_[r] = stream.bits(r);
  }

  /// 64 bits of a coordinate under a round's key; the upper ones are well mixed.
  static std::uint64_t mix(std::uint64_t x, std::uint64_t key) {
    std::uint64_t h = (x + key) * 0x9E3779B97F4A7C15;
    h ^= h >> 32;
    return h * 0xD6E8FEB86659FD93;
  }

  /// One pass over the grid, for `n` points at once. x and y stay below rows_ and 2^y_bits_, both at most 2^24.
  template <std::size_t n>
  void permute(std::uint64_t (&points)[n]) const {
    const std::uint64_t y_mask = (std::uint64_t{1} << y_bits_) - 1;
    const int y_shift = 64 - y_bits_;
    std::uint64_t x[n], y[n];
    for (std::size_t i = 0; i < n; ++i) {
      x[i] = points[i] >> y_bits_;
      y[i] = points[i] & y_mask;
    }
    for (std::size_t r = 0; r < rounds; r += 2) {
      for (std::size_t i = 0; i < n; ++i) {
        x[i] += ((mix(y[i], keys_[r]) >> 32) * rows_) >> 32;
        x[i] -= x[i] >= rows_ ? rows_ : 0;
      }
      for (std::size_t i = 0; i < n; ++i) y[i] = (y[i] + (mix(x[i], keys_[r + 1]) >> y_shift)) & y_mask;
    }
    for (std::size_t i = 0; i < n; ++i) points[i] = (x[i] << y_bits_) | y[i];
  }

  /// Goes round the cycle until it meets a sample.
  std::uint64_t walk(std::uint64_t point) const {
    while (point >= m_) {
      std::uint64_t x[1] = {point};
      permute(x);
      point = x[0];
    }
    return point;
  }

  std::uint64_t m_;
  std::uint64_t rows_ = 1;
  int y_bits_ = 0;
  std::array<std::uint64_t, rounds> keys_{};
  std::array<std::uint16_t, table_limit> table_{};
};

}  // namespace bpnet
