/// What does not fit a network is refused, with a reason.
#include <functional>
#include <string>

#include "networks.hpp"

namespace {

using namespace networks;

/// body() throws std::invalid_argument, and what() has both words.
void refuses(const char* word, const char* other, const std::function<void()>& body) {
  try {
    body();
  } catch (const std::invalid_argument& error) {
    const std::string what = error.what();
    if (!CHECK(what.find(word) != std::string::npos && what.find(other) != std::string::npos))
      std::cerr << "    '" << what << "' has not both '" << word << "' and '" << other << "'\n";
    return;
  }
  if (!CHECK(false)) std::cerr << "    nothing was thrown for '" << word << "', '" << other << "'\n";
}

void test_refusals() {
  using Net = Network<double>;
  refuses("sizes", "at least one layer", [] { Net net({3}); });
  refuses("sizes", "at least one layer", [] { Net net(std::vector<Index>{}); });
  refuses("sizes[1]", "0", [] { Net net({3, 0, 1}); });
  refuses("sizes[0]", "-2", [] { Net net({-2, 1}); });
  refuses("too large", "overflows", [] { Net net({Index(1) << 40, Index(1) << 40}); });
  refuses("1 activations", "2 layers", [] { Net net({3, 4, 1}, std::vector<Activation>{"tanh"}); });
  refuses("activation", "'tahn'", [] { Net net({3, 1}, "tahn"); });
  refuses("cost", "'squared'", [] { Cost cost("squared"); });
  refuses("delta", "0", [] { Cost cost("huber", 0); });
  refuses("q", "1", [] { Cost cost("quantile", 1.5); });

  Net net({3, 2}, "sigmoid", "softmax");
  const auto numbers = normals<double>(100, 1);
  std::vector<double> out(100);
  const Samples x = samples_of(numbers, 4, 3), y = samples_of(numbers, 4, 2);
  const auto gradient = [&](const Batch<double>& batch) { net.gradient(batch, Reduction::mean, {}); };
  refuses("x has 2 values", "takes 3", [&] { net.predict(y, out.data()); });
  refuses("x has 2 values", "takes 3", [&] { net.forward(y, {}); });
  refuses("x has 2 values", "takes 3", [&] { gradient(batch_of<double>(y, y)); });
  refuses("y has 3 values", "2", [&] { gradient(batch_of<double>(x, x)); });
  refuses("y has 3 samples", "x has 4", [&] { gradient(batch_of<double>(x, y.slice(0, 3))); });
  refuses("x has 0 samples", "at least 1", [&] { gradient(batch_of<double>(x.slice(0, 0), y.slice(0, 0))); });
  refuses("poisson", "at least 0", [&] { Net({3, 2}, "sigmoid", "tanh").cost(batch_of<double>(x, y, "poisson")); });
  refuses("cross_entropy", "[0, 1]", [&] {
    Net({3, 2}, "sigmoid", "relu").cost(batch_of<double>(x, y, "cross_entropy"));
  });

  const std::vector<std::int64_t> classes{0, 1, 2, 0}, negative{0, -1, 0, 0};
  const std::vector<std::uint64_t> enormous{0, std::uint64_t{1} << 63, 0, 0};
  const std::vector<double> halves{0, 1, 0, 0.5}, undefined{0, not_a_number<double>, 0, 0};
  const auto labelled = [&](const Samples& labels) {
    return [&gradient, &x, labels] { gradient(batch_of<double>(x, Targets(labels, true), "cross_entropy")); };
  };
  refuses("y[2] is 2", "0 to 1", labelled(samples_of(classes)));
  refuses("y[1] is -1", "0 to 1", labelled(samples_of(negative)));
  refuses("y[1] is 9.22337", "0 to 1", labelled({enormous.data(), 4, 1, 8, 8, ElementType::uint64, false}));
  refuses("y[3] is 0.5", "0 to 1", labelled(samples_of(halves, 4, 1)));
  refuses("y[1] is nan", "0 to 1", labelled(samples_of(undefined, 4, 1)));
  refuses("y has 2 values", "1", labelled(y));

  const auto weighted = [&](const std::vector<double>& weights, Index width = 1) {
    return [&, weights, width] {
      auto batch = batch_of<double>(x, y);
      batch.weights.values = samples_of(weights, static_cast<Index>(weights.size()) / width, width);
      gradient(batch);
    };
  };
  refuses("sample_weight has 3", "4 samples", weighted({1, 1, 1}));
  refuses("sample_weight", "4 samples", weighted({1, 1, 1, 1, 1, 1, 1, 1}, 2));
  refuses("sample_weight[1] is -1", "not negative", weighted({1, -1, 1, 1}));
  refuses("sample_weight[2] is", "finite", weighted({1, 1, infinity, 1}));
  refuses("sample_weight[3] is", "finite", weighted({1, 1, 1, not_a_number<double>}));
  refuses("sample_weight sums to 0", "", weighted({0, 0, 0, 0}));
  refuses("sample_weight sums to more", "", weighted({1e308, 1e308, 1e308, 1e308}));

  refuses("input_shift has 2", "needs 3", [&] { net.set_normalization({{1, 2}, {}, {}, {}}); });
  refuses("input_scale", "positive", [&] { net.set_normalization({{}, {1, 0, 1}, {}, {}}); });
  refuses("output_scale", "positive", [&] { net.set_normalization({{}, {}, {}, {1, -1}}); });
  refuses("output_shift", "finite", [&] { net.set_normalization({{}, {}, {infinity, 1}, {}}); });
  CHECK(!net.normalization().of_input() && !net.normalization().of_output());
}

}  // namespace

int main() {
  test_refusals();
  return check_report();
}
