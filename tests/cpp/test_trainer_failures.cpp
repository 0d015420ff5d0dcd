/// Each failure of training leaves what it promises to leave.
#include <cstdlib>
#include <string>

#include "trainers.hpp"

namespace {

using namespace trainers;

/// body() throws Error, which is returned.
template <class Error, class Body>
Error thrown_by(const char* file, int line, const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    return error;
  }
  check::report(false, file, line, "nothing was thrown");
  std::exit(check_report());
}
#define THROWN(Error, ...) thrown_by<Error>(__FILE__, __LINE__, [&] { __VA_ARGS__; })

/// The rate leaves all bounds after some steps: theta is huge after the next one, and the cost after that is infinite.
Optimizer explodes_after(double steps, double momentum = 0) {
  return sgd(Schedule(Schedule::Kind::step, 0.01, 1e300, steps), momentum, momentum != 0);
}

/// Divergence in fit: the network and the trainer as after the last epoch whose parameters were finite.
template <class Scalar>
void test_divergence_in_fit() {
  const Data<Scalar> data(40);  // 4 steps an epoch
  for (const Index good_epochs : {0, 1, 2, 3}) {
    auto net = small_net<Scalar>(), other = small_net<Scalar>();
    // In the middle of an epoch of 4 steps.
    const Optimizer by = explodes_after(static_cast<double>(4 * good_epochs + 2), good_epochs % 2 ? 0.5 : 0);
    Trainer<Scalar> trainer(net, {}, by, {}, 1), reference(other, {}, by, {}, 1);
    Index ended = 0;
    const auto error = THROWN(DivergenceError, trainer.fit(data.inputs(), data.targets(), {20, 10, true}, {}, nullptr,
                                                           [&](const Epoch&) { return ++ended, false; }));
    reference.fit(data.inputs(), data.targets(), {good_epochs, 10, true});
    CHECK(ended == good_epochs && error.epoch == good_epochs);
    CHECK(error.step >= 4 * good_epochs + 2 && error.step <= 4 * good_epochs + 4);
    CHECK(std::string(error.what()).find("epoch " + std::to_string(good_epochs)) != std::string::npos);
    CHECK(same_theta(net, other) && trainer.steps() == 4 * good_epochs && trainer.epochs() == good_epochs);
    // and so it goes the same way again
    const auto again = THROWN(DivergenceError, trainer.fit(data.inputs(), data.targets(), {20, 10, true}));
    CHECK(again.epoch == error.epoch && again.step == error.step && same_theta(net, other));
  }
}

/// Divergence in step and apply: nothing has changed, moments and counters included.
template <class Scalar>
void test_divergence_in_step() {
  const Data<Scalar> data(10);
  for (const Optimizer& optimizer : {explodes_after(3), explodes_after(3, 0.9)}) {
    auto net = small_net<Scalar>(), other = small_net<Scalar>();
    Trainer<Scalar> trainer(net, {}, optimizer), reference(other, {}, optimizer);
    Index good = 0;
    Network<Scalar> before = net;
    const auto error = THROWN(
        DivergenceError, for (;; ++good) {
          before = net;
          trainer.step(data.inputs(), data.targets());
        });
    CHECK(good >= 3 && error.step == good && trainer.steps() == good && same_theta(net, before));
    for (Index k = 0; k < good; ++k) reference.step(data.inputs(), data.targets());
    CHECK(same_theta(net, other));
    THROWN(DivergenceError, trainer.step(data.inputs(), data.targets()));
    CHECK(trainer.steps() == good && same_theta(net, before));
  }

  auto net = small_net<Scalar>(), other = small_net<Scalar>();
  Trainer<Scalar> trainer(net), reference(other);
  std::vector<Scalar> g(to_size(net.n_parameters()), Scalar(0.5));
  trainer.apply(g.data());
  const Network<Scalar> before = net;
  for (const double bad : {infinity, -infinity, not_a_number<double>}) {
    g[to_size(net.n_parameters() - 1)] = static_cast<Scalar>(bad);
    THROWN(DivergenceError, trainer.apply(g.data()));
    CHECK(same_theta(net, before) && trainer.steps() == 1);
  }
  std::fill(g.begin(), g.end(), Scalar(0.5));
  trainer.apply(g.data());
  reference.apply(g.data());
  reference.apply(g.data());
  CHECK(same_theta(net, other));
}

/// With eps = 0 a parameter whose gradient is 0 divides 0 by 0.
template <class Scalar>
void test_zero_eps() {
  const Data<Scalar> data(10);
  for (const Optimizer& optimizer : {adam(1e-3, 0.9, 0.999, 0), rmsprop(1e-2, 0.99, 0)}) {
    auto net = small_net<Scalar>();
    const Network<Scalar> before = net;
    Trainer<Scalar> trainer(net, {}, optimizer);
    const std::vector<Scalar> zeros(to_size(net.n_parameters()), 0);
    THROWN(DivergenceError, trainer.apply(zeros.data()));
    CHECK(same_theta(net, before) && trainer.steps() == 0);
    trainer.step(data.inputs(), data.targets());
    CHECK(trainer.steps() == 1 && net.theta().allFinite());
  }
}

/// Bad data: std::invalid_argument names the row; nothing has changed, wherever the row stands.
template <class Scalar>
void test_bad_data() {
  for (const double bad : {infinity, not_a_number<double>})
    for (const Index row : {0, 57, 2099}) {
      const Data<Scalar> good(2100);
      for (const bool in_x : {false, true}) {
        Data<Scalar> data = good;
        (in_x ? data.x : data.y)[to_size(row * (in_x ? 4 : 3) + 2)] = static_cast<Scalar>(bad);
        auto net = small_net<Scalar>();
        const Network<Scalar> before = net;
        Trainer<Scalar> trainer(net);
        const std::string name = in_x ? "x" : "y", place = "row " + std::to_string(row) + ", column 2";
        const auto check_text = [&](const std::invalid_argument& error, const std::string& whose) {
          const std::string what = error.what();
          if (!CHECK(what.find(whose + " has") == 0 && what.find(place) != std::string::npos))
            std::cerr << "    " << what << '\n';
        };
        check_text(THROWN(std::invalid_argument, trainer.fit(data.inputs(), data.targets(), {2, 10, true})), name);
        check_text(THROWN(std::invalid_argument, trainer.step(data.inputs(), data.targets())), name);
        const Batch<Scalar> validation{data.inputs(), data.targets(), {}, {0, 2100, nullptr}, {}};
        check_text(
            THROWN(std::invalid_argument, trainer.fit(good.inputs(), good.targets(), {2, 10, true}, {}, &validation)),
            "validation " + name);
        CHECK(same_theta(net, before) && trainer.steps() == 0 && trainer.epochs() == 0);
      }
    }
  const Data<Scalar> data(10);
  auto net = small_net<Scalar>();
  Trainer<Scalar> trainer(net);
  THROWN(std::invalid_argument, trainer.fit(data.inputs(), data.targets(), {1, 0, true}));
  THROWN(std::invalid_argument, trainer.fit(data.inputs(), data.targets(), {-1, 10, true}));
  THROWN(std::invalid_argument, trainer.fit(data.inputs(), data.inputs(), {1, 10, true}));
  THROWN(std::invalid_argument, Trainer<Scalar>(net, {"poisson", nullptr}));
}

struct Stopper : Watcher {
  bool stop() override { return ++asked >= patience; }
  int asked = 0, patience = 2;
};
struct Thrower : Watcher {
  bool stop() override { throw std::runtime_error("the watcher's own"); }
};

/// An interrupted fit is as after its last finished step, whichever that was, and can go on.
template <class Scalar>
void test_interruption(int threads) {
  const Data<Scalar> data(3000);
  for (const auto& [hidden, batch_size] : std::vector<std::pair<Index, Index>>{{40, 50}, {40, 1000}, {500, 300}}) {
    Network<Scalar> net({4, hidden, hidden, 3}, "tanh", "identity", 1), other = net;
    Trainer<Scalar> trainer(net), hand(other);
    const FitOptions endless{1 << 30, batch_size, true};
    Stopper stopper;
    THROWN(Interrupted, trainer.fit(data.inputs(), data.targets(), endless, {}, nullptr, {}, {threads, &stopper}));
    CHECK(stopper.asked == stopper.patience);
    const Index steps = trainer.steps();
    for (Index epoch = 0; hand.steps() < steps; ++epoch) {
      const SampleOrder order(0, static_cast<std::uint64_t>(epoch), 3000);
      epoch_by_hand(hand, data, batch_size, &order, false, steps);
    }
    CHECK(same_theta(net, other) && trainer.epochs() == steps / (3000 / batch_size));

    Thrower thrower;
    const auto error = THROWN(
        std::runtime_error, trainer.fit(data.inputs(), data.targets(), endless, {}, nullptr, {}, {threads, &thrower}));
    CHECK(std::string(error.what()) == "the watcher's own" && net.theta().allFinite());
    trainer.step(data.inputs(), data.targets());
  }
}

/// The weights of a batch are added one after the other, in any order of its rows; who wants to stop is heard
/// meanwhile.
template <class Scalar>
void test_total_weight() {
  std::vector<Scalar> values(5000);
  for (std::size_t k = 0; k < values.size(); ++k) values[k] = Scalar(1) / static_cast<Scalar>(k + 3);
  constexpr auto bytes = static_cast<std::ptrdiff_t>(sizeof(Scalar));
  const auto weights_of = [&](Index count, std::ptrdiff_t stride) {
    return Weights<Scalar>{Samples{values.data(), count, 1, stride, bytes, element_type<Scalar>(), false}};
  };
  const SampleOrder shuffled(1, 2, values.size());
  const Weights<Scalar> weights = weights_of(5000, bytes);
  for (const SampleOrder* order : {static_cast<const SampleOrder*>(nullptr), &shuffled})
    for (const auto& [begin, count] : std::vector<std::pair<Index, Index>>{{0, 5000}, {17, 3000}, {4999, 1}}) {
      double expected = 0;
      for (Index k = begin; k < begin + count; ++k)
        expected += weights[order ? static_cast<Index>((*order)(static_cast<std::uint64_t>(k))) : k];
      engine::Pulse undisturbed(nullptr);
      CHECK(detail::total_weight(weights, {begin, count, order}, undisturbed) == expected);
    }
  Stopper stopper;
  engine::Pulse pulse(&stopper);
  const Index endless = Index{1} << 40;
  THROWN(Interrupted, detail::total_weight(weights_of(endless, 0), {0, endless, nullptr}, pulse));
}

/// What on_epoch throws reaches the caller; the epoch it was told of is done.
template <class Scalar>
void test_exception_in_on_epoch() {
  const Data<Scalar> data(40);
  auto net = small_net<Scalar>(), other = small_net<Scalar>();
  Trainer<Scalar> trainer(net), reference(other);
  struct Own {};
  THROWN(Own, trainer.fit(data.inputs(), data.targets(), {9, 10, true}, {}, nullptr, [](const Epoch& epoch) {
    if (epoch.number == 2) throw Own{};
    return false;
  }));
  reference.fit(data.inputs(), data.targets(), {3, 10, true});
  CHECK(same_theta(net, other) && trainer.steps() == 12 && trainer.epochs() == 3);
  trainer.fit(data.inputs(), data.targets(), {2, 10, true});
  reference.fit(data.inputs(), data.targets(), {2, 10, true});
  CHECK(same_theta(net, other));
}

template <class Scalar>
void test_all() {
  test_divergence_in_fit<Scalar>();
  test_divergence_in_step<Scalar>();
  test_zero_eps<Scalar>();
  test_bad_data<Scalar>();
  test_exception_in_on_epoch<Scalar>();
  test_total_weight<Scalar>();
  for (const int threads : {1, 2}) test_interruption<Scalar>(threads);
}

}  // namespace

int main() {
  test_all<double>();
  test_all<float>();
  return check_report();
}
