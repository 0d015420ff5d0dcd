/// What is one and the same, bit for bit: the two layouts of a tile, each gradient alone and with the others, arrays of
/// any kind and their plain copies, labels and rows, one sample and many, copies and calls with Eigen's types.
#include "networks.hpp"

namespace {

using namespace networks;

/// Each destination alone gets the same bits as all of them together, and nothing else is needed.
template <class Scalar>
void test_each_gradient_alone(const Case& c) {
  Network<Scalar> net(c.sizes, c.activations);
  net.initialize(3);
  const Data data(c, 70);
  const std::vector<Scalar> x(data.x.begin(), data.x.end()), y(data.y.begin(), data.y.end());
  const auto batch =
      batch_of<Scalar>(samples_of(x, data.m, net.n_inputs()), samples_of(y, data.m, net.n_outputs()), c.cost);
  const Everything<Scalar> all(net, batch, Reduction::mean);
  std::vector<Scalar> nabla(all.nabla.size()), x_gradient(all.x.size());
  CHECK(net.gradient(batch, Reduction::mean, {nabla.data(), nullptr, {}, {}}) == all.cost &&
        same_bits(nabla, all.nabla));
  CHECK(same_cost(net, net.gradient(batch, Reduction::mean, {nullptr, x_gradient.data(), {}, {}}), all.cost));
  CHECK(same_bits(x_gradient, all.x));
  auto deltas = all.deltas, activations = all.activations;
  GradientRows<Scalar> only_deltas, only_activations;
  for (auto& array : deltas) {
    std::fill(array.begin(), array.end(), not_a_number<Scalar>);
    only_deltas.deltas.push_back(array.data());
  }
  for (auto& array : activations) {
    std::fill(array.begin(), array.end(), not_a_number<Scalar>);
    only_activations.activations.push_back(array.data());
  }
  CHECK(same_cost(net, net.gradient(batch, Reduction::mean, only_deltas), all.cost));
  for (std::size_t l = 0; l < deltas.size(); ++l) CHECK(same_bits(deltas[l], all.deltas[l]));
  CHECK(same_cost(net, net.gradient(batch, Reduction::mean, only_activations), all.cost));
  for (std::size_t l = 0; l < activations.size(); ++l) CHECK(same_bits(activations[l], all.activations[l]));
}

/// Whether the sums of dC/dtheta in a tile of m samples are ascending in every layer.
template <class Scalar>
bool is_ascending(const Network<Scalar>& net, Index m) {
  for (Index l = 1; l <= net.depth(); ++l)
    if (detail::first_folded(net, l, std::min(m, engine::tile_samples)) < net.size(l)) return false;
  return true;
}

/// Few samples are computed with lanes over units, many with lanes over samples. The samples of a small batch have the
/// same bits when they stand inside a large one: outputs, deltas, grad_x C, and, where the others weigh 0 and sums have
/// the same order, dC/dtheta.
template <class Scalar>
void test_layouts(const Case& c, bool normalized) {
  Network<Scalar> net(c.sizes, c.activations);
  net.initialize(5);
  if (normalized) net.set_normalization(normalization_of<Scalar>(c));
  const bool wide = is_wide(net);
  const Index many = wide ? 64 * 8 + 30 : 64;  // more tiles than go through a wide network together
  const Index n = net.n_inputs(), k = net.n_outputs();
  const Data data(c, many);
  const std::vector<Scalar> x(data.x.begin(), data.x.end()), y(data.y.begin(), data.y.end());
  const auto all = batch_of<Scalar>(samples_of(x, many, n), samples_of(y, many, k), c.cost);
  std::vector<Scalar> all_out(to_size(many * k));
  net.predict(all.x, all_out.data());
  const Everything<Scalar> whole(net, all, Reduction::sum);
  for (Index m = 1; m <= many; m += wide ? 270 : m < 20 ? 1 : 11)
    for (const Index begin : {Index(0), many - m}) {
      const auto part = batch_of<Scalar>(all.x.slice(begin, m), all.y.values.slice(begin, m), c.cost);
      std::vector<Scalar> out(to_size(m * k));
      net.predict(part.x, out.data());
      CHECK(same_bits(out.data(), all_out.data() + begin * k, m * k));
      const Everything<Scalar> few(net, part, Reduction::sum);
      CHECK(same_bits(few.x.data(), whole.x.data() + begin * n, m * n));
      for (std::size_t l = 0; l < few.deltas.size(); ++l)
        CHECK(same_bits(few.deltas[l].data(), whole.deltas[l].data() + begin * c.sizes[l + 1], m * c.sizes[l + 1]));

      std::vector<Scalar> weights(to_size(many), 0);
      std::fill_n(weights.begin() + begin, m, Scalar(1));
      auto weighted = all;
      weighted.weights.values = samples_of(weights, many, 1);
      const Everything<Scalar> mean_of_part(net, part, Reduction::mean), mean_of_all(net, weighted, Reduction::mean);
      CHECK(same_cost(net, mean_of_part.cost, mean_of_all.cost));
      const bool ascending = is_ascending(net, many), both_folded = begin == 0 && !is_ascending(net, m);
      if (ascending || both_folded) CHECK(same_bits(mean_of_part.nabla, mean_of_all.nabla));
    }
}

/// Class labels stand for their 1-of-n rows.
template <class Scalar>
void test_labels() {
  for (const Index m : {5, 64, 150}) {
    Network<Scalar> net({4, 9, 6}, "tanh", "softmax", 8);
    const auto x = normals<Scalar>(4 * m, 1);
    const auto classes = labels(m, 6, 2);
    std::vector<Scalar> y(to_size(6 * m), 0);
    for (Index s = 0; s < m; ++s) y[to_size(6 * s + classes[to_size(s)])] = 1;
    const Everything<Scalar> by_label(
        net, batch_of<Scalar>(samples_of(x, m, 4), Targets(samples_of(classes), true), "cross_entropy"),
        Reduction::mean);
    const Everything<Scalar> by_row(net, batch_of<Scalar>(samples_of(x, m, 4), samples_of(y, m, 6), "cross_entropy"),
                                    Reduction::mean);
    CHECK(by_label.cost == by_row.cost && same_bits(by_label.nabla, by_row.nabla) && same_bits(by_label.x, by_row.x));
  }
}

/// An array of another type or shape in memory, and the plain copy of it.
template <class Scalar>
struct OddArray {
  std::vector<char> bytes;
  Samples view;
  std::vector<Scalar> copy;

  /// m rows of n numbers, `value_bytes` apart; write(at, s, i) puts a number there and returns it.
  template <class Write>
  OddArray(Index m, Index n, ElementType type, Index size, bool backwards, bool swapped, Write write) {
    const Index value_bytes = size + 1, row_bytes = n * value_bytes + 3;
    bytes.assign(to_size(m * row_bytes), '\x7f');
    const Index step = backwards ? -1 : 1;
    char* origin = bytes.data() + (backwards ? (m - 1) * row_bytes + (n - 1) * value_bytes : 0);
    view = {origin, m, n, step * row_bytes, step * value_bytes, type, swapped};
    for (Index s = 0; s < m; ++s)
      for (Index i = 0; i < n; ++i) {
        char* at = origin + step * (s * row_bytes + i * value_bytes);
        copy.push_back(write(at, s, i));
        if (swapped) std::reverse(at, at + size);
      }
  }
};

/// Whatever x, y and the weights look like in memory, the results are those of their contiguous copies.
template <class Scalar>
void test_odd_arrays() {
  const auto numbers = normals<double>(200 * 5, 1);
  for (const Index m : {1, 5, 64, 150})
    for (const bool backwards : {false, true})
      for (const bool swapped : {false, true}) {
        Network<Scalar> net({5, 12, 2}, "sigmoid", "identity", 4);
        const auto as = [&]<class Source>(Source, double shift) {
          return [&numbers, shift](char* at, Index s, Index i) {
            const auto v = static_cast<Source>(numbers[to_size(s * 5 + i)] * 3 + shift);
            std::memcpy(at, &v, sizeof(Source));
            return static_cast<Scalar>(v);
          };
        };
        // half precision: sign, exponent 15, fraction; 1 to 2 in size
        const auto as_half = [](char* at, Index s, Index i) {
          const auto fraction = static_cast<unsigned>((s * 37 + i * 101) % 1024);
          const auto bits = static_cast<std::uint16_t>((s % 2 ? 0x8000u : 0u) | 15u << 10 | fraction);
          std::memcpy(at, &bits, 2);
          return static_cast<Scalar>((s % 2 ? -1.0 : 1.0) * (1 + fraction / 1024.0));
        };
        std::vector<OddArray<Scalar>> xs;
        xs.emplace_back(m, 5, ElementType::float64, 8, backwards, swapped, as(double{}, 0));
        xs.emplace_back(m, 5, ElementType::float32, 4, backwards, swapped, as(float{}, 0));
        xs.emplace_back(m, 5, ElementType::float16, 2, backwards, swapped, as_half);
        xs.emplace_back(m, 5, ElementType::int8, 1, backwards, swapped, as(std::int8_t{}, 0));
        const OddArray<Scalar> y(m, 2, ElementType::int16, 2, backwards, swapped, as(std::int16_t{}, 0));
        const OddArray<Scalar> weights(m, 1, ElementType::float64, 8, backwards, swapped, as(double{}, 20));
        for (const auto& x : xs)
          for (const bool normalized : {false, true}) {
            if (normalized) net.set_normalization({{1, 2, 3, 4, 5}, {1, 2, 3, 4, 5}, {6, 7}, {}});
            const Samples plain_x = samples_of(x.copy, m, 5);
            std::vector<Scalar> out(to_size(2 * m)), plain_out(to_size(2 * m));
            net.predict(x.view, out.data());
            net.predict(plain_x, plain_out.data());
            CHECK(same_bits(out, plain_out));
            auto batch = batch_of<Scalar>(x.view, y.view);
            auto plain = batch_of<Scalar>(plain_x, samples_of(y.copy, m, 2));
            batch.weights.values = weights.view;
            plain.weights.values = samples_of(weights.copy, m, 1);
            const Everything<Scalar> odd(net, batch, Reduction::mean), even(net, plain, Reduction::mean);
            CHECK(odd.cost == even.cost && same_bits(odd.nabla, even.nabla) && same_bits(odd.x, even.x));
          }
      }
}

/// No samples: nothing is written, nothing is wrong. Copies are alike and independent.
void test_small_print() {
  Network<float> net({3, 4, 2});
  const std::vector<float> x(3, 1);
  net.predict(samples_of(x, 0, 3), nullptr);
  Network<float> copy = net;
  CHECK(copy.theta() == net.theta());
  copy.W(1)(0, 0) += 1;
  CHECK(copy.theta() != net.theta() && copy.weights(2)[0] == net.weights(2)[0]);
  const Network<float> moved = std::move(copy);
  CHECK(moved.W(1)(0, 0) == net.W(1)(0, 0) + 1);
  net = moved;
  CHECK(net.theta() == moved.theta());

  // The Eigen calls are the same calls.
  const Matrix<float> X = Matrix<float>::Constant(3, 5, 0.25f), Y = Matrix<float>::Constant(2, 5, 0.5f);
  const Matrix<float> out = net.predict(X);
  CHECK(out.rows() == 2 && out.cols() == 5 && out.col(0) == out.col(4));
  const auto g = net.gradient(X, Y, "quadratic", Wrt::both);
  CHECK(net.gradient(X, Y).nabla == g.nabla && net.gradient(X, Y, "quadratic", Wrt::x).x == g.x);
  CHECK(net.gradient(X, Y).x.size() == 0 && net.gradient(X, Y, "quadratic", Wrt::x).nabla.size() == 0);
  const Everything<float> all(net, batch_of<float>(columns(X), columns(Y)), Reduction::mean);
  CHECK(g.cost == all.cost && same_bits(g.nabla.data(), all.nabla.data(), net.n_parameters()));
  CHECK(same_bits(g.x.data(), all.x.data(), 15));
}

/// One sample has the bits of the same sample in a batch, with scratch on the stack and from the heap.
template <class Scalar>
void test_predict_one() {
  for (const Index width : {1, 100, 128, 129, 2048, 2049})
    for (const char* output : {"identity", "sigmoid", "softmax"}) {
      const Network<Scalar> net({3, width, 2, 16}, "tanh", output, 3);
      const auto x = normals<Scalar>(3 * 20, 1);
      std::vector<Scalar> batch(16 * 20), one(16);
      net.predict(samples_of(x, 20, 3), batch.data());
      for (Index s = 0; s < 20; ++s) {
        net.predict_one(x.data() + 3 * s, one.data());
        CHECK(same_bits(one.data(), batch.data() + 16 * s, 16));
      }
    }
}

/// Any number of threads, sensible or not, shares a wide network's work to the same bits: more tiles than fit in L2.
template <class Scalar>
void test_thread_counts(const Case& c) {
  Network<Scalar> net(c.sizes, c.activations);
  net.initialize(5);
  const Index m = 64 * 8 + 30;
  const Data data(c, m);
  const std::vector<Scalar> x(data.x.begin(), data.x.end()), y(data.y.begin(), data.y.end());
  const auto batch = batch_of<Scalar>(samples_of(x, m, net.n_inputs()), samples_of(y, m, net.n_outputs()), c.cost);
  const auto with = [&](int threads) {
    std::vector<Scalar> all(to_size(m * net.n_outputs() + net.n_parameters()));
    net.predict(batch.x, all.data(), {threads, nullptr});
    net.gradient(batch, Reduction::mean, {all.data() + m * net.n_outputs(), nullptr, {}, {}}, {threads, nullptr});
    return all;
  };
  const auto one = with(1);
  for (const int threads : {-1, 0, 2, 3, 7, std::numeric_limits<int>::max()}) CHECK(same_bits(with(threads), one));
}

template <class Scalar>
void test_all() {
  for (const Case& c : cases()) {
    test_each_gradient_alone<Scalar>(c);
    test_layouts<Scalar>(c, false);
    test_layouts<Scalar>(c, true);
  }
  for (const Case& c : wide_cases()) {
    test_each_gradient_alone<Scalar>(c);
    test_layouts<Scalar>(c, false);
    test_thread_counts<Scalar>(c);
  }
  test_labels<Scalar>();
  test_odd_arrays<Scalar>();
  test_predict_one<Scalar>();
}

}  // namespace

int main() {
  test_all<double>();
  test_all<float>();
  test_small_print();
  return check_report();
}
