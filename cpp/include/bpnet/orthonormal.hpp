/// Random orthonormal vectors, with an order of operations that is the same on every processor.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "bpnet/engine/lanes.hpp"
#include "bpnet/engine/threads.hpp"
#include "bpnet/random.hpp"
#include "bpnet/types.hpp"

namespace bpnet {

namespace detail {

/// `count` zeros. Their memory is touched block by block: the system takes its time to give much of it.
inline std::vector<double> zeros(Index count, const engine::Checkpoint& checkpoint) {
  std::vector<double> all;
  all.reserve(static_cast<std::size_t>(count));
  engine::with_checkpoints(count, 1, checkpoint, [&](Index, Index end) { all.resize(static_cast<std::size_t>(end)); });
  return all;
}

/// to[k] = the normal number first + k of the stream, for k < count.
inline void draw_normals(const RandomStream& stream, Index first, Index count, double* to,
                         const engine::Checkpoint& checkpoint) {
  engine::with_checkpoints(count, draw_work, checkpoint, [&](Index begin, Index end) {
    stream.normals(static_cast<std::uint64_t>(first + begin), static_cast<std::uint64_t>(end - begin), to + begin);
  });
}

}  // namespace detail

/// `count` orthonormal vectors of `length` >= count numbers, uniform among all such.
///
/// They are the columns of a product of reflections H_0 H_1 ... along random directions, H_k leaving the first k
/// coordinates alone: the Q of a normal matrix without the matrix, at 4/3 n^3 operations for n vectors (G. Stewart,
/// "The efficient generation of random orthogonal matrices", 1980). All of it comes by a checkpoint again and again.
class OrthonormalVectors {
 public:
  OrthonormalVectors(const RandomStream& stream, Index count, Index length, const engine::Checkpoint& checkpoint)
      : count_(count),
        length_(length),
        stride_((length + width - 1) / width * width),
        checkpoint_(checkpoint),
        reflectors_(detail::zeros(count * stride_, checkpoint)),
        signs_(detail::zeros(count, checkpoint)) {
    for (Index k = 0; k < count; ++k) {
      detail::draw_normals(stream, k * length, length - k, reflector(k) + k, checkpoint);
      signs_[static_cast<std::size_t>(k)] = direct(reflector(k), k);
    }
  }

  /// Calls put(v, vector) for v = 0..count-1 with a pointer to the vector's numbers.
  template <class Put>
  void for_each(Put put) {
    constexpr Index panel = 4 * group;  // stays in cache while all reflections pass by
    std::vector<double> vectors = detail::zeros(panel * stride_, checkpoint_);
    for (Index first = 0; first < count_; first += panel) {
      const Index n = std::min(panel, count_ - first);
      engine::with_checkpoints(panel * stride_, 1, checkpoint_, [&](Index begin, Index end) {
        std::fill(vectors.data() + begin, vectors.data() + end, 0.0);
      });
      for (Index v = 0; v < n; ++v)
        vectors[static_cast<std::size_t>(v * stride_ + first + v)] = signs_[static_cast<std::size_t>(first + v)];
      for (Index k = first + n - 1; k >= 0; --k)  // H_k of a later k does not change these vectors
        for (Index v = 0; v < n; v += group) reflect(k, &vectors[static_cast<std::size_t>(v * stride_)]);
      for (Index v = 0; v < n; ++v) put(first + v, &vectors[static_cast<std::size_t>(v * stride_)]);
    }
  }

 private:
  static constexpr Index width = 4;  // partial sums of a scalar product
  static constexpr Index group = 4;  // vectors side by side

  /// `width` numbers side by side; each operation is one on each. Halves are what every processor has registers for.
  struct Part {
    using Half = engine::VectorOf<double, width / 2 * sizeof(double)>::type;
    Half low, high;

    explicit Part(const double* from) {
      std::memcpy(&low, from, sizeof low);
      std::memcpy(&high, from + width / 2, sizeof high);
    }
    Part() : low{}, high{} {}
    double sum() const { return (low[0] + low[1]) + (high[0] + high[1]); }
    /// += a b
    void add(const Part& a, const Part& b) {
      low += a.low * b.low;
      high += a.high * b.high;
    }
    /// to -= a times this
    void subtract(double a, double* to) const {
      Part rest(to);
      rest.low -= a * low;
      rest.high -= a * high;
      std::memcpy(to, &rest.low, sizeof low);
      std::memcpy(to + width / 2, &rest.high, sizeof high);
    }
  };

  double* reflector(Index k) { return &reflectors_[static_cast<std::size_t>(k * stride_)]; }

  /// Turns a direction x, zero before k, into the u of H = I - u u^T that takes e_k to +-x / |x|. Returns the sign.
  double direct(double* x, Index k) const {
    Part squares{};
    parts_from(k, 1, [&](Index begin, Index end) {
      for (Index e = begin; e < end; e += width) squares.add(Part(x + e), Part(x + e));
    });
    double norm = std::sqrt(squares.sum());
    if (!(norm > 0)) x[k] = norm = 1;                                    // all draws exactly 0
    const double scale = 1 / std::sqrt(norm * (norm + std::abs(x[k])));  // |u|^2 = 2
    const double sign = x[k] < 0 ? 1 : -1;
    x[k] -= sign * norm;  // the sign that does not cancel
    engine::with_checkpoints(length_ - k, 1, checkpoint_, [&](Index begin, Index end) {
      for (Index e = k + begin; e < k + end; ++e) x[e] *= scale;
    });
    return sign;
  }

  /// body(begin, end) for one block of Parts after the other, from that of element k on.
  template <class Body>
  void parts_from(Index k, double work, const Body& body) const {
    const Index first = k / width * width;
    engine::with_checkpoints(stride_ - first, work, checkpoint_,
                             [&](Index begin, Index end) { body(first + begin, first + end); });
  }

  /// x -= (u . x) u for four vectors x, u that of H_k.
  void reflect(Index k, double* x) {
    const double* u = reflector(k);
    std::array<Part, group> products;
    parts_from(k, 4, [&](Index begin, Index end) { add_products(u, x, begin, end, products); });
    std::array<double, group> sums;
    std::ranges::transform(products, sums.begin(), &Part::sum);
    parts_from(k, 4, [&](Index begin, Index end) { subtract(u, sums, x, begin, end); });
  }

  /// products[v] += u . x_v, of elements begin..end-1.
  void add_products(const double* u, const double* x, Index begin, Index end, std::array<Part, group>& products) const {
    const double *x0 = x, *x1 = x + stride_, *x2 = x + 2 * stride_, *x3 = x + 3 * stride_;
    Part p0 = products[0], p1 = products[1], p2 = products[2], p3 = products[3];
    for (Index e = begin; e < end; e += width) {
      const Part part(u + e);
      p0.add(part, Part(x0 + e));
      p1.add(part, Part(x1 + e));
      p2.add(part, Part(x2 + e));
      p3.add(part, Part(x3 + e));
    }
    products = {p0, p1, p2, p3};
  }

  /// x_v -= sums[v] u, of elements begin..end-1.
  void subtract(const double* u, const std::array<double, group>& sums, double* x, Index begin, Index end) const {
    double *x0 = x, *x1 = x + stride_, *x2 = x + 2 * stride_, *x3 = x + 3 * stride_;
    const double s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3];
    for (Index e = begin; e < end; e += width) {
      const Part part(u + e);
      part.subtract(s0, x0 + e);
      part.subtract(s1, x1 + e);
      part.subtract(s2, x2 + e);
      part.subtract(s3, x3 + e);
    }
  }

  Index count_;
  Index length_;
  Index stride_;
  engine::Checkpoint checkpoint_;
  std::vector<double> reflectors_;
  std::vector<double> signs_;
};

}  // namespace bpnet
