#include "shared.hpp"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace bpnet::bindings {

namespace {
std::atomic<unsigned>& forks() {
  static std::atomic<unsigned> count{0};
  return count;
}
}  // namespace

unsigned fork_generation() {
  static const bool registered = [] {
    pthread_atfork(nullptr, nullptr, [] { forks().fetch_add(1, std::memory_order_relaxed); });
    return true;
  }();
  return registered ? forks().load(std::memory_order_relaxed) : 0;
}

void Guard::wait_before_use() { py::reinterpret_borrow<py::object>(before_use.call)(); }

template <class Scalar>
void PyCustomCost<Scalar>::evaluate(const Scalar* a, const Scalar* y, Index m, Index n, Scalar* cost,
                                    Scalar* grad) const {
  const HeldGil gil;
  const auto rows = [&](const Scalar* from) {
    py::array_t<Scalar> array({m, n});
    std::copy_n(from, m * n, array.mutable_data());
    return array;
  };
  const py::object result = gil.call([&] { return function_(rows(a), rows(y)); });
  if (!py::isinstance<py::tuple>(result) || py::len(result) != 2)
    throw py::type_error("a custom cost must return a tuple (per-sample cost, d cost / d a), but returned " +
                         (py::isinstance<py::tuple>(result) ? "one of " + std::to_string(py::len(result)) + " items"
                                                            : std::string(py::repr(py::type::of(result)))));
  const auto read = [&](py::handle item, const char* name, std::vector<Index> shape, Scalar* to) {
    const py::array array = gil.call([&] { return as_real(item, name); });
    bool fits = array.ndim() == static_cast<py::ssize_t>(shape.size());
    for (std::size_t axis = 0; fits && axis < shape.size(); ++axis)
      fits = array.shape(static_cast<py::ssize_t>(axis)) == shape[axis];
    if (!fits)
      throw py::value_error(std::string(name) + " has shape " + shape_text(array) + ", but must have (" +
                            std::to_string(shape[0]) +
                            (shape.size() == 2 ? ", " + std::to_string(shape[1]) + ")" : ",)"));
    const auto plain = py::array_t<Scalar, py::array::c_style | py::array::forcecast>(array);
    std::copy_n(plain.data(), plain.size(), to);
  };
  const auto pair = result.cast<py::tuple>();
  read(pair[0], "the custom cost's per-sample cost", {m}, cost);
  read(pair[1], "the custom cost's d cost / d a", {m, n}, grad);
}
template class PyCustomCost<float>;
template class PyCustomCost<double>;

namespace {

/// Whether this is the thread that Python runs signal handlers on. The answer is kept for each thread until a fork.
bool on_main_thread() {
  thread_local long known_for = -1;
  thread_local bool answer = false;
  if (known_for != static_cast<long>(getpid())) {
    const auto main = py::module_::import("threading").attr("main_thread")().attr("ident").cast<unsigned long>();
    answer = main == PyThread_get_thread_ident();
    known_for = static_cast<long>(getpid());
  }
  return answer;
}

}  // namespace

SignalWatcher::SignalWatcher(py::object on_beat) : on_beat_(std::move(on_beat)) {
  watches_ = !on_beat_.is_none() || on_main_thread();
}

bool SignalWatcher::stop() {
  const HeldGil gil;
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  if (!on_beat_.is_none()) gil.call([&] { return on_beat_(); });
  return false;
}

namespace {

/// Processors that this process may run on.
int affinity() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

/// The processors' worth of time that the cgroup (version 2, then 1) grants, rounded up; 0: no limit.
int cgroup_quota() {
  std::ifstream v2("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (v2 >> quota >> period) {
    if (quota == "max" || !(period > 0)) return 0;
    return static_cast<int>(std::ceil(std::strtod(quota.c_str(), nullptr) / period));
  }
  std::ifstream v1_quota("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), v1_period("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  double granted = 0;
  if (v1_quota >> granted && v1_period >> period && granted > 0 && period > 0)
    return static_cast<int>(std::ceil(granted / period));
  return 0;
}

/// The number in an environment variable, or 0 where it holds none.
int from_environment(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return 0;
  char* end = nullptr;
  const long value = std::strtol(text, &end, 10);  // "4,2" counts for its first number, as OpenMP has it
  return end != text && value > 0 && value <= 1024 ? static_cast<int>(value) : 0;
}

}  // namespace

int default_threads() {
  static const int quota = cgroup_quota();
  int threads = affinity();
  if (quota > 0) threads = std::min(threads, quota);
  int asked = from_environment("BPNET_NUM_THREADS");
  if (asked == 0) asked = from_environment("OMP_NUM_THREADS");
  return asked > 0 ? std::min(threads, asked) : threads;
}

int resolve_threads(py::handle threads) {
  if (threads.is_none()) return default_threads();
  const auto refuse = [&] {
    throw py::type_error("threads is " + std::string(py::repr(threads)) + " (" + type_name(threads) +
                         "), but must be None or a whole number");
  };
  if (py::isinstance<py::bool_>(threads) || PyIndex_Check(threads.ptr()) == 0) refuse();
  const auto n = static_cast<long long>(PyNumber_AsSsize_t(threads.ptr(), nullptr));  // what is too large is cut
  if (n == -1 && PyErr_Occurred()) {
    PyErr_Clear();
    refuse();
  }
  if (n < 1) throw py::value_error("threads is " + std::string(py::repr(threads)) + ", but must be at least 1");
  return static_cast<int>(std::min<long long>(n, 1024));
}

}  // namespace bpnet::bindings
