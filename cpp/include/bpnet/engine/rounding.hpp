/// How a thread computes: its direction of rounding, and whether subnormal numbers count.
#pragma once

#if defined(__SSE__)
#include <xmmintrin.h>
#else
#include <cfenv>
#endif

namespace bpnet::engine {

/// One thread's way of computing, for another to take over. On x86 that is one register; fegetenv and fesetenv would
/// move the old floating-point unit's too, which takes longer than some jobs can spare.
class Rounding {
 public:
#if defined(__SSE__)
  static Rounding of_this_thread() { return Rounding{_mm_getcsr() & control}; }
  void take_over() const {
    const unsigned mine = _mm_getcsr();
    if ((mine & control) != word_) _mm_setcsr((mine & ~control) | word_);
  }
  Rounding() = default;

 private:
  static constexpr unsigned control = 0xffc0;  ///< all but the flags of what happened
  explicit Rounding(unsigned word) : word_(word) {}
  unsigned word_ = 0;
#else
  static Rounding of_this_thread() {
    Rounding mine;
    std::fegetenv(&mine.environment_);
    return mine;
  }
  void take_over() const { std::fesetenv(&environment_); }

 private:
  std::fenv_t environment_{};
#endif
};

}  // namespace bpnet::engine
