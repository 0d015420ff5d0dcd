/// Checks of the weight gradient: outer products in each order and layout, sums for biases.
#pragma once

#include "bpnet/engine/folded.hpp"
#include "bpnet/engine/gradient.hpp"
#include "products.hpp"

namespace fuzz {

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
