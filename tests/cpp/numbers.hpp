/// Numbers to test with, and the comparison of their bits.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "bpnet/random.hpp"
#include "bpnet/types.hpp"
#include "check.hpp"

using bpnet::Index;

constexpr std::size_t to_size(Index n) { return static_cast<std::size_t>(n); }

/// n numbers of the standard normal distribution, the same for the same `stream`.
template <class Scalar>
std::vector<Scalar> normals(Index n, std::uint64_t stream) {
  std::vector<double> z(to_size(n));
  bpnet::RandomStream(2026, stream).normals(0, z.size(), z.data());
  std::vector<Scalar> out;
  for (const double x : z) out.push_back(static_cast<Scalar>(x));
  return out;
}

/// n whole numbers from 0 to below - 1.
inline std::vector<std::int64_t> labels(Index n, std::int64_t below, std::uint64_t stream) {
  std::vector<double> u(to_size(n));
  bpnet::RandomStream(2026, stream).uniforms(0, u.size(), u.data());
  std::vector<std::int64_t> out;
  for (const double x : u) out.push_back(static_cast<std::int64_t>(x * static_cast<double>(below)));
  return out;
}

template <class Scalar>
bool same_bits(const Scalar* a, const Scalar* b, Index n) {
  return n == 0 || std::memcmp(a, b, to_size(n) * sizeof(Scalar)) == 0;
}
template <class Scalar>
bool same_bits(const std::vector<Scalar>& a, const std::vector<Scalar>& b) {
  return a.size() == b.size() && same_bits(a.data(), b.data(), static_cast<Index>(a.size()));
}

template <class Scalar>
constexpr Scalar not_a_number = std::numeric_limits<Scalar>::quiet_NaN();
