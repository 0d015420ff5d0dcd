/// Softmax, the activation whose Jacobian is not diagonal.
#pragma once

#include "bpnet/engine/elementary.hpp"
#include "bpnet/engine/units.hpp"

namespace bpnet::engine {

/// a = softmax(z) over the n units of each sample (F2); optionally what rounding a took away and log a.
/// The largest z is subtracted first, so exp() <= 1, and its own 1 is left out of the sum: total - 1 keeps its digits.
/// a may be z unless log_a is asked for; tail and log_a may be null. In unit lanes rows are padded.
template <class Scalar>
void softmax(Layout layout, const Scalar* z, Scalar* a, Scalar* tail, Scalar* log_a, Index n, Index m, Index stride) {
  using L = Lanes<Scalar>;
  const L zero(Scalar(0)), one(Scalar(1)), half(Scalar(0.5));
  detail::over_samples<Scalar>(layout, n, m, stride, [&](const auto& units, Index) {
    const L top = units.largest([&](Index at) { return L::load(z + at); });
    L sums[2];  // of exponentials less than 1, and how many are 1
    units.sum(sums, [&](Index at, L(&values)[2]) {
      const L x = L::load(z + at), shifted = select(x == top, zero, x - top);  // of inf - inf too: its limit
      if (log_a) shifted.store(log_a + at);
      const L e = exp(shifted);
      e.store(a + at);
      values[0] = select(e == one, zero, e);
      values[1] = select(e == one, one, zero);
    });
    const L others = sums[0] + (sums[1] - one), total = one + others, log_total = log_a ? log1p(others) : zero;
    units.each([&](Index at) {
      const L p = L::load(a + at) / total;
      p.store(a + at);
      if (tail) select(p >= half, (one - p) - others / total, zero).store(tail + at);  // 1 - p is exact
      if (log_a) (L::load(log_a + at) - log_total).store(log_a + at);
    });
  });
}

/// delta = J^T g, J the Jacobian of softmax: delta_j = a_j (g_j - sum_i a_i g_i). (BP1), (BP2)
/// g is measured from its value at the largest a (the largest there, if there are several), so that nothing cancels
/// when one a is nearly 1. delta may be g. In unit lanes rows are padded.
template <class Scalar>
void softmax_pull(Layout layout, const Scalar* a, const Scalar* g, Scalar* delta, Index n, Index m, Index stride) {
  using L = Lanes<Scalar>;
  const L least(-std::numeric_limits<Scalar>::infinity()), zero(Scalar(0));
  detail::over_samples<Scalar>(layout, n, m, stride, [&](const auto& units, Index) {
    const L top = units.largest([&](Index at) { return L::load(a + at); });
    const L largest = units.largest([&](Index at) { return select(L::load(a + at) == top, L::load(g + at), least); });
    const L level = largest + zero;  // of 0 and -0 it depends on the layout which is the largest
    L mean[1];
    units.sum(mean, [&](Index at, L(&value)[1]) { value[0] = L::load(a + at) * (L::load(g + at) - level); });
    units.each([&](Index at) { (L::load(a + at) * ((L::load(g + at) - level) - mean[0])).store(delta + at); });
  });
}

/// delta = a sum(y) - y, for softmax with -sum y log a: the Jacobian times -y/a, with the quotient cancelled. (BP1)
/// In unit lanes rows are padded.
template <class Scalar>
void softmax_cross_entropy_delta(Layout layout, const Scalar* a, const Scalar* tail, const Scalar* y, Scalar* delta,
                                 Index n, Index m, Index stride) {
  using L = Lanes<Scalar>;
  detail::over_samples<Scalar>(layout, n, m, stride, [&](const auto& units, Index) {
    L sum[1];
    units.sum(sum, [&](Index at, L(&value)[1]) { value[0] = L::load(y + at); });
    units.each([&](Index at) {
      madd(L::load(tail + at), sum[0], madd(L::load(a + at), sum[0], -L::load(y + at))).store(delta + at);
    });
  });
}

}  // namespace bpnet::engine
