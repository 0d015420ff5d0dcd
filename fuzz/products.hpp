/// Products of weights and tiles against plain triple loops.
#pragma once

#include "bpnet/engine/folded.hpp"
#include "bpnet/engine/gradient.hpp"
#include "bpnet/engine/product.hpp"
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
  const bool biased = in.flag(), across = in.flag();
  const Index apart = (across ? depth : rows) + in.below(3);
  const Walk<Scalar> shape{nullptr, across ? apart : 1, across ? 1 : apart};
  const Index first = 1 + in.below(depth), second = first + in.below(depth - first + 1);
  begin_case<Scalar>("combine_rows", {{"rows", rows},
                                      {"depth", depth},
                                      {"stride", n.stride},
                                      {"row_stride", shape.row_stride},
                                      {"depth_stride", shape.depth_stride},
                                      {"with_bias", biased},
                                      {"first", first},
                                      {"second", second}});
  const auto W = in.numbers<Scalar>((rows - 1) * shape.row_stride + (depth - 1) * shape.depth_stride + 1);
  const auto b = in.numbers<Scalar>(rows), x = in.numbers<Scalar>(depth * n.stride);
  const auto out = blank<Scalar>(rows * n.stride);
  const auto part = [&](Index begin, Index end) {
    if (begin == end) return;
    combine_rows<Scalar>({W.data() + begin * shape.depth_stride, shape.row_stride, shape.depth_stride},
                         biased ? b.data() : nullptr, begin > 0, rows, end - begin, x.data() + begin * n.stride,
                         out.data(), n.stride);
  };
  part(0, first);
  part(first, second);
  part(second, depth);
  for (Index r = 0; r < rows; ++r)
    for (Index s = 0; s < n.stride; ++s)
      expect(out[to_size(r * n.stride + s)],
             chain(biased ? b[to_size(r)] : Scalar(0), depth, &W[to_size(r * shape.row_stride)], shape.depth_stride,
                   &x[to_size(s)], n.stride),
             r, s);
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

/// delta as the weight gradient reads it, as rows or as panels, and number j of sample s of it.
template <class Scalar>
struct Delta {
  DeltaRows<Scalar> rows;
  Delta(Input& in, Index n_out, Index m, bool panels, Index stride) {
    const Index width = Block<Scalar>::panel;
    if (panels)
      rows = DeltaRows<Scalar>::panels(in.numbers<Scalar>((n_out + width - 1) / width * width * m).data(), m);
    else
      rows = DeltaRows<Scalar>::rows(in.numbers<Scalar>(room(n_out, m, stride)).data(), stride);
  }
  const Scalar* unit(Index j) const {
    const Index in_block = j % Block<Scalar>::panel;
    return rows.data + (j - in_block) * rows.block_stride + in_block;
  }
};

/// A step by the gradient, which is nowhere: the same as the gradient, and then the step.
template <class Scalar>
void check_step(Input& in, const Delta<Scalar>& delta, const Scalar* const* rows, const Sizes& n) {
  const Scalar scale = in.numbers<Scalar>(1)[0];
  const auto W = destination<Scalar>(in, false, n.n_out, n.n_in, n.n_out);
  const auto before = copy<Scalar>(W);
  step_rows(delta.rows, rows, n.n_out, n.n_in, n.m, scale, W.data());
  for (Index i = 0; i < n.n_in; ++i)
    for (Index j = 0; j < n.n_out; ++j) {
      const auto at = to_size(i * n.n_out + j);
      const Scalar g = chain(Scalar(0), n.m, delta.unit(j), delta.rows.sample_stride, rows[0] + i, n.n_in);
      expect(W[at], has_fma ? std::fma(scale, g, before[at]) : scale * g + before[at], j, i);
    }
}

template <class Scalar>
void check_outer(Input& in) {
  const Sizes n(in);
  const bool by_rows = in.flag(), panels = in.flag(), fresh = in.flag(), fetches = in.flag();
  const Index delta_stride = padded(n.n_out) + padding * in.below(2), apart = n.n_out + in.below(4);
  const Index a_stride = in.flag() ? tile_samples : n.stride;
  const bool sums = in.flag();
  begin_case<Scalar>(by_rows ? "outer_rows" : "outer_samples", {{"n_out", n.n_out},
                                                                {"n_in", n.n_in},
                                                                {"m", n.m},
                                                                {"panels", panels},
                                                                {"fresh", fresh},
                                                                {"fetches", fetches},
                                                                {"delta_stride", delta_stride},
                                                                {"a_stride", a_stride},
                                                                {"dW_stride", apart},
                                                                {"sums", sums}});
  const Delta<Scalar> delta(in, n.n_out, n.m, panels, delta_stride);
  const auto dW = destination<Scalar>(in, fresh, n.n_out, n.n_in, apart);
  const auto db = destination<Scalar>(in, fresh, n.n_out, 1, n.n_out);
  const auto before = copy<Scalar>(dW), before_b = copy<Scalar>(db);
  Scalar* const biases = sums ? db.data() : nullptr;
  const auto check = [&](auto input, Index input_stride) {
    for (Index i = 0; i < n.n_in; ++i)
      for (Index j = 0; j < n.n_out; ++j) {
        const std::size_t at = to_size(i * apart + j);
        expect(
            dW[at],
            chain(fresh ? Scalar(0) : before[at], n.m, delta.unit(j), delta.rows.sample_stride, input(i), input_stride),
            j, i);
      }
    expect_gaps<Scalar>(dW, n.n_out, n.n_in, apart);
    for (Index j = 0; sums && j < n.n_out; ++j) {
      Scalar sum = fresh ? Scalar(0) : before_b[to_size(j)];
      for (Index s = 0; s < n.m; ++s) sum += delta.unit(j)[s * delta.rows.sample_stride];
      expect(db[to_size(j)], sum, j, 0);
    }
  };
  if (by_rows) {
    const auto a = in.numbers<Scalar>(n.m * n.n_in);
    const Scalar* rows[tile_samples];
    for (Index s = 0; s < n.m; ++s) rows[s] = &a[to_size(s * n.n_in)];
    outer_rows(delta.rows, rows, n.n_out, n.n_in, n.m, fresh, dW.data(), apart, biases);
    check([&](Index i) { return &a[to_size(i)]; }, n.n_in);
    check_step(in, delta, rows, n);
  } else {
    const auto a = in.numbers<Scalar>(n.n_in * a_stride);
    Ahead<Scalar> ahead{{{{a.data(), 1, n.n_in, a_stride, 0}}}};
    outer_samples(delta.rows, a.data(), a_stride, n.n_out, n.n_in, n.m, fresh, dW.data(), apart,
                  fetches ? &ahead : nullptr, biases);
    check([&](Index i) { return &a[to_size(i * a_stride)]; }, 1);
  }
}

/// The same with delta and a in sample lanes.
template <class Scalar>
void check_outer_turned(Input& in) {
  const Sizes n(in);
  const bool fresh = in.flag();
  const Index apart = n.n_out + in.below(4), stride = in.flag() ? tile_samples : n.stride;
  begin_case<Scalar>(
      "outer_turned",
      {{"n_out", n.n_out}, {"n_in", n.n_in}, {"m", n.m}, {"stride", stride}, {"fresh", fresh}, {"dW_stride", apart}});
  const auto delta = in.numbers<Scalar>(n.n_out * stride), a = in.numbers<Scalar>(n.n_in * stride);
  const auto dW = destination<Scalar>(in, fresh, n.n_out, n.n_in, apart);
  const auto before = copy<Scalar>(dW);
  outer_turned(delta.data(), a.data(), stride, n.n_out, n.n_in, n.m, fresh, dW.data(), apart);
  for (Index i = 0; i < n.n_in; ++i)
    for (Index j = 0; j < n.n_out; ++j) {
      const std::size_t at = to_size(i * apart + j);
      expect(dW[at],
             chain(fresh ? Scalar(0) : before[at], n.m, &delta[to_size(j * stride)], 1, &a[to_size(i * stride)], 1), j,
             i);
    }
  expect_gaps<Scalar>(dW, n.n_out, n.n_in, apart);
}

/// Sixteen partial sums, folded in halves, of term(sample, partial sum so far) and of zeros to a multiple of sixteen.
template <class Scalar, class Term>
Scalar folded_sum(Index m, const Term& term) {
  Scalar parts[partial_sums] = {};
  for (Index s = 0; s < padded(m); ++s) {
    Scalar& part = parts[s % partial_sums];
    part = s < m ? term(s, part) : part + Scalar(0);
  }
  for (int apart = partial_sums / 2; apart > 0; apart /= 2)
    for (int k = 0; k < apart; ++k) parts[k] += parts[k + apart];
  return parts[0];
}

/// Few outputs, or many, in another order of samples; delta and a in either layout.
template <class Scalar>
void check_outer_folded(Input& in) {
  const Sizes n(in);
  const bool fresh = in.flag(), lanes = in.flag();
  const Index apart = n.n_out + in.below(4), stride = in.flag() ? tile_samples : n.stride;
  const Index unit = lanes ? stride : 1, delta_sample = lanes ? 1 : padded(n.n_out) + padding * in.below(2);
  begin_case<Scalar>(lanes ? "outer_folded" : "outer_folded_rows", {{"n_out", n.n_out},
                                                                    {"n_in", n.n_in},
                                                                    {"m", n.m},
                                                                    {"stride", stride},
                                                                    {"delta_stride", delta_sample},
                                                                    {"fresh", fresh},
                                                                    {"dW_stride", apart}});
  const auto delta = in.numbers<Scalar>(lanes ? n.n_out * stride : n.m * delta_sample);
  const auto a = in.numbers<Scalar>(lanes ? n.n_in * stride : n.m * n.n_in);
  const auto dW = destination<Scalar>(in, fresh, n.n_out, n.n_in, apart);
  const auto db = destination<Scalar>(in, fresh, n.n_out, 1, n.n_out);
  const auto before = copy<Scalar>(dW), before_b = copy<Scalar>(db);
  if (lanes) {
    outer_folded(delta.data(), a.data(), stride, n.n_out, n.n_in, n.m, fresh, dW.data(), apart, db.data());
  } else {
    const Scalar* rows[tile_samples];
    for (Index s = 0; s < n.m; ++s) rows[s] = &a[to_size(s * n.n_in)];
    outer_folded_rows(delta.data(), delta_sample, rows, n.n_out, n.n_in, n.m, fresh, dW.data(), apart, db.data());
  }
  const Index a_sample = lanes ? 1 : n.n_in;
  for (Index j = 0; j < n.n_out; ++j) {
    const auto d = [&](Index s) { return delta[to_size(j * unit + s * delta_sample)]; };
    const Scalar sum = folded_sum<Scalar>(n.m, [&](Index s, Scalar part) { return part + d(s); });
    expect(db[to_size(j)], fresh ? sum : before_b[to_size(j)] + sum, j, 0);
    for (Index i = 0; i < n.n_in; ++i) {
      const std::size_t at = to_size(i * apart + j);
      const Scalar of_weight = folded_sum<Scalar>(
          n.m, [&](Index s, Scalar part) { return plain::fused(a[to_size(i * unit + s * a_sample)], d(s), part); });
      expect(dW[at], fresh ? of_weight : before[at] + of_weight, j, i);
    }
  }
  expect_gaps<Scalar>(dW, n.n_out, n.n_in, apart);
}

template <class Scalar>
void check_sums(Input& in) {
  const Index n_out = in.size(200), m = in.size(tile_samples), stride = padded(m);
  const Index delta_stride = padded(n_out) + padding * in.below(2);
  const bool lanes = in.flag(), panels = in.flag(), fresh = in.flag();
  begin_case<Scalar>(lanes ? "sum_samples" : "sum_rows", {{"n_out", n_out},
                                                          {"m", m},
                                                          {"panels", panels},
                                                          {"fresh", fresh},
                                                          {"delta_stride", lanes ? stride : delta_stride}});
  const auto db = destination<Scalar>(in, fresh, n_out, 1, n_out);
  const auto before = copy<Scalar>(db);
  const auto check = [&](auto unit, Index sample_stride) {
    for (Index j = 0; j < n_out; ++j) {
      Scalar sum = fresh ? Scalar(0) : before[to_size(j)];
      for (Index s = 0; s < m; ++s) sum += unit(j)[s * sample_stride];
      expect(db[to_size(j)], sum, j, 0);
    }
  };
  if (lanes) {
    const auto delta = in.numbers<Scalar>(n_out * stride);
    sum_samples(delta.data(), stride, n_out, m, fresh, db.data());
    check([&](Index j) { return &delta[to_size(j * stride)]; }, 1);
  } else {
    const Delta<Scalar> delta(in, n_out, m, panels, delta_stride);
    sum_rows(delta.rows, n_out, m, fresh, db.data());
    check([&](Index j) { return delta.unit(j); }, delta.rows.sample_stride);
  }
}

}  // namespace fuzz
