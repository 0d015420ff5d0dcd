/// Softmax, the activation whose Jacobian is not diagonal. One sample is one lane in either layout.
#pragma once

#include "bpnet/engine/elementary.hpp"
#include "bpnet/engine/tile.hpp"

namespace bpnet::engine {

namespace detail {

/// Calls body(access) for each register's worth of samples; access loads and stores unit i of them.
template <class Scalar, class Body>
void over_samples(Layout layout, Index m, Index stride, Body&& body) {
  using L = Lanes<Scalar>;
  if (layout == Layout::sample_lanes) {
    for (Index s = 0; s < stride; s += L::size)
      body([=](auto* data, Index i) { return data + i * stride + s; }, [](const Scalar* at) { return L::load(at); },
           [](Scalar* at, L x) { x.store(at); });
  } else {
    for (Index s = 0; s < m; ++s)
      body([=](auto* data, Index i) { return data + s * stride + i; }, [](const Scalar* at) { return L(*at); },
           [](Scalar* at, L x) { x.store_first(at, 1); });
  }
}

}  // namespace detail

/// a = softmax(z) over the n units of each sample (F2); optionally what rounding a took away and log a.
/// The largest z is subtracted first, so exp() <= 1, and its own 1 is left out of the sum: total - 1 keeps its digits.
/// a may be z unless log_a is asked for; tail and log_a may be null.
template <class Scalar>
void softmax(Layout layout, const Scalar* z, Scalar* a, Scalar* tail, Scalar* log_a, Index n, Index m, Index stride) {
  using L = Lanes<Scalar>;
  const L zero(Scalar(0)), one(Scalar(1)), half(Scalar(0.5));
  detail::over_samples<Scalar>(layout, m, stride, [&](auto place, auto load, auto store) {
    L top = load(place(z, 0)), which(Scalar(0));
    for (Index i = 1; i < n; ++i) {
      const L x = load(place(z, i));
      which = select(top < x, L(static_cast<Scalar>(i)), which);
      top = select(top < x, x, top);
    }
    L others = zero;  // the sum of all exponentials but the largest, ascending
    for (Index i = 0; i < n; ++i) {
      const L x = load(place(z, i)), shifted = select(x == top, zero, x - top);  // of inf - inf too: its limit
      if (log_a) store(place(log_a, i), shifted);
      const L e = exp(shifted);
      const auto is_top = which == L(static_cast<Scalar>(i));
      others = select(is_top, others + (e - one), others + e);  // e - 1 is 0
      store(place(a, i), e);
    }
    const L total = one + others, log_total = log_a ? log1p(others) : zero;
    for (Index i = 0; i < n; ++i) {
      const L p = load(place(a, i)) / total;
      store(place(a, i), p);
      if (tail) {
        const auto saturates = (which == L(static_cast<Scalar>(i))) & (p >= half);
        store(place(tail, i), select(saturates, (one - p) - others / total, zero));  // 1 - p is exact
      }
      if (log_a) store(place(log_a, i), load(place(log_a, i)) - log_total);
    }
  });
}

/// delta = J^T g, J the Jacobian of softmax: delta_j = a_j (g_j - sum_i a_i g_i). (BP1), (BP2)
/// g is measured from its value at the largest a, so that nothing cancels when one a is nearly 1. delta may be g.
template <class Scalar>
void softmax_pull(Layout layout, const Scalar* a, const Scalar* g, Scalar* delta, Index n, Index m, Index stride) {
  using L = Lanes<Scalar>;
  detail::over_samples<Scalar>(layout, m, stride, [&](auto place, auto load, auto store) {
    L top = load(place(a, 0)), level = load(place(g, 0));
    for (Index i = 1; i < n; ++i) {
      const L p = load(place(a, i));
      level = select(top < p, load(place(g, i)), level);
      top = select(top < p, p, top);
    }
    L mean(Scalar(0));
    for (Index i = 0; i < n; ++i) mean = madd(load(place(a, i)), load(place(g, i)) - level, mean);
    for (Index i = 0; i < n; ++i) store(place(delta, i), load(place(a, i)) * ((load(place(g, i)) - level) - mean));
  });
}

/// delta = a sum(y) - y, for softmax with -sum y log a: the Jacobian times -y/a, with the quotient cancelled. (BP1)
template <class Scalar>
void softmax_cross_entropy_delta(Layout layout, const Scalar* a, const Scalar* tail, const Scalar* y, Scalar* delta,
                                 Index n, Index m, Index stride) {
  using L = Lanes<Scalar>;
  detail::over_samples<Scalar>(layout, m, stride, [&](auto place, auto load, auto store) {
    L sum = load(place(y, 0));
    for (Index i = 1; i < n; ++i) sum = sum + load(place(y, i));
    for (Index i = 0; i < n; ++i)
      store(place(delta, i), madd(load(place(tail, i)), sum, madd(load(place(a, i)), sum, -load(place(y, i)))));
  });
}

}  // namespace bpnet::engine
