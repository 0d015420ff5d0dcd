/// Turning, gathering, elementwise passes and softmax against plain loops on single numbers.
#pragma once

#include "bpnet/kernel_table.hpp"
#include "input.hpp"
#include "plain.hpp"

namespace fuzz {

using namespace bpnet::engine;

/// The layout of a tile of n units and m samples.
struct Tile {
  Index n, m;
  Layout layout;
  Index stride;

  explicit Tile(Input& in)
      : n(in.size(70)),
        m(in.size(tile_samples)),
        layout(in.flag() ? Layout::sample_lanes : Layout::unit_lanes),
        stride(layout == Layout::sample_lanes ? padded(m) : padded(n)) {}
  bool lanes() const { return layout == Layout::sample_lanes; }
  Index count() const { return lanes() ? n * stride : m * stride; }
  std::size_t at(Index i, Index s) const { return to_size(lanes() ? i * stride + s : s * stride + i); }
  template <class Scalar>
  void begin(const char* kernel) const {
    begin_case<Scalar>(kernel, {{"n", n}, {"m", m}, {"sample_lanes", lanes()}, {"stride", stride}});
  }
  /// body(i, s, where) for each number.
  template <class Body>
  void each(const Body& body) const {
    for (Index s = 0; s < m; ++s)
      for (Index i = 0; i < n; ++i) body(i, s, at(i, s));
  }
};

// ---- turning and gathering ------------------------------------------------------------------------------------------

template <class Scalar>
void check_to_lanes(Input& in) {
  const Index n = in.size(70), m = in.size(tile_samples), stride = padded(m) + padding * in.below(2);
  begin_case<Scalar>("to_lanes", {{"n", n}, {"m", m}, {"stride", stride}});
  const Scalar* rows[tile_samples];
  const auto all = in.numbers<Scalar>(n * m);
  for (Index s = 0; s < m; ++s) rows[s] = s == 0 ? copy<Scalar>(all.first(to_size(n))).data() : &all[to_size(s * n)];
  const auto out = blank<Scalar>(n * stride);
  to_lanes(rows, n, m, out.data(), stride);
  for (Index i = 0; i < n; ++i)
    for (Index s = 0; s < stride; ++s)
      require(identical(out[to_size(i * stride + s)], s < m ? rows[s][i] : Scalar(0)), "a number of to_lanes");
}

template <class Scalar>
void check_from_lanes(Input& in) {
  const Index n = in.size(70), m = in.size(tile_samples), stride = padded(m) + padding * in.below(2);
  const Index row_stride = n + in.below(5), width = Block<Scalar>::panel, whole = Lanes<Scalar>::size;
  const bool to_rows_too = in.flag();
  begin_case<Scalar>(to_rows_too ? "to_rows" : "to_panels",
                     {{"n", n}, {"m", m}, {"stride", stride}, {"row_stride", row_stride}});
  const auto tile = in.numbers<Scalar>(n * stride);
  const auto number = [&](Index i, Index s) { return tile[to_size(i * stride + s)]; };
  if (to_rows_too) {
    const auto rows = blank<Scalar>((m - 1) * row_stride + n);
    to_rows(tile.data(), stride, n, m, rows.data(), row_stride);
    for (Index s = 0; s < m; ++s) {
      for (Index i = 0; i < n; ++i)
        require(identical(rows[to_size(s * row_stride + i)], number(i, s)), "a number of to_rows");
      expect_untouched<Scalar>(rows, s * row_stride + n, (s + 1) * row_stride);
    }
    return;
  }
  const auto panels = blank<Scalar>((n + width - 1) / width * width * m);
  to_panels(tile.data(), stride, n, m, panels.data());
  for (Index s = 0; s < m; ++s)  // whole registers are written, and read
    for (Index i = 0; i < (n + whole - 1) / whole * whole; ++i)
      require(
          identical(panels[to_size(i / width * width * m + s * width + i % width)], i < n ? number(i, s) : Scalar(0)),
          "a number of to_panels");
}

/// A number as its bytes say, by arithmetic where there is a choice.
template <class Scalar, class Source>
Scalar plain_element(const char* from, bool swapped) {
  char bytes[sizeof(Source)];
  for (std::size_t k = 0; k < sizeof(Source); ++k) bytes[swapped ? sizeof(Source) - 1 - k : k] = from[k];
  if constexpr (std::is_same_v<Source, bool>) {
    return bytes[0] ? Scalar(1) : Scalar(0);
  } else if constexpr (std::is_same_v<Source, Half>) {
    std::uint16_t bits;
    std::memcpy(&bits, bytes, sizeof(bits));
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    const Scalar sign = bits >> 15 ? Scalar(-1) : Scalar(1);
    if (exponent == 31)
      return fraction ? std::numeric_limits<Scalar>::quiet_NaN() : sign * std::numeric_limits<Scalar>::infinity();
    return sign * std::ldexp(static_cast<Scalar>(exponent ? fraction + 1024 : fraction), std::max(exponent, 1) - 25);
  } else {
    Source value;
    std::memcpy(&value, bytes, sizeof(value));
    return static_cast<Scalar>(value);
  }
}

/// A stride in bytes: tight, backwards, none, with gaps, odd.
inline std::ptrdiff_t stride_in_bytes(Input& in, std::ptrdiff_t tight) {
  switch (in.below(6)) {
    case 0:
      return -tight;
    case 1:
      return 0;
    case 2:
      return 2 * tight;
    case 3:
      return in.below(81) - 40;
    default:
      return tight;
  }
}

template <class Scalar, class Source>
void check_gather_of(Input& in, bpnet::ElementType type) {
  const Index n = in.size(140), m = in.size(tile_samples), count = in.size(tile_samples);
  constexpr std::ptrdiff_t bytes = sizeof(Source);
  const bool lanes = in.flag(), swapped = in.flag();
  const std::ptrdiff_t value_stride = stride_in_bytes(in, bytes), sample_stride = stride_in_bytes(in, n * bytes);
  begin_case<Scalar>("gather", {{"type", static_cast<Index>(type)},
                                {"width", n},
                                {"count", count},
                                {"samples", m},
                                {"sample_lanes", lanes},
                                {"swapped", swapped},
                                {"value_stride", value_stride},
                                {"sample_stride", sample_stride}});
  const std::ptrdiff_t by_value = (n - 1) * value_stride, by_sample = (m - 1) * sample_stride;
  const auto before = -std::min<std::ptrdiff_t>(by_value, 0) - std::min<std::ptrdiff_t>(by_sample, 0);
  const auto after = std::max<std::ptrdiff_t>(by_value, 0) + std::max<std::ptrdiff_t>(by_sample, 0) + bytes;
  const auto memory = arena.take<char>(before + after);
  in.fill_bytes(memory);
  const char* data = memory.data() + before;
  const bpnet::Samples x{data, m, n, sample_stride, value_stride, type, swapped};
  Index rows[tile_samples];
  for (Index s = 0; s < count; ++s) rows[s] = in.below(m);
  const Index lines = lanes ? n : count, line = lanes ? padded(count) : n, apart = line + (lanes ? 0 : in.below(4));
  const auto out = blank<Scalar>((lines - 1) * apart + line);
  gather<Scalar>(lanes ? Layout::sample_lanes : Layout::unit_lanes, x, rows, count, out.data(), apart);
  for (Index s = 0; s < count; ++s)
    for (Index i = 0; i < n; ++i) {
      const Scalar value = plain_element<Scalar, Source>(data + rows[s] * sample_stride + i * value_stride, swapped);
      expect(out[to_size(lanes ? i * apart + s : s * apart + i)], value, i, s);
    }
  for (Index i = 0; lanes && i < n; ++i)
    for (Index s = count; s < apart; ++s) expect(out[to_size(i * apart + s)], Scalar(0), i, s);
  for (Index k = 0; k < lines; ++k) expect_untouched<Scalar>(out, k * apart + line, (k + 1) * apart);
  const Index s = rows[0], i = in.below(n);
  expect(element<Scalar>(x, s, i), plain_element<Scalar, Source>(data + s * sample_stride + i * value_stride, swapped),
         i, s);
}

template <class Scalar>
void check_gather(Input& in) {
  const auto type = static_cast<bpnet::ElementType>(in.below(13));
  bpnet::engine::detail::with_element_type(type, [&](auto tag) { check_gather_of<Scalar, decltype(tag)>(in, type); });
}

template <class Scalar>
void check_finite_and_largest(Input& in) {
  const Index n = in.size(255) - in.below(2);
  begin_case<Scalar>("all_finite, largest", {{"n", n}});
  const auto x = in.numbers<Scalar>(n);
  bool finite = true;
  Scalar most = 0;
  for (const Scalar v : x) {
    finite = finite && std::isfinite(v);
    most = std::max(most, v == v ? std::abs(v) : std::numeric_limits<Scalar>::infinity());
  }
  require(all_finite(x.data(), n) == finite, "all_finite");
  expect(largest(x.data(), n), most, 0, 0);
}

// ---- passes over a tile ---------------------------------------------------------------------------------------------

template <class Scalar>
void check_tile_passes(Input& in) {
  const Tile t(in);
  t.begin<Scalar>("multiply, scale_samples, sum_units, standardise");
  const Index chosen = in.below(4);
  const auto x = in.numbers<Scalar>(t.count()), y = in.numbers<Scalar>(t.count()), out = copy<Scalar>(x);
  const auto factor = in.numbers<Scalar>(padded(t.m)), shift = in.numbers<Scalar>(t.n), scale = in.numbers<Scalar>(t.n);
  const bool shifted = in.flag(), scaled = in.flag();
  if (chosen == 0) {
    multiply(out.data(), y.data(), t.count());
    t.each([&](Index i, Index s, std::size_t at) { expect(out[at], x[at] * y[at], i, s); });
  } else if (chosen == 1) {
    scale_samples(t.layout, out.data(), t.n, t.m, t.stride, factor.data());
    t.each([&](Index i, Index s, std::size_t at) { expect(out[at], x[at] * factor[to_size(s)], i, s); });
  } else if (chosen == 2) {
    const auto total = blank<Scalar>(padded(t.m));
    sum_units(t.layout, x.data(), t.n, t.m, t.stride, total.data());
    for (Index s = 0; s < t.m; ++s) {
      const Scalar sum =
          plain::sum_of<Scalar>(to_size(t.n), [&](std::size_t i) { return x[t.at(static_cast<Index>(i), s)]; });
      expect(total[to_size(s)], sum, 0, s);
    }
  } else {
    standardise<Scalar>(t.layout, out.data(), t.n, t.m, t.stride, shifted ? shift.data() : nullptr,
                        scaled ? scale.data() : nullptr);
    t.each([&](Index i, Index s, std::size_t at) {
      const Scalar moved = shifted ? x[at] - shift[to_size(i)] : x[at];
      expect(out[at], scaled ? moved / scale[to_size(i)] : moved, i, s);
    });
  }
}

/// Softmax and its two deltas, of the same tile. Without fused multiply-add exp() of Lanes and of Single differ.
template <class Scalar>
void check_softmax(Input& in) {
  if constexpr (has_fma) {
    Tile t(in);
    t.begin<Scalar>("softmax");
    const auto z = in.numbers<Scalar>(t.count()), g = in.numbers<Scalar>(t.count()), y = in.numbers<Scalar>(t.count());
    const auto a = blank<Scalar>(t.count()), tail = blank<Scalar>(t.count()), log_a = blank<Scalar>(t.count());
    const auto in_place = copy<Scalar>(z), pulled = copy<Scalar>(g), delta = blank<Scalar>(t.count());
    softmax(t.layout, z.data(), a.data(), tail.data(), log_a.data(), t.n, t.m, t.stride);
    softmax<Scalar>(t.layout, in_place.data(), in_place.data(), nullptr, nullptr, t.n, t.m, t.stride);
    softmax_pull(t.layout, a.data(), pulled.data(), pulled.data(), t.n, t.m, t.stride);
    softmax_cross_entropy_delta(t.layout, a.data(), tail.data(), y.data(), delta.data(), t.n, t.m, t.stride);
    const auto row = [&](const auto& tile, Index s) {
      std::vector<Scalar> numbers;
      for (Index i = 0; i < t.n; ++i) numbers.push_back(tile[t.at(i, s)]);
      return numbers;
    };
    for (Index s = 0; s < t.m; ++s) {
      const plain::SoftmaxOf<Scalar> one(row(z, s));
      const auto of_g = plain::softmax_pulled<Scalar>(row(a, s), row(g, s));
      const auto of_y = plain::softmax_minus<Scalar>(row(a, s), row(tail, s), row(y, s));
      for (Index i = 0; i < t.n; ++i) {
        const std::size_t at = t.at(i, s), k = to_size(i);
        expect(a[at], one.a[k], i, s);
        expect(in_place[at], one.a[k], i, s);
        expect(tail[at], one.tail[k], i, s);
        expect(log_a[at], one.log_a[k], i, s);
        expect(pulled[at], of_g[k], i, s);
        expect(delta[at], of_y[k], i, s);
      }
    }
  }
}

// ---- activations and costs, on lanes and on single numbers ----------------------------------------------------------

template <class Row, class Scalar>
void check_activation_of(Input& in) {
  using S = Single<Scalar>;
  constexpr bool is_softmax = std::is_same_v<Row, bpnet::activations::Softmax>;
  const Index count = padding * (1 + in.below(3));
  begin_case<Scalar>(Row::name, {{"count", count}});
  const auto z = in.numbers<Scalar>(count), a = in.numbers<Scalar>(count), slope = in.numbers<Scalar>(count);
  if constexpr (!is_softmax) {
    const auto value = copy<Scalar>(z), both = blank<Scalar>(count), f1 = blank<Scalar>(count);
    map_value<Row>(value.data(), value.data(), count);
    map_value_slope<Row>(z.data(), both.data(), f1.data(), count);
    for (Index i = 0; i < count; ++i) {
      const std::size_t at = to_size(i);
      const auto one = Row::value_slope(S(z[at]));
      expect(value[at], Row::value(S(z[at])).v, i, 0);
      expect(both[at], one.value.v, i, 1);
      expect(f1[at], one.slope.v, i, 2);
      expect(value[at], both[at], i, 3);
    }
    if constexpr (Row::has_tail) {
      const auto tail = blank<Scalar>(count);
      map_tail<Row>(z.data(), a.data(), f1.data(), tail.data(), count);
      for (Index i = 0; i < count; ++i) {
        const std::size_t k = to_size(i);
        expect(tail[k], Row::tail(S(z[k]), S(a[k]), S(f1[k])).v, i, 4);
      }
    }
  }
  if constexpr (Row::low >= 0) {
    const auto v = blank<Scalar>(count), dv = blank<Scalar>(count), r = blank<Scalar>(count), dr = blank<Scalar>(count);
    map_logs<Row, Scalar>(z.data(), a.data(), slope.data(), {v.data(), dv.data(), r.data(), dr.data()}, count);
    for (Index i = 0; i < count; ++i) {
      const std::size_t at = to_size(i);
      const auto one = Row::logs(S(z[at]), S(a[at]), S(slope[at]));
      expect(v[at], one.value.v, i, 5);
      expect(dv[at], one.slope.v, i, 6);
      expect(r[at], one.rest.v, i, 7);
      expect(dr[at], one.rest_slope.v, i, 8);
    }
  }
}

template <class Row, class Scalar>
void check_cost_of(Input& in) {
  using S = Single<Scalar>;
  const Index count = padding * (1 + in.below(3));
  const bool with_tail = in.flag(), with_slope = in.flag(), grad = in.flag(), delta = in.flag();
  begin_case<Scalar>(Row::name, {{"count", count}, {"tail", with_tail}, {"slope", with_slope}});
  const Scalar parameter = in.flag() ? static_cast<Scalar>(Row::parameter.standard) : Scalar(0.3);
  std::span<Scalar> x[8];  // y, a, tail, slope, the four logarithms
  for (auto& array : x) array = in.numbers<Scalar>(count);
  const auto cost = blank<Scalar>(count), to_grad = blank<Scalar>(count), to_delta = blank<Scalar>(count);
  bpnet::costs::map_cost<Row, Scalar>({x[0].data(),
                                       x[1].data(),
                                       with_tail ? x[2].data() : nullptr,
                                       with_slope ? x[3].data() : nullptr,
                                       {x[4].data(), x[5].data(), x[6].data(), x[7].data()},
                                       cost.data(),
                                       grad ? to_grad.data() : nullptr,
                                       delta ? to_delta.data() : nullptr},
                                      parameter, count);
  for (Index i = 0; i < count; ++i) {
    const std::size_t at = to_size(i);
    const auto number = [&](int k) { return S(x[k][at]); };
    const S zero(Scalar(0));
    const auto one = Row::apply(bpnet::OutputLanes<S>{number(0),
                                                      number(1),
                                                      with_tail ? number(2) : zero,
                                                      with_slope ? number(3) : zero,
                                                      {number(4), number(5), number(6), number(7)}},
                                S(parameter));
    expect(cost[at], one.cost.v, i, 0);
    expect(to_grad[at], grad ? one.grad.v : mark<Scalar>, i, 1);
    expect(to_delta[at], delta ? one.delta.v : mark<Scalar>, i, 2);
  }
}

template <class Scalar>
void check_activation(Input& in) {
  using All = bpnet::activations::Activations;
  static constexpr auto rows =
      All::map([](auto tag) { return &check_activation_of<typename decltype(tag)::type, Scalar>; });
  if constexpr (has_fma) rows[to_size(in.below(All::size))](in);
}
template <class Scalar>
void check_cost(Input& in) {
  using All = bpnet::costs::Costs;
  static constexpr auto rows = All::map([](auto tag) { return &check_cost_of<typename decltype(tag)::type, Scalar>; });
  if constexpr (has_fma) rows[to_size(in.below(All::size))](in);
}

}  // namespace fuzz
