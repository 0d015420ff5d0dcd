/// Numbers of any type, at any strides and in either byte order arrive as the conversion of each by itself.
#include <algorithm>
#include <cmath>

#include "bpnet/engine/gather.hpp"
#include "numbers.hpp"

namespace {

using namespace bpnet;
using ::Index;

/// Bytes of an array of samples (count, width) at odd strides, and what its numbers are.
template <class Source>
struct Scattered {
  std::vector<char> bytes;
  Samples samples;

  /// `read` is the array from its last sample and value backwards where `negative`.
  Scattered(const std::vector<Source>& values, Index count, Index width, ElementType type, bool swapped, bool negative,
            Index gap) {
    const auto size = static_cast<std::ptrdiff_t>(sizeof(Source));
    const std::ptrdiff_t value_stride = size + gap, sample_stride = width * value_stride + 2 * gap;
    bytes.assign(static_cast<std::size_t>(count * sample_stride + 1), '\x7f');  // never written gaps are NaN
    char* origin = bytes.data() + (gap ? 1 : 0);                                // and then nothing is aligned
    if (negative) origin += (count - 1) * sample_stride + (width - 1) * value_stride;
    const std::ptrdiff_t sign = negative ? -1 : 1;
    for (Index s = 0; s < count; ++s)
      for (Index i = 0; i < width; ++i) {
        char* at = origin + sign * (s * sample_stride + i * value_stride);
        std::memcpy(at, &values[to_size(s * width + i)], sizeof(Source));
        if (swapped) std::reverse(at, at + size);
      }
    samples = {origin, count, width, sign * sample_stride, sign * value_stride, type, swapped};
  }
};

/// All strides, byte orders and destinations for one type.
template <class Scalar, class Source>
void test_type(ElementType type, const std::vector<Source>& values) {
  constexpr Index width = 5;
  const Index count = static_cast<Index>(values.size()) / width;
  std::vector<Index> order;
  for (Index s = 0; s < count; ++s) order.push_back((s * 3 + 1) % count);
  for (const bool swapped : {false, true})
    for (const bool negative : {false, true})
      for (const Index gap : {0, 1, 3}) {
        const Scattered<Source> array(values, count, width, type, swapped, negative, gap);
        const Index stride = engine::padded(count);
        std::vector<Scalar> rows(to_size(count * width)), lanes(to_size(stride * width));
        engine::gather(engine::Layout::unit_lanes, array.samples, order.data(), count, rows.data(), width);
        engine::gather(engine::Layout::sample_lanes, array.samples, order.data(), count, lanes.data(), stride);
        for (Index s = 0; s < count; ++s)
          for (Index i = 0; i < width; ++i) {
            const auto expected = static_cast<Scalar>(values[to_size(order[to_size(s)] * width + i)]);
            CHECK(same_bits(&rows[to_size(s * width + i)], &expected, 1));
            CHECK(same_bits(&lanes[to_size(i * stride + s)], &expected, 1));
            const Scalar alone = engine::element<Scalar>(array.samples, order[to_size(s)], i);
            CHECK(same_bits(&alone, &expected, 1));
          }
      }
}

/// Small and extreme numbers of an integer type.
template <class Source>
std::vector<Source> integers() {
  using Limits = std::numeric_limits<Source>;
  std::vector<Source> values{0, 1, 2, 100, Limits::max(), Limits::min(), Limits::max() / 2, Limits::max() / 3};
  if (std::is_signed_v<Source>)
    for (const int negative : {-1, -77}) values.push_back(static_cast<Source>(negative));
  while (values.size() < 35) values.push_back(static_cast<Source>(values.size() * 7919));
  return values;
}

template <class Source>
std::vector<Source> reals() {
  using Limits = std::numeric_limits<Source>;
  auto values = normals<Source>(29, 1);
  values.insert(values.end(),
                {Source(0), -Source(0), Limits::infinity(), -Limits::infinity(), Limits::min(), Source(0.1)});
  return values;
}

template <class Scalar>
void test_types() {
  test_type<Scalar>(ElementType::int8, integers<std::int8_t>());
  test_type<Scalar>(ElementType::int16, integers<std::int16_t>());
  test_type<Scalar>(ElementType::int32, integers<std::int32_t>());
  test_type<Scalar>(ElementType::int64, integers<std::int64_t>());
  test_type<Scalar>(ElementType::uint8, integers<std::uint8_t>());
  test_type<Scalar>(ElementType::uint16, integers<std::uint16_t>());
  test_type<Scalar>(ElementType::uint32, integers<std::uint32_t>());
  test_type<Scalar>(ElementType::uint64, integers<std::uint64_t>());
  test_type<Scalar>(ElementType::float32, reals<float>());
  test_type<Scalar>(ElementType::float64, reals<double>());
  test_type<Scalar>(ElementType::longdouble, reals<long double>());
}

/// Any byte but 0 is true, as NumPy has it.
void test_booleans() {
  const unsigned char bytes[] = {0, 1, 2, 255};
  const Samples x{bytes, 4, 1, 1, 1, ElementType::boolean, false};
  CHECK(engine::element<float>(x, 0, 0) == 0);
  for (Index s = 1; s < 4; ++s) CHECK(engine::element<float>(x, s, 0) == 1 && engine::element<double>(x, s, 0) == 1);
}

/// Every half precision number against its definition: (-1)^sign 2^(e - 15) (1 + f / 1024), or 2^-14 f / 1024.
void test_halves() {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const int exponent = static_cast<int>(bits >> 10 & 31);
    const double fraction = static_cast<double>(bits & 1023) / 1024;
    double expected = exponent ? std::ldexp(1 + fraction, exponent - 15) : std::ldexp(fraction, -14);
    if (exponent == 31) expected = fraction == 0 ? std::numeric_limits<double>::infinity() : not_a_number<double>;
    if (bits >> 15) expected = -expected;
    const Samples x{&half, 1, 1, 2, 2, ElementType::float16, false};
    const double wide = engine::element<double>(x, 0, 0);
    const float narrow = engine::element<float>(x, 0, 0);
    if (std::isnan(expected)) {
      CHECK(std::isnan(wide) && std::isnan(narrow));
      continue;
    }
    CHECK(same_bits(&wide, &expected, 1) && static_cast<double>(narrow) == expected);
    const auto other = static_cast<std::uint16_t>(half << 8 | half >> 8);
    const Samples swapped{&other, 1, 1, 2, 2, ElementType::float16, true};
    CHECK(engine::element<double>(swapped, 0, 0) == expected);
  }
}

/// What may be read where it is: right type, byte order, alignment, and values side by side.
void test_in_place() {
  alignas(8) float numbers[24] = {};
  const Samples plain{numbers, 4, 3, 12, 4, ElementType::float32, false};
  CHECK(plain.in_place<float>() && !plain.in_place<double>());
  CHECK(plain.slice(2, 2).row<float>(1) == numbers + 9 && plain.slice(1, 2).count == 2);
  const auto with = [&](auto change) {
    Samples changed = plain;
    change(changed);
    return changed.in_place<float>();
  };
  CHECK(with([](Samples& x) { x.sample_stride = 20; }));   // rows farther apart
  CHECK(with([](Samples& x) { x.sample_stride = -12; }));  // backwards
  CHECK(with([](Samples& x) { x.sample_stride = 0; }));    // one row again and again
  CHECK(!with([](Samples& x) { x.sample_stride = 13; }));
  CHECK(!with([](Samples& x) { x.value_stride = 8; }));
  CHECK(!with([](Samples& x) { x.value_stride = -4; }));
  CHECK(!with([](Samples& x) { x.swapped = true; }));
  CHECK(!with([](Samples& x) { x.data = static_cast<const char*>(x.data) + 2; }));
  CHECK(with([](Samples& x) { x.value_stride = 17, x.width = 1; }));  // a single value has no neighbour
}

/// Views of Eigen's matrices: one sample a column, of a matrix, a block, a map with strides, a row-major matrix.
void test_columns() {
  Matrix<double> m(3, 4);
  for (Index i = 0; i < 3; ++i)
    for (Index j = 0; j < 4; ++j) m(i, j) = static_cast<double>(10 * i + j);
  const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> by_rows = m;
  const Eigen::Map<const Matrix<double>, 0, Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>> spread(
      m.data(), 2, 2, Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>(6, 2));
  const auto equals = [](const Samples& x, const auto& expected) {
    CHECK(x.count == expected.cols() && x.width == expected.rows());
    for (Index s = 0; s < x.count; ++s)
      for (Index i = 0; i < x.width; ++i) CHECK(engine::element<double>(x, s, i) == expected(i, s));
  };
  equals(columns(m), m);
  equals(columns(m.middleRows(1, 2)), Matrix<double>(m.middleRows(1, 2)));
  equals(columns(m.rightCols(2)), Matrix<double>(m.rightCols(2)));
  equals(columns(by_rows), m);
  equals(columns(m.transpose()), Matrix<double>(m.transpose()));
  equals(columns(spread), Matrix<double>(spread));
  CHECK(columns(m).in_place<double>() && columns(m.middleRows(1, 2)).in_place<double>());
  CHECK(!columns(by_rows).in_place<double>());
}

}  // namespace

int main() {
  test_types<float>();
  test_types<double>();
  test_booleans();
  test_halves();
  test_in_place();
  test_columns();
  return check_report();
}
