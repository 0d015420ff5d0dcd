/// A view of somebody's numbers: m samples of n values, of any real type, at any strides. Nothing is copied or owned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "bpnet/types.hpp"

namespace bpnet {

enum class ElementType : std::uint8_t {
  boolean,
  int8,
  int16,
  int32,
  int64,
  uint8,
  uint16,
  uint32,
  uint64,
  float16,
  float32,
  float64,
  longdouble
};

template <class Scalar>
constexpr ElementType element_type() {
  if constexpr (std::is_same_v<Scalar, float>)
    return ElementType::float32;
  else if constexpr (std::is_same_v<Scalar, double>)
    return ElementType::float64;
  else
    static_assert(sizeof(Scalar) == 0, "bpnet computes in float and double");
}

constexpr bool is_integer(ElementType type) { return type >= ElementType::int8 && type <= ElementType::uint64; }
constexpr bool is_floating(ElementType type) { return type >= ElementType::float16; }

/// Value j of sample s lies `s * sample_stride + j * value_stride` bytes after `data`, in any alignment.
struct Samples {
  const void* data = nullptr;
  Index count = 0;  ///< samples, m
  Index width = 0;  ///< values a sample, n
  std::ptrdiff_t sample_stride = 0;
  std::ptrdiff_t value_stride = 0;
  ElementType type = ElementType::float64;
  bool swapped = false;  ///< bytes in the other order than this machine's

  /// Whether rows of `Scalar` can be used where they are.
  template <class Scalar>
  bool in_place() const {
    const auto bytes = static_cast<std::ptrdiff_t>(sizeof(Scalar));
    return type == element_type<Scalar>() && !swapped && (value_stride == bytes || width <= 1) &&
           reinterpret_cast<std::uintptr_t>(data) % sizeof(Scalar) == 0 && sample_stride % bytes == 0;
  }
  template <class Scalar>
  const Scalar* row(Index sample) const {
    return reinterpret_cast<const Scalar*>(static_cast<const char*>(data) + sample * sample_stride);
  }
  /// The rows of n samples.
  template <class Scalar>
  void rows(const Index* samples, Index n, const Scalar** to) const {
    const auto* const first = static_cast<const char*>(data);
    const std::ptrdiff_t stride = sample_stride;
    for (Index s = 0; s < n; ++s) to[s] = reinterpret_cast<const Scalar*>(first + samples[s] * stride);
  }
  /// The values begin, begin + 1, ..., begin + n - 1 of each sample.
  Samples values(Index begin, Index n) const {
    Samples part = *this;
    part.data = static_cast<const char*>(data) + begin * value_stride;
    part.width = n;
    return part;
  }
  /// The samples begin, begin + 1, ..., begin + n - 1.
  Samples slice(Index begin, Index n) const {
    Samples part = *this;
    part.data = static_cast<const char*>(data) + begin * sample_stride;
    part.count = n;
    return part;
  }
};

/// The columns of a column-major Eigen matrix (n, m), in place: one sample a column.
template <class Derived>
Samples columns(const Eigen::MatrixBase<Derived>& x) {
  using Scalar = typename Derived::Scalar;
  static_assert(bool(Derived::Flags & Eigen::DirectAccessBit),
                "samples are viewed in place: evaluate the expression first");
  const auto& m = x.derived();
  const auto bytes = static_cast<std::ptrdiff_t>(sizeof(Scalar));
  const auto inner = m.innerStride() * bytes, outer = m.outerStride() * bytes;
  return {m.data(),
          m.cols(),
          m.rows(),
          Derived::IsRowMajor ? inner : outer,
          Derived::IsRowMajor ? outer : inner,
          element_type<Scalar>(),
          false};
}

}  // namespace bpnet
