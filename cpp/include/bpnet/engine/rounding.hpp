/// How a thread computes: its direction of rounding, and whether subnormal numbers count.
#pragma once

#if defined(__SSE__)
#include <xmmintrin.h>
#else
#include <cfenv>
#include <cstdint>
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

/// While it lives, subnormal numbers are zeros to this thread, taken and made, and to those that work for it. (A result
/// that rounding would bring up to the least normal number is that number on x86, and 0 on ARM.)
class WithoutSubnormals {
 public:
#if defined(__SSE__)
  WithoutSubnormals() : word_(_mm_getcsr()) { _mm_setcsr(word_ | inputs | results); }
  ~WithoutSubnormals() { _mm_setcsr(word_); }

 private:
  static constexpr unsigned inputs = 0x0040, results = 0x8000;
  unsigned word_;
#elif defined(__aarch64__)
  WithoutSubnormals() {
    asm volatile("mrs %0, fpcr" : "=r"(word_));
    asm volatile("msr fpcr, %0" : : "r"(word_ | both) : "memory");
  }
  ~WithoutSubnormals() { asm volatile("msr fpcr, %0" : : "r"(word_) : "memory"); }

 private:
  static constexpr std::uint64_t both = std::uint64_t{1} << 24;
  std::uint64_t word_ = 0;
#else
  WithoutSubnormals() {}
  ~WithoutSubnormals() {}

 private:
#endif
  WithoutSubnormals(const WithoutSubnormals&) = delete;
  WithoutSubnormals& operator=(const WithoutSubnormals&) = delete;
};

}  // namespace bpnet::engine
