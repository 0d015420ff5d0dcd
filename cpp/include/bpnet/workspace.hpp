/// Scratch for one tile on its way through a network. One a thread, reused: nothing is allocated after the first call
/// with a network's shape, and nothing grows with the batch.
#pragma once

#include <array>

#include "bpnet/layout.hpp"
#include "bpnet/parameters.hpp"

namespace bpnet {

/// One tile's numbers, by the names of the equations. Every array is a tile in the tape's layout unless said otherwise.
template <class Scalar>
class Workspace {
 public:
  /// Makes room for a network of these sizes. `shape` is a number that no other shape has.
  void prepare(std::uint64_t shape, const std::vector<Index>& sizes) {
    if (shape == shape_) return;
    const auto room = [](Index n) { return engine::padded(n) * engine::tile_samples; };
    Index widest = 0, total = 0;
    for (const Index n : sizes) {
      widest = std::max(widest, n);
      total += 2 * room(n);
    }
    const Index outputs = room(sizes.back());
    const Index panels_room = engine::panels_room(widest, engine::tile_samples);
    total += 2 * room(widest) + panels_room + 8 * outputs + 2 * engine::tile_samples;
    memory_.reserve(total);
    a_.resize(sizes.size());
    slope_.resize(sizes.size());
    Scalar* next = memory_.data();
    const auto take = [&](Index n) { return std::exchange(next, next + n); };
    for (std::size_t l = 0; l < sizes.size(); ++l) {
      a_[l] = take(room(sizes[l]));
      slope_[l] = take(room(sizes[l]));
    }
    delta = take(room(widest));
    pulled = take(room(widest));
    panels = take(panels_room);
    for (Scalar** array : {&y, &tail, &logs.value, &logs.slope, &logs.rest, &logs.rest_slope, &cost, &grad})
      *array = take(outputs);
    for (Scalar** array : {&sample_cost, &sample_scale}) *array = take(engine::tile_samples);
    quicker.prepare(sizes);
    shape_ = shape;
  }

  Scalar* a(Index l) const { return a_[static_cast<std::size_t>(l)]; }          ///< a^l; a(0) is x as layer 1 sees it
  Scalar* slope(Index l) const { return slope_[static_cast<std::size_t>(l)]; }  ///< f'(z^l)

  LayoutChoice<Scalar> quicker;  ///< layout of a tile of this shape
  engine::Layout layout = engine::Layout::sample_lanes;
  Index m = 0;                                                 ///< samples in the tile
  std::array<Index, engine::tile_samples> indices{};           ///< their numbers in the caller's arrays
  bool consecutive = false;                                    ///< each number is one more than that before it
  std::array<const Scalar*, engine::tile_samples> inputs{};    ///< their rows of x, where `in_place`
  std::array<const Scalar*, engine::tile_samples> pointers{};  ///< rows of some a^l in unit lanes
  bool in_place = false;                                       ///< in unit lanes, x is read where the caller has it

  Scalar *delta = nullptr, *pulled = nullptr;  ///< z^L, then delta^l; (W^l)^T delta^l
  Scalar* panels = nullptr;                    ///< delta^l as the weight gradient reads it
  // Of the outputs; of these, as of a^L and f'(z^L) on the way to delta^L, all but grad hold one part at a time.
  Scalar *y = nullptr, *tail = nullptr, *cost = nullptr, *grad = nullptr;
  engine::LogArrays<Scalar> logs{};
  Scalar *sample_cost = nullptr, *sample_scale = nullptr;  ///< one number a sample

 private:
  std::uint64_t shape_ = 0;
  AlignedBuffer<Scalar> memory_;
  std::vector<Scalar*> a_, slope_;
};

/// A workspace of this thread's own, for as long as the lease lives. A call that is made from inside another (a custom
/// cost that predicts) gets the next one.
template <class Scalar>
class WorkspaceLease {
 public:
  WorkspaceLease(std::uint64_t shape, const std::vector<Index>& sizes) : stack_(stack()) {
    if (stack_.depth == stack_.all.size()) stack_.all.push_back(std::make_unique<Workspace<Scalar>>());
    workspace_ = stack_.all[stack_.depth].get();
    workspace_->prepare(shape, sizes);
    ++stack_.depth;
  }
  WorkspaceLease(const WorkspaceLease&) = delete;
  WorkspaceLease& operator=(const WorkspaceLease&) = delete;
  ~WorkspaceLease() { --stack_.depth; }

  Workspace<Scalar>& operator*() const { return *workspace_; }

 private:
  struct Stack {
    std::vector<std::unique_ptr<Workspace<Scalar>>> all;
    std::size_t depth = 0;
  };
  static Stack& stack() {
    thread_local Stack mine;
    return mine;
  }

  Stack& stack_;
  Workspace<Scalar>* workspace_;
};

}  // namespace bpnet
