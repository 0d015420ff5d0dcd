/// Whether data can be trained on: looked through once, before anything changes.
#pragma once

#include "bpnet/network.hpp"

namespace bpnet {

namespace detail {

/// The first row that is not finite once it is a Scalar, or rows.count.
template <class Scalar>
Index first_bad_row(const Samples& x, const Call& call, engine::Pulse& pulse) {
  if (!is_floating(x.type)) return x.count;
  const auto& k = kernels<Scalar>();
  return first_bad(x.count, x.width, call, pulse, [&](Index begin, Index end) {
    const bool at_once = x.in_place<Scalar>() && x.sample_stride == x.width * Index(sizeof(Scalar));
    if (at_once && k.all_finite(x.row<Scalar>(begin), (end - begin) * x.width)) return end;
    std::vector<Scalar> row(x.in_place<Scalar>() ? 0 : static_cast<std::size_t>(x.width));
    for (Index s = begin; s < end; ++s) {
      if (!row.empty()) k.gather(engine::Layout::unit_lanes, x, &s, 1, row.data(), x.width);
      if (!k.all_finite(row.empty() ? x.row<Scalar>(s) : row.data(), x.width)) return s;
    }
    return end;
  });
}

template <class Scalar>
void check_finite(const Samples& x, const std::string& name, const Call& call, engine::Pulse& pulse) {
  const Index row = first_bad_row<Scalar>(x, call, pulse);
  if (row == x.count) return;
  Index column = 0;
  while (std::isfinite(engine::element<Scalar>(x, row, column))) ++column;
  throw std::invalid_argument(name + " has " + std::to_string(engine::element<Scalar>(x, row, column)) + " in row " +
                              std::to_string(row) + ", column " + std::to_string(column) +
                              ", but data to train on must be finite");
}

}  // namespace detail

/// std::invalid_argument where shapes, labels or weights do not fit, or a row of x or y is not finite.
template <class Scalar>
void check_data(const Network<Scalar>& net, const Batch<Scalar>& data, const std::string& x_name,
                const std::string& y_name, const Call& call, engine::Pulse& pulse) {
  net.check_batch(data, call, pulse);
  detail::check_finite<Scalar>(data.x, x_name, call, pulse);
  if (!data.y.labels) detail::check_finite<Scalar>(data.y.values, y_name, call, pulse);
}

}  // namespace bpnet
