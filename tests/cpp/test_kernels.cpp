/// The engine's kernels against plain loops in the promised order, bit for bit, and nothing is written beside the
/// destination. Paddings of the inputs hold NaN, so a sum that took one in would show it; what a kernel may not read at
/// all is not there, so that AddressSanitizer sees it.
#include <bit>
#include <cmath>
#include <span>

#include "bpnet/engine/elementwise.hpp"
#include "bpnet/engine/gather.hpp"
#include "bpnet/engine/gradient.hpp"
#include "bpnet/engine/grid.hpp"
#include "bpnet/engine/product.hpp"
#include "bpnet/engine/softmax.hpp"
#include "bpnet/engine/update.hpp"
#include "numbers.hpp"
#include "plain.hpp"

namespace {

using namespace bpnet::engine;
using plain::fused;

constexpr Index max_batch = 70;

const std::vector<Index>& widths() {
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

// ---- products -------------------------------------------------------------------------------------------------------

/// (F1) and (BP5), both layouts.
template <class Scalar>
void test_affine_and_pull(Index n_out, Index n_in, Index batch_step) {
  const auto numbers = normals<Scalar>(n_out * n_in + n_out, 1);
  const std::span<const Scalar> all(numbers);
  const auto W = exactly(all.first(to_size(n_out * n_in))), b = exactly(all.last(to_size(n_out)));
  const auto W_slack = exactly(std::span<const Scalar>(W), slack), b_slack = exactly(std::span<const Scalar>(b), slack);
  const Rows<Scalar> a(n_in, 2), delta(n_out, 3);

  std::vector<Scalar> z(to_size(n_out * max_batch)), pulled(to_size(n_in * max_batch));
  for (Index s = 0; s < max_batch; ++s) {
    for (Index j = 0; j < n_out; ++j) {
      Scalar sum = b[to_size(j)];
      for (Index i = 0; i < n_in; ++i) sum = fused(W[to_size(i * n_out + j)], a(i, s), sum);
      z[to_size(s * n_out + j)] = sum;
    }
    for (Index i = 0; i < n_in; ++i) {
      Scalar sum = 0;
      for (Index j = 0; j < n_out; ++j) sum = fused(W[to_size(i * n_out + j)], delta(j, s), sum);
      pulled[to_size(s * n_in + i)] = sum;
    }
  }

  for (Index m = 1; m <= max_batch; m += batch_step) {
    const Index stride = padded(m);
    Walled<Scalar> out(n_out * stride), back(n_in * stride);
    const auto a_lanes = a.in_sample_lanes(m, stride, 0);
    affine_samples(W.data(), b.data(), n_out, n_in, a_lanes.data(), out.data(), stride);
    CHECK(tile_equals(Layout::sample_lanes, out, z, n_out, m, stride) && out.intact());
    const auto delta_lanes = delta.in_sample_lanes(m, stride);
    pull_samples<Scalar>(W.data(), n_out, n_in, delta_lanes.data(), nullptr, back.data(), stride);
    CHECK(tile_equals(Layout::sample_lanes, back, pulled, n_in, m, stride) && back.intact());
    const auto slope = a.in_sample_lanes(m, stride, 0);  // any numbers of that shape
    Walled<Scalar> scaled(n_in * stride);
    pull_samples<Scalar>(W.data(), n_out, n_in, delta_lanes.data(), slope.data(), scaled.data(), stride);
    multiply(back.data(), slope.data(), n_in * stride);
    CHECK(same_bits(scaled.data(), back.data(), n_in * stride) && scaled.intact());

    const Index part_of_depth = n_in / 3;  // the chains of a product that is taken up again
    Walled<Scalar> resumed(n_out * stride);
    if (part_of_depth > 0)
      combine_rows<Scalar>({W.data(), 1, n_out}, b.data(), false, n_out, part_of_depth, a_lanes.data(), resumed.data(),
                           stride);
    combine_rows<Scalar>({W.data() + part_of_depth * n_out, 1, n_out}, b.data(), part_of_depth > 0, n_out,
                         n_in - part_of_depth, a_lanes.data() + part_of_depth * stride, resumed.data(), stride);
    CHECK(same_bits(resumed.data(), out.data(), n_out * stride) && resumed.intact());

    for (Index row = 0; row < n_out; row += packed_rows) {
      const Index rows = std::min(packed_rows, n_out - row);
      Walled<Scalar> packed(packed_rows * n_in), part(rows * stride);
      pack_rows(W.data() + row, n_out, n_in, rows, packed.data());
      combine_rows({packed.data(), 1, packed_rows}, b.data() + row, false, rows, n_in, a_lanes.data(), part.data(),
                   stride);
      CHECK(same_bits(part.data(), out.data() + row * stride, rows * stride) && part.intact() && packed.intact());
    }

    const Index gap = m % 2 ? 0 : padding, out_stride = padded(n_out) + gap, in_stride = padded(n_in) + gap;
    Walled<Scalar> rows(m * out_stride), back_rows(m * in_stride);
    affine_units(W_slack.data(), b_slack.data(), n_out, n_in, a.pointers(m).data(), rows.data(), out_stride, m);
    CHECK(tile_equals(Layout::unit_lanes, rows, z, n_out, m, out_stride) && rows.intact());
    CHECK(gaps_untouched(rows, n_out, m, out_stride));
    if (m > tile_samples) continue;
    Walled<Scalar> panel(panels_room(n_out, tile_samples));
    pull_units(W_slack.data(), n_out, n_in, delta.in_unit_lanes(m, out_stride).data(), out_stride, back_rows.data(),
               in_stride, m, panel.data());
    CHECK(panel.intact());
    CHECK(tile_equals(Layout::unit_lanes, back_rows, pulled, n_in, m, in_stride) && back_rows.intact());
    CHECK(gaps_untouched(back_rows, n_in, m, in_stride));
  }
  Walled<Scalar> one(padded(n_out));
  affine_one(W_slack.data(), b_slack.data(), n_out, n_in, a.pointers(1)[0], one.data());
  CHECK(same_bits(one.data(), z.data(), n_out) && one.intact());
}

/// Plain sums over samples, one sample more at each call. (BP3), (BP4)
template <class Scalar>
struct PlainGradient {
  std::vector<Scalar> W, b;

  void add(const Rows<Scalar>& delta, const Rows<Scalar>& a, Index s) {
    for (Index i = 0; i < a.n; ++i)
      for (Index j = 0; j < delta.n; ++j) {
        Scalar& at = W[to_size(i * delta.n + j)];
        at = fused(delta(j, s), a(i, s), at);
      }
    for (Index j = 0; j < delta.n; ++j) b[to_size(j)] += delta(j, s);
  }
};

/// Fresh and on top of what is there; delta as rows and as panels; a as rows and as sample lanes.
template <class Scalar>
void test_outer_and_sum(Index n_out, Index n_in, Index batch_step) {
  const Rows<Scalar> a(n_in, 4), delta(n_out, 5);
  const PlainGradient<Scalar> start{normals<Scalar>(n_out * n_in, 6), normals<Scalar>(n_out, 7)};
  PlainGradient<Scalar> fresh_sum{std::vector<Scalar>(start.W.size(), 0), std::vector<Scalar>(start.b.size(), 0)};
  PlainGradient<Scalar> added_sum = start;
  const Index row_stride = padded(n_out) + padding;
  for (Index m = 1; m <= max_batch; ++m) {
    for (auto* sum : {&fresh_sum, &added_sum}) sum->add(delta, a, m - 1);
    if ((m - 1) % batch_step != 0) continue;
    const auto delta_rows = delta.in_unit_lanes(m, row_stride);
    const auto delta_lanes = delta.in_sample_lanes(m, padded(m)), a_lanes = a.in_sample_lanes(m, padded(m));
    Walled<Scalar> panels(panels_room(n_out, m));
    to_panels(delta_lanes.data(), padded(m), n_out, m, panels.data());
    CHECK(panels.intact());
    const Index apart = n_out + (m % 2 ? 0 : 5);
    for (const auto rows :
         {DeltaRows<Scalar>::rows(delta_rows.data(), row_stride), DeltaRows<Scalar>::panels(panels.data(), m)})
      for (const bool fresh : {true, false}) {
        const PlainGradient<Scalar>& expected = fresh ? fresh_sum : added_sum;
        Walled<Scalar> by_rows(n_in * apart), by_lanes(n_in * apart), db(n_out);
        if (!fresh) {
          for (Index i = 0; i < n_in; ++i)
            for (auto* dW : {&by_rows, &by_lanes})
              std::copy_n(start.W.data() + i * n_out, n_out, dW->data() + i * apart);
          std::copy(start.b.begin(), start.b.end(), db.data());
        }
        outer_rows(rows, a.pointers(m).data(), n_out, n_in, m, fresh, by_rows.data(), apart);
        Ahead<Scalar> ahead{{{{start.W.data(), 1, n_in, n_out, 0}}}};  // what is fetched on the way changes nothing
        outer_samples(rows, a_lanes.data(), padded(m), n_out, n_in, m, fresh, by_lanes.data(), apart,
                      m % 2 ? nullptr : &ahead);
        sum_rows(rows, n_out, m, fresh, db.data());
        for (const auto* dW : {&by_rows, &by_lanes}) {
          CHECK(tile_equals(Layout::unit_lanes, *dW, expected.W, n_out, n_in, apart) && dW->intact());
          for (Index i = 0; i < n_in; ++i) CHECK(dW->untouched(i * apart + n_out, (i + 1) * apart));
        }
        CHECK(same_bits(db.data(), expected.b.data(), n_out) && db.intact());

        if (!fresh) continue;  // a step by the gradient equals the gradient, and then the step
        const Scalar scale = Scalar(-0.37);
        Walled<Scalar> stepped(n_in * n_out);
        std::copy(start.W.begin(), start.W.end(), stepped.data());
        step_rows(rows, a.pointers(m).data(), n_out, n_in, m, scale, stepped.data());
        std::vector<Scalar> after(start.W);
        for (std::size_t k = 0; k < after.size(); ++k)
          after[k] = has_fma ? std::fma(scale, expected.W[k], after[k]) : scale * expected.W[k] + after[k];
        CHECK(same_bits(stepped.data(), after.data(), n_in * n_out) && stepped.intact());
      }
  }
}

/// Every width as outputs and as inputs: against a narrow other side for every batch, against any other for some.
template <class Scalar>
void test_products() {
  for (std::size_t k = 0; k < widths().size(); ++k) {
    const Index n = widths()[k], narrow = 1 + static_cast<Index>(k % 5);
    const Index other = widths()[(7 * k + 11) % widths().size()];  // each of them once
    for (const auto test : {&test_affine_and_pull<Scalar>, &test_outer_and_sum<Scalar>}) {
      test(n, narrow, 1);
      test(narrow, n, 1);
      test(n, other, 9);
    }
  }
}

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
    Scalar sum = x(0, s);
    for (Index i = 0; i < n; ++i) {
      const std::size_t at = to_size(s * n + i);
      if (i > 0) sum += x(i, s);
      scaled[at] = x(i, s) * factors[to_size(s)];
      standard[at] = (x(i, s) - shift[to_size(i)]) / scale[to_size(i)];
      shifted[at] = x(i, s) - shift[to_size(i)];
    }
    sums.push_back(sum);
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
  const auto turned = [&](const Rows<Scalar>& rows) {
    return layout == Layout::sample_lanes ? rows.in_sample_lanes(m, stride) : rows.in_unit_lanes(m, stride);
  };
  std::vector<Scalar> a, tail, log_a, pulled, fused_delta;
  for (Index s = 0; s < m; ++s) {
    const plain::SoftmaxOf<Scalar> plain(std::span(z.values).subspan(to_size(s * n), to_size(n)));
    append(a, plain.a);
    append(tail, plain.tail);
    append(log_a, plain.log_a);
    std::size_t top = 0;
    Scalar mean = 0, sum = y(0, s);
    for (std::size_t i = 1; i < to_size(n); ++i) {
      if (plain.a[top] < plain.a[i]) top = i;
      sum += y(static_cast<Index>(i), s);
    }
    const Scalar level = g(static_cast<Index>(top), s);
    for (Index i = 0; i < n; ++i) mean = fused(plain.a[to_size(i)], g(i, s) - level, mean);
    for (Index i = 0; i < n; ++i) {
      pulled.push_back(plain.a[to_size(i)] * ((g(i, s) - level) - mean));
      fused_delta.push_back(fused(plain.tail[to_size(i)], sum, fused(plain.a[to_size(i)], sum, -y(i, s))));
    }
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
  const Index stride = padded(m), row_stride = n + 3;
  Walled<Scalar> tile(n * stride), rows(m * row_stride);
  to_lanes(x.pointers(m).data(), n, m, tile.data(), stride);
  CHECK(tile_equals(Layout::sample_lanes, tile, x.values, n, m, stride) && tile.intact());
  for (Index i = 0; i < n; ++i)
    for (Index s = m; s < stride; ++s) CHECK(tile[i * stride + s] == 0);
  to_rows(tile.data(), stride, n, m, rows.data(), row_stride);
  CHECK(tile_equals(Layout::unit_lanes, rows, x.values, n, m, row_stride) && rows.intact());
  for (Index s = 0; s < m; ++s) CHECK(rows.untouched(s * row_stride + n, (s + 1) * row_stride));

  // the rows in another order, as an epoch visits them
  std::vector<Index> order(to_size(m));
  for (Index s = 0; s < m; ++s) order[to_size(s)] = m - 1 - s;
  const auto bytes = static_cast<std::ptrdiff_t>(sizeof(Scalar));
  const auto values = exactly(std::span(x.values).first(to_size(m * n)));
  const bpnet::Samples samples{values.data(), m, n, n * bytes, bytes, bpnet::element_type<Scalar>(), false};
  Walled<Scalar> lanes(n * stride), units(m * row_stride);
  gather(samples, order.data(), m, lanes.data(), stride, Index(1));
  gather(samples, order.data(), m, units.data(), Index(1), row_stride);
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
  test_products<Scalar>();
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
