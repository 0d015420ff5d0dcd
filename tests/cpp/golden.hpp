/// Golden values: a hash of bit patterns that must be the same on every processor, compiler and level.
#pragma once

#include <bit>
#include <cstdint>
#include <iostream>
#include <ranges>
#include <type_traits>

#include "check.hpp"

/// FNV-1a over the 64-bit patterns of numbers.
template <std::ranges::range Numbers>
std::uint64_t hash_of(const Numbers& numbers) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const auto x : numbers) {
    std::uint64_t bits;
    if constexpr (std::is_floating_point_v<std::ranges::range_value_t<Numbers>>)
      bits = std::bit_cast<std::uint64_t>(static_cast<double>(x));
    else
      bits = static_cast<std::uint64_t>(x);
    for (int byte = 0; byte < 8; ++byte) hash = (hash ^ (bits >> (8 * byte) & 0xff)) * 0x100000001b3;
  }
  return hash;
}

template <std::ranges::range Numbers>
void check_golden(const char* what, const Numbers& numbers, std::uint64_t expected) {
  const std::uint64_t hash = hash_of(numbers);
  if (!CHECK(hash == expected)) std::cerr << "    " << what << ": 0x" << std::hex << hash << std::dec << '\n';
}
