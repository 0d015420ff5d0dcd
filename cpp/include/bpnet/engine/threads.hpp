/// A small pool of threads. Work is handed out item by item; results never depend on who did which.
#pragma once

#include <pthread.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "bpnet/engine/rounding.hpp"
#include "bpnet/types.hpp"

namespace bpnet::engine {

/// The pool. Threads start when they are first needed and are never joined: the process ends with them asleep. A forked
/// child gets a new pool, since threads do not survive a fork.
class Pool {
 public:
  static Pool& instance() {
    static std::once_flag once;
    std::call_once(once, [] {
      current() = new Pool;
      pthread_atfork(nullptr, nullptr, [] { current() = new Pool; });  // the old one's memory is left alone
    });
    return *current();
  }

  /// Runs job(worker) for worker 0, the caller, and at most once for each helper 1..workers-1 that comes before the
  /// caller has ended; returns when all who began have ended. The job must be such that one worker alone would do all
  /// of it: helpers may be late, busy with another caller's job, or not to be had. It must not throw.
  /// `waiting` is called every 20 ms while the caller has nothing left to do but others have.
  template <class Job, class Waiting>
  void run(int workers, Job& job, const Waiting& waiting) {
    std::unique_lock lock(busy_, std::try_to_lock);
    if (workers > max_workers) workers = max_workers;
    if (workers <= 1 || !lock) return job(0);
    workers = 1 + grow(workers - 1);
    context_ = &job;
    call_ = [](void* context, int worker) { (*static_cast<Job*>(context))(worker); };
    left_.store(0, std::memory_order_relaxed);
    rounding_ = Rounding::of_this_thread();
    const std::uint64_t generation = state_.load(std::memory_order_relaxed) / max_workers + 1;
    gate_.store(generation * gate_size);
    state_.store(generation * max_workers + static_cast<std::uint64_t>(workers - 1), std::memory_order_release);
    state_.notify_all();
    job(0);
    const std::uint64_t entered = gate_.fetch_or(gate_closed) % gate_closed;  // whoever comes now is too late
    const auto all_left = [&] { return left_.load() == entered; };
    if (spin_until(all_left)) return;
    std::unique_lock done_lock(done_mutex_);
    while (!done_.wait_for(done_lock, std::chrono::milliseconds(20), all_left)) waiting();
  }

 private:
  static Pool*& current() {
    static Pool* pool = nullptr;
    return pool;
  }

  /// Starts helpers until there are `wanted`; returns how many there are for this job.
  int grow(int wanted) {
    try {
      while (helpers_ < wanted) {
        std::thread([this, id = helpers_ + 1, seen = state_.load()] { serve(id, seen); }).detach();
        ++helpers_;
      }
    } catch (const std::system_error&) {  // the system gives no more threads: go on with those there are
    }
    return helpers_ < wanted ? helpers_ : wanted;
  }

  void serve(int id, std::uint64_t seen) {
    for (;;) {
      spin_until([&] { return state_.load(std::memory_order_acquire) != seen; });
      state_.wait(seen, std::memory_order_acquire);
      seen = state_.load(std::memory_order_acquire);
      if (static_cast<std::uint64_t>(id) > seen % max_workers || !enter(seen / max_workers)) continue;
      rounding_.take_over();  // the same bits, whoever computes
      call_(context_, id);
      const std::uint64_t left = left_.fetch_add(1) + 1, gate = gate_.load();
      if ((gate & gate_closed) != 0 && left == gate % gate_closed) {
        { const std::scoped_lock lock(done_mutex_); }  // the caller either has not looked yet or sleeps already
        done_.notify_one();
      }
    }
  }

  /// Whether the gate of this job is still open; then the job stays until this helper has left.
  bool enter(std::uint64_t generation) {
    std::uint64_t gate = gate_.load();
    while (gate / gate_size == generation && (gate & gate_closed) == 0)
      if (gate_.compare_exchange_weak(gate, gate + 1)) return true;
    return false;
  }

  /// At most 20 microseconds of looking before anybody sleeps.
  template <class Condition>
  static bool spin_until(Condition condition) {
    using clock = std::chrono::steady_clock;
    const auto end = clock::now() + std::chrono::microseconds(20);
    do
      for (int k = 0; k < 32; ++k)
        if (condition()) return true;
    while (clock::now() < end);
    return false;
  }

  static constexpr int max_workers = 1024;
  static constexpr std::uint64_t gate_closed = max_workers, gate_size = 2 * gate_closed;

  std::mutex busy_;
  std::mutex done_mutex_;
  std::condition_variable done_;
  int helpers_ = 0;
  void (*call_)(void*, int) = nullptr;
  void* context_ = nullptr;
  Rounding rounding_;                             ///< the caller's
  std::atomic<std::uint64_t> state_{0};           ///< number of the job * max_workers + its helpers, as one
  std::atomic<std::uint64_t> gate_{gate_closed};  ///< number of the job, closed or not, helpers that have entered
  std::atomic<std::uint64_t> left_{0};            ///< of those, how many have left; in one order with the gate
};

/// Asked now and then, on the calling thread only, whether to stop: a signal handler's word, a progress display.
class Watcher {
 public:
  virtual ~Watcher() = default;
  /// True to stop. May throw instead; the exception reaches the caller.
  virtual bool stop() = 0;
};

/// Thrown where a Watcher said stop.
class Interrupted : public std::exception {
 public:
  const char* what() const noexcept override { return "interrupted"; }
};

/// Who may use how many threads, and who may stop it.
struct Call {
  int threads = 1;
  Watcher* watcher = nullptr;
};

/// Asks the watcher at most every 20 ms, and looks at the clock only every so much work.
class Pulse {
 public:
  explicit Pulse(Watcher* watcher) : watcher_(watcher), last_(watcher ? clock::now() : clock::time_point{}) {}
  /// True to stop; `work` in multiply-adds since the last beat.
  bool beat(double work) {
    if (watcher_ == nullptr) return false;
    done_ += work + 1000;
    if (done_ < 1e6) return false;
    done_ = 0;
    const auto now = clock::now();
    if (now - last_ < std::chrono::milliseconds(20)) return false;
    last_ = now;
    return watcher_->stop();
  }

 private:
  using clock = std::chrono::steady_clock;
  Watcher* watcher_;
  clock::time_point last_;
  double done_ = 0;
};

/// What the body of a loop calls now and then, with the multiply-adds done since. Throws Interrupted where the loop is
/// to end: the watcher said so (asked on the caller's thread), or another thread failed.
class Checkpoint {
 public:
  constexpr Checkpoint(Pulse* pulse, const std::atomic<bool>* stop) : pulse_(pulse), stop_(stop) {}
  void operator()(double work) const {
    if (stop_ != nullptr && stop_->load(std::memory_order_relaxed)) throw Interrupted();
    if (pulse_ != nullptr && pulse_->beat(work)) throw Interrupted();
  }

 private:
  Pulse* pulse_;
  const std::atomic<bool>* stop_;
};

/// Of a loop that nobody wants to stop.
inline constexpr Checkpoint undisturbed{nullptr, nullptr};

/// body(begin, end) for one block of 0..count-1 after the other, each followed by a checkpoint; `work` is one item's,
/// in multiply-adds.
template <class Body>
void with_checkpoints(Index count, double work, const Checkpoint& checkpoint, const Body& body) {
  constexpr Index block = 1 << 14;
  for (Index begin = 0; begin < count; begin += block) {
    const Index end = std::min(count, begin + block);
    body(begin, end);
    checkpoint(work * static_cast<double>(end - begin));
  }
}

/// Who takes which items of a loop first.
enum class Share {
  evenly,  ///< all take the next one: they walk through the same memory together
  ranges,  ///< everybody has a range of his own, then what is left of the others': what he leaves in cache is his
};

/// body(item, checkpoint) for each item 0..items-1, on up to call.threads threads. `work` is one item's, in
/// multiply-adds: little work is not spread. Exceptions of a body reach the caller; Interrupted is thrown where the
/// watcher stopped it.
template <class Body>
void parallel_for(const Call& call, Pulse& pulse, Index items, double work, const Body& body,
                  Share share = Share::evenly) {
  constexpr double worth_a_thread = 2e5;  // some 5 microseconds of one core: about what waking a helper costs
  const double useful = 1 + static_cast<double>(items) * work / worth_a_thread;
  const auto workers =
      static_cast<int>(std::min({static_cast<double>(call.threads), static_cast<double>(items), useful}));
  if (workers <= 1) {
    const Checkpoint checkpoint(&pulse, nullptr);
    for (Index item = 0; item < items; ++item) body(item, checkpoint);
    return;
  }
  struct alignas(64) Range {
    std::atomic<Index> next;
    Index end;
  };
  constexpr int most_ranges = 16;
  std::array<Range, most_ranges> ranges;
  const int n_ranges = share == Share::ranges ? std::min(workers, most_ranges) : 1;
  for (int r = 0; r < n_ranges; ++r) {
    ranges[static_cast<std::size_t>(r)].next.store(items * r / n_ranges, std::memory_order_relaxed);
    ranges[static_cast<std::size_t>(r)].end = items * (r + 1) / n_ranges;
  }
  std::atomic<bool> stop{false};
  std::exception_ptr failure;
  std::mutex failure_lock;
  const auto fail = [&] {
    const std::scoped_lock lock(failure_lock);
    if (!failure && !stop) failure = std::current_exception();  // the first one counts; the others follow from it
    stop = true;
  };
  auto job = [&](int worker) {
    const Checkpoint checkpoint(worker == 0 ? &pulse : nullptr, &stop);
    try {
      for (int k = 0; k < n_ranges; ++k) {
        Range& range = ranges[static_cast<std::size_t>((worker + k) % n_ranges)];
        for (Index item; !stop.load(std::memory_order_relaxed) && (item = range.next.fetch_add(1)) < range.end;)
          body(item, checkpoint);
      }
    } catch (...) {
      fail();
    }
  };
  Pool::instance().run(workers, job, [&] {
    try {
      if (pulse.beat(1e9)) throw Interrupted();
    } catch (...) {
      fail();
    }
  });
  if (failure) std::rethrow_exception(failure);
}

}  // namespace bpnet::engine
