// The engine's kernels by themselves, on data that lie in the cache of one core: the figures of docs/performance.md.

#include <algorithm>
#include <bpnet/bpnet.hpp>
#include <chrono>
#include <cstdio>
#include <vector>

namespace {

using bpnet::Index;
namespace engine = bpnet::engine;

/// Least time of many short rounds of body(), in nanoseconds.
template <class Body>
double least(const Body& body) {
  using clock = std::chrono::steady_clock;
  const auto time = [&](int calls) {
    const auto start = clock::now();
    for (int k = 0; k < calls; ++k) body();
    return std::chrono::duration<double, std::nano>(clock::now() - start).count() / calls;
  };
  const int calls = 1 + static_cast<int>(2e5 / time(10));
  double result = time(calls);
  for (int round = 0; round < 100; ++round) result = std::min(result, time(calls));
  return result;
}

template <class Scalar>
bpnet::AlignedBuffer<Scalar> numbers(Index n) {
  bpnet::AlignedBuffer<Scalar> all(n);
  for (Index k = 0; k < n; ++k) all.data()[k] = static_cast<Scalar>(k * 37 % 101 - 50) / Scalar(64);
  return all;
}

/// One tile of 64 samples through (F1), (BP5), (BP3), and delta turned around for (BP3).
template <class Scalar>
void print_products(Index n_out, Index n_in) {
  constexpr Index m = engine::tile_samples;
  auto W = numbers<Scalar>(n_out * n_in), b = numbers<Scalar>(n_out), a = numbers<Scalar>(n_in * m),
       delta = numbers<Scalar>(n_out * m), out = numbers<Scalar>(std::max(n_out, n_in) * m),
       panels = numbers<Scalar>(engine::panels_room(n_out, m)), dW = numbers<Scalar>(n_out * n_in);
  const auto& k = bpnet::kernels<Scalar>();
  const double flops = 2.0 * static_cast<double>(n_out * n_in * m);
  const double forward = least([&] { k.affine_samples(W.data(), b.data(), n_out, n_in, a.data(), out.data(), m); });
  const double pull = least([&] { k.pull_samples(W.data(), n_out, n_in, delta.data(), a.data(), out.data(), m); });
  const double turn = least([&] { k.to_panels(delta.data(), m, n_out, m, panels.data()); });
  const engine::DeltaRows<Scalar> rows{panels.data(), m, k.panel};
  const double outer =
      least([&] { k.outer_samples(rows, a.data(), m, n_out, n_in, m, true, dW.data(), n_out, nullptr, nullptr); });
  std::printf("| %ld <- %ld | %.1f | %.1f | %.1f | %.2f |\n", static_cast<long>(n_out), static_cast<long>(n_in),
              flops / forward, flops / pull, flops / outer, turn / static_cast<double>(n_out * m));
}

/// The weight gradient (BP3) and biases (BP4) of few outputs, or the last ones of many, of one tile of 64 samples.
template <class Scalar>
void print_few_outputs(Index few, Index n_out, Index n_in) {
  constexpr Index m = engine::tile_samples;
  auto a = numbers<Scalar>(n_in * m), delta = numbers<Scalar>(few * m), dW = numbers<Scalar>(n_out * n_in),
       db = numbers<Scalar>(few);
  const auto& k = bpnet::kernels<Scalar>();
  const double turned = least([&] {
    k.outer_turned(delta.data(), a.data(), m, few, n_in, m, true, dW.data(), n_out);
    k.sum_samples(delta.data(), m, few, m, true, db.data());
  });
  const double folded =
      least([&] { k.outer_folded(delta.data(), a.data(), m, few, n_in, m, true, dW.data(), n_out, db.data()); });
  std::printf("| %ld of %ld <- %ld | %.0f | %.0f |\n", static_cast<long>(few), static_cast<long>(n_out),
              static_cast<long>(n_in), turned, folded);
}

/// Nanoseconds an element of activations, alone and with their slopes.
template <class Scalar>
void print_activation(bpnet::Activation f) {
  constexpr Index n = 2048;
  const auto z = numbers<Scalar>(n);
  auto a = numbers<Scalar>(n), slope = numbers<Scalar>(n);
  const auto& row = bpnet::kernels<Scalar>().activations[f.index()];
  const double value = least([&] { row.value(z.data(), a.data(), n); });
  const double both = least([&] { row.value_slope(z.data(), a.data(), slope.data(), n); });
  std::printf("| %s | %.2f | %.2f |\n", f.name(), value / n, both / n);
}

/// What a tile of 64 samples with n outputs takes: sums over units, softmax, and it all from z^L to delta^L.
template <class Scalar>
void print_outputs(engine::Layout layout, Index n) {
  constexpr Index m = engine::tile_samples;
  const bool lanes = layout == engine::Layout::sample_lanes;
  const Index stride = lanes ? m : engine::padded(n), room = engine::padded(n) * m;
  const auto z = numbers<Scalar>(room);
  auto a = numbers<Scalar>(room), total = numbers<Scalar>(m);
  auto y = numbers<Scalar>(n * m);
  const auto& k = bpnet::kernels<Scalar>();
  const double sums = least([&] { k.sum_units(layout, z.data(), n, m, stride, total.data()); });
  const double soft = least([&] { k.softmax(layout, z.data(), a.data(), nullptr, nullptr, n, m, stride); });
  const auto bytes = static_cast<std::ptrdiff_t>(sizeof(Scalar));
  const bpnet::Targets targets(bpnet::Samples{y.data(), m, n, n * bytes, bytes, bpnet::element_type<Scalar>(), false});
  const auto all_passes = [&](const char* f, const char* cost) {
    const bpnet::Network<Scalar> net({1, n}, f, f, 1);
    bpnet::Workspace<Scalar> w;
    w.prepare(net.shape(), net.sizes());
    w.m = m;
    w.layout = layout;
    for (Index s = 0; s < m; ++s) w.indices[static_cast<std::size_t>(s)] = s;
    std::fill_n(w.sample_scale, m, Scalar(1));
    const bpnet::CostUse<Scalar> use{bpnet::Cost(cost), nullptr};
    return least([&] {
      std::copy_n(z.data(), room, w.delta);
      bpnet::cost_tile(net, targets, use, true, false, w);
    });
  };
  for (Index k = 0; k < n * m; ++k) y.data()[k] = static_cast<Scalar>(k % n == 0);
  std::printf("| %ld, %s lanes | %.2f | %.2f | %.2f | %.2f |\n", static_cast<long>(n), lanes ? "sample" : "unit",
              sums / 1e3, soft / 1e3, all_passes("sigmoid", "quadratic") / 1e3,
              all_passes("softmax", "cross_entropy") / 1e3);
}

/// Nanoseconds a parameter of an optimiser's step.
template <class Scalar>
void print_update(const char* name, bpnet::Rule rule, Index n) {
  auto theta = numbers<Scalar>(n), first = numbers<Scalar>(n), second = numbers<Scalar>(n);
  const auto g = numbers<Scalar>(n);
  std::fill_n(first.data(), n, Scalar(0));
  std::fill_n(second.data(), n, Scalar(0));
  engine::Update<Scalar> u;
  u.eta = Scalar(1e-9), u.mu = Scalar(0.9), u.decay1 = Scalar(0.9), u.decay2 = Scalar(0.999), u.eps = Scalar(1e-8);
  const engine::UpdateArrays<Scalar> arrays{theta.data(), g.data(), first.data(), second.data(), n};
  const double time = least([&] { bpnet::kernels<Scalar>().updates[static_cast<int>(rule)](u, arrays); });
  std::printf("| %s | %ld | %.3f |\n", name, static_cast<long>(n), time / static_cast<double>(n));
}

template <class Scalar>
void print_all(const char* dtype) {
  std::printf("## %s, engine %s\n\nOne tile of 64 samples; GFLOP/s, and nanoseconds an element turned around\n\n",
              dtype, bpnet::kernels<Scalar>().level);
  std::printf("| layer | forward (F1) | back (BP2) | weight gradient (BP3) | turned |\n|---|---|---|---|---|\n");
  print_products<Scalar>(32, 4);
  print_products<Scalar>(50, 50);
  print_products<Scalar>(64, 64);
  print_products<Scalar>(128, 128);
  print_products<Scalar>(48, 512);
  std::printf("\nNanoseconds a tile, its last outputs alone\n\n| outputs | turned around | folded |\n|---|---|---|\n");
  print_few_outputs<Scalar>(1, 1, 50);
  print_few_outputs<Scalar>(2, 50, 50);
  print_few_outputs<Scalar>(2, 50, 10);
  print_few_outputs<Scalar>(4, 4, 16);
  std::printf("\nMicroseconds a tile, its outputs alone\n\n| outputs | sums | softmax | sigmoid and quadratic cost | ");
  std::printf("softmax and cross entropy |\n|---|---|---|---|---|\n");
  for (const Index n : {10, 100, 1000})
    for (const auto layout : {engine::Layout::sample_lanes, engine::Layout::unit_lanes})
      print_outputs<Scalar>(layout, n);
  std::printf("\nNanoseconds an element\n\n| activation | value | with slope |\n|---|---|---|\n");
  for (const char* name : {"relu", "sigmoid", "tanh", "gelu", "exponential"}) print_activation<Scalar>(name);
  std::printf("\nNanoseconds a parameter\n\n| step | parameters | |\n|---|---|---|\n");
  for (const Index n : {2000, 24000}) {
    print_update<Scalar>("SGD", bpnet::Rule::plain, n);
    print_update<Scalar>("RMSProp", bpnet::Rule::rmsprop, n);
    print_update<Scalar>("Adam", bpnet::Rule::adam, n);
  }
  std::printf("\n");
}

}  // namespace

int main() {
  print_all<float>("float32");
  print_all<double>("float64");
}
