/// What the targets share: sizes and numbers out of the fuzzer's bytes, memory with poison around each array, and the
/// line that names a case which went wrong.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <span>

#include "bpnet/engine/lanes.hpp"

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

namespace fuzz {

using bpnet::Index;

/// Code of the fuzzer's own that is hot and holds nothing to find.
#define FUZZ_UNWATCHED __attribute__((no_sanitize("address", "undefined", "coverage")))

constexpr std::size_t to_size(Index n) { return static_cast<std::size_t>(n); }

// ---- complaints -----------------------------------------------------------------------------------------------------

/// The case that is being checked.
struct Case {
  struct Size {
    const char* name;
    Index value;
  };
  const char* kernel = "";
  const char* scalar = "";
  Size sizes[10] = {};

  void print() const {
    std::fprintf(stderr, "case: %s<%s>", kernel, scalar);
    for (const Size& size : sizes)
      if (size.name) std::fprintf(stderr, " %s=%td", size.name, size.value);
    std::fprintf(stderr, "\n");
  }
};
inline Case current;

template <class Scalar>
void begin_case(const char* kernel, std::initializer_list<Case::Size> sizes) {
  current = {kernel, sizeof(Scalar) == 4 ? "float" : "double", {}};
  std::size_t k = 0;
  for (const Case::Size& size : sizes) current.sizes[k++] = size;
}

[[noreturn]] inline void fail(const char* what) {
  std::fprintf(stderr, "MISMATCH: %s\n", what);
  current.print();
  std::abort();
}
inline void require(bool holds, const char* what) {
  if (!holds) [[unlikely]]
    fail(what);
}

template <class Scalar>
bool identical(Scalar a, Scalar b) {
  using Word = bpnet::engine::BitsOf<Scalar>;
  return std::bit_cast<Word>(a) == std::bit_cast<Word>(b);
}
/// The same bits, or both NaN: which NaN comes of two is not promised.
template <class Scalar>
bool same(Scalar a, Scalar b) {
  return identical(a, b) || (a != a && b != b);
}

/// `got` at i, s is what the plain loop gave.
template <class Scalar>
void expect(Scalar got, Scalar plain, Index i, Index s) {
  if (same(got, plain)) [[likely]]
    return;
  std::fprintf(stderr, "at (%td, %td): %a, but the plain loop gives %a\n", i, s, static_cast<double>(got),
               static_cast<double>(plain));
  fail("a number");
}

// ---- memory ---------------------------------------------------------------------------------------------------------

/// Arrays of one case, each of exactly its size between poisoned bytes, at all alignments to 8 bytes in turn.
class Arena {
 public:
  template <class Scalar>
  std::span<Scalar> take(Index n) {
    const std::size_t begin = (top_ + apart + 63) / 64 * 64 + 8 * (taken_++ % 8), bytes = to_size(n) * sizeof(Scalar);
    if (begin + bytes + apart > sizeof(memory_)) fail("the arena of the fuzzer is too small");
    ASAN_UNPOISON_MEMORY_REGION(memory_ + begin, bytes);
    top_ = begin + bytes;
    return {reinterpret_cast<Scalar*>(memory_ + begin), to_size(n)};
  }
  void reset() {
    ASAN_POISON_MEMORY_REGION(memory_, top_ + apart);
    top_ = taken_ = 0;
  }
  Arena() { ASAN_POISON_MEMORY_REGION(memory_, sizeof(memory_)); }

 private:
  static constexpr std::size_t apart = 64;
  std::size_t top_ = 0, taken_ = 0;
  alignas(64) char memory_[std::size_t(4) << 20];
};
inline Arena arena;

template <class Scalar>
constexpr Scalar mark = Scalar(-12345.5);

/// A destination of n numbers, filled with `mark`.
template <class Scalar>
std::span<Scalar> blank(Index n) {
  const auto all = arena.take<Scalar>(n);
  std::fill(all.begin(), all.end(), mark<Scalar>);
  return all;
}
template <class Scalar>
std::span<Scalar> copy(std::span<const Scalar> from) {
  const auto all = arena.take<Scalar>(static_cast<Index>(from.size()));
  std::memcpy(all.data(), from.data(), from.size_bytes());
  return all;
}

/// Nothing was written to numbers begin..end-1 of a destination.
template <class Scalar>
void expect_untouched(std::span<const Scalar> out, Index begin, Index end) {
  for (Index i = begin; i < std::min(end, static_cast<Index>(out.size())); ++i)
    require(identical(out[to_size(i)], mark<Scalar>), "a number was written that lies beside the destination");
}

// ---- input ----------------------------------------------------------------------------------------------------------

/// The fuzzer's bytes: first the choices; then, in a circle, what numbers are made of.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}

  std::uint8_t byte() { return at_ < size_ ? data_[at_++] : std::uint8_t(0); }
  bool flag() { return byte() & 1; }
  /// 0..n-1, n <= 256.
  Index below(Index n) { return byte() % n; }
  /// 1..most, more often small.
  Index size(Index most) {
    const std::uint8_t b = byte();
    return b < 160 ? 1 + b % std::min<Index>(most, 10) : 1 + byte() % most;
  }

  /// n numbers of one of four kinds, with `extra` NaN behind them that may be read.
  template <class Scalar>
  std::span<Scalar> numbers(Index n, Index extra = 0) {
    const auto all = arena.take<Scalar>(n + extra);
    fill(all.first(to_size(n)));
    std::fill(all.begin() + n, all.end(), std::numeric_limits<Scalar>::quiet_NaN());
    return all;
  }

  template <class Scalar>
  FUZZ_UNWATCHED void fill(std::span<Scalar> to) {
    Scalar* const x = to.data();
    const std::size_t n = to.size();
    switch (byte() % 8) {
      case 0:
        for (std::size_t k = 0; k < n; ++k) x[k] = raw<Scalar>();
        return;
      case 1:
        for (std::size_t k = 0; k < n; ++k)
          x[k] = static_cast<Scalar>(static_cast<std::int8_t>(next())) / 16;  // ties and zeros
        return;
      case 2:
      case 3:
        for (std::size_t k = 0; k < n; ++k) {
          const std::uint8_t b = next();
          x[k] = b < 192 ? tame<Scalar>(b) : special<Scalar>(b);
        }
        return;
      default:
        for (std::size_t k = 0; k < n; ++k) x[k] = tame<Scalar>(next());
    }
  }
  FUZZ_UNWATCHED void fill_bytes(std::span<char> to) {
    char* const x = to.data();
    for (std::size_t k = 0, n = to.size(); k < n; ++k) x[k] = static_cast<char>(next());
  }

 private:
  /// Bytes that were no choice, over and over.
  FUZZ_UNWATCHED std::uint8_t next() {
    if (place_ < at_ || place_ >= size_) place_ = at_;
    return place_ < size_ ? data_[place_++] : std::uint8_t(0);
  }
  template <class Scalar>
  FUZZ_UNWATCHED Scalar raw() {
    bpnet::engine::BitsOf<Scalar> bits = 0;
    for (std::size_t k = 0; k < sizeof(Scalar); ++k) bits = bits << 8 | next();
    Scalar x;
    __builtin_memcpy(&x, &bits, sizeof(x));
    return x;
  }
  /// Between 1/4 and 4 in size, with a full mantissa: every sum rounds, so another order shows.
  template <class Scalar>
  FUZZ_UNWATCHED Scalar tame(std::uint8_t b) {
    state_ = (state_ + b) * 6364136223846793005u + 1442695040888963407u;
    const std::uint64_t bits = (state_ & 0x803fffffffffffffu) + 0x3fd0000000000000u;
    double x;
    __builtin_memcpy(&x, &bits, sizeof(x));
    return static_cast<Scalar>(x);
  }
  template <class Scalar>
  FUZZ_UNWATCHED static Scalar special(std::uint8_t b) {
    using Limits = std::numeric_limits<Scalar>;
    static constexpr Scalar all[] = {0,
                                     Limits::infinity(),
                                     Limits::quiet_NaN(),
                                     Limits::signaling_NaN(),
                                     Limits::denorm_min(),
                                     Limits::min() / 8,
                                     Limits::min(),
                                     Limits::max(),
                                     Limits::max() / 4,
                                     Limits::epsilon(),
                                     1,
                                     Scalar(0.5),
                                     80,
                                     Scalar(1e4),
                                     Scalar(1e19),
                                     Scalar(1e-19)};
    const Scalar x = all[b / 2 % std::size(all)];
    return b % 2 ? -x : x;
  }

  const std::uint8_t* data_;
  std::size_t size_, at_ = 0, place_ = 0;
  std::uint64_t state_ = 2026;
};

/// `columns` pieces of n numbers, `stride` apart, to be added to; `fresh`: nothing that may be read.
template <class Scalar>
std::span<Scalar> destination(Input& in, bool fresh, Index n, Index columns, Index stride) {
  const auto out = blank<Scalar>((columns - 1) * stride + n);
  if (!fresh)
    for (Index i = 0; i < columns; ++i) in.fill(out.subspan(to_size(i * stride), to_size(n)));
  return out;
}

}  // namespace fuzz

/// A sanitizer's complaint names the case too. (Not inline, so that the runtime's own is replaced: a target is one
/// file.)
extern "C" void __asan_on_error() { fuzz::current.print(); }
extern "C" void __ubsan_on_report() { fuzz::current.print(); }
