/// The engine's passes over tiles against plain loops in the promised order, bit for bit, and nothing is written beside
/// the destination; test_products.cpp has the products. Paddings of the inputs hold NaN, and what a kernel may not read
/// at all is not there.
#include <bit>
#include <cmath>
#include <span>

#include "bpnet/engine/elementwise.hpp"
#include "bpnet/engine/gather.hpp"
#include "bpnet/engine/gradient.hpp"
#include "bpnet/engine/grid.hpp"
#include "bpnet/engine/softmax.hpp"
#include "bpnet/engine/update.hpp"
#include "plain.hpp"
#include "tiles.hpp"

namespace {

using namespace tiles;
using plain::fused;

// ---- elementwise ----------------------------------------------------------------------------------------------------

struct Cubic {
  template <class L>
  static L value(L z) {
    return madd(z * z, z, z);
  }
  template <class L>
  static bpnet::engine::ValueSlope<L> value_slope(L z) {
    return {value(z), madd(L(3) * z, z, L(1))};
  }
  template <class L>
  static L tail(L z, L a, L slope) {
    return (a - z) + slope;
  }
};

/// Maps see each number alone, wherever it stands; a may be z.
template <class Scalar>
void test_maps() {
  for (Index count = padding; count <= 5 * padding; count += padding) {
    const auto z = normals<Scalar>(count, 8), y = normals<Scalar>(count, 9);
    Walled<Scalar> a(count), slope(count), tail(count), product(count), in_place(count);
    std::copy(z.begin(), z.end(), product.data());
    std::copy(z.begin(), z.end(), in_place.data());
    map_value_slope<Cubic>(z.data(), a.data(), slope.data(), count);
    map_value<Cubic>(in_place.data(), in_place.data(), count);
    map_tail<Cubic>(z.data(), a.data(), slope.data(), tail.data(), count);
    multiply(product.data(), y.data(), count);
    for (Index i = 0; i < count; ++i) {
      const Scalar x = z[to_size(i)], value = fused(x * x, x, x);
      CHECK(a[i] == value && in_place[i] == value && slope[i] == fused(Scalar(3) * x, x, Scalar(1)));
      CHECK(tail[i] == (value - x) + slope[i] && product[i] == x * y[to_size(i)]);
    }
    for (const auto* out : {&a, &slope, &tail, &product, &in_place}) CHECK(out->intact());
  }
}

template <class Scalar>
void test_tile_passes(Layout layout, Index n, Index m) {
  const Index stride = layout == Layout::sample_lanes ? padded(m) : padded(n);
  const Index count = layout == Layout::sample_lanes ? n * stride : m * stride;
  const Rows<Scalar> x(n, 10);
  const auto factors = normals<Scalar>(padded(m), 11), shift = normals<Scalar>(n, 12), scale = normals<Scalar>(n, 13);
  const auto tile = layout == Layout::sample_lanes ? x.in_sample_lanes(m, stride) : x.in_unit_lanes(m, stride);

  std::vector<Scalar> scaled(x.values), standard(x.values), shifted(x.values), sums;
  for (Index s = 0; s < m; ++s) {
    for (Index i = 0; i < n; ++i) {
      const std::size_t at = to_size(s * n + i);
      scaled[at] = x(i, s) * factors[to_size(s)];
      standard[at] = (x(i, s) - shift[to_size(i)]) / scale[to_size(i)];
      shifted[at] = x(i, s) - shift[to_size(i)];
    }
    sums.push_back(plain::sum_of<Scalar>(to_size(n), [&](std::size_t i) { return x(static_cast<Index>(i), s); }));
  }
  Walled<Scalar> out(count), total(padded(m));
  const auto refill = [&] {
    out.reset();
    std::copy(tile.begin(), tile.end(), out.data());
  };
  refill();
  scale_samples(layout, out.data(), n, m, stride, factors.data());
  CHECK(tile_equals(layout, out, scaled, n, m, stride) && out.intact());
  refill();
  standardise(layout, out.data(), n, m, stride, shift.data(), scale.data());
  CHECK(tile_equals(layout, out, standard, n, m, stride) && out.intact());
  refill();
  standardise(layout, out.data(), n, m, stride, shift.data(), static_cast<const Scalar*>(nullptr));
  CHECK(tile_equals(layout, out, shifted, n, m, stride) && out.intact());
  sum_units(layout, tile.data(), n, m, stride, total.data());
  CHECK(same_bits(total.data(), sums.data(), m) && total.intact());
  const std::vector<Scalar> zeros(to_size(count), Scalar(-0.0));  // of which alone no zeros beside them are seen
  sum_units(layout, zeros.data(), n, m, stride, total.data());
  const Scalar nothing = plain::sum_of<Scalar>(to_size(n), [](std::size_t) { return Scalar(-0.0); });
  for (Index s = 0; s < m; ++s) CHECK(same_bits(&total[s], &nothing, 1));
}

// ---- softmax --------------------------------------------------------------------------------------------------------

template <class Scalar>
void append(std::vector<Scalar>& all, const std::vector<Scalar>& more) {
  all.insert(all.end(), more.begin(), more.end());
}

/// Without fused multiply-add exp() of Lanes and of Single differ, so the bits are compared where there is one.
template <class Scalar>
void test_softmax(Layout layout, Index n, Index m) {
  const Index stride = layout == Layout::sample_lanes ? padded(m) : padded(n);
  const Index count = layout == Layout::sample_lanes ? n * stride : m * stride;
  Rows<Scalar> z(n, 14), g(n, 15), y(n, 16);
  for (Index s = 0; s < m; ++s) z.values[to_size(s * n + s % n)] *= 5;  // some saturate
  for (Index s = 1; s < m; s += 3)                                      // the largest is 0, or -0
    for (Index i = 0; i < n; ++i) {
      z.values[to_size(s * n + i)] = 1;
      g.values[to_size(s * n + i)] = (i + s / 3) % 2 ? Scalar(-0.0) : Scalar(0);
    }
  const auto turned = [&](const Rows<Scalar>& rows) {
    return layout == Layout::sample_lanes ? rows.in_sample_lanes(m, stride) : rows.in_unit_lanes(m, stride);
  };
  std::vector<Scalar> a, tail, log_a, pulled, fused_delta;
  for (Index s = 0; s < m; ++s) {
    const auto row = [&](const Rows<Scalar>& rows) {
      return std::span(rows.values).subspan(to_size(s * n), to_size(n));
    };
    const plain::SoftmaxOf<Scalar> plain(row(z));
    append(a, plain.a);
    append(tail, plain.tail);
    append(log_a, plain.log_a);
    append(pulled, plain::softmax_pulled<Scalar>(plain.a, row(g)));
    append(fused_delta, plain::softmax_minus<Scalar>(plain.a, plain.tail, row(y)));
  }
  const auto z_tile = turned(z), g_tile = turned(g), y_tile = turned(y);
  Walled<Scalar> out(count), rest(count), logs(count), delta(count), in_place(count);
  std::copy(z_tile.begin(), z_tile.end(), in_place.data());
  softmax(layout, z_tile.data(), out.data(), rest.data(), logs.data(), n, m, stride);
  softmax(layout, in_place.data(), in_place.data(), static_cast<Scalar*>(nullptr), static_cast<Scalar*>(nullptr), n, m,
          stride);
  CHECK(tile_equals(layout, out, a, n, m, stride) && tile_equals(layout, in_place, a, n, m, stride));
  CHECK(tile_equals(layout, rest, tail, n, m, stride) && tile_equals(layout, logs, log_a, n, m, stride));
  softmax_pull(layout, out.data(), g_tile.data(), delta.data(), n, m, stride);
  CHECK(tile_equals(layout, delta, pulled, n, m, stride) && delta.intact());
  softmax_cross_entropy_delta(layout, out.data(), rest.data(), y_tile.data(), delta.data(), n, m, stride);
  CHECK(tile_equals(layout, delta, fused_delta, n, m, stride));
  for (const auto* tile : {&out, &rest, &logs, &delta, &in_place}) CHECK(tile->intact());
}

// ---- gathering ------------------------------------------------------------------------------------------------------

template <class Scalar>
void test_turning(Index n, Index m) {
  const Rows<Scalar> x(n, 17);
  const Index stride = padded(m), row_stride = n + (m % 2 ? 0 : 3);
  Walled<Scalar> tile(n * stride), rows(m * row_stride);
  to_lanes(x.pointers(m).data(), n, m, tile.data(), stride);
  CHECK(tile_equals(Layout::sample_lanes, tile, x.values, n, m, stride) && tile.intact());
  for (Index i = 0; i < n; ++i)
    for (Index s = m; s < stride; ++s) CHECK(tile[i * stride + s] == 0);
  to_rows(tile.data(), stride, n, m, rows.data(), row_stride);
  CHECK(tile_equals(Layout::unit_lanes, rows, x.values, n, m, row_stride) && rows.intact());
  for (Index s = 0; s < m; ++s) CHECK(rows.untouched(s * row_stride + n, (s + 1) * row_stride));

  for (const Index apart : {n, n + 5, -n - 2}) {  // rows whose distance is known; of a single one, any
    const Index last = (m - 1) * apart, first = std::min<Index>(last, 0);
    Walled<Scalar> all(std::max<Index>(last, 0) - first + n), turned(n * stride);
    for (Index s = 0; s < m; ++s) std::copy_n(x.pointers(m)[to_size(s)], n, all.data() - first + s * apart);
    to_lanes_apart(all.data() - first, m > 1 ? apart : Index(1) << 60, n, m, turned.data(), stride);
    CHECK(same_bits(turned.data(), tile.data(), n * stride) && turned.intact() && all.intact());
  }

  if (m > tile_samples) return;
  // the rows in another order, as an epoch visits them
  std::vector<Index> order(to_size(m));
  for (Index s = 0; s < m; ++s) order[to_size(s)] = m - 1 - s;
  const auto bytes = static_cast<std::ptrdiff_t>(sizeof(Scalar));
  const auto values = exactly(std::span(x.values).first(to_size(m * n)));
  const bpnet::Samples samples{values.data(), m, n, n * bytes, bytes, bpnet::element_type<Scalar>(), false};
  Walled<Scalar> lanes(n * stride), units(m * row_stride);
  gather(Layout::sample_lanes, samples, order.data(), m, lanes.data(), stride);
  gather(Layout::unit_lanes, samples, order.data(), m, units.data(), row_stride);
  for (Index s = 0; s < m; ++s)
    for (Index i = 0; i < n; ++i)
      CHECK(lanes[i * stride + s] == x(i, m - 1 - s) && units[s * row_stride + i] == x(i, m - 1 - s));
  CHECK(lanes.intact() && units.intact());
}

template <class Scalar>
void test_finite_and_largest() {
  constexpr Scalar infinity = std::numeric_limits<Scalar>::infinity();
  for (const Index n : widths()) {
    auto x = exactly(std::span<const Scalar>(normals<Scalar>(n, 18)));
    Scalar most = 0;
    for (const Scalar v : x) most = std::max(most, std::abs(v));
    CHECK(all_finite(x.data(), n) && largest(x.data(), n) == most);
    for (const Scalar bad : {infinity, -infinity, not_a_number<Scalar>}) {
      const std::size_t at = to_size((n * 5) / 7);
      const Scalar good = std::exchange(x[at], bad);
      CHECK(!all_finite(x.data(), n) && largest(x.data(), n) == infinity);
      x[at] = good;
    }
    x.back() = -std::numeric_limits<Scalar>::max();  // large, and still finite
    CHECK(all_finite(x.data(), n) && largest(x.data(), n) == std::numeric_limits<Scalar>::max());
  }
  CHECK(all_finite(static_cast<const Scalar*>(nullptr), 0) && largest(static_cast<const Scalar*>(nullptr), 0) == 0);
}

// ---- updates --------------------------------------------------------------------------------------------------------

/// A step of n parameters, and of columns of them that lie apart.
template <class Rule, class Scalar>
void test_update(const Update<Scalar>& u, Index n, Index columns, Index stride) {
  const Index all = (columns - 1) * stride + n;
  auto plain = normals<Scalar>(all, 19);
  plain[to_size(n / 2)] = 0;  // |theta| has a kink there
  std::vector<Scalar> first(plain.size(), 0), second(plain.size(), 0);
  Walled<Scalar> theta(all), v(all), w(all);
  std::copy(plain.begin(), plain.end(), theta.data());
  std::fill_n(v.data(), all, Scalar(0));
  std::fill_n(w.data(), all, Scalar(0));
  for (std::uint64_t step = 0; step < 3; ++step) {
    const auto g = exactly(std::span<const Scalar>(normals<Scalar>(all, 20 + step)));
    for (Index i = 0; i < all; ++i) {
      const std::size_t at = to_size(i);
      if (columns == 1 || i % stride < n) plain::update_one<Rule>(u, plain[at], g[at], first[at], second[at]);
    }
    update<Rule>(u, UpdateArrays<Scalar>{theta.data(), g.data(), Rule::states > 0 ? v.data() : nullptr,
                                         Rule::states > 1 ? w.data() : nullptr, n, columns, stride, stride});
  }
  CHECK(same_bits(theta.data(), plain.data(), all) && theta.intact());
  CHECK(same_bits(v.data(), first.data(), all) && v.intact());
  CHECK(same_bits(w.data(), second.data(), all) && w.intact());

  // one step more, which leaves everything as it was somewhere
  const auto g = exactly(std::span<const Scalar>(normals<Scalar>(all, 23)));
  Walled<Scalar> kept(all), next_v(all), next_w(all);
  std::copy(plain.begin(), plain.end(), kept.data());
  std::copy(first.begin(), first.end(), next_v.data());
  std::copy(second.begin(), second.end(), next_w.data());
  const auto before = plain, before_v = first, before_w = second;
  for (Index i = 0; i < all; ++i) {
    const std::size_t at = to_size(i);
    if (columns > 1 && i % stride >= n) continue;
    plain::update_one<Rule>(u, plain[at], g[at], first[at], second[at]);
    kept[i] = 0;
  }
  update<Rule>(
      u, UpdateArrays<Scalar>{theta.data(), g.data(), Rule::states > 0 ? v.data() : nullptr,
                              Rule::states > 1 ? w.data() : nullptr, n, columns, stride, stride, kept.data(),
                              Rule::states > 0 ? next_v.data() : nullptr, Rule::states > 1 ? next_w.data() : nullptr});
  CHECK(same_bits(theta.data(), plain.data(), all) && theta.intact());
  CHECK(same_bits(kept.data(), before.data(), all) && kept.intact());
  CHECK(same_bits(v.data(), before_v.data(), all) && same_bits(w.data(), before_w.data(), all));
  CHECK(same_bits(next_v.data(), first.data(), all) && next_v.intact());
  CHECK(same_bits(next_w.data(), second.data(), all) && next_w.intact());
}

template <class Rule, class Scalar>
void test_update(const Update<Scalar>& u) {
  for (const Index n : widths()) {
    test_update<Rule>(u, n, 1, 0);
    test_update<Rule>(u, n, 3, n + n % 4);
  }
}

template <class Scalar>
void test_updates() {
  Update<Scalar> u;
  u.eta = Scalar(0.1), u.mu = Scalar(0.9), u.decay1 = Scalar(0.9), u.decay2 = Scalar(0.99), u.eps = Scalar(1e-8);
  u.mean1 = Scalar(1.7), u.root_mean2 = Scalar(2.3), u.shrink = Scalar(0.001);
  for (const double penalty : {0.0, 0.01}) {
    u.l1 = Scalar(penalty), u.l2 = Scalar(3 * penalty);
    test_update<PlainStep>(u);
    test_update<MomentumStep>(u);
    test_update<NesterovStep>(u);
    test_update<RmsPropStep>(u);
    test_update<AdamStep>(u);
  }
  for (const Index n : widths()) {
    const auto a = normals<Scalar>(n, 30), b = exactly(std::span<const Scalar>(normals<Scalar>(n, 31)));
    Walled<Scalar> sum(n);
    std::copy(a.begin(), a.end(), sum.data());
    add(sum.data(), b.data(), n);
    for (Index i = 0; i < n; ++i) CHECK(sum[i] == a[to_size(i)] + b[to_size(i)]);
    CHECK(sum.intact());
  }
}

// ---- the order of samples -------------------------------------------------------------------------------------------

void test_permute() {
  for (const int y_bits : {1, 2, 5, 12, 24})
    for (const std::uint64_t rows : {1u, 2u, 3u, 33u, 4097u, (1u << 24) - 1, 1u << 24}) {
      Grid grid{rows, y_bits, {}};
      for (std::size_t r = 0; r < Grid::rounds; ++r) grid.keys[r] = (r + rows) * 0x9E3779B97F4A7C15;
      for (const Index count : {0, 1, 3, 4, 15, 16, 17, 64}) {
        const auto n = std::min(static_cast<std::uint64_t>(count), grid.size());
        for (const std::uint64_t first : {std::uint64_t{0}, (grid.size() - n) / 3, grid.size() - n}) {
          std::vector<std::uint64_t> points(n);
          permute(grid, first, static_cast<Index>(n), points.data());
          for (std::uint64_t k = 0; k < n; ++k)
            CHECK(points[k] == plain::permuted(grid, first + k) && points[k] < grid.size());
        }
      }
    }
}

template <class Scalar>
void test_all() {
  test_maps<Scalar>();
  for (const Index n : widths())
    for (Index m = 1; m <= max_batch; m += m < 18 ? 1 : 13) {
      for (const Layout layout : {Layout::sample_lanes, Layout::unit_lanes}) {
        test_tile_passes<Scalar>(layout, n, m);
        if constexpr (has_fma) test_softmax<Scalar>(layout, n, m);
      }
      test_turning<Scalar>(n, m);
    }
  test_finite_and_largest<Scalar>();
  test_updates<Scalar>();
}

}  // namespace

int main() {
  test_all<float>();
  test_all<double>();
  test_permute();
  return check_report();
}
