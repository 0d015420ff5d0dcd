/// Looking through a caller's numbers, block by block: on several threads, and with an ear for who wants to stop.
#pragma once

#include <atomic>

#include "bpnet/engine/threads.hpp"
#include "bpnet/kernel_table.hpp"

namespace bpnet::detail {

/// Rows that are looked through at a time.
inline constexpr Index scan_block = 1024;

/// The first of `count` rows that is bad, or `count`. find(begin, end) gives the first bad one of a block, or `end`;
/// `width` numbers are looked at in each row.
template <class Find>
Index first_bad(Index count, Index width, const engine::Call& call, engine::Pulse& pulse, const Find& find) {
  const Index blocks = (count + scan_block - 1) / scan_block;
  const auto work = static_cast<double>(scan_block * width);
  std::atomic<Index> first{count};
  engine::parallel_for(call, pulse, blocks, work, [&](Index block, const engine::Checkpoint& checkpoint) {
    const Index begin = block * scan_block, end = std::min(count, begin + scan_block);
    if (begin < first.load(std::memory_order_relaxed))
      if (const Index bad = find(begin, end); bad < end)
        for (Index seen = first; bad < seen && !first.compare_exchange_weak(seen, bad);) {
        }
    checkpoint(work);
  });
  return first;
}

/// Rows of one number each, read block by block as Scalars.
template <class Scalar>
class ScanColumn {
 public:
  /// Rows begin, ..., end - 1 of x, at most scan_block, at [0], [1], ...
  const Scalar* read(const Samples& x, Index begin, Index end) {
    for (Index k = 0; k < end - begin; ++k) rows_[static_cast<std::size_t>(k)] = begin + k;
    return gather(x, end - begin);
  }
  /// The n rows of x, at most scan_block, that stand at `first` and behind it in an order: rows.fill(first, n,
  /// indices).
  template <class Rows>
  const Scalar* read(const Samples& x, const Rows& rows, Index first, Index n) {
    rows.fill(first, n, rows_.data());
    return gather(x, n);
  }

 private:
  const Scalar* gather(const Samples& x, Index n) {
    kernels<Scalar>().gather(engine::Layout::unit_lanes, x, rows_.data(), n, values_.data(), 1);
    return values_.data();
  }

  std::array<Index, scan_block> rows_;
  std::array<Scalar, scan_block> values_;
};

}  // namespace bpnet::detail
