/// Random orthonormal vectors, with an order of operations that is the same on every processor.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "bpnet/engine/lanes.hpp"
#include "bpnet/random.hpp"
#include "bpnet/types.hpp"

namespace bpnet {

/// `count` orthonormal vectors of `length` >= count numbers, uniform among all such.
///
/// They are the columns of a product of reflections H_0 H_1 ... along random directions, H_k leaving the first k
/// coordinates alone: the Q of a normal matrix without the matrix, at 4/3 n^3 operations for n vectors (G. Stewart,
/// "The efficient generation of random orthogonal matrices", 1980).
class OrthonormalVectors {
 public:
  OrthonormalVectors(const RandomStream& stream, Index count, Index length)
      : count_(count), length_(length), stride_((length + width - 1) / width * width) {
    reflectors_.assign(static_cast<std::size_t>(count * stride_), 0.0);
    signs_.resize(static_cast<std::size_t>(count));
    for (Index k = 0; k < count; ++k) {
      stream.normals(static_cast<std::uint64_t>(k * length), static_cast<std::uint64_t>(length - k), reflector(k) + k);
      signs_[static_cast<std::size_t>(k)] = direct(reflector(k), k);
    }
  }

  /// Calls put(v, vector) for v = 0..count-1 with a pointer to the vector's numbers.
  template <class Put>
  void for_each(Put put) {
    constexpr Index panel = 4 * group;  // stays in cache while all reflections pass by
    std::vector<double> vectors(static_cast<std::size_t>(panel * stride_));
    for (Index first = 0; first < count_; first += panel) {
      const Index n = std::min(panel, count_ - first);
      std::ranges::fill(vectors, 0.0);
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

  /// `width` numbers side by side; each operation is one on each.
  struct Part {
    engine::VectorOf<double, width * sizeof(double)>::type v;

    explicit Part(const double* from) { std::memcpy(&v, from, sizeof v); }
    Part() : v{} {}
    void store(double* to) const { std::memcpy(to, &v, sizeof v); }
    double sum() const { return (v[0] + v[1]) + (v[2] + v[3]); }
    /// += a b
    void add(const Part& a, const Part& b) { v += a.v * b.v; }
  };

  double* reflector(Index k) { return &reflectors_[static_cast<std::size_t>(k * stride_)]; }

  /// Turns a direction x, zero before k, into the u of H = I - u u^T that takes e_k to +-x / |x|. Returns the sign.
  double direct(double* x, Index k) const {
    Part squares{};
    for (Index e = k / width * width; e < stride_; e += width) squares.add(Part(x + e), Part(x + e));
    double norm = std::sqrt(squares.sum());
    if (!(norm > 0)) x[k] = norm = 1;                                    // all draws exactly 0
    const double scale = 1 / std::sqrt(norm * (norm + std::abs(x[k])));  // |u|^2 = 2
    const double sign = x[k] < 0 ? 1 : -1;
    x[k] -= sign * norm;  // the sign that does not cancel
    for (Index e = k; e < length_; ++e) x[e] *= scale;
    return sign;
  }

  /// x -= (u . x) u for four vectors x, u that of H_k.
  void reflect(Index k, double* x) {
    const double* u = reflector(k);
    double *x0 = x, *x1 = x + stride_, *x2 = x + 2 * stride_, *x3 = x + 3 * stride_;
    Part p0, p1, p2, p3;
    for (Index e = k / width * width; e < stride_; e += width) {
      const Part part(u + e);
      p0.add(part, Part(x0 + e));
      p1.add(part, Part(x1 + e));
      p2.add(part, Part(x2 + e));
      p3.add(part, Part(x3 + e));
    }
    const double s0 = p0.sum(), s1 = p1.sum(), s2 = p2.sum(), s3 = p3.sum();
    for (Index e = k / width * width; e < stride_; e += width) {
      const Part part(u + e);
      subtract(s0, part, x0 + e);
      subtract(s1, part, x1 + e);
      subtract(s2, part, x2 + e);
      subtract(s3, part, x3 + e);
    }
  }

  /// from -= a part
  static void subtract(double a, const Part& part, double* from) {
    Part rest(from);
    rest.v -= a * part.v;
    rest.store(from);
  }

  Index count_;
  Index length_;
  Index stride_;
  std::vector<double> reflectors_;
  std::vector<double> signs_;
};

}  // namespace bpnet
