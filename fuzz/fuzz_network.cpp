/// libFuzzer target: whole networks of any shape, activation, cost and numbers. One sample gives the same bits alone,
/// in a batch and through any type of array that holds it exactly; threads change nothing; what does not fit is refused
/// with std::invalid_argument, and nothing else is thrown, finite or not.
#include <vector>

#include "bpnet/network.hpp"
#include "input.hpp"

namespace {

using namespace bpnet;
using fuzz::Input;
using fuzz::require;
using fuzz::to_size;

/// Choices of one case; few are big enough that threads share them.
struct Shape {
  std::vector<Index> sizes;
  std::vector<Activation> activations;
  Index m;

  explicit Shape(Input& in) {
    const std::uint8_t kind = in.byte();
    const bool big = kind == 173, wide = kind == 77;
    const Index layers = 1 + in.below(3);
    for (Index l = 0; l <= layers; ++l) sizes.push_back(big ? 8 + in.below(40) : in.size(20));
    if (wide) sizes[to_size(in.below(layers + 1))] = 250 + in.below(20);  // packed from 256 on
    for (Index l = 0; l < layers; ++l)
      activations.push_back(Activation::table[to_size(in.below(Activation::count))].name);
    m = big ? 130 + in.below(70) : in.size(wide ? 20 : 70);
  }
};

template <class Scalar>
std::vector<Scalar> numbers(Input& in, Index n) {
  std::vector<Scalar> all(to_size(n));
  in.fill(std::span<Scalar>(all));
  return all;
}

template <class Scalar>
Samples samples_of(const std::vector<Scalar>& values, Index m, Index n) {
  const auto bytes = static_cast<std::ptrdiff_t>(sizeof(Scalar));
  return {values.data(), m, n, n * bytes, bytes, element_type<Scalar>(), false};
}

template <class Scalar>
void expect_same(const std::vector<Scalar>& got, const std::vector<Scalar>& expected, const char* what) {
  require(got.size() == expected.size(), what);
  for (std::size_t i = 0; i < got.size(); ++i)
    if (!fuzz::same(got[i], expected[i])) {
      std::fprintf(stderr, "number %zu: %a and %a\n", i, static_cast<double>(got[i]), static_cast<double>(expected[i]));
      fuzz::fail(what);
    }
}
/// Rows first.. of an array of `width` numbers a row.
template <class Scalar>
std::vector<Scalar> rows_of(const std::vector<Scalar>& all, Index first, Index n, Index width) {
  return {all.begin() + first * width, all.begin() + (first + n) * width};
}

/// Samples in bytes of the fuzzer's, of any type and order, gaps between them.
struct AnySamples {
  std::vector<char> bytes;
  Samples view;

  AnySamples(Input& in, Index m, Index n) {
    const auto type = static_cast<ElementType>(in.below(13));
    const auto size =
        engine::detail::with_element_type(type, [](auto tag) { return static_cast<std::ptrdiff_t>(sizeof(tag)); });
    const std::ptrdiff_t apart = n * size + in.below(3);
    bytes.resize(to_size((m - 1) * apart + n * size));
    in.fill_bytes(bytes);
    view = {bytes.data(), m, n, apart, size, type, in.flag()};
  }
};

template <class Scalar>
std::vector<Scalar> converted(const Samples& x) {
  std::vector<Scalar> all;
  for (Index s = 0; s < x.count; ++s)
    for (Index i = 0; i < x.width; ++i) all.push_back(engine::element<Scalar>(x, s, i));
  return all;
}

/// Every z^l and a^l.
template <class Scalar>
struct Layers {
  std::vector<std::vector<Scalar>> z, a;

  Layers(const Network<Scalar>& net, const Samples& x, int threads) {
    LayerRows<Scalar> rows;
    for (const Index n : net.sizes()) a.emplace_back(to_size(x.count * n));
    z.assign(a.begin() + 1, a.end());
    for (auto& array : a) rows.a.push_back(array.data());
    for (auto& array : z) rows.z.push_back(array.data());
    net.forward(x, rows, {threads, nullptr});
  }
};

/// Every array that a gradient call can fill.
template <class Scalar>
struct Gradients {
  double cost = 0;
  std::vector<Scalar> nabla, x;
  std::vector<std::vector<Scalar>> deltas, activations;

  Gradients(const Network<Scalar>& net, const Batch<Scalar>& batch, Reduction reduction, int threads)
      : nabla(to_size(net.n_parameters())), x(to_size(batch.rows.count * net.n_inputs())) {
    GradientRows<Scalar> rows{nabla.data(), x.data(), {}, {}};
    for (const Index n : net.sizes()) activations.emplace_back(to_size(batch.rows.count * n));
    deltas.assign(activations.begin() + 1, activations.end());
    for (auto& array : deltas) rows.deltas.push_back(array.data());
    for (auto& array : activations) rows.activations.push_back(array.data());
    cost = net.gradient(batch, reduction, rows, {threads, nullptr});
  }
};

template <class Scalar>
Network<Scalar> make_network(Input& in, const Shape& shape) {
  Network<Scalar> net(shape.sizes, shape.activations);
  const Scalar scale = in.flag() ? Scalar(1) : Scalar(0.1);
  const auto theta = numbers<Scalar>(in, net.n_parameters());
  for (Index k = 0; k < net.n_parameters(); ++k) net.theta()[k] = theta[to_size(k)] * scale;
  const std::uint8_t which = in.byte();
  if (which >= 64) return net;
  Normalization<Scalar> by;
  if (which & 1) by.input_shift = numbers<Scalar>(in, net.n_inputs());
  if (which & 2) by.input_scale = numbers<Scalar>(in, net.n_inputs());
  if (which & 4) by.output_shift = numbers<Scalar>(in, net.n_outputs());
  if (which & 8) by.output_scale = numbers<Scalar>(in, net.n_outputs());
  for (auto* scales : {&by.input_scale, &by.output_scale})
    for (Scalar& x : *scales) x = std::abs(x);
  try {
    net.set_normalization(by);
  } catch (const std::invalid_argument&) {  // a number that is not finite, or a scale of 0
  }
  return net;
}

template <class Scalar>
void check_prediction(const Network<Scalar>& net, const Samples& x, Index split) {
  const Index m = x.count, n = net.n_inputs(), k = net.n_outputs();
  const auto plain = converted<Scalar>(x);
  std::vector<Scalar> y(to_size(m * k)), again(y.size()), one(to_size(k)), row;
  net.predict(x, y.data());
  net.predict(x, again.data(), {3, nullptr});
  expect_same(again, y, "predict with three threads");
  net.predict(samples_of(plain, m, n), again.data());
  expect_same(again, y, "predict of a plain copy");
  net.predict(x.slice(0, split), again.data());
  net.predict(x.slice(split, m - split), again.data() + split * k);
  expect_same(again, y, "predict in two parts");
  for (Index s = 0; s < m; ++s) {
    row = rows_of(plain, s, 1, n);
    net.predict_one(row.data(), one.data());
    expect_same(one, rows_of(y, s, 1, k), "predict_one");
  }
  const Layers<Scalar> all(net, x, 1), shared(net, x, 3), alone(net, x.slice(split, 1), 1);
  for (std::size_t l = 0; l < all.a.size(); ++l) {
    const Index width = net.sizes()[l];
    expect_same(shared.a[l], all.a[l], "a of forward with three threads");
    expect_same(alone.a[l], rows_of(all.a[l], split, 1, width), "a of forward of one sample");
    if (l == 0) continue;
    expect_same(shared.z[l - 1], all.z[l - 1], "z of forward with three threads");
    expect_same(alone.z[l - 1], rows_of(all.z[l - 1], split, 1, width), "z of forward of one sample");
  }
  if (!net.normalization().of_output()) expect_same(all.a.back(), y, "a^L of forward, and predict");
}

/// Threads change no bit; nor does a sample's place change its own gradients, where no mean couples them.
template <class Scalar>
void check_gradient(const Network<Scalar>& net, const Batch<Scalar>& batch, Index place) {
  const Gradients<Scalar> sum(net, batch, Reduction::sum, 1), mean(net, batch, Reduction::mean, 1);
  const Gradients<Scalar> shared(net, batch, Reduction::mean, 3);
  expect_same(shared.nabla, mean.nabla, "dC/dtheta with three threads");
  expect_same(shared.x, mean.x, "dC/dx with three threads");
  require(fuzz::same(shared.cost, mean.cost), "the cost with three threads");
  require(fuzz::same(net.cost(batch), mean.cost), "the cost alone");
  for (std::size_t l = 0; l < mean.activations.size(); ++l)
    expect_same(shared.activations[l], mean.activations[l], "dC/da with three threads");
  for (std::size_t l = 0; l < mean.deltas.size(); ++l)
    expect_same(shared.deltas[l], mean.deltas[l], "delta with three threads");
  if (batch.weights.values && !(batch.weights[place] > 0)) return;  // refused alone
  Batch<Scalar> one = batch;
  one.rows = {place, 1, nullptr};
  const Gradients<Scalar> alone(net, one, Reduction::sum, 1);
  expect_same(alone.x, rows_of(sum.x, place, 1, net.n_inputs()), "dC/dx of one sample");
  for (std::size_t l = 0; l < sum.activations.size(); ++l)
    expect_same(alone.activations[l], rows_of(sum.activations[l], place, 1, net.sizes()[l]), "dC/da of one sample");
  for (std::size_t l = 0; l < sum.deltas.size(); ++l)
    expect_same(alone.deltas[l], rows_of(sum.deltas[l], place, 1, net.sizes()[l + 1]), "delta of one sample");
}

template <class Scalar>
void check_network(Input& in) {
  const Shape shape(in);
  const Index m = shape.m, depth = std::ssize(shape.activations);
  const auto& row = Cost::table[to_size(in.below(Cost::count))];
  const Cost cost(row.name);
  const auto size = [&](Index l) { return l <= depth ? shape.sizes[to_size(l)] : 0; };
  const std::string name = std::string("network: ") + row.name + " of " + shape.activations.back().name();
  fuzz::begin_case<Scalar>(name.c_str(), {{"m", m},
                                          {"depth", depth},
                                          {"n_0", size(0)},
                                          {"n_1", size(1)},
                                          {"n_2", size(2)},
                                          {"n_3", size(3)},
                                          {"n_4", size(4)}});
  const Network<Scalar> net = make_network<Scalar>(in, shape);
  const Index place = in.byte() % m;
  const bool any_type = in.byte() < 64, labels = in.byte() < 64, weighted = in.byte() < 64;
  const auto numbers_of_x = numbers<Scalar>(in, any_type ? 0 : m * net.n_inputs());
  const AnySamples bytes_of_x(in, any_type ? m : 1, net.n_inputs());
  const Samples x = any_type ? bytes_of_x.view : samples_of(numbers_of_x, m, net.n_inputs());
  check_prediction(net, x, place);

  auto y = numbers<Scalar>(in, m * (labels ? 1 : net.n_outputs())), weights = numbers<Scalar>(in, weighted ? m : 0);
  if (labels)
    for (Scalar& label : y) label = std::floor(std::abs(label) * 4);
  if (cost.row().uses_logs)
    for (Scalar& target : y) target = std::abs(target);
  Batch<Scalar> batch{
      x, Targets(samples_of(y, m, labels ? 1 : net.n_outputs()), labels), {}, {0, m, nullptr}, {cost, nullptr}};
  if (weighted) batch.weights.values = samples_of(weights, m, 1);
  try {
    net.check_batch(batch);
  } catch (const std::invalid_argument&) {
    return;  // the cost does not go with the outputs, a label is too large, a weight is negative or not finite
  }
  check_gradient(net, batch, place);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input in(data, size);
  in.flag() ? check_network<double>(in) : check_network<float>(in);
  return 0;
}
