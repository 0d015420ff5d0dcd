/// Products of weights and tiles against plain triple loops.
#pragma once

#include "bpnet/engine/product.hpp"
#include "bpnet/engine/unit_product.hpp"
#include "input.hpp"
#include "plain.hpp"

namespace fuzz {

using namespace bpnet::engine;

/// Whether the reference may cost so many multiply-adds.
inline constexpr Index most_work = 1 << 14;

struct Sizes {
  Index n_out, n_in, m, stride;

  explicit Sizes(Input& in) : n_out(in.size(70)), n_in(in.size(70)), m(in.size(tile_samples)) {
    while (n_out * n_in * padded(m) > most_work) {
      Index& largest = n_out * n_in > 16 * m ? (n_out > n_in ? n_out : n_in) : m;
      largest = (largest + 1) / 2;
    }
    stride = padded(m);
  }
};

/// start + sum of w[k] x[k], ascending: one chain.
template <class Scalar>
__attribute__((no_sanitize("coverage"))) Scalar chain(Scalar start, Index n, const Scalar* w, Index w_stride,
                                                      const Scalar* x, Index x_stride) {
  for (Index k = 0; k < n; ++k) start = plain::fused(w[k * w_stride], x[k * x_stride], start);
  return start;
}

template <class Scalar>
void check_affine_samples(Input& in) {
  const Sizes n(in);
  begin_case<Scalar>("affine_samples", {{"n_out", n.n_out}, {"n_in", n.n_in}, {"stride", n.stride}});
  const auto W = in.numbers<Scalar>(n.n_out * n.n_in), b = in.numbers<Scalar>(n.n_out);
  const auto a = in.numbers<Scalar>(n.n_in * n.stride), z = blank<Scalar>(n.n_out * n.stride);
  affine_samples(W.data(), b.data(), n.n_out, n.n_in, a.data(), z.data(), n.stride);
  for (Index j = 0; j < n.n_out; ++j)
    for (Index s = 0; s < n.stride; ++s)
      expect(z[to_size(j * n.stride + s)],
             chain(b[to_size(j)], n.n_in, &W[to_size(j)], n.n_out, &a[to_size(s)], n.stride), j, s);
}

template <class Scalar>
void check_pull_samples(Input& in) {
  const Sizes n(in);
  const bool sloped = in.flag();
  begin_case<Scalar>("pull_samples",
                     {{"n_out", n.n_out}, {"n_in", n.n_in}, {"stride", n.stride}, {"with_slope", sloped}});
  const auto W = in.numbers<Scalar>(n.n_out * n.n_in), delta = in.numbers<Scalar>(n.n_out * n.stride);
  const auto slope = sloped ? in.numbers<Scalar>(n.n_in * n.stride) : std::span<Scalar>();
  const auto out = blank<Scalar>(n.n_in * n.stride);
  pull_samples<Scalar>(W.data(), n.n_out, n.n_in, delta.data(), sloped ? slope.data() : nullptr, out.data(), n.stride);
  for (Index i = 0; i < n.n_in; ++i)
    for (Index s = 0; s < n.stride; ++s) {
      const std::size_t at = to_size(i * n.stride + s);
      const Scalar sum = chain(Scalar(0), n.n_out, &W[to_size(i * n.n_out)], 1, &delta[to_size(s)], n.stride);
      expect(out[at], sloped ? sum * slope[at] : sum, i, s);
    }
}

/// Any walk through the weights; the depth in up to three parts.
template <class Scalar>
void check_combine_rows(Input& in) {
  const Sizes n(in);
  const Index rows = n.n_out, depth = n.n_in;
  const bool biased = in.flag(), sloped = !biased && in.flag(), across = in.flag();
  const Index apart = (across ? depth : rows) + in.below(3);
  const Walk<Scalar> shape{nullptr, across ? apart : 1, across ? 1 : apart};
  const Index first = 1 + in.below(depth), second = first + in.below(depth - first + 1);
  begin_case<Scalar>("combine_rows", {{"rows", rows},
                                      {"depth", depth},
                                      {"stride", n.stride},
                                      {"row_stride", shape.row_stride},
                                      {"depth_stride", shape.depth_stride},
                                      {"with_bias", biased},
                                      {"with_slope", sloped},
                                      {"first", first},
                                      {"second", second}});
  const auto W = in.numbers<Scalar>((rows - 1) * shape.row_stride + (depth - 1) * shape.depth_stride + 1);
  const auto b = in.numbers<Scalar>(rows), x = in.numbers<Scalar>(depth * n.stride);
  const auto slope = in.numbers<Scalar>(sloped ? rows * n.stride : 1);
  const auto out = blank<Scalar>(rows * n.stride);
  const auto part = [&](Index begin, Index end) {
    if (begin == end) return;
    combine_rows<Scalar>({W.data() + begin * shape.depth_stride, shape.row_stride, shape.depth_stride},
                         biased ? b.data() : nullptr, sloped && end == depth ? slope.data() : nullptr, begin > 0, rows,
                         end - begin, x.data() + begin * n.stride, out.data(), n.stride);
  };
  part(0, first);
  part(first, second);
  part(second, depth);
  for (Index r = 0; r < rows; ++r)
    for (Index s = 0; s < n.stride; ++s) {
      const std::size_t at = to_size(r * n.stride + s);
      const Scalar sum = chain(biased ? b[to_size(r)] : Scalar(0), depth, &W[to_size(r * shape.row_stride)],
                               shape.depth_stride, &x[to_size(s)], n.stride);
      expect(out[at], sloped ? sum * slope[at] : sum, r, s);
    }
}

template <class Scalar>
void check_pack_rows(Input& in) {
  const Index n_out = in.size(70), n_in = in.size(70), begin = in.below(n_out);
  const Index rows = std::min(packed_rows, n_out - begin);
  begin_case<Scalar>("pack_rows", {{"n_out", n_out}, {"n_in", n_in}, {"begin", begin}, {"rows", rows}});
  const auto W = in.numbers<Scalar>(n_out * n_in), packed = blank<Scalar>(packed_rows * n_in);
  pack_rows(W.data() + begin, n_out, n_in, rows, packed.data());
  for (Index k = 0; k < n_in; ++k) {
    for (Index r = 0; r < rows; ++r)
      require(identical(packed[to_size(k * packed_rows + r)], W[to_size(k * n_out + begin + r)]), "a weight");
    expect_untouched<Scalar>(packed, k * packed_rows + rows, (k + 1) * packed_rows);
  }
}

/// m rows of n numbers, each somewhere else.
template <class Scalar>
struct RowPointers {
  const Scalar* rows[tile_samples];
  RowPointers(Input& in, Index n, Index m) {
    const bool side_by_side = m > 4;
    const auto all = in.numbers<Scalar>(side_by_side ? m * n : 0);
    for (Index s = 0; s < m; ++s) rows[s] = side_by_side ? all.data() + (m - 1 - s) * n : in.numbers<Scalar>(n).data();
  }
  const Scalar* operator[](Index s) const { return rows[s]; }
};

/// The room that m rows of n numbers take, `stride` apart, the last one padded as the others are.
constexpr Index room(Index n, Index m, Index stride) { return (m - 1) * stride + padded(n); }

/// Every row of a destination beyond its padding is as it was.
template <class Scalar>
void expect_gaps(std::span<const Scalar> out, Index n, Index m, Index stride) {
  for (Index s = 0; s < m; ++s) expect_untouched(out, s * stride + n, (s + 1) * stride);
}

template <class Scalar>
void check_affine_units(Input& in) {
  const Sizes n(in);
  const Index stride = padded(n.n_out) + padding * in.below(3);
  begin_case<Scalar>("affine_units", {{"n_out", n.n_out}, {"n_in", n.n_in}, {"m", n.m}, {"stride", stride}});
  const auto W = in.numbers<Scalar>(n.n_out * n.n_in, slack), b = in.numbers<Scalar>(n.n_out, slack);
  const RowPointers<Scalar> a(in, n.n_in, n.m);
  const auto z = blank<Scalar>(room(n.n_out, n.m, stride));
  affine_units(W.data(), b.data(), n.n_out, n.n_in, a.rows, z.data(), stride, n.m);
  for (Index s = 0; s < n.m; ++s)
    for (Index j = 0; j < n.n_out; ++j)
      expect(z[to_size(s * stride + j)], chain(b[to_size(j)], n.n_in, &W[to_size(j)], n.n_out, a[s], 1), j, s);
  expect_gaps<Scalar>(z, padded(n.n_out), n.m, stride);
}

template <class Scalar>
void check_affine_one(Input& in) {
  const Index n_out = in.size(200), n_in = in.size(70);
  begin_case<Scalar>("affine_one", {{"n_out", n_out}, {"n_in", n_in}});
  const auto W = in.numbers<Scalar>(n_out * n_in, slack), b = in.numbers<Scalar>(n_out, slack);
  const auto a = in.numbers<Scalar>(n_in), z = blank<Scalar>(padded(n_out));
  affine_one(W.data(), b.data(), n_out, n_in, a.data(), z.data());
  for (Index j = 0; j < n_out; ++j)
    expect(z[to_size(j)], chain(b[to_size(j)], n_in, &W[to_size(j)], n_out, a.data(), 1), j, 0);
}

template <class Scalar>
void check_pull_units(Input& in) {
  const Sizes n(in);
  const Index delta_stride = padded(n.n_out) + padding * in.below(3), stride = padded(n.n_in) + padding * in.below(3);
  begin_case<Scalar>(
      "pull_units",
      {{"n_out", n.n_out}, {"n_in", n.n_in}, {"m", n.m}, {"delta_stride", delta_stride}, {"out_stride", stride}});
  const auto W = in.numbers<Scalar>(n.n_out * n.n_in, slack);
  const auto delta = in.numbers<Scalar>(room(n.n_out, n.m, delta_stride));
  const auto out = blank<Scalar>(room(n.n_in, n.m, stride));
  const auto panel = blank<Scalar>(panels_room(n.n_out, tile_samples));
  pull_units(W.data(), n.n_out, n.n_in, delta.data(), delta_stride, out.data(), stride, n.m, panel.data());
  for (Index s = 0; s < n.m; ++s)
    for (Index i = 0; i < n.n_in; ++i)
      expect(out[to_size(s * stride + i)],
             chain(Scalar(0), n.n_out, &W[to_size(i * n.n_out)], 1, &delta[to_size(s * delta_stride)], 1), i, s);
  expect_gaps<Scalar>(out, padded(n.n_in), n.m, stride);
}

}  // namespace fuzz
