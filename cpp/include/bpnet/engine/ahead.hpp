/// Fetching what a product's caller will want next.
#pragma once

#include <algorithm>
#include <array>

#include "bpnet/engine/tile.hpp"

namespace bpnet::engine {

/// Memory that is wanted next. A product that has it fetches some into L2 with every few samples it takes, in this
/// order, so that nobody waits for it later; with every sample, what the product itself reads from L2 would wait for
/// its turn.
template <class Scalar>
struct Ahead {
  /// A block of numbers: `columns` pieces, `stride` apart, each as long as `panels` times Block::panel.
  struct Wanted {
    const Scalar* begin = nullptr;
    Index panels = 0, columns = 0, stride = 0;
    Index fetched = 0;  ///< columns of panels
  };
  /// What one block of samples fetches: columns of one panel.
  struct Part {
    const Scalar* begin = nullptr;
    Index stride = 0;
  };
  std::array<Wanted, 7> wanted;

  static constexpr Index line = 64 / static_cast<Index>(sizeof(Scalar));
  static constexpr Index lines = std::max<Index>(Block<Scalar>::panel / line, 1);  ///< of a panel
  static constexpr Index spacing = std::max<Index>(8 / lines, 1);                  ///< samples to a line

  /// For m samples; from null where nothing is left.
  Part take(Index m) {
    for (Wanted& block : wanted) {
      if (block.fetched >= block.panels * block.columns) continue;
      const Index panel = block.fetched / block.columns, column = block.fetched % block.columns;
      block.fetched += std::min(std::max<Index>(m / (lines * spacing), 1), block.columns - column);
      return {block.begin + panel * Block<Scalar>::panel + column * block.stride, block.stride};
    }
    return {};
  }
  /// Past the end it asks for lines nobody wants, which does no harm. (Always inlined: GCC takes a function that does
  /// no more for one that does nothing, and leaves out its calls.)
  [[gnu::always_inline]] static void fetch(const Part& part, Index sample) {
    if (sample % spacing != 0) return;
    const Index at = sample / spacing;
    __builtin_prefetch(part.begin + at / lines * part.stride + at % lines * line, 0, 2);
  }
};

}  // namespace bpnet::engine
