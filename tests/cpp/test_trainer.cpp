/// Steps by hand equal fit bit for bit, and a seed fixes everything.
#include "trainers.hpp"

namespace {

using namespace trainers;

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
            epoch_by_hand(hand, data, batch_size, shuffle && batch_size < data.m() ? &order : nullptr, weighted);
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

/// A subnormal gradient is none to a step, on every thread; beside it such numbers are what they were.
template <class Scalar>
void test_faint() {
  constexpr Scalar least = std::numeric_limits<Scalar>::min();
  const volatile Scalar normal = least;
  for (const Index m : {1, 600}) {
    const std::vector<Scalar> x(to_size(m), least), y(to_size(m), Scalar(-0.25));
    Network<Scalar> net({1, 1}, "identity", "identity", 1);
    net.theta().fill(0);
    std::vector<Scalar> nabla(2);
    net.gradient(Batch<Scalar>{rows_of(x, 1), rows_of(y, 1), {}, {0, m, nullptr}, {}}, Reduction::mean,
                 {nabla.data(), nullptr, {}, {}});
    CHECK(nabla[0] > 0 && nabla[0] < least && nabla[1] > Scalar(0.2));

    constexpr Scalar rate = 64;
    Trainer<Scalar> trainer(net, {}, sgd(rate));
    trainer.fit(rows_of(x, 1), rows_of(y, 1), {1, m, false}, {}, nullptr, {}, {2, nullptr});
    CHECK(net.theta()[0] == 0 && net.theta()[1] == -rate * nabla[1]);
    net.theta().fill(0);
    trainer.step(rows_of(x, 1), rows_of(y, 1));
    CHECK(net.theta()[0] == 0 && net.theta()[1] == -rate * nabla[1]);
    net.theta().fill(0);
    trainer.apply(nabla.data());
    CHECK(net.theta()[0] == 0 && net.theta()[1] == -rate * nabla[1]);
    CHECK(normal / 2 > 0);
  }
}

/// Moments without a gradient fade to 0 and do not stay at the subnormal numbers, where 0.9 of the least is itself.
template <class Scalar>
void test_fading() {
  constexpr Scalar least = std::numeric_limits<Scalar>::min();
  const int halvings = 1 - std::numeric_limits<Scalar>::min_exponent, some_more = 8 * halvings;
  const Scalar rate = std::ldexp(Scalar(1), halvings - 10);  // shows in theta what is left of a moment
  const std::vector<Scalar> one(2, Scalar(1)), none(2, Scalar(0));
  Network<Scalar> net({1, 1}, "identity", "identity", 1);
  Trainer<Scalar> halving(net, {}, sgd(rate, 0.5));
  halving.apply(one.data());
  for (int k = 1; k <= halvings + 30; ++k) {
    net.theta().fill(0);
    halving.apply(none.data());
    const Scalar moment = std::ldexp(Scalar(1), -k);
    CHECK(net.theta()[0] == (moment < least ? Scalar(0) : -rate * moment));
  }
  Trainer<Scalar> usual(net, {}, adam(rate));
  usual.apply(one.data());
  for (int k = 0; k < some_more; ++k) {
    net.theta().fill(0);
    usual.apply(none.data());
    CHECK(k > 500 || net.theta()[0] < 0);
  }
  CHECK(net.theta()[0] == 0);
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
  test_faint<Scalar>();
  test_fading<Scalar>();
}

}  // namespace

int main() {
  test_all<double>();
  test_all<float>();
  return check_report();
}
