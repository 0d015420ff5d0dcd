/// Passes over the numbers of a tile that know nothing of rows and columns: F is a functor on lanes.
/// Counts are multiples of `padding`, so every register is whole and a value never depends on where it stands.
#pragma once

#include "bpnet/engine/tile.hpp"

namespace bpnet::engine {

/// a = f(z). (F2) a may be z. (Flattened: constants stay in registers only where F is no call.)
template <class F, class Scalar>
[[gnu::flatten]] void map_value(const Scalar* z, Scalar* a, Index count) {
  using L = Lanes<Scalar>;
  for (Index i = 0; i < count; i += L::size) F::value(L::load(z + i)).store(a + i);
}

/// a = f(z), slope = f'(z). (F2) and the f' of (BP1), (BP2). a may be z.
template <class F, class Scalar>
[[gnu::flatten]] void map_value_slope(const Scalar* z, Scalar* a, Scalar* slope, Index count) {
  using L = Lanes<Scalar>;
  for (Index i = 0; i < count; i += L::size) {
    const auto both = F::value_slope(L::load(z + i));
    both.value.store(a + i);
    both.slope.store(slope + i);
  }
}

/// What rounding a = f(z) took away: a + tail is f(z) to twice the digits where f saturates.
template <class F, class Scalar>
void map_tail(const Scalar* z, const Scalar* a, const Scalar* slope, Scalar* tail, Index count) {
  using L = Lanes<Scalar>;
  for (Index i = 0; i < count; i += L::size)
    F::tail(L::load(z + i), L::load(a + i), L::load(slope + i)).store(tail + i);
}

/// log f, its derivative in z, log(1 - f), its derivative in z: what the costs with logarithms are formed from.
template <class Scalar>
struct LogArrays {
  Scalar* value;
  Scalar* slope;
  Scalar* rest;
  Scalar* rest_slope;
};

template <class F, class Scalar>
void map_logs(const Scalar* z, const Scalar* a, const Scalar* slope, const LogArrays<Scalar>& logs, Index count) {
  using L = Lanes<Scalar>;
  for (Index i = 0; i < count; i += L::size) {
    const auto out = F::logs(L::load(z + i), L::load(a + i), L::load(slope + i));
    out.value.store(logs.value + i);
    out.slope.store(logs.slope + i);
    out.rest.store(logs.rest + i);
    out.rest_slope.store(logs.rest_slope + i);
  }
}

/// x o= y. The o of (BP2).
template <class Scalar>
void multiply(Scalar* x, const Scalar* y, Index count) {
  using L = Lanes<Scalar>;
  for (Index i = 0; i < count; i += L::size) (L::load(x + i) * L::load(y + i)).store(x + i);
}

/// Scales sample s of an (n, m) tile by scale[s], which is padded.
template <class Scalar>
void scale_samples(Layout layout, Scalar* x, Index n, Index m, Index stride, const Scalar* scale) {
  using L = Lanes<Scalar>;
  if (layout == Layout::sample_lanes) {
    for (Index i = 0; i < n; ++i)
      for (Index s = 0; s < stride; s += L::size) {
        Scalar* at = x + i * stride + s;
        (L::load(at) * L::load(scale + s)).store(at);
      }
  } else {
    for (Index s = 0; s < m; ++s)
      for (Index i = 0; i < stride; i += L::size) {
        Scalar* at = x + s * stride + i;
        (L::load(at) * L(scale[s])).store(at);
      }
  }
}

/// x(i, s) = (x(i, s) - shift[i]) / scale[i] over the real units and samples of a tile.
template <class Scalar>
void standardise(Layout layout, Scalar* x, Index n, Index m, Index stride, const Scalar* shift, const Scalar* scale) {
  const bool lanes = layout == Layout::sample_lanes;
  for (Index row = 0; row < (lanes ? n : m); ++row, x += stride) {  // of one unit, or of one sample
    const auto each = [&](const Scalar* by, auto apply) {
      if (by == nullptr) return;
      if (lanes)
        for (Index s = 0; s < m; ++s) x[s] = apply(x[s], by[row]);
      else
        for (Index i = 0; i < n; ++i) x[i] = apply(x[i], by[i]);
    };
    each(shift, [](Scalar value, Scalar by) { return value - by; });
    each(scale, [](Scalar value, Scalar by) { return value / by; });
  }
}

}  // namespace bpnet::engine
