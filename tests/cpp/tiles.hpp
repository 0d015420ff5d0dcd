/// Tiles for the tests of kernels: samples in either layout, destinations between walls, and what may be in them.
#pragma once

#include <bit>
#include <span>

#include "bpnet/engine/tile.hpp"
#include "numbers.hpp"

namespace tiles {

using namespace bpnet::engine;

inline constexpr Index max_batch = 70;

inline const std::vector<Index>& widths() {
  static const std::vector<Index> all = [] {
    std::vector<Index> w;
    for (Index n = 1; n <= 40; ++n) w.push_back(n);
    for (const Index n : {63, 64, 65, 66, 127, 128, 129, 130}) w.push_back(n);
    return w;
  }();
  return all;
}

/// A destination of n numbers between two walls that no kernel may touch.
template <class Scalar>
class Walled {
 public:
  explicit Walled(Index n) : n_(n), all_(to_size(n + 2 * wall), mark) {}
  Scalar* data() { return all_.data() + wall; }
  Scalar operator[](Index i) const { return all_[to_size(i + wall)]; }
  Scalar& operator[](Index i) { return all_[to_size(i + wall)]; }
  void reset() { std::fill(all_.begin(), all_.end(), mark); }
  bool untouched(Index begin, Index end) const {
    for (Index i = begin; i < end; ++i)
      if ((*this)[i] != mark) return false;
    return true;
  }
  bool intact() const { return untouched(-wall, 0) && untouched(n_, n_ + wall); }

 private:
  static constexpr Index wall = 48;
  static constexpr Scalar mark = Scalar(-12345.5);
  Index n_;
  std::vector<Scalar> all_;
};

/// Exactly n numbers of memory, aligned as their type needs and no more, plus `extra` NaN that may be read.
template <class Scalar>
std::vector<Scalar> exactly(std::span<const Scalar> numbers, Index extra = 0) {
  std::vector<Scalar> out;
  out.reserve(numbers.size() + to_size(extra));
  out.assign(numbers.begin(), numbers.end());
  out.insert(out.end(), to_size(extra), not_a_number<Scalar>);
  return out;
}

/// Samples of n values as plain rows, turned into the layouts of a tile.
template <class Scalar>
struct Rows {
  Index n;
  std::vector<Scalar> values;

  Rows(Index width, std::uint64_t stream) : n(width), values(normals<Scalar>(width * max_batch, stream)) {}
  Scalar operator()(Index i, Index s) const { return values[to_size(s * n + i)]; }

  std::vector<Scalar> in_sample_lanes(Index m, Index stride, Scalar in_padding = not_a_number<Scalar>) const {
    std::vector<Scalar> tile(to_size(n * stride), in_padding);
    for (Index i = 0; i < n; ++i)
      for (Index s = 0; s < m; ++s) tile[to_size(i * stride + s)] = (*this)(i, s);
    return tile;
  }
  std::vector<Scalar> in_unit_lanes(Index m, Index stride) const {
    std::vector<Scalar> tile(to_size(m * stride), not_a_number<Scalar>);
    for (Index i = 0; i < n; ++i)
      for (Index s = 0; s < m; ++s) tile[to_size(s * stride + i)] = (*this)(i, s);
    return tile;
  }
  std::vector<const Scalar*> pointers(Index m) const {
    std::vector<const Scalar*> rows;
    for (Index s = 0; s < m; ++s) rows.push_back(values.data() + s * n);
    return rows;
  }
};

/// Whether a tile holds the first m rows of `expected` (rows of n numbers), bit for bit.
template <class Scalar>
bool tile_equals(Layout layout, const Walled<Scalar>& tile, const std::vector<Scalar>& expected, Index n, Index m,
                 Index stride) {
  using Word = BitsOf<Scalar>;
  bool same = true;
  for (Index s = 0; s < m; ++s)
    for (Index i = 0; i < n; ++i) {
      const Scalar got = tile[layout == Layout::sample_lanes ? i * stride + s : s * stride + i];
      same &= std::bit_cast<Word>(got) == std::bit_cast<Word>(expected[to_size(s * n + i)]);
    }
  return same;
}

/// Whether nothing was written between the rows of a tile in unit lanes, beyond their padding.
template <class Scalar>
bool gaps_untouched(const Walled<Scalar>& tile, Index n, Index m, Index stride) {
  for (Index s = 0; s < m; ++s)
    if (!tile.untouched(s * stride + padded(n), (s + 1) * stride)) return false;
  return true;
}

}  // namespace tiles
