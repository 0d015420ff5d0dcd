/// The GIL, given away and taken back. Where the interpreter ends while a daemon thread is in here, CPython before 3.14
/// ends that thread by unwinding its stack, which C++ may not have happen everywhere; such a thread sleeps for good
/// instead, as newer ones make it do, and the process ends undisturbed.
#pragma once

#include <cxxabi.h>
#include <pybind11/pybind11.h>
#include <unistd.h>

#include <optional>
#include <utility>

#include "bpnet/engine/rounding.hpp"

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
  ReleasedGil() : outer_(std::exchange(innermost_, this)), state_(PyEval_SaveThread()) {}
  ReleasedGil(const ReleasedGil&) = delete;
  ReleasedGil& operator=(const ReleasedGil&) = delete;
  ~ReleasedGil() {
    innermost_ = outer_;
    staying([&] { PyEval_RestoreThread(state_); });
  }

  /// How this thread computed when it last gave the GIL away, or how it does now.
  static engine::Rounding rounding() { return innermost_ ? innermost_->rounding_ : engine::Rounding::of_this_thread(); }

 private:
  static inline thread_local const ReleasedGil* innermost_ = nullptr;
  engine::Rounding rounding_ = engine::Rounding::of_this_thread();
  const ReleasedGil* outer_;
  PyThreadState* state_;
};

/// Holds the GIL while it lives, also in a thread that gave it away further up; Python then computes as it did there,
/// with subnormal numbers, and so do threads that it starts. Calls of Python are made through `call`.
class HeldGil {
 public:
  HeldGil() {
    staying([&] { gil_.emplace(); });
    ReleasedGil::rounding().take_over();
  }
  HeldGil(const HeldGil&) = delete;
  HeldGil& operator=(const HeldGil&) = delete;
  ~HeldGil() { rounding_.take_over(); }
  template <class F>
  auto call(F&& f) const -> decltype(f()) {
    return staying(std::forward<F>(f));
  }

 private:
  engine::Rounding rounding_ = engine::Rounding::of_this_thread();
  std::optional<pybind11::gil_scoped_acquire> gil_;
};

}  // namespace bpnet::bindings
