// Training steps and single predictions from C++, one thread: what Python adds is the difference to `python -m
// benchmarks`.

#include <algorithm>
#include <bpnet/bpnet.hpp>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace {

using bpnet::Index;

/// Least and middle time of `rounds` calls, in microseconds.
struct Times {
  double least, median;
};
template <class Body>
Times time(int rounds, const Body& body) {
  std::vector<double> all;
  for (int k = 0; k < rounds; ++k) {
    const auto start = std::chrono::steady_clock::now();
    body();
    all.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count());
  }
  std::ranges::sort(all);
  return {all.front(), all[all.size() / 2]};
}

struct Case {
  std::vector<Index> sizes;
  Index batch;
  const char* activation;
};

double flops_a_step(const Case& c) {
  double weights = 0;
  for (std::size_t l = 1; l < c.sizes.size(); ++l) weights += static_cast<double>(c.sizes[l] * c.sizes[l - 1]);
  return 2 * static_cast<double>(c.batch) * (3 * weights - static_cast<double>(c.sizes[0] * c.sizes[1]));
}

void print_step(const Case& c) {
  constexpr Index batches = 4;
  const double flops = flops_a_step(c);
  const auto epochs = static_cast<Index>(std::max(1.0, 1e8 / flops));
  bpnet::Network<float> net(c.sizes, bpnet::Activation(c.activation), bpnet::Activation(c.activation), 1);
  bpnet::Trainer<float> trainer(net);
  const bpnet::Matrix<float> x = bpnet::Matrix<float>::Random(net.n_inputs(), c.batch * batches);
  const bpnet::Matrix<float> y = bpnet::Matrix<float>::Random(net.n_outputs(), c.batch * batches) / 4 +
                                 bpnet::Matrix<float>::Constant(net.n_outputs(), c.batch * batches, 0.5f);
  const bpnet::FitOptions options{.epochs = epochs, .batch_size = c.batch, .shuffle = true};
  const Times t = time(7, [&] { trainer.fit(x, y, options); });
  const auto steps = static_cast<double>(epochs * batches);
  std::string name;
  for (const Index n : c.sizes) {
    if (!name.empty()) name += '-';
    name += std::to_string(n);
  }
  std::printf("| %-20s | %6d | %10.2f | %10.2f | %6.1f |\n", name.c_str(), static_cast<int>(c.batch), t.least / steps,
              t.median / steps, flops * steps / t.least / 1e3);
}

/// Nanoseconds of one sample through one n x n layer.
Times time_layer(Index n, bpnet::Activation activation) {
  constexpr int calls = 20000;
  const bpnet::Network<float> net({n, n}, activation, activation, 1);
  const bpnet::Vector<float> x = bpnet::Vector<float>::Random(n);
  bpnet::Vector<float> y(n);
  const Times t = time(25, [&] {
    for (int k = 0; k < calls; ++k) net.predict_one(x.data(), y.data());
  });
  return {t.least / calls * 1e3, t.median / calls * 1e3};
}

void print_layer(Index n) {
  const Times plain = time_layer(n, "identity"), tanh = time_layer(n, "tanh");
  std::printf("| %2d | %6.1f | %6.1f | %6.1f | %6.1f |\n", static_cast<int>(n), plain.least, plain.median, tanh.least,
              tanh.median);
}

}  // namespace

// No argument: everything. `quick`: without the wide networks. `layers`: the single layers alone.
int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  std::vector<Case> cases{{{2, 16, 1}, 32, "sigmoid"},
                          {{784, 30, 10}, 10, "sigmoid"},
                          {{64, 64, 64, 10}, 64, "sigmoid"},
                          {{10, 50, 50, 1}, 256, "sigmoid"},
                          {{4, 32, 16, 4}, 10000, "tanh"},
                          {{784, 512, 512, 10}, 128, "sigmoid"},
                          {{1024, 2048, 2048, 1024}, 512, "sigmoid"}};
  if (what == "quick") cases.resize(5);
  if (what != "layers") {
    std::printf("engine %s; Adam, quadratic cost, float32, one thread; microseconds a step\n\n",
                bpnet::kernels<float>().level);
    std::printf("| net | batch | least | median | GFLOP/s |\n|---|---|---|---|---|\n");
    for (const Case& c : cases) print_step(c);
    std::printf("\n");
  }
  std::printf("one dense n x n layer, one sample; nanoseconds, alone and with tanh\n\n");
  std::printf("| n | least | median | least, tanh | median, tanh |\n|---|---|---|---|---|\n");
  for (const Index n : {4, 8, 16, 32, 64}) print_layer(n);
}
