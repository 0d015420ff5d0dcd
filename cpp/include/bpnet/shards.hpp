/// How the sums of a batch are cut up and put together again.
///
/// A batch is cut into at most 16 shards of whole tiles, by its size and the network's alone. Each shard is summed in
/// ascending order by one thread; the shards are added pairwise, neighbours first. So the sums are the same for any
/// number of threads.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>

#include "bpnet/engine/tile.hpp"

namespace bpnet::detail {

/// Whole tiles of a batch, cut into shards.
struct Shards {
  static constexpr Index most = 16;

  explicit Shards(Index samples)
      : tiles((samples + engine::tile_samples - 1) / engine::tile_samples), count(std::clamp<Index>(tiles, 1, most)) {}
  /// Which shard a tile is in.
  std::size_t shard_of(Index tile) const {
    Index shard = tile * count / tiles;  // at most one off
    while (begin(shard + 1) <= tile) ++shard;
    return static_cast<std::size_t>(shard);
  }
  /// The first tile of a shard.
  Index begin(Index shard) const { return shard * tiles / count; }

  Index tiles, count;
};
using ShardCosts = std::array<double, Shards::most>;

/// values[0] = the sum of values[0..count), neighbours first.
template <class Add>
void tree(Index count, Add add) {
  for (Index apart = 1; apart < count; apart *= 2)
    for (Index k = 0; k + apart < count; k += 2 * apart) add(k, k + apart);
}

/// The same sum while the values are still being formed by several threads: whoever completes the second half of a node
/// adds it, with what he has just written still in his cache.
class GrowingTree {
 public:
  /// Of the nodes whose halves begin less than `end` apart: all of them, or all but the last.
  GrowingTree(Index count, Index end) : count_(count), end_(end) {}

  /// values[k] is there.
  template <class Add>
  void arrived(Index k, Add add) {
    for (Index apart = 1; apart < end_; apart *= 2) {
      const bool is_right = k % (2 * apart) != 0;
      const Index right = is_right ? k : k + apart;  // a node's right half has only this one parent
      if (right >= count_) continue;
      if (halves_[static_cast<std::size_t>(right)].fetch_add(1, std::memory_order_acq_rel) == 0) return;
      k = right - apart;
      add(k, right);
    }
  }

 private:
  Index count_, end_;
  std::array<std::atomic<int>, Shards::most> halves_{};
};

}  // namespace bpnet::detail
