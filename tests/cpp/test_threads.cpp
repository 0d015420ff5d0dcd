/// Threads do not change a bit; many callers at once share one network; a forked child has threads of its own.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cfenv>
#include <cmath>
#include <functional>
#include <limits>
#include <set>
#include <stdexcept>
#include <thread>

#include "bpnet/bpnet.hpp"
#include "numbers.hpp"

#if defined(__SANITIZE_THREAD__)
#define BPNET_UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define BPNET_UNDER_TSAN 1
#endif
#endif

namespace {

using namespace bpnet;
using ::Index;

constexpr int thread_counts[] = {2, 3, 4, 7};

// ---- the loop -------------------------------------------------------------------------------------------------------

template <class Body>
void loop(int threads, Index items, const Body& body, Watcher* watcher = nullptr) {
  engine::Pulse pulse(watcher);
  engine::parallel_for({threads, watcher}, pulse, items, 1e9, body);
}

/// How many threads came to jobs of four items; `look` is called in each, one at a time.
template <class Look>
std::size_t threads_seen(const Look& look) {
  std::mutex lock;
  std::set<std::thread::id> seen;
  for (int k = 0; k < 1000 && seen.size() < 2; ++k)
    loop(4, 4, [&](Index, const engine::Checkpoint&) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      const std::scoped_lock hold(lock);
      seen.insert(std::this_thread::get_id());
      look();
    });
  return seen.size();
}

/// Every item is done once, and more than one thread does them.
void test_items() {
  for (const int threads : {1, 2, 3, 7, 100})
    for (const Index items : {0, 1, 2, 5, 1000}) {
      std::vector<std::atomic<int>> done(to_size(items));
      loop(threads, items, [&](Index item, const engine::Checkpoint&) { ++done[to_size(item)]; });
      for (const auto& times : done) CHECK(times == 1);
    }
  const std::size_t several = threads_seen([] {});
  CHECK(several >= 2 && several <= 4);
  std::set<std::thread::id> seen;
  loop(1, 100, [&](Index, const engine::Checkpoint&) { seen.insert(std::this_thread::get_id()); });
  CHECK(seen.size() == 1);
}

/// Every thread computes as its caller does, also where the pool is older than the caller's way of rounding.
void test_arithmetic() {
  const auto rounded = [] {
    volatile double one = -1, three = 3;
    return one / three;
  };
  std::set<double> results;
  for (const int rounding : {FE_DOWNWARD, FE_UPWARD, FE_TONEAREST}) {
    std::fesetround(rounding);
    const double expected = rounded();
    results.insert(expected);
    CHECK(threads_seen([&] { CHECK(rounded() == expected); }) >= 2);
  }
  CHECK(results.size() == 2);  // so the ways do differ

  const auto halved = [] {
    volatile double least = std::numeric_limits<double>::min();
    return least / 2;
  };
  {
    const engine::WithoutSubnormals here;
    CHECK(threads_seen([&] { CHECK(halved() == 0); }) >= 2);
  }
  CHECK(threads_seen([&] { CHECK(halved() > 0); }) >= 2);
}

/// What a body throws reaches the caller, whichever thread it was on, and the pool goes on.
void test_exceptions() {
  for (const int threads : {1, 2, 7})
    for (Index bad = 0; bad < 20; ++bad) {
      bool caught = false;
      try {
        loop(threads, 20, [&](Index item, const engine::Checkpoint&) {
          if (item == bad) throw std::runtime_error(std::to_string(item));
        });
      } catch (const std::runtime_error& error) {
        caught = error.what() == std::to_string(bad);
      }
      CHECK(caught);
    }
}

/// A loop inside a loop, and loops of several threads at once: the pool serves one, the others do their own work.
void test_nested_and_concurrent() {
  std::atomic<int> total{0};
  const auto nested = [&] {
    loop(3, 10,
         [&](Index, const engine::Checkpoint&) { loop(3, 10, [&](Index, const engine::Checkpoint&) { ++total; }); });
  };
  nested();
  CHECK(total == 100);
  total = 0;
  std::vector<std::thread> callers;
  for (int k = 0; k < 4; ++k)
    callers.emplace_back([&] {
      for (int round = 0; round < 20; ++round) nested();
    });
  for (auto& caller : callers) caller.join();
  CHECK(total == 4 * 20 * 100);
}

/// The watcher is asked on the calling thread only; the loop ends early, also while another thread does the last item.
void test_watcher() {
  struct Caller : Watcher {
    bool stop() override {
      CHECK(std::this_thread::get_id() == caller);
      return true;
    }
    std::thread::id caller = std::this_thread::get_id();
  };
  for (const int threads : {1, 2, 4}) {
    Caller watcher;
    std::atomic<int> started{0};
    bool interrupted = false;
    try {
      loop(
          threads, 100000,
          [&](Index, const engine::Checkpoint& checkpoint) {
            ++started;
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
            checkpoint(1e9);
          },
          &watcher);
    } catch (const Interrupted&) {
      interrupted = true;
    }
    CHECK(interrupted && started < 50000);
  }
}

// ---- the network ----------------------------------------------------------------------------------------------------

struct Problem {
  std::vector<Index> sizes;
  const char* output;
  const char* cost;
  Index m;
};

const std::vector<Problem>& problems() {
  static const std::vector<Problem> all{
      {{20, 64, 64, 10}, "softmax", "cross_entropy", 1500},            // more tiles than shards
      {{30, 200, 7}, "sigmoid", "quadratic", 700},                     // fewer
      {{300, 200, 2}, "identity", "huber", 130},                       // few tiles, many parameters
      {{500, 500, 20}, "softmax", "cross_entropy", 600},               // wide: threads share blocks of weights
      {{9, 250, 250, 250, 250, 250, 5}, "sigmoid", "quadratic", 600},  // as many weights, but each tile goes alone
  };
  return all;
}

template <class Scalar>
struct Data {
  std::vector<Scalar> x, y, weights;
  Batch<Scalar> batch;

  explicit Data(const Problem& p)
      : x(normals<Scalar>(p.m * p.sizes.front(), 1)),
        y(normals<Scalar>(p.m * p.sizes.back(), 2)),
        weights(normals<Scalar>(p.m, 3)) {
    for (auto* positive : {&y, &weights})
      for (Scalar& v : *positive) v = std::abs(v);
    const auto bytes = static_cast<std::ptrdiff_t>(sizeof(Scalar));
    const auto rows = [&](const std::vector<Scalar>& values, Index n) {
      return Samples{values.data(), p.m, n, n * bytes, bytes, element_type<Scalar>(), false};
    };
    batch = {
        rows(x, p.sizes.front()), rows(y, p.sizes.back()), {rows(weights, 1)}, {0, p.m, nullptr}, {p.cost, nullptr}};
  }
};

/// All that a call computes.
template <class Scalar>
struct Results {
  double cost = 0;
  std::vector<Scalar> out, nabla, x;

  Results(const Network<Scalar>& net, const Data<Scalar>& data, const Call& call)
      : out(to_size(data.batch.x.count * net.n_outputs())), nabla(to_size(net.n_parameters())), x(data.x.size()) {
    net.predict(data.batch.x, out.data(), call);
    cost = net.gradient(data.batch, Reduction::mean, {nabla.data(), x.data(), {}, {}}, call);
    CHECK(std::abs(net.cost(data.batch, Reduction::mean, call) - cost) <= 1e-14 * cost);
  }
  bool operator==(const Results& other) const {
    return cost == other.cost && same_bits(out, other.out) && same_bits(nabla, other.nabla) && same_bits(x, other.x);
  }
};

template <class Scalar>
Network<Scalar> net_for(const Problem& p) {
  return Network<Scalar>(p.sizes, "tanh", p.output, 5);
}

/// Any number of threads ends in the bits of one thread.
template <class Scalar>
void test_same_bits(const Problem& p) {
  const Data<Scalar> data(p);
  const auto net = net_for<Scalar>(p);
  const Results<Scalar> alone(net, data, {1, nullptr});
  const auto trained = [&](int threads) {
    auto trainee = net;
    Trainer<Scalar> trainer(trainee, {p.cost, nullptr}, adam(), {1e-4, 1e-4, false}, 3);
    const History history = trainer.fit(data.batch.x, data.batch.y, {2, 300, true}, data.batch.weights, &data.batch, {},
                                        {threads, nullptr});
    return std::pair(trainee, history);
  };
  const auto [trained_alone, history_alone] = trained(1);
  for (const int threads : thread_counts) {
    CHECK(Results<Scalar>(net, data, {threads, nullptr}) == alone);
    const auto [trained_together, history] = trained(threads);
    CHECK(same_bits(trained_together.theta().data(), trained_alone.theta().data(), net.n_parameters()));
    CHECK(history.cost == history_alone.cost && history.validation_cost == history_alone.validation_cost);
  }
}

/// Many callers of one const network, with and without threads of their own; others train networks of their own.
template <class Scalar>
void test_many_callers() {
  const Problem p = problems()[0];
  const Data<Scalar> data(p);
  const auto net = net_for<Scalar>(p);
  const Results<Scalar> expected(net, data, {1, nullptr});
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 5; ++caller)
    callers.emplace_back([&, caller] {
      for (int round = 0; round < 3; ++round)
        if (!(Results<Scalar>(net, data, {1 + (caller + round) % 3, nullptr}) == expected)) ++wrong;
    });
  for (int caller = 0; caller < 2; ++caller)
    callers.emplace_back([&] {
      auto own = net;
      Trainer<Scalar> trainer(own, {p.cost, nullptr});
      for (int step = 0; step < 5; ++step) trainer.step(data.batch.x, data.batch.y, {}, {2, nullptr});
    });
  for (auto& caller : callers) caller.join();
  CHECK(wrong == 0);
}

// ---- fork -----------------------------------------------------------------------------------------------------------

/// The exit status of a child that runs body(); -1 where it hung or was killed.
int status_of_child(const std::function<bool()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);  // a hung child dies
    _exit(body() ? 0 : 1);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

/// After a fork the pool's threads are gone; the child starts others, and so does its child. The parent keeps its own.
[[maybe_unused]] void test_fork() {
  const Problem p = problems()[0];
  const Data<float> data(p);
  const auto net = net_for<float>(p);
  const Call two{2, nullptr};
  const Results<float> expected(net, data, two);
  const auto right = [&] { return Results<float>(net, data, two) == expected; };
  for (int k = 0; k < 3; ++k) CHECK(status_of_child(right) == 0);
  CHECK(status_of_child([&] { return right() && status_of_child(right) == 0; }) == 0);
  CHECK(right());

  // while another thread's job keeps the pool busy
  std::atomic<bool> end{false};
  std::thread busy([&] {
    while (!end) loop(2, 64, [&](Index, const engine::Checkpoint&) { std::this_thread::yield(); });
  });
  for (int k = 0; k < 5; ++k) CHECK(status_of_child(right) == 0);
  end = true;
  busy.join();
}

template <class Scalar>
void test_all() {
  for (const Problem& p : problems()) test_same_bits<Scalar>(p);
  test_many_callers<Scalar>();
}

}  // namespace

int main() {
#if !defined(BPNET_UNDER_TSAN)  // it allows no threads after a fork
  test_fork();
#endif
  test_items();
  test_arithmetic();
  test_exceptions();
  test_nested_and_concurrent();
  test_watcher();
  test_all<float>();
  test_all<double>();
  return check_report();
}
