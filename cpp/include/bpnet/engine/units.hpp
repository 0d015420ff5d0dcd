/// The units of a sample, and sums over them, in either layout of a tile.
///
/// Such a sum is sixteen partial sums of numbers that are filled up with zeros to a multiple of sixteen: sum k is a
/// chain over the units k, k + 16, ... Sum k + 8 is added to sum k, then k + 4 to k, k + 2, k + 1. So units fill the
/// registers of unit lanes, and the bits are those of sample lanes.
#pragma once

#include <algorithm>
#include <limits>

#include "bpnet/engine/folded.hpp"

namespace bpnet::engine {

namespace detail {

/// The first n < partial_sums of so many numbers, folded where they are; those that are not there would change nothing
/// but the sign of a 0.
template <class L>
[[gnu::always_inline]] inline void fold_some(L* parts, Index n) {
  for (Index half = partial_sums / 2; half > 0; half /= 2)
    for (Index k = 0; k < half && k + half < n; ++k) parts[k] = parts[k] + parts[k + half];
}

/// The n units of as many samples as fill a register, in sample lanes: the first ones are at `first`.
template <class Scalar>
class UnitsOfSamples {
 public:
  using L = Lanes<Scalar>;
  UnitsOfSamples(Index n, Index stride, Index first) : n_(n), stride_(stride), first_(first) {}

  /// body(where a register is) for all of them, ascending.
  template <class Body>
  void each(const Body& body) const {
    for (Index i = 0; i < n_; ++i) body(first_ + i * stride_);
  }
  /// The largest number of each sample; NaNs are passed over.
  template <class Value>
  L largest(const Value& value) const {
    L top(-std::numeric_limits<Scalar>::infinity());
    each([&](Index at) { top = max(top, value(at)); });
    return top;
  }
  /// sums[k] becomes the sum of values[k] of all units, each register asked for once: value(where, values).
  template <int Count, class Value>
  void sum(L (&sums)[Count], const Value& value) const {
    L parts[Count][partial_sums];
    L values[Count];
    Index at = first_;
    for (Index k = 0; k < std::min<Index>(partial_sums, n_); ++k, at += stride_) {
      value(at, values);
      for (int c = 0; c < Count; ++c) parts[c][k] = values[c];
    }
    for (Index i = partial_sums; i < n_; i += partial_sums)
      for (Index k = 0; k < std::min<Index>(partial_sums, n_ - i); ++k, at += stride_) {
        value(at, values);
        for (int c = 0; c < Count; ++c) parts[c][k] = parts[c][k] + values[c];
      }
    for (int c = 0; c < Count; ++c) {
      if (n_ >= partial_sums)
        fold(parts[c], partial_sums);
      else
        fold_some(parts[c], n_);
      sums[c] = n_ % partial_sums == 0 ? parts[c][0] : parts[c][0] + L(Scalar(0));  // all that zeros do: it is not -0
    }
  }

 private:
  Index n_, stride_, first_;
};

/// The n units of one sample, in unit lanes: what is asked for is the same in all lanes. Whole registers are read and
/// written.
template <class Scalar>
class UnitsOfSample {
 public:
  using L = Lanes<Scalar>;
  UnitsOfSample(Index n, Index first) : n_(n), first_(first) {}

  template <class Body>
  void each(const Body& body) const {
    for (Index i = 0; i < n_; i += L::size) body(first_ + i);
  }
  template <class Value>
  L largest(const Value& value) const {
    const L least(-std::numeric_limits<Scalar>::infinity());
    L top = least;
    Index i = 0;
    for (; i + L::size <= n_; i += L::size) top = max(top, value(first_ + i));
    if (i < n_) top = max(top, select(lanes_below<L>(n_ - i), value(first_ + i), least));
    return L(largest_lane(top));
  }
  template <int Count, class Value>
  void sum(L (&sums)[Count], const Value& value) const {
    constexpr Index registers = partial_sums / L::size;
    L parts[Count][registers] = {};
    L values[Count];
    for (Index i = 0; i < n_; i += partial_sums)
      for (Index r = 0; r < registers; ++r) {
        const Index from = i + r * L::size;
        if (from >= n_) break;
        value(first_ + from, values);
        for (int c = 0; c < Count; ++c) {
          if (n_ - from < L::size) values[c] = select(lanes_below<L>(n_ - from), values[c], L(Scalar(0)));
          parts[c][r] = i == 0 ? values[c] : parts[c][r] + values[c];
        }
      }
    for (int c = 0; c < Count; ++c) {
      const auto quarter = fold_to_quarter<Scalar>(parts[c]);
      const Scalar total = fold_two<Scalar>(quarter, quarter)[0];
      sums[c] = L(n_ % partial_sums == 0 ? total : total + Scalar(0));  // of registers that are not there
    }
  }

 private:
  Index n_, first_;
};

/// body(units, the first sample they are of) for all of a tile.
template <class Scalar, class Body>
void over_samples(Layout layout, Index n, Index m, Index stride, const Body& body) {
  if (layout == Layout::sample_lanes)
    for (Index s = 0; s < stride; s += Lanes<Scalar>::size) body(UnitsOfSamples<Scalar>(n, stride, s), s);
  else
    for (Index s = 0; s < m; ++s) body(UnitsOfSample<Scalar>(n, s * stride), s);
}

}  // namespace detail

/// total[s] = the sum over the units of x of sample s. `total` is padded; in unit lanes, so are the rows of x.
template <class Scalar>
void sum_units(Layout layout, const Scalar* x, Index n, Index m, Index stride, Scalar* total) {
  using L = Lanes<Scalar>;
  constexpr int few = 4;
  if (layout == Layout::sample_lanes && n <= few)  // the same in registers
    return with_constant<few>(n, [&](auto all) {
      for (Index s = 0; s < stride; s += L::size) {
        L parts[all()];
        for (int i = 0; i < all(); ++i) parts[i] = L::load(x + i * stride + s);
        detail::fold_some(parts, all());
        (parts[0] + L(Scalar(0))).store(total + s);
      }
    });
  detail::over_samples<Scalar>(layout, n, m, stride, [&](const auto& units, Index s) {
    L sum[1];
    units.sum(sum, [&](Index at, L(&value)[1]) { value[0] = L::load(x + at); });
    if (layout == Layout::sample_lanes)
      sum[0].store(total + s);
    else
      sum[0].store_first(total + s, 1);
  });
}

}  // namespace bpnet::engine
