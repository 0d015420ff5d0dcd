/// The GIL, given away and taken back. Where the interpreter ends while a daemon thread is in here, CPython before 3.14
/// ends that thread by unwinding its stack, which C++ may not have happen everywhere; such a thread sleeps for good
/// instead, as newer ones make it do, and the process ends undisturbed.
#pragma once

#include <cxxabi.h>
#include <pybind11/pybind11.h>
#include <unistd.h>

#include <optional>
#include <utility>

namespace bpnet::bindings {

/// What f() gives, where f calls Python or waits for the GIL.
template <class F>
auto staying(F&& f) -> decltype(f()) {
#if defined(__GLIBCXX__)
  try {
    return std::forward<F>(f)();
  } catch (const abi::__forced_unwind&) {
    for (;;) ::pause();
  }
#else
  return std::forward<F>(f)();
#endif
}

/// Gives the GIL away while it lives.
class ReleasedGil {
 public:
  ReleasedGil() : state_(PyEval_SaveThread()) {}
  ReleasedGil(const ReleasedGil&) = delete;
  ReleasedGil& operator=(const ReleasedGil&) = delete;
  ~ReleasedGil() {
    staying([&] { PyEval_RestoreThread(state_); });
  }

 private:
  PyThreadState* state_;
};

/// Holds the GIL while it lives, also in a thread that gave it away further up. Calls of Python are made through
/// `call`.
class HeldGil {
 public:
  HeldGil() {
    staying([&] { gil_.emplace(); });
  }
  template <class F>
  auto call(F&& f) const -> decltype(f()) {
    return staying(std::forward<F>(f));
  }

 private:
  std::optional<pybind11::gil_scoped_acquire> gil_;
};

}  // namespace bpnet::bindings
