/// Products of weights and tiles in sample lanes. Every output is one chain of fused multiply-adds in ascending order
/// of the summed index, so neither the block shape nor the layout nor the place of a sample changes a bit.
#pragma once

#include <algorithm>
#include <array>

#include "bpnet/engine/tile.hpp"

namespace bpnet::engine {

/// A matrix of weights as a product walks it: element (row, k) is at data[row * row_stride + k * depth_stride].
template <class Scalar>
struct Walk {
  const Scalar* data;
  Index row_stride;
  Index depth_stride;
};

/// Units of a tile that stay in L1 while many rows of weights are multiplied with them.
template <class Scalar>
inline constexpr Index depth_in_l1 = (Index(1) << 15) / static_cast<Index>(sizeof(Scalar)) / tile_samples;

/// body(from, n) for the parts of 0..depth, as equal as they can be and none above `most`.
template <class Body>
void in_equal_parts(Index depth, Index most, const Body& body) {
  const Index parts = (depth + most - 1) / most;
  for (Index k = 0, from = 0; k < parts; ++k) {
    const Index part = (depth - from + parts - k - 1) / (parts - k);
    body(from, part);
    from += part;
  }
}

namespace detail {

/// Where the chains of a product begin; those that are scaled are multiplied with a factor at the end.
enum class Start { zero, zero_scaled, bias, out, out_scaled };
constexpr bool is_scaled(Start start) { return start == Start::zero_scaled || start == Start::out_scaled; }
constexpr bool goes_on(Start start) { return start == Start::out || start == Start::out_scaled; }

/// Numbers by which a block's sums are fetched with each step of the block before: all of them, in no more steps than
/// it has with `depth_in_l1` numbers a chain.
template <class Scalar>
inline constexpr Index fetched_a_step = Block<Scalar>::many_registers ? 4 : 1;

/// Rows x Packets outputs of `combine`, `blocks` > 0 times one below the other, depth > 0. Stride > 0 is the tile's
/// stride, known beforehand, and then all of its samples have their turn, Packets registers at a time. What is known
/// beforehand costs nothing: the accumulators stay in registers from the first number to the last. Chains that go on
/// come from far away where a layer is wide: those of the next block are fetched meanwhile, line by line.
/// `with`: the biases, or factors laid out as `out` is.
template <Start start, int Rows, int Packets, Index Stride, class Scalar>
[[gnu::noinline]] void combine_blocks(const Scalar* W, Index row_stride, Index depth_stride, const Scalar* with,
                                      Index blocks, Index depth, const Scalar* in, Scalar* out, Index any_stride) {
  using L = Lanes<Scalar>;
  constexpr Index width = Packets * L::size, samples = Stride > 0 ? Stride : width;
  const Index stride = Stride > 0 ? Stride : any_stride;
  const auto next = [stride](auto* row) __attribute__((always_inline)) {
    return Stride > 0 ? row + stride : opaque(row + stride);
  };
  do {
    for (Index first = 0; first < samples; first += width) {
      L acc[Rows][Packets];
      Scalar* row = out + first;
      for (int r = 0; r < Rows; ++r) {
        for (int p = 0; p < Packets; ++p) {
          if constexpr (goes_on(start))
            acc[r][p] = L::load(row + p * L::size);
          else
            acc[r][p] = L(start == Start::bias ? with[r] : Scalar(0));
        }
        if constexpr (goes_on(start)) row = next(row);
      }
      const Scalar *numbers = in + first, *weights = W,
                   *next_sums = out + Rows * stride + first / width * depth * fetched_a_step<Scalar>;
      Index left = depth;
      do {
        L x[Packets];
        if constexpr (goes_on(start) && Stride > 0) {
          __builtin_prefetch(next_sums);
          next_sums += fetched_a_step<Scalar>;
        }
        for (int p = 0; p < Packets; ++p) {
          x[p] = L::load(numbers + p * L::size);
          if constexpr (loads_once<Scalar>(Rows)) hold(x[p]);
        }
        for (int r = 0; r < Rows; ++r) {
          const L w(weights[r * row_stride]);
          for (int p = 0; p < Packets; ++p) acc[r][p] = madd(w, x[p], acc[r][p]);
        }
        numbers += stride;
        weights += depth_stride;
      } while (--left > 0);
      row = out + first;
      const Scalar* factors = is_scaled(start) ? with + first : nullptr;
      for (int r = 0; r < Rows; ++r, row = next(row)) {
        for (int p = 0; p < Packets; ++p) {
          if constexpr (is_scaled(start)) acc[r][p] = acc[r][p] * L::load(factors + p * L::size);
          acc[r][p].store(row + p * L::size);
        }
        if constexpr (is_scaled(start)) factors = next(factors);
      }
    }
    W += Rows * row_stride;
    out += Rows * stride;
    if constexpr (start == Start::bias) with += Rows;
    if constexpr (is_scaled(start)) with += Rows * stride;
  } while (--blocks > 0);
}

template <Start start, Index Stride, class Scalar>
void combine_from(const Walk<Scalar>& W, const Scalar* with, Index rows, Index depth, const Scalar* in, Scalar* out,
                  Index stride) {
  using L = Lanes<Scalar>;
  constexpr int max_rows = Block<Scalar>::rows, max_packets = Block<Scalar>::packets;
  in_runs<max_rows>(
      rows, [&](Index row, auto n_rows, Index blocks) __attribute__((always_inline)) {
        const auto run = [&](Index first, auto n_packets, Index packet, Index n_blocks) __attribute__((always_inline)) {
          const Index at = first * stride + packet * L::size, of_with = start == Start::bias ? first : at;
          combine_blocks<start, n_rows(), n_packets(), Stride>(
              W.data + first * W.row_stride, W.row_stride, W.depth_stride,
              start == Start::bias || is_scaled(start) ? with + of_with : nullptr, n_blocks, depth,
              in + packet * L::size, out + at, stride);
        };
        if constexpr (Stride > 0)
          run(row, std::integral_constant<int, max_packets>{}, 0, blocks);
        else
          for (Index k = 0; k < blocks; ++k)
            in_blocks<max_packets>(
                stride / L::size, [&](Index packet, auto n_packets) __attribute__((always_inline)) {
                  run(row + k * n_rows(), n_packets, packet, 1);
                });
      });
}

/// out = W in + start over sample lanes: in (depth, stride), out (rows, stride), lanes over samples.
template <Start start, class Scalar>
void combine(const Walk<Scalar>& W, const Scalar* with, Index rows, Index depth, const Scalar* in, Scalar* out,
             Index stride) {
  static_assert(tile_samples % (Block<Scalar>::packets * Lanes<Scalar>::size) == 0);
  if (stride == tile_samples) return combine_from<start, tile_samples>(W, with, rows, depth, in, out, stride);
  combine_from<start, 0>(W, with, rows, depth, in, out, stride);
}

/// The same with the chains interrupted where a tile is deep: each part of it stays in L1 while all rows pass.
template <Start start, class Scalar>
void combine_in_parts(const Walk<Scalar>& W, const Scalar* with, Index rows, Index depth, const Scalar* in, Scalar* out,
                      Index stride) {
  constexpr Start on = is_scaled(start) ? Start::zero : start, last = is_scaled(start) ? Start::out_scaled : Start::out;
  if (depth <= depth_in_l1<Scalar>) return combine<start>(W, with, rows, depth, in, out, stride);
  in_equal_parts(depth, depth_in_l1<Scalar>, [&](Index from, Index part) {
    const Walk<Scalar> walk{W.data + from * W.depth_stride, W.row_stride, W.depth_stride};
    const Scalar* numbers = in + from * stride;
    if (from == 0)
      combine<on>(walk, with, rows, part, numbers, out, stride);
    else if (from + part < depth)
      combine<Start::out>(walk, with, rows, part, numbers, out, stride);
    else
      combine<last>(walk, with, rows, part, numbers, out, stride);
  });
}

}  // namespace detail

/// Rows of W^l that are copied out side by side before many tiles are multiplied with them: in a wide layer they lie
/// pages apart.
inline constexpr Index packed_rows = 48;

/// Whether a layer's rows are packed for a single tile, too: where its weights do not stay in L2, so that the lines in
/// which the next rows begin would be fetched again with those.
template <class Scalar>
constexpr bool worth_packing(Index n_out, Index n_in) {
  return n_out >= 256 && n_out * n_in > (Index(3) << 19) / static_cast<Index>(sizeof(Scalar));
}

/// Copies `rows` <= packed_rows rows of W (n_out, n_in) column-major, beginning at `W`, to (packed_rows, n_in).
template <class Scalar>
void pack_rows(const Scalar* W, Index n_out, Index n_in, Index rows, Scalar* packed) {
  for (Index k = 0; k < n_in; ++k, W += n_out, packed += packed_rows) {
    if (rows == packed_rows)
      std::memcpy(packed, W, packed_rows * sizeof(Scalar));
    else
      std::memcpy(packed, W, static_cast<std::size_t>(rows) * sizeof(Scalar));
  }
}

/// out = W in + bias, or slope o W in, for some rows of W, as `affine_samples` and `pull_samples` compute them: bit for
/// bit the same. bias may be null, and one of bias and slope is. slope is laid out as `out` is. With `resume`, `out`
/// holds what came of smaller k, and the chains go on.
template <class Scalar>
void combine_rows(const Walk<Scalar>& W, const Scalar* bias, const Scalar* slope, bool resume, Index rows, Index depth,
                  const Scalar* in, Scalar* out, Index stride) {
  using detail::combine, detail::Start;
  if (slope && resume) return combine<Start::out_scaled>(W, slope, rows, depth, in, out, stride);
  if (slope) return combine<Start::zero_scaled>(W, slope, rows, depth, in, out, stride);
  if (resume) return combine<Start::out>(W, bias, rows, depth, in, out, stride);
  if (bias) return combine<Start::bias>(W, bias, rows, depth, in, out, stride);
  combine<Start::zero>(W, bias, rows, depth, in, out, stride);
}

/// z = W a + b over sample lanes. (F1)
/// W (n_out, n_in) column-major, a (n_in, stride), z (n_out, stride); stride is a multiple of `padding`. z overlaps no
/// input.
template <class Scalar>
void affine_samples(const Scalar* W, const Scalar* b, Index n_out, Index n_in, const Scalar* a, Scalar* z,
                    Index stride) {
  detail::combine_in_parts<detail::Start::bias>(Walk<Scalar>{W, 1, n_out}, b, n_out, n_in, a, z, stride);
}

/// out = W^T delta over sample lanes (BP5) or, where slope is not null, out = slope o W^T delta (BP2).
/// W (n_out, n_in) column-major, delta (n_out, stride), slope and out (n_in, stride). out overlaps no input,
/// but may be slope itself where n_out is at most `depth_in_l1`.
template <class Scalar>
void pull_samples(const Scalar* W, Index n_out, Index n_in, const Scalar* delta, const Scalar* slope, Scalar* out,
                  Index stride) {
  using detail::combine_in_parts, detail::Start;
  const Walk<Scalar> walk{W, n_out, 1};
  if (slope) return combine_in_parts<Start::zero_scaled>(walk, slope, n_in, n_out, delta, out, stride);
  combine_in_parts<Start::zero>(walk, slope, n_in, n_out, delta, out, stride);
}

}  // namespace bpnet::engine
