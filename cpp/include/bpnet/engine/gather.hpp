/// From the caller's numbers to tiles and back. Conversion happens here, a tile at a time.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "bpnet/engine/tile.hpp"
#include "bpnet/samples.hpp"

namespace bpnet::engine {

/// IEEE half precision, as two bytes.
struct Half {
  std::uint16_t bits;
};

namespace detail {

inline float widen(Half half) {  // without a branch, so that registers of them are widened
  const std::uint32_t sign = (half.bits & 0x8000u) << 16, exponent = (half.bits >> 10) & 31u,
                      fraction = half.bits & 0x3ffu;
  const std::uint32_t normal = (exponent == 31 ? 0xffu : exponent + 112) << 23 | fraction << 13;
  const auto subnormal = std::bit_cast<std::uint32_t>(static_cast<float>(fraction) * 0x1p-24f);  // or zero; exact
  return std::bit_cast<float>(sign | (exponent == 0 ? subnormal : normal));
}

template <class Source>
Source read(const char* from, bool swapped) {
  std::array<char, sizeof(Source)> bytes;
  std::memcpy(bytes.data(), from, sizeof(Source));
  if (swapped) std::reverse(bytes.begin(), bytes.end());
  Source value;
  std::memcpy(&value, bytes.data(), sizeof(Source));
  return value;
}

template <class Scalar, class Source>
Scalar convert(const char* from, bool swapped) {
  if constexpr (std::is_same_v<Source, Half>)
    return static_cast<Scalar>(widen(read<Half>(from, swapped)));
  else if constexpr (std::is_same_v<Source, bool>)
    return static_cast<Scalar>(*from != 0);
  else
    return static_cast<Scalar>(read<Source>(from, swapped));
}

/// Calls body(tag) with a value of the C++ type that `type` stands for.
template <class Body>
auto with_element_type(ElementType type, Body&& body) {
  switch (type) {
    case ElementType::boolean:
      return body(bool{});
    case ElementType::int8:
      return body(std::int8_t{});
    case ElementType::int16:
      return body(std::int16_t{});
    case ElementType::int32:
      return body(std::int32_t{});
    case ElementType::int64:
      return body(std::int64_t{});
    case ElementType::uint8:
      return body(std::uint8_t{});
    case ElementType::uint16:
      return body(std::uint16_t{});
    case ElementType::uint32:
      return body(std::uint32_t{});
    case ElementType::uint64:
      return body(std::uint64_t{});
    case ElementType::float16:
      return body(Half{});
    case ElementType::float32:
      return body(float{});
    case ElementType::longdouble:
      return body(0.0L);
    case ElementType::float64:
      break;
  }
  return body(double{});
}

/// n values of one sample, converted. Where they lie side by side the compiler has them converted by registers.
template <class Scalar, class Source>
void convert_row(const char* from, std::ptrdiff_t value_stride, bool swapped, Index n, Scalar* to) {
  constexpr auto bytes = static_cast<std::ptrdiff_t>(sizeof(Source));
  if (swapped) {
    for (Index i = 0; i < n; ++i, from += value_stride) to[i] = convert<Scalar, Source>(from, true);
  } else if (value_stride != bytes) {
    for (Index i = 0; i < n; ++i, from += value_stride) to[i] = convert<Scalar, Source>(from, false);
  } else if constexpr (std::is_same_v<Source, Scalar>) {
    std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(Scalar));
  } else {
    for (Index i = 0; i < n; ++i) to[i] = convert<Scalar, Source>(from + i * bytes, false);
  }
}

}  // namespace detail

/// Value j of sample `sample`, converted.
template <class Scalar>
Scalar element(const Samples& x, Index sample, Index j) {
  const char* from = static_cast<const char*>(x.data) + sample * x.sample_stride + j * x.value_stride;
  return detail::with_element_type(x.type,
                                   [&](auto tag) { return detail::convert<Scalar, decltype(tag)>(from, x.swapped); });
}

namespace detail {

/// `to_lanes` of rows, those of a register's samples from s on at rows(s)(0), rows(s)(1), ...
template <class Scalar, class Rows>
[[gnu::always_inline]] inline void turn_into_lanes(const Rows& rows, Index n, Index m, Scalar* out, Index stride) {
  using L = Lanes<Scalar>;
  constexpr Index Q = quarter<Scalar>;
  for (Index s = 0; s < stride; s += L::size) {
    const Index samples = std::min<Index>(L::size, m - s);
    const auto row = rows(s);
    Scalar* to = out + s;
    const auto turn = [&](Index units, auto load) __attribute__((always_inline)) {
      L column[Q];
      load_transposed(load, column);
      for (Index k = 0; k < units; ++k, to += stride) column[k].store(to);
    };
    Index i = 0;
    if (samples == L::size) {
      if constexpr (turns_halves<Scalar>) {
        L two[2 * Q];
        for (; i + 2 * Q <= n; i += 2 * Q) {
          load_transposed_halves(
              [&](int k) __attribute__((always_inline)) { return row(k) + i; }, two);
          for (Index k = 0; k < 2 * Q; ++k, to += stride) two[k].store(to);
        }
      }
      for (; i + Q <= n; i += Q)
        turn(
            Q, [&](int k) __attribute__((always_inline)) { return load_quarter(row(k) + i); });
    }
    for (; i < n; i += Q) {
      const Index units = std::min(Q, n - i);
      turn(
          units, [&](int k) __attribute__((always_inline)) {
            return k < samples ? load_quarter(row(k) + i, units) : Quarter<Scalar>{};
          });
    }
  }
}

/// Rows a constant distance apart, every fourth of which has a pointer: the others are within reach of an address.
template <class Scalar>
struct RowsApart {
  std::array<const Scalar*, std::max<Index>(Lanes<Scalar>::size / 4, 1)> fourth;
  Index apart;

  [[gnu::always_inline]] RowsApart(const Scalar* rows, Index between) : apart(between) {
    for (const Scalar*& row : fourth) {
      row = opaque(rows);
      rows = row + 4 * apart;
    }
  }
  [[gnu::always_inline]] const Scalar* operator()(int k) const {
    return fourth[static_cast<std::size_t>(k / 4)] + k % 4 * apart;
  }
};

}  // namespace detail

/// m rows of n numbers into sample lanes (n, stride); lanes m.. of each unit become zero.
template <class Scalar>
void to_lanes(const Scalar* const* rows, Index n, Index m, Scalar* out, Index stride) {
  const auto from = [rows](Index s) __attribute__((always_inline)) {
    return [at = rows + s](int k) __attribute__((always_inline)) { return at[k]; };
  };
  detail::turn_into_lanes(from, n, m, out, stride);
}

/// The same of rows that lie `apart` numbers apart.
template <class Scalar>
void to_lanes_apart(const Scalar* rows, Index apart, Index n, Index m, Scalar* out, Index stride) {
  const Index between = m > 1 ? apart : 0;  // of a single row it may be anything, and addresses would overflow
  const auto from = [ rows, between ](Index s) __attribute__((always_inline)) {
    return detail::RowsApart<Scalar>(rows + s * between, between);
  };
  detail::turn_into_lanes(from, n, m, out, stride);
}

/// Samples rows[0..m) of x, converted, into a tile: m rows of x.width numbers, `stride` apart, in unit lanes; in sample
/// lanes, of which there are at most tile_samples, (x.width, stride), where lanes m.. of each unit become zero.
template <class Scalar>
void gather(Layout layout, const Samples& x, const Index* rows, Index m, Scalar* out, Index stride) {
  const char* data = static_cast<const char*>(x.data);
  detail::with_element_type(x.type, [&](auto tag) {
    using Source = decltype(tag);
    const auto row = [&](Index s, Index first, Index n, Scalar* to) {
      detail::convert_row<Scalar, Source>(data + rows[s] * x.sample_stride + first * x.value_stride, x.value_stride,
                                          x.swapped, n, to);
    };
    const bool columns = std::abs(x.value_stride) > std::abs(x.sample_stride);  // samples are side by side
    if (layout == Layout::unit_lanes) {
      const Index some = columns ? 16 : std::max<Index>(x.width, 1);  // so that lines read are read to their ends
      for (Index i = 0; i < x.width; i += some)
        for (Index s = 0; s < m; ++s) row(s, i, std::min(some, x.width - i), out + s * stride + i);
    } else if (columns) {
      for (Index i = 0; i < x.width; ++i, data += x.value_stride, out += stride) {
        for (Index s = 0; s < m; ++s)
          out[s] = detail::convert<Scalar, Source>(data + rows[s] * x.sample_stride, x.swapped);
        std::fill(out + m, out + stride, Scalar(0));
      }
    } else {
      constexpr Index some = 64;
      alignas(64) Scalar block[tile_samples * some];
      std::array<const Scalar*, tile_samples> at;
      for (Index s = 0; s < m; ++s) at[static_cast<std::size_t>(s)] = block + s * some;
      for (Index i = 0; i < x.width; i += some) {
        const Index n = std::min(some, x.width - i);
        for (Index s = 0; s < m; ++s) row(s, i, n, block + s * some);
        to_lanes(at.data(), n, m, out + i * stride, stride);
      }
    }
  });
}

namespace detail {

/// Sample lanes (n, stride) turned around: of sample s, the registers of units from i on go to to(i) + s * apart, the
/// last one filled up with zeros or, with Exact, cut off.
template <bool Exact, class Scalar, class To>
void from_lanes(const Scalar* in, Index stride, Index n, Index m, const To& to, Index apart) {
  using L = Lanes<Scalar>;
  constexpr Index Q = quarter<Scalar>;
  L column[Q];
  for (Index i = 0; i < n; i += L::size, in += L::size * stride) {
    const Index units = std::min<Index>(L::size, n - i);
    Scalar* out = to(i);
    Index s = 0;
    if (units == L::size) {
      if constexpr (turns_halves<Scalar>) {
        L two[2 * Q];
        for (; s + 2 * Q <= m; s += 2 * Q, out += 2 * Q * apart) {
          load_transposed_halves([&](int k) { return in + k * stride + s; }, two);
          for (Index k = 0; k < 2 * Q; ++k) two[k].store(out + k * apart);
        }
      }
      for (; s + Q <= m; s += Q, out += Q * apart) {
        load_transposed([&](int k) { return load_quarter(in + k * stride + s); }, column);
        for (Index k = 0; k < Q; ++k) column[k].store(out + k * apart);
      }
    }
    for (; s < m; s += Q, out += Q * apart) {
      load_transposed([&](int k) { return k < units ? load_quarter(in + k * stride + s) : Quarter<Scalar>{}; }, column);
      for (Index k = 0; k < std::min(Q, m - s); ++k) {
        if (Exact && units < L::size)
          column[k].store_first(out + k * apart, units);
        else
          column[k].store(out + k * apart);
      }
    }
  }
}

}  // namespace detail

/// Sample lanes (n, stride) into m rows of n numbers, `row_stride` apart.
template <class Scalar>
void to_rows(const Scalar* in, Index stride, Index n, Index m, Scalar* rows, Index row_stride) {
  if (n == 1 && row_stride == 1) {
    std::copy_n(in, m, rows);
    return;
  }
  detail::from_lanes<true>(
      in, stride, n, m, [rows](Index i) { return rows + i; }, row_stride);
}

/// Sample lanes (n, stride) into panels of Block::panel units: m rows of one panel, then m rows of the next. The last
/// register of a row is filled up with zeros. This is how the weight gradient reads them: rows of a wide layer lie a
/// power of two apart and would share a few lines of the cache.
template <class Scalar>
void to_panels(const Scalar* in, Index stride, Index n, Index m, Scalar* panels) {
  constexpr Index width = Block<Scalar>::panel;
  detail::from_lanes<false>(
      in, stride, n, m, [panels, m](Index i) { return panels + i / width * width * m + i % width; }, width);
}

/// Whether all n numbers are finite.
template <class Scalar>
bool all_finite(const Scalar* x, Index n) {
  using L = Lanes<Scalar>;
  constexpr Index chains = 4;
  L sums[chains];  // x - x is 0, or NaN where x is not finite; so is a sum of them, in whatever order
  for (L& sum : sums) sum = L(Scalar(0));
  Index i = 0;
  for (; i + chains * L::size <= n; i += chains * L::size)
    for (Index c = 0; c < chains; ++c) {
      const L v = L::load(x + i + c * L::size);
      sums[c] = sums[c] + (v - v);
    }
  for (; i < n; i += L::size) {
    const L v = i + L::size <= n ? L::load(x + i) : L::load_first(x + i, n - i);
    sums[0] = sums[0] + (v - v);
  }
  const L sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  return !any(!(sum == L(Scalar(0))), sum);
}

/// The largest |x|, at least 0; infinite where a number is not finite.
template <class Scalar>
Scalar largest(const Scalar* x, Index n) {
  using L = Lanes<Scalar>;
  L most(Scalar(0));
  const L infinity(std::numeric_limits<Scalar>::infinity());
  const auto take = [&](L v) { most = max(most, select(v == v, abs(v), infinity)); };
  Index i = 0;
  for (; i + L::size <= n; i += L::size) take(L::load(x + i));
  if (i < n) take(L::load_first(x + i, n - i));
  std::array<Scalar, L::size> all;
  most.store(all.data());
  return *std::max_element(all.begin(), all.end());
}

}  // namespace bpnet::engine
