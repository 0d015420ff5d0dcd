/// Products and weight gradients against plain loops in the promised order, bit for bit, and nothing is written beside
/// the destination. Paddings of the inputs hold NaN, so a sum that took one in would show it; what a kernel may not
/// read at all is not there, so that AddressSanitizer sees it.
#include "bpnet/kernel_table.hpp"
#include "plain.hpp"
#include "tiles.hpp"

namespace {

using namespace tiles;
using plain::fused;

/// (F1) and (BP5), both layouts.
template <class Scalar>
void test_affine_and_pull(Index n_out, Index n_in, Index batch_step) {
  const auto& table = bpnet::kernels<Scalar>();
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
    table.affine_samples(W.data(), b.data(), n_out, n_in, a_lanes.data(), out.data(), stride);
    CHECK(tile_equals(Layout::sample_lanes, out, z, n_out, m, stride) && out.intact());
    const auto delta_lanes = delta.in_sample_lanes(m, stride);
    table.pull_samples(W.data(), n_out, n_in, delta_lanes.data(), nullptr, back.data(), stride);
    CHECK(tile_equals(Layout::sample_lanes, back, pulled, n_in, m, stride) && back.intact());
    const auto slope = a.in_sample_lanes(m, stride, 0);  // any numbers of that shape
    Walled<Scalar> scaled(n_in * stride);
    table.pull_samples(W.data(), n_out, n_in, delta_lanes.data(), slope.data(), scaled.data(), stride);
    table.multiply(back.data(), slope.data(), n_in * stride);
    CHECK(same_bits(scaled.data(), back.data(), n_in * stride) && scaled.intact());

    if (n_out <= depth_in_l1<Scalar>) {  // then the factors' place may be the result's
      Walled<Scalar> in_place(n_in * stride);
      std::copy_n(slope.data(), n_in * stride, in_place.data());
      table.pull_samples(W.data(), n_out, n_in, delta_lanes.data(), in_place.data(), in_place.data(), stride);
      CHECK(same_bits(in_place.data(), back.data(), n_in * stride) && in_place.intact());
    }
    for (const Index first : {n_out / 2, Index(0)}) {
      Walled<Scalar> in_parts(n_in * stride);
      if (first > 0)
        table.combine_rows({W.data(), n_out, 1}, nullptr, nullptr, false, n_in, first, delta_lanes.data(),
                           in_parts.data(), stride);
      table.combine_rows({W.data() + first, n_out, 1}, nullptr, slope.data(), first > 0, n_in, n_out - first,
                         delta_lanes.data() + first * stride, in_parts.data(), stride);
      CHECK(same_bits(in_parts.data(), back.data(), n_in * stride) && in_parts.intact());
    }

    const Index part_of_depth = n_in / 3;  // the chains of a product that is taken up again
    Walled<Scalar> resumed(n_out * stride);
    if (part_of_depth > 0)
      table.combine_rows({W.data(), 1, n_out}, b.data(), nullptr, false, n_out, part_of_depth, a_lanes.data(),
                         resumed.data(), stride);
    table.combine_rows({W.data() + part_of_depth * n_out, 1, n_out}, b.data(), nullptr, part_of_depth > 0, n_out,
                       n_in - part_of_depth, a_lanes.data() + part_of_depth * stride, resumed.data(), stride);
    CHECK(same_bits(resumed.data(), out.data(), n_out * stride) && resumed.intact());

    for (Index row = 0; row < n_out; row += packed_rows) {
      const Index rows = std::min(packed_rows, n_out - row);
      Walled<Scalar> packed(packed_rows * n_in), part(rows * stride);
      table.pack_rows(W.data() + row, n_out, n_in, rows, packed.data());
      table.combine_rows({packed.data(), 1, packed_rows}, b.data() + row, nullptr, false, rows, n_in, a_lanes.data(),
                         part.data(), stride);
      CHECK(same_bits(part.data(), out.data() + row * stride, rows * stride) && part.intact() && packed.intact());
    }

    const Index gap = m % 2 ? 0 : padding, out_stride = padded(n_out) + gap, in_stride = padded(n_in) + gap;
    Walled<Scalar> rows(m * out_stride), back_rows(m * in_stride);
    table.affine_units(W_slack.data(), b_slack.data(), n_out, n_in, a.pointers(m).data(), rows.data(), out_stride, m);
    CHECK(tile_equals(Layout::unit_lanes, rows, z, n_out, m, out_stride) && rows.intact());
    CHECK(gaps_untouched(rows, n_out, m, out_stride));
    if (m > tile_samples) continue;
    Walled<Scalar> panel(panels_room(n_out, tile_samples));
    table.pull_units(W_slack.data(), n_out, n_in, delta.in_unit_lanes(m, out_stride).data(), out_stride,
                     back_rows.data(), in_stride, m, panel.data());
    CHECK(panel.intact());
    CHECK(tile_equals(Layout::unit_lanes, back_rows, pulled, n_in, m, in_stride) && back_rows.intact());
    CHECK(gaps_untouched(back_rows, n_in, m, in_stride));
  }
  Walled<Scalar> one(padded(n_out));
  table.affine_one(W_slack.data(), b_slack.data(), n_out, n_in, a.pointers(1)[0], one.data());
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

/// Fresh and on top of what is there; delta as rows, as panels and in sample lanes; a as rows and in sample lanes.
template <class Scalar>
void test_outer_and_sum(Index n_out, Index n_in, Index batch_step) {
  const auto& table = bpnet::kernels<Scalar>();
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
    table.to_panels(delta_lanes.data(), padded(m), n_out, m, panels.data());
    CHECK(panels.intact());
    const Index apart = n_out + (m % 2 ? 0 : 5);
    for (const auto rows :
         {DeltaRows<Scalar>::rows(delta_rows.data(), row_stride), DeltaRows<Scalar>::panels(panels.data(), m)})
      for (const bool fresh : {true, false}) {
        const PlainGradient<Scalar>& expected = fresh ? fresh_sum : added_sum;
        Walled<Scalar> by_rows(n_in * apart), by_lanes(n_in * apart), turned(n_in * apart);
        Walled<Scalar> db(n_out), db_by_rows(n_out), db_by_lanes(n_out);
        if (!fresh) {
          for (Index i = 0; i < n_in; ++i)
            for (auto* dW : {&by_rows, &by_lanes, &turned})
              std::copy_n(start.W.data() + i * n_out, n_out, dW->data() + i * apart);
          for (auto* sum : {&db, &db_by_rows, &db_by_lanes}) std::copy(start.b.begin(), start.b.end(), sum->data());
        }
        const bool with_biases = m % 3 != 0;
        table.outer_rows(rows, a.pointers(m).data(), n_out, n_in, m, fresh, by_rows.data(), apart,
                         with_biases ? db_by_rows.data() : nullptr);
        Ahead<Scalar> ahead{{{{start.W.data(), 1, n_in, n_out, 0}}}};  // what is fetched on the way changes nothing
        table.outer_samples(rows, a_lanes.data(), padded(m), n_out, n_in, m, fresh, by_lanes.data(), apart,
                            m % 2 ? nullptr : &ahead, with_biases ? db_by_lanes.data() : nullptr);
        table.outer_turned(delta_lanes.data(), a_lanes.data(), padded(m), n_out, n_in, m, fresh, turned.data(), apart);
        table.sum_rows(rows, n_out, m, fresh, db.data());
        for (const auto* dW : {&by_rows, &by_lanes, &turned}) {
          CHECK(tile_equals(Layout::unit_lanes, *dW, expected.W, n_out, n_in, apart) && dW->intact());
          for (Index i = 0; i < n_in; ++i) CHECK(dW->untouched(i * apart + n_out, (i + 1) * apart));
        }
        CHECK(same_bits(db.data(), expected.b.data(), n_out) && db.intact());
        for (auto* sum : {&db_by_rows, &db_by_lanes})
          CHECK(sum->intact() &&
                (with_biases ? same_bits(sum->data(), expected.b.data(), n_out) : !fresh || sum->untouched(0, n_out)));

        if (!fresh) continue;  // a step by the gradient equals the gradient, and then the step
        const Scalar scale = Scalar(-0.37);
        Walled<Scalar> stepped(n_in * n_out);
        std::copy(start.W.begin(), start.W.end(), stepped.data());
        table.step_rows(rows, a.pointers(m).data(), n_out, n_in, m, scale, stepped.data());
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

/// Few outputs, for which delta of few samples may be held in registers: whole ones and tails, every batch.
template <class Scalar>
void test_few_outputs() {
  for (const Index n_out : {7, 8, 9, 15, 16, 17, 30, 32}) test_outer_and_sum<Scalar>(n_out, 20 + n_out % 7, 1);
}

/// Deeper than what is taken at once: chains that begin, go on and end.
template <class Scalar>
void test_deep_products() {
  for (const Index deep : {2 * depth_in_l1<Scalar>, 2 * depth_in_l1<Scalar> + 1, 5 * depth_in_l1<Scalar> / 2})
    for (const Index narrow : {1, 17}) {
      test_affine_and_pull<Scalar>(narrow, deep, 21);
      test_affine_and_pull<Scalar>(deep, narrow, 21);
    }
}

}  // namespace

int main() {
  test_few_outputs<float>();
  test_few_outputs<double>();
  test_deep_products<float>();
  test_deep_products<double>();
  test_products<float>();
  test_products<double>();
  return check_report();
}
