/// Layers of which some columns are read at a time: where they have so many weights, from one end to the other; where
/// registers of them lie across two lines of L2, for all samples. The chains of plain loops, bit for bit.
#include <algorithm>

#include "bpnet/kernel_table.hpp"
#include "numbers.hpp"
#include "plain.hpp"

namespace {

using namespace bpnet::engine;
using plain::fused;

template <class Scalar>
void test_layer(Index n_out, Index n_in) {
  const auto& table = bpnet::kernels<Scalar>();
  constexpr Index samples = 17;
  auto W = normals<Scalar>(n_out * n_in + slack, 1), b = normals<Scalar>(n_out + slack, 2);
  const auto a = normals<Scalar>(n_in * samples, 3);
  std::vector<const Scalar*> rows;
  for (Index s = 0; s < samples; ++s) rows.push_back(a.data() + s * n_in);

  std::vector<Scalar> expected(to_size(n_out * samples));
  for (Index s = 0; s < samples; ++s) {
    Scalar* z = expected.data() + s * n_out;
    std::copy_n(b.data(), n_out, z);
    for (Index i = 0; i < n_in; ++i)
      for (Index j = 0; j < n_out; ++j) z[j] = fused(W[to_size(i * n_out + j)], rows[to_size(s)][i], z[j]);
  }

  const Index stride = padded(n_out);
  for (const Index m : {1, 2, 3, 4, 5, 7, 8, 13, 16, static_cast<int>(samples)}) {
    std::vector<Scalar> z(to_size(m * stride));
    table.affine_units(W.data(), b.data(), n_out, n_in, rows.data(), z.data(), stride, m);
    for (Index s = 0; s < m; ++s) CHECK(same_bits(z.data() + s * stride, expected.data() + s * n_out, n_out));
  }
  std::vector<Scalar> one(to_size(stride));
  table.affine_one(W.data(), b.data(), n_out, n_in, a.data(), one.data());
  CHECK(same_bits(one.data(), expected.data(), n_out));
}

}  // namespace

int main() {
  for (const Index n_in : {1, 7, 8, 21}) {
    test_layer<float>(1000, n_in);
    test_layer<double>(1000, n_in);
  }
  for (const Index n_out : {5, 13, 30, 100}) {
    test_layer<float>(n_out, 1900);
    test_layer<double>(n_out, 901);
  }
  test_layer<float>(701, 401);
  test_layer<double>(501, 301);
  test_layer<float>(2049, 1027);
  test_layer<double>(1031, 1021);
  test_layer<float>(40'007, 17);
  test_layer<double>(2500, 140);
  return check_report();
}
