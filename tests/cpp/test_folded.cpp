/// Gradients of few outputs against plain sums in their order, bit for bit: the kernels in both layouts, and what a
/// network makes of its deltas, folded or ascending as its shape says.
#include "bpnet/bpnet.hpp"
#include "bpnet/engine/folded.hpp"
#include "networks.hpp"
#include "plain.hpp"
#include "tiles.hpp"

namespace {

using namespace tiles;

/// (BP3), (BP4) of one tile: W += delta a^T, b += delta. delta and a: functions of unit and sample.
template <class Scalar>
struct PlainSums {
  std::vector<Scalar> W, b;

  template <class Delta, class A>
  void add(bool folded, Index j, Index n_out, Index n_in, Index m, bool fresh, const Delta& delta, const A& a) {
    const auto sum = [&](auto factor, Scalar before) {
      if (!folded) {
        Scalar chain = fresh ? Scalar(0) : before;
        for (Index s = 0; s < m; ++s) chain = plain::fused(delta(j, s), factor(s), chain);
        return chain;
      }
      Scalar parts[16] = {};
      for (Index s = 0; s < m; ++s) parts[s % 16] = plain::fused(factor(s), delta(j, s), parts[s % 16]);
      for (Index s = m; s % 16 != 0; ++s) parts[s % 16] += Scalar(0);
      for (const int apart : {8, 4, 2, 1})
        for (int k = 0; k < apart; ++k) parts[k] += parts[k + apart];
      return fresh ? parts[0] : before + parts[0];
    };
    for (Index i = 0; i < n_in; ++i) {
      Scalar& at = W[to_size(i * n_out + j)];
      at = sum([&](Index s) { return a(i, s); }, at);
    }
    b[to_size(j)] = sum([](Index) { return Scalar(1); }, b[to_size(j)]);
  }
};

template <class Scalar>
void test_kernels(Index n_out, Index n_in) {
  const Rows<Scalar> a(n_in, 4), delta(n_out, 5);
  const PlainSums<Scalar> start{normals<Scalar>(n_out * n_in, 6), normals<Scalar>(n_out, 7)};
  for (Index m = 1; m <= max_batch; ++m)
    for (const bool fresh : {true, false}) {
      PlainSums<Scalar> expected = start;
      for (Index j = 0; j < n_out; ++j) expected.add(true, j, n_out, n_in, m, fresh, delta, a);
      const Index apart = n_out + (m % 4 == 0 ? 0 : 5), row_stride = padded(n_out) + padding;
      const Index stride = m < tile_samples && m % 3 == 0 ? tile_samples : padded(m);
      for (const bool lanes : {true, false}) {
        Walled<Scalar> dW(n_in * apart), db(n_out);
        if (!fresh) {
          for (Index i = 0; i < n_in; ++i) std::copy_n(start.W.data() + i * n_out, n_out, dW.data() + i * apart);
          std::copy(start.b.begin(), start.b.end(), db.data());
        }
        if (lanes)
          outer_folded(delta.in_sample_lanes(m, stride).data(), a.in_sample_lanes(m, stride).data(), stride, n_out,
                       n_in, m, fresh, dW.data(), apart, db.data());
        else
          outer_folded_rows(delta.in_unit_lanes(m, row_stride).data(), row_stride, a.pointers(m).data(), n_out, n_in, m,
                            fresh, dW.data(), apart, db.data());
        CHECK(tile_equals(Layout::unit_lanes, dW, expected.W, n_out, n_in, apart) && dW.intact());
        for (Index i = 0; i < n_in; ++i) CHECK(dW.untouched(i * apart + n_out, (i + 1) * apart));
        CHECK(same_bits(db.data(), expected.b.data(), n_out) && db.intact());
      }
    }
}

/// Which outputs are folded is decided by shapes: in a tile of 32 samples and more, a quarter of AVX-512's lanes at
/// most, alone or, of few parameters, what is left of whole registers.
template <class Scalar>
Index first_folded(const std::vector<Index>& sizes, Index parameters, Index l, Index m) {
  const Index lanes = sizeof(Scalar) == 4 ? 16 : 8, n = sizes[to_size(l)], rest = n % lanes;
  if (parameters * static_cast<Index>(sizeof(Scalar)) >= 400000 || m < 32) return n;
  if (n <= lanes / 4) return 0;
  return parameters <= 4608 && n > lanes && rest > 0 && rest <= lanes / 4 ? n - rest : n;
}

/// A tile's dC/dtheta is the plain sums of its own deltas and activations.
template <class Scalar>
void test_network(const std::vector<Index>& sizes) {
  using namespace networks;
  Network<Scalar> net(sizes, "tanh", "sigmoid", 3);
  for (Index m = 1; m <= tile_samples; m += m < 28 ? 9 : net.n_parameters() > 50000 ? 12 : 1) {
    const auto x = normals<Scalar>(m * net.n_inputs(), 1), y = normals<Scalar>(m * net.n_outputs(), 2);
    const auto batch = batch_of<Scalar>(samples_of(x, m, net.n_inputs()), samples_of(y, m, net.n_outputs()));
    const Everything<Scalar> all(net, batch, Reduction::mean);
    std::vector<std::vector<Scalar>> a;
    LayerRows<Scalar> rows{std::vector<Scalar*>(to_size(net.depth())), {}};
    for (const Index n : sizes) a.emplace_back(to_size(m * n));
    for (auto& of_layer : a) rows.a.push_back(of_layer.data());
    net.forward(batch.x, rows);
    for (Index l = 1; l <= net.depth(); ++l) {
      const Index n_out = sizes[to_size(l)], n_in = sizes[to_size(l - 1)];
      PlainSums<Scalar> expected{std::vector<Scalar>(to_size(n_out * n_in)), std::vector<Scalar>(to_size(n_out))};
      for (Index j = 0; j < n_out; ++j)
        expected.add(
            j >= first_folded<Scalar>(sizes, net.n_parameters(), l, m), j, n_out, n_in, m, true,
            [&](Index unit, Index s) { return all.deltas[to_size(l - 1)][to_size(s * n_out + unit)]; },
            [&](Index unit, Index s) { return a[to_size(l - 1)][to_size(s * n_in + unit)]; });
      CHECK(same_bits(all.nabla.data() + net.layout().W(l), expected.W.data(), n_out * n_in));
      CHECK(same_bits(all.nabla.data() + net.layout().b(l), expected.b.data(), n_out));
    }
  }
}

/// A step, which takes the gradient of many parameters block by block, is the gradient and then its step.
template <class Scalar>
void test_steps() {
  using namespace networks;
  for (const auto& sizes : std::vector<std::vector<Index>>{{120, 66, 1}, {900, 7, 2}, {3, 90, 60, 2}, {10, 50, 1}})
    for (const Index m : {1, 31, 32, 50, 64})
      for (const Optimizer& optimizer : {sgd(0.1), adam()}) {
        Network<Scalar> one(sizes, "tanh", "sigmoid", 3), other = one;
        const auto x = normals<Scalar>(m * sizes.front(), 1), y = normals<Scalar>(m * sizes.back(), 2);
        const auto batch = batch_of<Scalar>(samples_of(x, m, sizes.front()), samples_of(y, m, sizes.back()));
        Trainer<Scalar> step(one, {}, optimizer), hand(other, {}, optimizer);
        for (int k = 0; k < 2; ++k) {
          step.step(batch.x, batch.y);
          hand.apply(Everything<Scalar>(other, batch, Reduction::mean).nabla.data());
        }
        CHECK(one.theta() == other.theta());
      }
}

template <class Scalar>
void test_folded() {
  test_steps<Scalar>();
  for (std::size_t k = 0; k < widths().size(); ++k)
    for (const Index few : {1, 2, 3, 4, 5}) test_kernels<Scalar>(few, widths()[k]);
  for (const Index n_out : {16, 33}) test_kernels<Scalar>(n_out, 20);
  for (const auto& sizes : std::vector<std::vector<Index>>{{10, 50, 50, 1},
                                                           {4, 32, 16, 4},
                                                           {2, 16, 1},
                                                           {3, 1},
                                                           {7, 18, 9, 20, 2},
                                                           {5, 34, 33, 4, 17, 3},
                                                           {900, 5, 2},   // unit lanes
                                                           {120, 60, 1},  // too many parameters
                                                           {1, 1, 1}})
    test_network<Scalar>(sizes);
}

}  // namespace

int main() {
  test_folded<float>();
  test_folded<double>();
  return check_report();
}
