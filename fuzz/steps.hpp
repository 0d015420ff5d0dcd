/// What a training step takes beside its passes: updates, sums of gradients, the order of samples; against plain loops.
#pragma once

#include "bpnet/kernel_table.hpp"
#include "input.hpp"
#include "plain.hpp"

namespace fuzz {

using namespace bpnet::engine;

template <class Rule, class Scalar>
void check_update_of(Input& in) {
  const Index n = in.size(70), columns = in.size(4), stride = n + in.below(4), g_stride = n + in.below(4);
  const bool keep = in.flag();
  begin_case<Scalar>("update", {{"states", Rule::states},
                                {"is_nesterov", std::is_same_v<Rule, NesterovStep>},
                                {"n", n},
                                {"columns", columns},
                                {"stride", stride},
                                {"g_stride", g_stride},
                                {"keep", keep}});
  Update<Scalar> u;
  Scalar* const numbers[] = {&u.eta, &u.mu,    &u.decay1,     &u.decay2, &u.eps,
                             &u.l1,  &u.mean1, &u.root_mean2, &u.shrink, &u.l2};
  const auto chosen = in.numbers<Scalar>(std::ssize(numbers));
  for (std::size_t k = 0; k < std::size(numbers); ++k) *numbers[k] = chosen[k];
  if (in.flag()) u.l1 = 0;
  if (in.flag()) u.l2 = 0;
  const auto theta = destination<Scalar>(in, false, n, columns, stride),
             first = destination<Scalar>(in, false, n, columns, stride),
             second = destination<Scalar>(in, false, n, columns, stride);
  const auto g = in.numbers<Scalar>((columns - 1) * g_stride + n);
  const auto theta0 = copy<Scalar>(theta), first0 = copy<Scalar>(first), second0 = copy<Scalar>(second);
  const auto kept = blank<Scalar>(columns * stride), next_first = copy<Scalar>(first),
             next_second = copy<Scalar>(second);
  UpdateArrays<Scalar> arrays{theta.data(),
                              g.data(),
                              Rule::states > 0 ? first.data() : nullptr,
                              Rule::states > 1 ? second.data() : nullptr,
                              n,
                              columns,
                              stride,
                              g_stride};
  if (keep) {
    arrays.kept = kept.data();
    if (Rule::states > 0) arrays.next_first = next_first.data();
    if (Rule::states > 1) arrays.next_second = next_second.data();
  }
  update<Rule>(u, arrays);
  for (Index c = 0; c < columns; ++c) {
    for (Index i = 0; i < n; ++i) {
      const std::size_t at = to_size(c * stride + i);
      Scalar x = theta0[at], v = first0[at], w = second0[at];
      plain::update_one<Rule>(u, x, g[to_size(c * g_stride + i)], v, w);
      expect(theta[at], x, i, c);
      expect((keep ? next_first : first)[at], v, i, c);
      expect((keep ? next_second : second)[at], w, i, c);
      if (!keep) continue;
      expect(kept[at], theta0[at], i, c);
      expect(first[at], first0[at], i, c);
      expect(second[at], second0[at], i, c);
    }
    for (const auto array : {theta, first, second, next_first, next_second})
      expect_untouched<Scalar>(array, c * stride + n, (c + 1) * stride);
  }
}

template <class Scalar>
void check_update(Input& in) {
  using All = bpnet::UpdateRules;
  static constexpr auto rows =
      All::map([](auto tag) { return &check_update_of<typename decltype(tag)::type, Scalar>; });
  rows[to_size(in.below(All::size))](in);
}

template <class Scalar>
void check_add(Input& in) {
  const Index n = in.size(255);
  begin_case<Scalar>("add", {{"n", n}});
  const auto a = in.numbers<Scalar>(n), b = in.numbers<Scalar>(n), out = copy<Scalar>(a);
  add(out.data(), b.data(), n);
  for (Index i = 0; i < n; ++i) expect(out[to_size(i)], a[to_size(i)] + b[to_size(i)], i, 0);
}

/// Whatever Scalar is: the order of samples, which has none.
template <class Scalar>
void check_permute(Input& in) {
  Grid grid{1, 1 + static_cast<int>(in.below(24)), {}};
  const auto word = [&in] { return std::uint64_t{in.byte()} << 16 | std::uint64_t{in.byte()} << 8 | in.byte(); };
  grid.rows = (word() >> in.below(24)) + 1;
  for (std::uint64_t& key : grid.keys) key = word() << 48 | word() << 24 | word();
  const auto count = static_cast<Index>(std::min<std::uint64_t>(in.byte() % 80u, grid.size()));
  const std::uint64_t first = (word() << 24 | word()) % (grid.size() - to_size(count) + 1);
  begin_case<Scalar>("permute", {{"rows", static_cast<Index>(grid.rows)}, {"y_bits", grid.y_bits}, {"count", count}});
  std::vector<std::uint64_t> points(to_size(count));
  permute(grid, first, count, points.data());
  for (std::size_t k = 0; k < points.size(); ++k) require(points[k] == plain::permuted(grid, first + k), "a point");
}

}  // namespace fuzz
