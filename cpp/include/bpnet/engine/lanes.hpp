/// Lanes: as many numbers as one register holds, and the only place that knows registers.
///
/// Loads, stores, roots and fused multiply-adds are Eigen's packets (SSE, AVX, AVX-512, NEON); integer lanes,
/// comparisons and selection are the vector types that GCC and Clang share. Everything above is written once over
/// either
///
///   Lanes<Scalar>   one register of the instruction set this file is compiled for
///   Single<Scalar>  one number with the same operations, for what is not hot and must be the same everywhere
///
/// Each operation is one IEEE operation, rounded once. `madd` is the only fused one and it is always asked for by name,
/// so two levels that both have fused multiply-add compute the same bits. A level without it (`has_fma` false) rounds
/// twice.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "bpnet/types.hpp"

namespace bpnet::engine {

/// Whether `madd` of `Lanes` rounds once.
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
inline constexpr bool has_fma = true;
#else
inline constexpr bool has_fma = false;
#endif

/// Whether a register may be one of AVX-512's.
#if defined(__AVX512F__)
inline constexpr bool has_avx512 = true;
#else
inline constexpr bool has_avx512 = false;
#endif

template <class Scalar>
using BitsOf = std::conditional_t<sizeof(Scalar) == 4, std::uint32_t, std::uint64_t>;

/// The compiler's own vector of `Bytes` bytes.
template <class Element, std::size_t Bytes>
struct VectorOf {
  typedef Element type __attribute__((vector_size(Bytes)));
};

/// One register of numbers.
template <class Scalar_>
struct Lanes {
  using Scalar = Scalar_;
  using Word = BitsOf<Scalar>;
  using Packet = typename Eigen::internal::packet_traits<Scalar>::type;
  static constexpr Index size = Eigen::internal::unpacket_traits<Packet>::size;

  using Values = typename VectorOf<Scalar, sizeof(Packet)>::type;
  using Words = typename VectorOf<Word, sizeof(Packet)>::type;
  using SignedWords = typename VectorOf<std::make_signed_t<Word>, sizeof(Packet)>::type;

  /// Per lane all ones or all zeros.
  struct Mask {
    SignedWords v;
    friend Mask operator&(Mask a, Mask b) { return {a.v & b.v}; }
    friend Mask operator|(Mask a, Mask b) { return {a.v | b.v}; }
    friend Mask operator!(Mask a) { return {~a.v}; }
  };

  /// The bit patterns of the lanes, as unsigned integers.
  struct Bits {
    Words v;
    friend Bits operator+(Bits a, Bits b) { return {a.v + b.v}; }
    friend Bits operator-(Bits a, Bits b) { return {a.v - b.v}; }
    friend Bits operator*(Bits a, Bits b) { return {a.v * b.v}; }
    friend Bits min(Bits a, Bits b) { return {a.v < b.v ? a.v : b.v}; }
    friend Bits operator&(Bits a, Bits b) { return {a.v & b.v}; }
    friend Bits operator|(Bits a, Bits b) { return {a.v | b.v}; }
    friend Bits operator^(Bits a, Bits b) { return {a.v ^ b.v}; }
    friend Bits operator<<(Bits a, int n) { return {a.v << n}; }
    friend Bits operator>>(Bits a, int n) { return {a.v >> n}; }
  };

  Values v;

  Lanes() = default;
#if defined(__GNUC__) && !defined(__clang__)
  Lanes(const Lanes& x) : v(x.v) {}  // as numbers: of an object copied as such, GCC leaves a copy on the stack
  Lanes& operator=(const Lanes& x) {
    v = x.v;
    return *this;
  }
#endif
  explicit Lanes(Values values) : v(values) {}
  explicit Lanes(Scalar x) : v(std::bit_cast<Values>(Eigen::internal::pset1<Packet>(x))) {}

  Packet packet() const { return std::bit_cast<Packet>(v); }
  static Lanes from(Packet p) { return Lanes(std::bit_cast<Values>(p)); }
  static Bits bits(Word word) { return {Words{} + word}; }

  static Lanes load(const Scalar* from) { return Lanes::from(Eigen::internal::ploadu<Packet>(from)); }
  void store(Scalar* to) const { Eigen::internal::pstoreu(to, packet()); }
  /// The first n < size lanes; the rest are zero and nothing beyond from + n is read.
  static Lanes load_first(const Scalar* from, Index n);
  /// Writes the first n < size lanes and touches nothing beyond.
  void store_first(Scalar* to, Index n) const;

  friend Lanes operator+(Lanes a, Lanes b) { return Lanes(a.v + b.v); }
  friend Lanes operator-(Lanes a, Lanes b) { return Lanes(a.v - b.v); }
  friend Lanes operator*(Lanes a, Lanes b) { return Lanes(a.v * b.v); }
  friend Lanes operator/(Lanes a, Lanes b) { return Lanes(a.v / b.v); }
  friend Lanes operator-(Lanes a) { return Lanes(-a.v); }
  friend Mask operator<(Lanes a, Lanes b) { return {a.v < b.v}; }
  friend Mask operator<=(Lanes a, Lanes b) { return {a.v <= b.v}; }
  friend Mask operator>(Lanes a, Lanes b) { return {a.v > b.v}; }
  friend Mask operator>=(Lanes a, Lanes b) { return {a.v >= b.v}; }
  friend Mask operator==(Lanes a, Lanes b) { return {a.v == b.v}; }
};

/// One number that behaves like a register of one lane. Its `madd` always rounds once.
template <class Scalar_>
struct Single {
  using Scalar = Scalar_;
  using Word = BitsOf<Scalar>;
  static constexpr Index size = 1;

  struct Mask {
    bool v;
    friend Mask operator&(Mask a, Mask b) { return {a.v && b.v}; }
    friend Mask operator|(Mask a, Mask b) { return {a.v || b.v}; }
    friend Mask operator!(Mask a) { return {!a.v}; }
  };
  struct Bits {
    Word v;
    friend Bits operator+(Bits a, Bits b) { return {a.v + b.v}; }
    friend Bits operator-(Bits a, Bits b) { return {a.v - b.v}; }
    friend Bits operator*(Bits a, Bits b) { return {a.v * b.v}; }
    friend Bits min(Bits a, Bits b) { return {a.v < b.v ? a.v : b.v}; }
    friend Bits operator&(Bits a, Bits b) { return {a.v & b.v}; }
    friend Bits operator|(Bits a, Bits b) { return {a.v | b.v}; }
    friend Bits operator^(Bits a, Bits b) { return {a.v ^ b.v}; }
    friend Bits operator<<(Bits a, int n) { return {a.v << n}; }
    friend Bits operator>>(Bits a, int n) { return {a.v >> n}; }
  };

  Scalar v;

  Single() = default;
  explicit Single(Scalar x) : v(x) {}

  static Bits bits(Word word) { return {word}; }
  static Single load(const Scalar* from) { return Single(*from); }
  void store(Scalar* to) const { *to = v; }

  friend Single operator+(Single a, Single b) { return Single(a.v + b.v); }
  friend Single operator-(Single a, Single b) { return Single(a.v - b.v); }
  friend Single operator*(Single a, Single b) { return Single(a.v * b.v); }
  friend Single operator/(Single a, Single b) { return Single(a.v / b.v); }
  friend Single operator-(Single a) { return Single(-a.v); }
  friend Mask operator<(Single a, Single b) { return {a.v < b.v}; }
  friend Mask operator<=(Single a, Single b) { return {a.v <= b.v}; }
  friend Mask operator>(Single a, Single b) { return {a.v > b.v}; }
  friend Mask operator>=(Single a, Single b) { return {a.v >= b.v}; }
  friend Mask operator==(Single a, Single b) { return {a.v == b.v}; }
};

// ---- what both have -------------------------------------------------------------------------------------------------

/// a b + c, rounded once where `has_fma`.
template <class Scalar>
Lanes<Scalar> madd(Lanes<Scalar> a, Lanes<Scalar> b, Lanes<Scalar> c) {
  return Lanes<Scalar>::from(Eigen::internal::pmadd(a.packet(), b.packet(), c.packet()));
}
template <class Scalar>
Single<Scalar> madd(Single<Scalar> a, Single<Scalar> b, Single<Scalar> c) {
  return Single<Scalar>(std::fma(a.v, b.v, c.v));
}

/// c - a b, rounded once where `has_fma`: madd(-a, b, c), of which GCC forms -a where a is used again.
template <class Scalar>
Lanes<Scalar> nmadd(Lanes<Scalar> a, Lanes<Scalar> b, Lanes<Scalar> c) {
  [[maybe_unused]] constexpr bool is_float = sizeof(Scalar) == 4;
  [[maybe_unused]] constexpr std::size_t bytes = sizeof(a.v);
#if defined(__AVX512F__)
  if constexpr (bytes == 64 && is_float)
    return Lanes<Scalar>::from(_mm512_fnmadd_ps(a.packet(), b.packet(), c.packet()));
  if constexpr (bytes == 64 && !is_float)
    return Lanes<Scalar>::from(_mm512_fnmadd_pd(a.packet(), b.packet(), c.packet()));
#endif
#if defined(__FMA__)
  if constexpr (bytes == 32 && is_float)
    return Lanes<Scalar>::from(_mm256_fnmadd_ps(a.packet(), b.packet(), c.packet()));
  if constexpr (bytes == 32 && !is_float)
    return Lanes<Scalar>::from(_mm256_fnmadd_pd(a.packet(), b.packet(), c.packet()));
#endif
  return madd(-a, b, c);
}
template <class Scalar>
Single<Scalar> nmadd(Single<Scalar> a, Single<Scalar> b, Single<Scalar> c) {
  return madd(-a, b, c);
}

/// a where the mask is set, else b; the other one is not looked at, so its NaN does not spread.
template <class Scalar>
Lanes<Scalar> select(typename Lanes<Scalar>::Mask mask, Lanes<Scalar> a, Lanes<Scalar> b) {
  return Lanes<Scalar>(mask.v ? a.v : b.v);
}
template <class Scalar>
Single<Scalar> select(typename Single<Scalar>::Mask mask, Single<Scalar> a, Single<Scalar> b) {
  return mask.v ? a : b;
}

template <class Scalar>
typename Lanes<Scalar>::Bits to_bits(Lanes<Scalar> x) {
  return {std::bit_cast<typename Lanes<Scalar>::Words>(x.v)};
}
template <class Scalar>
typename Single<Scalar>::Bits to_bits(Single<Scalar> x) {
  return {std::bit_cast<BitsOf<Scalar>>(x.v)};
}
/// The numbers that have these bit patterns: `from_bits<L>(bits)`.
template <class L>
L from_bits(typename L::Bits bits) {
  return L(std::bit_cast<decltype(L::v)>(bits.v));
}

/// x is in a register from here on: what uses it more than once does not load it again.
template <class L>
[[gnu::always_inline]] inline void hold([[maybe_unused]] L& x) {
#if defined(__AVX512F__)
  asm("" : "+v"(x.v));
#elif defined(__SSE2__)
  asm("" : "+x"(x.v));
#endif
}

/// 0, 1, 2, ..., one a lane: `lane_numbers<L>()`.
template <class L>
typename L::Bits lane_numbers() {
  if constexpr (L::size == 1) {
    return {0};
  } else {
    typename L::Words numbers{};
    for (int k = 0; k < static_cast<int>(L::size); ++k) numbers[k] = static_cast<typename L::Word>(k);
    return {numbers};
  }
}

/// The products of words of 64 bits whose upper halves are zero: `multiply_halves<L>(a, b)`. (A whole product is three
/// of these to many processors, and to GCC.)
template <class L>
typename L::Bits multiply_halves(typename L::Bits a, typename L::Bits b) {
#if defined(__AVX512F__)
  if constexpr (sizeof(L) == 64)
    return {std::bit_cast<typename L::Words>(
        _mm512_maskz_mul_epu32(0xff, std::bit_cast<__m512i>(a.v), std::bit_cast<__m512i>(b.v)))};
#endif
#if defined(__AVX2__)
  if constexpr (sizeof(L) == 32)
    return {
        std::bit_cast<typename L::Words>(_mm256_mul_epu32(std::bit_cast<__m256i>(a.v), std::bit_cast<__m256i>(b.v)))};
#endif
  return a * b;
}

/// Set in the first n lanes: `lanes_below<L>(n)`.
template <class L>
typename L::Mask lanes_below(Index n) {
  return {lane_numbers<L>().v < L::bits(static_cast<typename L::Word>(n)).v};
}

/// 1.5 2^k + shift: adding it rounds a number to an integer and leaves that integer + shift in the lowest bits.
template <class Scalar>
inline constexpr Scalar rounding_offset = sizeof(Scalar) == 4 ? Scalar(0x1.8p23) : Scalar(0x1.8p52);
template <class Scalar>
inline constexpr int mantissa_bits = sizeof(Scalar) == 4 ? 23 : 52;
template <class Scalar>
inline constexpr int exponent_bias = sizeof(Scalar) == 4 ? 127 : 1023;

/// 2^n for an integer n that is the exponent of a normal number.
template <class L>
L power_of_two(L n) {
  using Scalar = typename L::Scalar;
  return from_bits<L>(to_bits(n + L(rounding_offset<Scalar> + Scalar(exponent_bias<Scalar>))) << mantissa_bits<Scalar>);
}

/// x 2^n for an integer |n| < 2 exponent_bias, rounded once: into the subnormals, to zero or to infinity.
template <class L>
L scale_exponent(L x, L n) {
#if defined(__AVX512F__)
  if constexpr (sizeof(L) == 64 && sizeof(typename L::Scalar) == 4)
    return L::from(_mm512_maskz_scalef_ps(0xffff, x.packet(), n.packet()));
  else if constexpr (sizeof(L) == 64)
    return L::from(_mm512_maskz_scalef_pd(0xff, x.packet(), n.packet()));
  else
#endif
  {
    const L offset(rounding_offset<typename L::Scalar>);
    const L half = (n * L(typename L::Scalar(0.5)) + offset) - offset;
    return x * power_of_two(n - half) * power_of_two(half);  // only the second product can round
  }
}

/// Whether any lane of the mask is set.
template <class Scalar>
bool any(const typename Lanes<Scalar>::Mask& mask, Lanes<Scalar>) {
#if defined(__AVX512F__)
  if constexpr (sizeof(mask.v) == 64) {
    const auto bits = std::bit_cast<__m512i>(mask.v);
    return _mm512_test_epi32_mask(bits, bits) != 0;
  }
#endif
#if defined(__AVX__)
  if constexpr (sizeof(mask.v) == 32) return _mm256_movemask_ps(std::bit_cast<__m256>(mask.v)) != 0;
#endif
#if defined(__SSE2__)
  if constexpr (sizeof(mask.v) == 16) return _mm_movemask_ps(std::bit_cast<__m128>(mask.v)) != 0;
#endif
  auto acc = mask.v[0];
  for (Index k = 1; k < Lanes<Scalar>::size; ++k) acc |= mask.v[k];
  return acc != 0;
}
template <class Scalar>
bool any(const typename Single<Scalar>::Mask& mask, Single<Scalar>) {
  return mask.v;
}

/// Whether a < b in every lane; false where there is a NaN.
template <class L>
[[gnu::always_inline]] inline bool all_less(L a, L b) {
#if defined(__AVX512F__)
  if constexpr (sizeof(L) == 64 && sizeof(typename L::Scalar) == 4)
    return _mm512_cmp_ps_mask(a.packet(), b.packet(), _CMP_NLT_UQ) == 0;
  else if constexpr (sizeof(L) == 64)
    return _mm512_cmp_pd_mask(a.packet(), b.packet(), _CMP_NLT_UQ) == 0;
  else
#endif
    return !any(!(a < b), a);
}

/// Whether low <= x <= high in every lane; false where there is a NaN.
template <class L>
[[gnu::always_inline]] inline bool all_between(L x, L low, L high) {
#if defined(__AVX512F__)
  if constexpr (sizeof(L) == 64 && sizeof(typename L::Scalar) == 8)
    return _mm512_mask_cmp_pd_mask(_mm512_cmp_pd_mask(x.packet(), low.packet(), _CMP_GE_OQ), x.packet(), high.packet(),
                                   _CMP_LE_OQ) == 0xff;
#endif
  return !any(!((x >= low) & (x <= high)), x);
}

/// Sixteen numbers to look up: those that fill the widest register.
struct Sixteen {
  alignas(64) float numbers[16];
  template <class... Numbers>
  requires(sizeof...(Numbers) == 16) constexpr Sixteen(Numbers... x) : numbers{static_cast<float>(x)...} {}
};

/// Whether a register looks eight numbers up at a time, so that two halves of a table cost more than the first.
template <class L>
inline constexpr bool looks_up_halves = sizeof(L) == 32;

/// In each lane the number of the table that the lowest four bits of `place` name; with FirstHalf the fourth is 0.
template <bool FirstHalf = false, class L>
[[gnu::always_inline]] inline L look_up(const Sixteen& table, typename L::Bits place) {
  static_assert(sizeof(typename L::Scalar) == 4);
#if defined(__AVX512F__)
  if constexpr (sizeof(L) == 64) {
    const auto index = std::bit_cast<__m512i>(place.v);
    return L::from(_mm512_maskz_permutexvar_ps(0xffff, index, _mm512_load_ps(table.numbers)));
  }
#endif
#if defined(__AVX2__)
  if constexpr (sizeof(L) == 32) {
    const auto index = std::bit_cast<__m256i>(place.v);
    const __m256 low = _mm256_permutevar8x32_ps(_mm256_load_ps(table.numbers), index);
    if constexpr (FirstHalf) return L::from(low);
    const __m256 high = _mm256_permutevar8x32_ps(_mm256_load_ps(table.numbers + 8), index);
    return L::from(_mm256_blendv_ps(low, high, std::bit_cast<__m256>((place << 28).v)));
  }
#endif
#if defined(__aarch64__)
  if constexpr (sizeof(L) == 16) {  // bytes are looked up: byte b of a lane is number 4 (place % 16) + b
    const auto lane = (place & L::bits(15)).v * 0x04040404u + 0x03020100u;
    const uint8x16x4_t bytes = vld1q_u8_x4(reinterpret_cast<const std::uint8_t*>(table.numbers));
    return L(std::bit_cast<decltype(L::v)>(vqtbl4q_u8(bytes, std::bit_cast<uint8x16_t>(lane))));
  }
#endif
  if constexpr (L::size == 1) {
    return L(table.numbers[place.v & 15]);
  } else {
    L found;
    for (int k = 0; k < static_cast<int>(L::size); ++k) found.v[k] = table.numbers[place.v[k] & 15];
    return found;
  }
}

/// Correctly rounded square root. (Eigen's psqrt may start from the processor's estimate, which differs by vendor.)
template <class Scalar>
Lanes<Scalar> sqrt(Lanes<Scalar> x) {
  [[maybe_unused]] constexpr bool is_float = sizeof(Scalar) == 4;
  [[maybe_unused]] constexpr std::size_t bytes = sizeof(x.v);
#if defined(__AVX512F__)
  if constexpr (bytes == 64 && is_float)
    return Lanes<Scalar>(std::bit_cast<decltype(x.v)>(_mm512_maskz_sqrt_ps(0xffff, x.packet())));
  if constexpr (bytes == 64 && !is_float)
    return Lanes<Scalar>(std::bit_cast<decltype(x.v)>(_mm512_maskz_sqrt_pd(0xff, x.packet())));
#endif
#if defined(__AVX__)
  if constexpr (bytes == 32 && is_float) return Lanes<Scalar>(std::bit_cast<decltype(x.v)>(_mm256_sqrt_ps(x.packet())));
  if constexpr (bytes == 32 && !is_float)
    return Lanes<Scalar>(std::bit_cast<decltype(x.v)>(_mm256_sqrt_pd(x.packet())));
#endif
#if defined(__SSE2__)
  if constexpr (bytes == 16 && is_float) return Lanes<Scalar>(std::bit_cast<decltype(x.v)>(_mm_sqrt_ps(x.packet())));
  if constexpr (bytes == 16 && !is_float) return Lanes<Scalar>(std::bit_cast<decltype(x.v)>(_mm_sqrt_pd(x.packet())));
#endif
  Lanes<Scalar> root;
  for (Index k = 0; k < Lanes<Scalar>::size; ++k) root.v[k] = std::sqrt(x.v[k]);
  return root;
}
template <class Scalar>
Single<Scalar> sqrt(Single<Scalar> x) {
  return Single<Scalar>(std::sqrt(x.v));
}

/// Whether the roots of a register may take its divider longer than the ports are busy with all else that an optimizer
/// does to it: those of eight doubles.
template <class L>
inline constexpr bool roots_may_be_slow = has_avx512 && sizeof(L) == 64 && sizeof(typename L::Scalar) == 8;

/// Whether they do here. Intel's divider takes 24 cycles; AMD's takes fewer, and Zen 4 two for a multiply-add.
[[maybe_unused]] inline bool roots_are_slow() {
#if defined(__AVX512F__)
  static const bool slow = __builtin_cpu_is("intel") != 0;
  return slow;
#else
  return false;
#endif
}

template <class L>
typename L::Bits sign_bit() {
  return L::bits(typename L::Word(1) << (8 * sizeof(typename L::Scalar) - 1));
}

template <class L>
requires requires { typename L::Bits; }
L abs(L x) {
  using Word = typename L::Word;
  return from_bits<L>(to_bits(x) & L::bits(static_cast<Word>(~(Word(1) << (8 * sizeof(Word) - 1)))));
}

/// -|x|.
template <class L>
requires requires { typename L::Bits; }
L negative_abs(L x) { return from_bits<L>(to_bits(x) | sign_bit<L>()); }

/// x with the sign of `sign`, where x has that sign already or none.
template <class L>
requires requires { typename L::Bits; }
L with_sign(L x, L sign) { return from_bits<L>(to_bits(x) | (to_bits(sign) & sign_bit<L>())); }
/// |magnitude| with the sign of `sign`.
template <class L>
requires requires { typename L::Bits; }
L copysign(L magnitude, L sign) { return from_bits<L>(to_bits(abs(magnitude)) | (to_bits(sign) & sign_bit<L>())); }

/// The larger; where they do not compare (a NaN), a.
template <class L>
requires requires { typename L::Bits; }
L max(L a, L b) {
  // the processor's maximum is this one, but GCC does not see it in a selection
#if defined(__AVX512F__)
  constexpr bool is_float = sizeof(typename L::Scalar) == 4;
  if constexpr (sizeof(L) == 64 && is_float) return L::from(_mm512_maskz_max_ps(0xffff, b.packet(), a.packet()));
  if constexpr (sizeof(L) == 64 && !is_float) return L::from(_mm512_maskz_max_pd(0xff, b.packet(), a.packet()));
#endif
#if defined(__SSE2__)
  if constexpr (sizeof(L) == 32 || sizeof(L) == 16) return L::from(Eigen::internal::pmax(a.packet(), b.packet()));
#endif
  return select(a < b, b, a);
}
/// The smaller; where they do not compare (a NaN), a.
template <class L>
requires requires { typename L::Bits; }
L min(L a, L b) {
#if defined(__AVX512F__)
  constexpr bool is_float = sizeof(typename L::Scalar) == 4;
  if constexpr (sizeof(L) == 64 && is_float) return L::from(_mm512_maskz_min_ps(0xffff, b.packet(), a.packet()));
  if constexpr (sizeof(L) == 64 && !is_float) return L::from(_mm512_maskz_min_pd(0xff, b.packet(), a.packet()));
#endif
#if defined(__SSE2__)
  if constexpr (sizeof(L) == 32 || sizeof(L) == 16) return L::from(Eigen::internal::pmin(a.packet(), b.packet()));
#endif
  return select(b < a, b, a);
}

// ---- turning squares of numbers around -----------------------------------------------------------------------------

/// Numbers of a row that are turned around together: 16 bytes, the part of a register that shuffles do not leave.
template <class Scalar>
inline constexpr Index quarter = 16 / static_cast<Index>(sizeof(Scalar));

template <class Scalar>
using Quarter = typename VectorOf<Scalar, 16>::type;

/// The first n <= quarter of them; the rest are zero and nothing beyond from + n is read.
template <class Scalar>
Quarter<Scalar> load_quarter(const Scalar* from, Index n = quarter<Scalar>) {
  Quarter<Scalar> part{};
  if (n == quarter<Scalar>) {
    std::memcpy(&part, from, sizeof(part));
    return part;
  }
#if defined(__AVX512VL__)
  if constexpr (sizeof(Scalar) == 4) return _mm_maskz_loadu_ps(static_cast<__mmask8>((1u << n) - 1), from);
#endif
  part[0] = from[0];
  if constexpr (sizeof(Scalar) == 4) {
    if (n > 1) part[1] = from[1];
    if (n > 2) part[2] = from[2];
  }
  return part;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"  // of Packet as a template argument
/// Column j receives number j of row(0), row(1), ..., row(size - 1), each a Quarter. Rows are put together while they
/// are loaded, so that half the shuffles do.
template <class Scalar, class Row>
[[gnu::always_inline]] inline void load_transposed(const Row& row, Lanes<Scalar> (&column)[quarter<Scalar>]) {
  using L = Lanes<Scalar>;
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  if constexpr (sizeof(L) == 64 && sizeof(Scalar) == 4) {
    __m512 part[4];  // of rows i, 4 + i, 8 + i, 12 + i
    for (int i = 0; i < 4; ++i) {
      part[i] = _mm512_zextps128_ps512(row(i));
      part[i] = _mm512_insertf32x4(part[i], row(4 + i), 1);
      part[i] = _mm512_insertf32x4(part[i], row(8 + i), 2);
      part[i] = _mm512_insertf32x4(part[i], row(12 + i), 3);
    }
    const __m512d low01 = _mm512_castps_pd(_mm512_maskz_unpacklo_ps(0xffff, part[0], part[1]));
    const __m512d high01 = _mm512_castps_pd(_mm512_maskz_unpackhi_ps(0xffff, part[0], part[1]));
    const __m512d low23 = _mm512_castps_pd(_mm512_maskz_unpacklo_ps(0xffff, part[2], part[3]));
    const __m512d high23 = _mm512_castps_pd(_mm512_maskz_unpackhi_ps(0xffff, part[2], part[3]));
    column[0] = L::from(_mm512_castpd_ps(_mm512_maskz_unpacklo_pd(0xff, low01, low23)));
    column[1] = L::from(_mm512_castpd_ps(_mm512_maskz_unpackhi_pd(0xff, low01, low23)));
    column[2] = L::from(_mm512_castpd_ps(_mm512_maskz_unpacklo_pd(0xff, high01, high23)));
    column[3] = L::from(_mm512_castpd_ps(_mm512_maskz_unpackhi_pd(0xff, high01, high23)));
    return;
  } else if constexpr (sizeof(L) == 64) {
    __m512d part[2];  // of rows i, 2 + i, 4 + i, 6 + i
    for (int i = 0; i < 2; ++i) {
      part[i] = _mm512_zextpd128_pd512(row(i));
      part[i] = _mm512_insertf64x2(part[i], row(2 + i), 1);
      part[i] = _mm512_insertf64x2(part[i], row(4 + i), 2);
      part[i] = _mm512_insertf64x2(part[i], row(6 + i), 3);
    }
    column[0] = L::from(_mm512_maskz_unpacklo_pd(0xff, part[0], part[1]));
    column[1] = L::from(_mm512_maskz_unpackhi_pd(0xff, part[0], part[1]));
    return;
  }
#endif
#if defined(__AVX__)
  if constexpr (sizeof(L) == 32 && sizeof(Scalar) == 4) {
    __m256 part[4];  // of rows i, 4 + i
    for (int i = 0; i < 4; ++i) part[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(row(i)), row(4 + i), 1);
    const __m256d low01 = _mm256_castps_pd(_mm256_unpacklo_ps(part[0], part[1]));
    const __m256d high01 = _mm256_castps_pd(_mm256_unpackhi_ps(part[0], part[1]));
    const __m256d low23 = _mm256_castps_pd(_mm256_unpacklo_ps(part[2], part[3]));
    const __m256d high23 = _mm256_castps_pd(_mm256_unpackhi_ps(part[2], part[3]));
    column[0] = L::from(_mm256_castpd_ps(_mm256_unpacklo_pd(low01, low23)));
    column[1] = L::from(_mm256_castpd_ps(_mm256_unpackhi_pd(low01, low23)));
    column[2] = L::from(_mm256_castpd_ps(_mm256_unpacklo_pd(high01, high23)));
    column[3] = L::from(_mm256_castpd_ps(_mm256_unpackhi_pd(high01, high23)));
    return;
  } else if constexpr (sizeof(L) == 32) {
    __m256d part[2];  // of rows i, 2 + i
    for (int i = 0; i < 2; ++i) part[i] = _mm256_insertf128_pd(_mm256_castpd128_pd256(row(i)), row(2 + i), 1);
    column[0] = L::from(_mm256_unpacklo_pd(part[0], part[1]));
    column[1] = L::from(_mm256_unpackhi_pd(part[0], part[1]));
    return;
  }
#endif
  constexpr int Q = static_cast<int>(quarter<Scalar>);
  if constexpr (L::size == Q) {
    using Packet = typename L::Packet;
    Eigen::internal::PacketBlock<Packet, Q> block;
    for (int k = 0; k < Q; ++k) block.packet[k] = std::bit_cast<Packet>(row(k));
    Eigen::internal::ptranspose(block);
    for (int k = 0; k < Q; ++k) column[k] = L::from(block.packet[k]);
  } else {
    for (int k = 0; k < Q; ++k)
      for (int r = 0; r < static_cast<int>(L::size); ++r) column[k].v[r] = row(r)[k];
  }
}

/// Whether twice as many numbers of a row are better turned around together: half as many loads.
template <class Scalar>
#if defined(__AVX512F__) && defined(__AVX512DQ__)
inline constexpr bool turns_halves = sizeof(Lanes<Scalar>) == 64;
#else
inline constexpr bool turns_halves = false;
#endif

/// Column j receives number j of the two quarters at row(0), row(1), ..., row(size - 1).
template <class Scalar, class Row>
[[gnu::always_inline]] inline void load_transposed_halves(
    [[maybe_unused]] const Row& row, [[maybe_unused]] Lanes<Scalar> (&column)[2 * quarter<Scalar>]) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  using L = Lanes<Scalar>;
  constexpr int Q = static_cast<int>(quarter<Scalar>);
  const auto rows = [&row](int r) __attribute__((always_inline)) {  // two quarters of row r, two of row r + Q
    const auto half = [&row](int k) __attribute__((always_inline)) {
      return _mm256_loadu_pd(reinterpret_cast<const double*>(row(k)));
    };
    return _mm512_insertf64x4(_mm512_castpd256_pd512(half(r)), half(r + Q), 1);
  };
  const auto pairs = [](__m512d a, __m512d b, auto high) __attribute__((always_inline)) {
    return high() ? _mm512_maskz_unpackhi_pd(0xff, a, b) : _mm512_maskz_unpacklo_pd(0xff, a, b);
  };
  constexpr std::false_type low;
  constexpr std::true_type high;
  __m512d four[2][Q];  // columns k, and in every other 16 bytes Q + k, of rows 0 to 2 Q - 1 and of the others
  for (int group = 0; group < 2; ++group) {
    const int r = 2 * Q * group;
    if constexpr (sizeof(Scalar) == 8) {
      const __m512d a = rows(r), b = rows(r + 1);
      four[group][0] = pairs(a, b, low), four[group][1] = pairs(a, b, high);
    } else {
      const auto unpack = [](__m512d a, __m512d b, auto upper) __attribute__((always_inline)) {
        const __m512 x = _mm512_castpd_ps(a), y = _mm512_castpd_ps(b);
        return _mm512_castps_pd(upper() ? _mm512_maskz_unpackhi_ps(0xffff, x, y)
                                        : _mm512_maskz_unpacklo_ps(0xffff, x, y));
      };
      const __m512d a = rows(r), b = rows(r + 1), c = rows(r + 2), d = rows(r + 3);
      const __m512d low01 = unpack(a, b, low), high01 = unpack(a, b, high);
      const __m512d low23 = unpack(c, d, low), high23 = unpack(c, d, high);
      four[group][0] = pairs(low01, low23, low), four[group][1] = pairs(low01, low23, high);
      four[group][2] = pairs(high01, high23, low), four[group][3] = pairs(high01, high23, high);
    }
  }
  for (int k = 0; k < Q; ++k) {
    column[k] = L(std::bit_cast<decltype(L::v)>(_mm512_maskz_shuffle_f64x2(0xff, four[0][k], four[1][k], 0x88)));
    column[Q + k] = L(std::bit_cast<decltype(L::v)>(_mm512_maskz_shuffle_f64x2(0xff, four[0][k], four[1][k], 0xdd)));
  }
#endif
}
#pragma GCC diagnostic pop

// ---- spreading a number over a register -----------------------------------------------------------------------------

/// Numbers that `spread_of_group` chooses from.
inline constexpr int group = 4;

/// The group that begins at `from`, over and over. (Of AVX-512 alone.)
template <class L>
[[gnu::always_inline]] inline L repeat_group([[maybe_unused]] const typename L::Scalar* from) {
  static_assert(sizeof(L) == 64);
#if defined(__AVX512F__)
  if constexpr (sizeof(typename L::Scalar) == 4)
    return L::from(_mm512_maskz_broadcast_f32x4(0xffff, _mm_loadu_ps(from)));
  else
    return L::from(_mm512_maskz_broadcast_f64x4(0xff, _mm256_loadu_pd(from)));
#endif
}

/// Number k of each group, throughout.
template <int k, class L>
[[gnu::always_inline]] inline L spread_of_group([[maybe_unused]] L x) {
  static_assert(sizeof(L) == 64);
#if defined(__AVX512F__)
  if constexpr (sizeof(typename L::Scalar) == 4)
    return L::from(_mm512_maskz_permute_ps(0xffff, x.packet(), k * 0x55));
  else
    return L::from(_mm512_maskz_permutex_pd(0xff, x.packet(), k * 0x55));
#endif
}

// ---- across lanes --------------------------------------------------------------------------------------------------

/// The largest number of any lane; whichever, where there is a NaN.
template <class Scalar>
Scalar largest_lane(Lanes<Scalar> x) {
  return Eigen::internal::predux_max(x.packet());
}

/// Sums that one is parted into, whatever a register holds.
inline constexpr int partial_sums = 16;

/// Partial sums, number k in lane k % size of register k / size, folded: k + 8 is added to k, then k + 4, as far as
/// numbers of a `Quarter` are left.
template <class Scalar>
[[gnu::always_inline]] inline Quarter<Scalar> fold_to_quarter(
    const Lanes<Scalar> (&sums)[partial_sums / Lanes<Scalar>::size]) {
  using L = Lanes<Scalar>;
  [[maybe_unused]] constexpr int registers = partial_sums / static_cast<int>(L::size);
  L x = sums[0];
  if constexpr (registers == 2) x = sums[0] + sums[1];
  if constexpr (registers == 4) x = (sums[0] + sums[2]) + (sums[1] + sums[3]);
  if constexpr (registers == 8)
    x = ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
  [[maybe_unused]] constexpr bool is_float = sizeof(Scalar) == 4;
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  if constexpr (sizeof(L) == 64 && is_float) {
    const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(x.packet()), _mm512_extractf32x8_ps(x.packet(), 1));
    return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  } else if constexpr (sizeof(L) == 64) {
    const __m256d half = _mm256_add_pd(_mm512_castpd512_pd256(x.packet()), _mm512_extractf64x4_pd(x.packet(), 1));
    return _mm_add_pd(_mm256_castpd256_pd128(half), _mm256_extractf128_pd(half, 1));
  }
#endif
#if defined(__AVX__)
  if constexpr (sizeof(L) == 32 && is_float)
    return _mm_add_ps(_mm256_castps256_ps128(x.packet()), _mm256_extractf128_ps(x.packet(), 1));
  else if constexpr (sizeof(L) == 32)
    return _mm_add_pd(_mm256_castpd256_pd128(x.packet()), _mm256_extractf128_pd(x.packet(), 1));
#endif
  Scalar numbers[L::size];
  x.store(numbers);
  for (Index half = L::size / 2; half >= quarter<Scalar>; half /= 2)
    for (Index k = 0; k < half; ++k) numbers[k] += numbers[k + half];
  return load_quarter(numbers);
}

/// Two such quarters folded to one number each.
template <class Scalar>
[[gnu::always_inline]] inline std::array<Scalar, 2> fold_two(Quarter<Scalar> x, Quarter<Scalar> y) {
#if defined(__SSE2__)
  if constexpr (sizeof(Scalar) == 4) {
    const __m128 two = _mm_add_ps(_mm_unpacklo_ps(x, y), _mm_unpackhi_ps(x, y));
    return std::bit_cast<std::array<std::array<Scalar, 2>, 2>>(_mm_add_ps(two, _mm_movehl_ps(two, two)))[0];
  } else {
    return std::bit_cast<std::array<Scalar, 2>>(_mm_add_pd(_mm_unpacklo_pd(x, y), _mm_unpackhi_pd(x, y)));
  }
#else
  if constexpr (sizeof(Scalar) == 4)
    return {(x[0] + x[2]) + (x[1] + x[3]), (y[0] + y[2]) + (y[1] + y[3])};
  else
    return {x[0] + x[1], y[0] + y[1]};
#endif
}

/// Whether one register holds all partial sums of a number, so that four numbers' are folded together.
template <class Scalar>
#if defined(__AVX512F__) && defined(__AVX512DQ__)
inline constexpr bool folds_four = Lanes<Scalar>::size == partial_sums;
#else
inline constexpr bool folds_four = false;
#endif

/// Quarter r is what `fold_to_quarter` leaves of sums[r].
template <class Scalar>
[[gnu::always_inline]] inline Lanes<Scalar> fold_four_to_quarters([[maybe_unused]] const Lanes<Scalar> (&sums)[4]) {
  static_assert(folds_four<Scalar>);
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  const auto halves = [](__m512 a, __m512 b) __attribute__((always_inline)) {
    return _mm512_add_ps(_mm512_maskz_shuffle_f32x4(0xffff, a, b, 0x44),
                         _mm512_maskz_shuffle_f32x4(0xffff, a, b, 0xee));
  };
  const __m512 two = halves(sums[0].packet(), sums[1].packet()), more = halves(sums[2].packet(), sums[3].packet());
  return Lanes<Scalar>::from(_mm512_add_ps(_mm512_maskz_shuffle_f32x4(0xffff, two, more, 0x88),
                                           _mm512_maskz_shuffle_f32x4(0xffff, two, more, 0xdd)));
#endif
}

/// Number 4 k + r is quarter r of x[k], folded.
template <class Scalar>
[[gnu::always_inline]] inline Lanes<Scalar> fold_quarters([[maybe_unused]] const Lanes<Scalar> (&x)[4]) {
  static_assert(folds_four<Scalar>);
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  const auto pairs = [](__m512 a, __m512 b) __attribute__((always_inline)) {
    return _mm512_castps_pd(
        _mm512_add_ps(_mm512_maskz_unpacklo_ps(0xffff, a, b), _mm512_maskz_unpackhi_ps(0xffff, a, b)));
  };
  const __m512d two = pairs(x[0].packet(), x[1].packet()), more = pairs(x[2].packet(), x[3].packet());
  const __m512 sums = _mm512_add_ps(_mm512_castpd_ps(_mm512_maskz_unpacklo_pd(0xff, two, more)),
                                    _mm512_castpd_ps(_mm512_maskz_unpackhi_pd(0xff, two, more)));
  const __m512i from = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return Lanes<Scalar>::from(_mm512_maskz_permutexvar_ps(0xffff, from, sums));
#endif
}

// ---- partial registers ----------------------------------------------------------------------------------------------

#if defined(__AVX2__)
/// All ones in the first n of 8 or 4 lanes.
template <class Scalar>
__m256i first_lanes(Index n) {
  if constexpr (sizeof(Scalar) == 4)
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  else
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
}
#endif

template <class Scalar>
Lanes<Scalar> Lanes<Scalar>::load_first(const Scalar* from, Index n) {
#if defined(__AVX512F__)
  if constexpr (sizeof(Packet) == 64 && sizeof(Scalar) == 4)
    return Lanes::from(_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), from));
  else if constexpr (sizeof(Packet) == 64)
    return Lanes::from(_mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << n) - 1), from));
#endif
#if defined(__AVX2__)
  if constexpr (sizeof(Packet) == 32 && sizeof(Scalar) == 4)
    return Lanes::from(_mm256_maskload_ps(from, first_lanes<Scalar>(n)));
  else if constexpr (sizeof(Packet) == 32)
    return Lanes::from(_mm256_maskload_pd(from, first_lanes<Scalar>(n)));
#endif
  Values v{};
  std::memcpy(&v, from, static_cast<std::size_t>(n) * sizeof(Scalar));
  return Lanes(v);
}

template <class Scalar>
void Lanes<Scalar>::store_first(Scalar* to, Index n) const {
#if defined(__AVX512F__)
  if constexpr (sizeof(Packet) == 64 && sizeof(Scalar) == 4)
    return _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << n) - 1), packet());
  else if constexpr (sizeof(Packet) == 64)
    return _mm512_mask_storeu_pd(to, static_cast<__mmask8>((1u << n) - 1), packet());
#endif
#if defined(__AVX2__)
  if constexpr (sizeof(Packet) == 32 && sizeof(Scalar) == 4)
    return _mm256_maskstore_ps(to, first_lanes<Scalar>(n), packet());
  else if constexpr (sizeof(Packet) == 32)
    return _mm256_maskstore_pd(to, first_lanes<Scalar>(n), packet());
#endif
  std::memcpy(to, &v, static_cast<std::size_t>(n) * sizeof(Scalar));
}

}  // namespace bpnet::engine
