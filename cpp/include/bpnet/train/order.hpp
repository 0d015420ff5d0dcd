/// The order in which an epoch visits its samples: a permutation of 0..m-1 that is computed, not stored.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

#include "bpnet/kernel_table.hpp"
#include "bpnet/random.hpp"

namespace bpnet {

/// A permutation of 0..m-1 keyed by (seed, epoch), m <= 2^48. Fixed size, no allocation, the same on every processor.
///
/// Up to `table_limit` samples it is a Fisher-Yates shuffle. Above, a nearly square grid of at least m points is
/// permuted (engine/grid.hpp), and a point beyond m, fewer than one in each row, is sent round again.
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
    return m_ <= table_limit ? table_[position] : walk(sent(position));
  }

  /// out[k] = (*this)(first + k) for k < count.
  template <class Integer>
  void fill(std::uint64_t first, std::uint64_t count, Integer* out) const {
    if (m_ <= table_limit) {
      std::copy_n(table_.data() + first, count, out);
      return;
    }
    std::array<std::uint64_t, 64> points;
    for (std::uint64_t begin = 0; begin < count; begin += points.size()) {
      const std::uint64_t n = std::min<std::uint64_t>(points.size(), count - begin);
      kernels<float>().permute(grid_, first + begin, static_cast<Index>(n), points.data());
      for (std::uint64_t k = 0; k < n; ++k) out[begin + k] = static_cast<Integer>(walk(points[k]));
    }
  }

 private:
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
    grid_.y_bits = static_cast<int>(std::bit_width(m_ - 1)) / 2;
    grid_.rows = ((m_ - 1) >> grid_.y_bits) + 1;
    for (std::size_t r = 0; r < engine::Grid::rounds; ++r) grid_.keys[r] = stream.bits(r);
  }

  /// Where the grid's permutation sends a point.
  std::uint64_t sent(std::uint64_t point) const {
    kernels<float>().permute(grid_, point, 1, &point);
    return point;
  }

  /// Goes round the cycle until it meets a sample.
  std::uint64_t walk(std::uint64_t point) const {
    while (point >= m_) point = sent(point);
    return point;
  }

  std::uint64_t m_;
  engine::Grid grid_;
  std::array<std::uint16_t, table_limit> table_{};
};

}  // namespace bpnet
