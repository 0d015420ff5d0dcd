/// Steps by hand equal fit bit for bit, a seed fixes everything, and each failure leaves what it promises to leave.
#include <cmath>
#include <cstdlib>
#include <string>

#include "bpnet/train/trainer.hpp"
#include "numbers.hpp"

namespace {

using namespace bpnet;
using ::Index;

template <class Scalar>
Samples rows_of(const std::vector<Scalar>& values, Index n) {
  const auto bytes = static_cast<std::ptrdiff_t>(sizeof(Scalar));
  return {values.data(), static_cast<Index>(values.size()) / n, n, n * bytes, bytes, element_type<Scalar>(), false};
}

/// A regression problem of m samples, 4 -> 3, with weights of which some are zero.
template <class Scalar>
struct Data {
  std::vector<Scalar> x, y, weights;

  explicit Data(Index m) : x(normals<Scalar>(4 * m, 1)), y(normals<Scalar>(3 * m, 2)), weights(normals<Scalar>(m, 3)) {
    for (Scalar& v : y) v /= 4;
    for (Scalar& w : weights) w = std::max(w, Scalar(0));
  }
  Index m() const { return static_cast<Index>(weights.size()); }
  Samples inputs() const { return rows_of(x, 4); }
  Targets targets() const { return rows_of(y, 3); }
  Weights<Scalar> weighted(bool really) const {
    return really ? Weights<Scalar>{rows_of(weights, 1)} : Weights<Scalar>{};
  }
};

template <class Scalar>
Network<Scalar> small_net(const char* output = "identity") {
  return Network<Scalar>({4, 9, 3}, "tanh", output, 1);
}
template <class Scalar>
bool same_theta(const Network<Scalar>& a, const Network<Scalar>& b) {
  return same_bits(a.theta().data(), b.theta().data(), a.n_parameters());
}

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

// ---- steps and epochs -----------------------------------------------------------------------------------------------

/// The minibatches of an epoch, gathered into arrays of their own and given to step() one by one.
template <class Scalar>
void epoch_by_hand(Trainer<Scalar>& trainer, const Data<Scalar>& data, Index batch_size, const SampleOrder* order,
                   bool weighted, Index last_step = std::numeric_limits<Index>::max()) {
  for (Index begin = 0; begin < data.m() && trainer.steps() < last_step; begin += batch_size) {
    std::vector<Scalar> x, y, weights;
    for (Index k = begin; k < std::min(begin + batch_size, data.m()); ++k) {
      const auto row = order ? static_cast<std::ptrdiff_t>((*order)(static_cast<std::uint64_t>(k))) : k;
      x.insert(x.end(), data.x.begin() + 4 * row, data.x.begin() + 4 * row + 4);
      y.insert(y.end(), data.y.begin() + 3 * row, data.y.begin() + 3 * row + 3);
      weights.push_back(data.weights[to_size(row)]);
    }
    trainer.step(rows_of(x, 4), Targets(rows_of(y, 3)),
                 weighted ? Weights<Scalar>{rows_of(weights, 1)} : Weights<Scalar>{});
  }
}

template <class Scalar>
void test_steps_equal_fit() {
  const std::vector<Optimizer> optimizers{
      sgd(0.05), sgd(0.05, 0.9), sgd(0.05, 0.9, true),
      rmsprop(), adam(),         adamw(Schedule(Schedule::Kind::exponential, 1e-2, 0.5, 10))};
  const Data<Scalar> data(107);
  for (const Optimizer& optimizer : optimizers)
    for (const Index batch_size : {1, 10, 70, 200})
      for (const bool shuffle : {false, true})
        for (const bool weighted : {false, true}) {
          const Penalties penalties = shuffle ? Penalties{1e-3, 1e-2, weighted} : Penalties{};
          auto fitted = small_net<Scalar>(), stepped = small_net<Scalar>();
          Trainer<Scalar> fit(fitted, {}, optimizer, penalties, 11), hand(stepped, {}, optimizer, penalties, 5);
          const History history =
              fit.fit(data.inputs(), data.targets(), {3, batch_size, shuffle}, data.weighted(weighted));
          for (std::uint64_t epoch = 0; epoch < 3; ++epoch) {
            const SampleOrder order(11, epoch, static_cast<std::uint64_t>(data.m()));
            epoch_by_hand(hand, data, batch_size, shuffle ? &order : nullptr, weighted);
          }
          CHECK(same_theta(fitted, stepped));
          CHECK(fit.steps() == hand.steps() && history.steps == hand.steps() && history.cost.size() == 3);
          CHECK(fit.epochs() == 3 && !history.stopped);
        }
}

/// The same for a network of more than a megabyte, whose blocks are updated as soon as their gradient is complete.
template <class Scalar>
void test_wide_steps_equal_fit() {
  const Data<Scalar> data(150);
  for (const Optimizer& optimizer : {sgd(0.01, 0.9), adamw(1e-3)}) {
    Network<Scalar> fitted({4, 500, 510, 3}, "tanh", "identity", 1), stepped = fitted;
    Trainer<Scalar> fit(fitted, {}, optimizer, {1e-3, 1e-3, false}, 11),
        hand(stepped, {}, optimizer, {1e-3, 1e-3, false});
    fit.fit(data.inputs(), data.targets(), {2, 70, true}, data.weighted(true), nullptr, {}, {2, nullptr});
    for (std::uint64_t epoch = 0; epoch < 2; ++epoch) {
      const SampleOrder order(11, epoch, 150);
      epoch_by_hand(hand, data, 70, &order, true);
    }
    CHECK(same_theta(fitted, stepped) && fit.steps() == hand.steps());
  }
}

/// Two calls of fit are one of as many epochs; the trainer keeps moments, counters and sample order.
template <class Scalar>
void test_fit_goes_on() {
  const Data<Scalar> data(50);
  auto at_once = small_net<Scalar>(), in_parts = small_net<Scalar>();
  Trainer<Scalar> whole(at_once), parts(in_parts);
  const History all = whole.fit(data.inputs(), data.targets(), {5, 8, true});
  const History first = parts.fit(data.inputs(), data.targets(), {2, 8, true});
  const History second = parts.fit(data.inputs(), data.targets(), {3, 8, true});
  CHECK(same_theta(at_once, in_parts) && parts.epochs() == 5);
  CHECK(all.steps == first.steps + second.steps && all.cost[2] == second.cost[0]);
  const Network<Scalar> before = in_parts;
  CHECK(parts.fit(data.inputs(), data.targets(), {0, 8, true}).cost.empty() && same_theta(before, in_parts));
}

/// What is reported: the mean over samples of the cost before each update, and the validation cost after the epoch.
template <class Scalar>
void test_history() {
  const Data<Scalar> data(60), held_out(33);
  for (const bool weighted : {false, true}) {
    auto net = small_net<Scalar>(), other = small_net<Scalar>();
    Trainer<Scalar> trainer(net, {}, sgd(0.1)), hand(other, {}, sgd(0.1));
    const Batch<Scalar> validation{
        held_out.inputs(), held_out.targets(), held_out.weighted(weighted), {0, 33, nullptr}, {}};
    Index calls = 0;
    const History history = trainer.fit(data.inputs(), data.targets(), {6, 25, false}, data.weighted(weighted),
                                        &validation, [&](const Epoch& epoch) {
                                          CHECK(epoch.number == calls && epoch.validation_cost.has_value());
                                          return ++calls == 4;
                                        });
    CHECK(history.stopped && calls == 4 && history.cost.size() == 4 && history.validation_cost.size() == 4);
    CHECK(history.steps == 12 && trainer.epochs() == 4);
    for (std::size_t epoch = 0; epoch < 4; ++epoch) {
      double sum = 0, total = 0;
      for (const Index begin : {0, 25, 50}) {
        const Index n = std::min<Index>(25, 60 - begin);
        const auto weights =
            weighted ? Weights<Scalar>{data.weighted(true).values->slice(begin, n)} : Weights<Scalar>{};
        double weight = 0;
        for (Index s = 0; s < n; ++s) weight += weights[s];
        sum += weight * hand.step(data.inputs().slice(begin, n), data.targets().values.slice(begin, n), weights);
        total += weight;
      }
      CHECK(history.cost[epoch] == sum / total);
      CHECK(history.validation_cost[epoch] == other.cost(validation));
    }
  }
}

/// One seed, one result; shuffling depends on it, and nothing else does.
template <class Scalar>
void test_seeds() {
  const Data<Scalar> data(2000);  // beyond the table of small shuffles
  const auto trained = [&](std::uint64_t seed, bool shuffle) {
    auto net = small_net<Scalar>();
    Trainer<Scalar> trainer(net, {}, adam(), {}, seed);
    trainer.fit(data.inputs(), data.targets(), {2, 32, shuffle});
    return net;
  };
  CHECK(same_theta(trained(3, true), trained(3, true)));
  CHECK(!same_theta(trained(3, true), trained(4, true)));
  CHECK(!same_theta(trained(3, true), trained(3, false)));
  CHECK(same_theta(trained(3, false), trained(4, false)));
}

/// A minibatch whose weights are all zero is no step.
template <class Scalar>
void test_zero_weights() {
  const Data<Scalar> data(30);
  std::vector<Scalar> weights(30, 1);
  std::fill_n(weights.begin() + 10, 10, Scalar(0));
  auto net = small_net<Scalar>(), other = small_net<Scalar>();
  Trainer<Scalar> trainer(net), hand(other);
  const History history = trainer.fit(data.inputs(), data.targets(), {1, 10, false}, {rows_of(weights, 1)});
  CHECK(history.steps == 2 && trainer.steps() == 2);
  const std::vector<Scalar> zeros(10, 0);
  hand.step(data.inputs().slice(0, 10), data.targets().values.slice(0, 10));
  const auto before = other;
  CHECK(hand.step(data.inputs().slice(10, 10), data.targets().values.slice(10, 10), {rows_of(zeros, 1)}) == 0);
  CHECK(hand.steps() == 1 && same_theta(before, other));
  hand.step(data.inputs().slice(20, 10), data.targets().values.slice(20, 10));
  CHECK(same_theta(net, other));
}

/// apply() is the update of step().
template <class Scalar>
void test_apply() {
  const Data<Scalar> data(20);
  auto net = small_net<Scalar>(), other = small_net<Scalar>();
  Trainer<Scalar> trainer(net), hand(other);
  std::vector<Scalar> nabla(to_size(net.n_parameters()));
  for (int k = 0; k < 5; ++k) {
    const double cost = trainer.step(data.inputs(), data.targets());
    const Batch<Scalar> batch{data.inputs(), data.targets(), {}, {0, 20, nullptr}, {}};
    CHECK(cost == other.gradient(batch, Reduction::mean, {nabla.data(), nullptr, {}, {}}));
    hand.apply(nabla.data());
    CHECK(same_theta(net, other));
  }
}

// ---- failures -------------------------------------------------------------------------------------------------------

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
  test_steps_equal_fit<Scalar>();
  test_wide_steps_equal_fit<Scalar>();
  test_fit_goes_on<Scalar>();
  test_history<Scalar>();
  test_seeds<Scalar>();
  test_zero_weights<Scalar>();
  test_apply<Scalar>();
  test_divergence_in_fit<Scalar>();
  test_divergence_in_step<Scalar>();
  test_zero_eps<Scalar>();
  test_bad_data<Scalar>();
  test_exception_in_on_epoch<Scalar>();
  for (const int threads : {1, 2}) test_interruption<Scalar>(threads);
}

}  // namespace

int main() {
  test_all<double>();
  test_all<float>();
  return check_report();
}
