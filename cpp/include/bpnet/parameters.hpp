/// All weights and biases in one flat vector: W^1 column-major, b^1, W^2, b^2, ...
#pragma once

#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <vector>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "bpnet/engine/threads.hpp"
#include "bpnet/engine/tile.hpp"
#include "bpnet/error.hpp"

namespace bpnet {

/// Zeroed, 64-byte aligned memory for n numbers, with `engine::slack` more behind them that may be read.
template <class Scalar>
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  /// The checkpoint comes while the memory is zeroed: the system takes its time to give much of it.
  explicit AlignedBuffer(Index n, const engine::Checkpoint& checkpoint = engine::undisturbed)
      : size_(n), data_(allocate(n, checkpoint)) {}
  AlignedBuffer(const AlignedBuffer& other) : AlignedBuffer(other.size_) {
    if (size_ > 0) std::memcpy(data(), other.data(), bytes(size_));
  }
  AlignedBuffer(AlignedBuffer&& other) noexcept : size_(std::exchange(other.size_, 0)), data_(std::move(other.data_)) {}
  AlignedBuffer& operator=(AlignedBuffer other) noexcept {
    size_ = other.size_;
    data_ = std::move(other.data_);
    return *this;
  }

  Scalar* data() { return data_.get(); }
  const Scalar* data() const { return data_.get(); }
  Index size() const { return size_; }
  /// At least n numbers; what was there is lost if it has to grow.
  void reserve(Index n) {
    if (n > size_) *this = AlignedBuffer(n);
  }

 private:
  struct Free {
    std::size_t alignment = 64;
    void operator()(Scalar* data) const { ::operator delete (data, std::align_val_t{alignment}); }
  };
  static std::size_t bytes(Index n) { return static_cast<std::size_t>(n) * sizeof(Scalar); }
  static std::unique_ptr<Scalar, Free> allocate(Index n, const engine::Checkpoint& checkpoint) {
    constexpr std::size_t huge_page = 2 << 20;
    const std::size_t size = bytes(n + engine::slack), alignment = size >= 2 * huge_page ? huge_page : 64;
    auto* data = static_cast<Scalar*>(::operator new (size, std::align_val_t{alignment}));
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (alignment == huge_page) ::madvise(data, size, MADV_HUGEPAGE);  // a wish: wide layers walk many pages at once
#endif
    std::unique_ptr<Scalar, Free> owned(data, Free{alignment});
    engine::with_checkpoints(n + engine::slack, 1, checkpoint,
                             [&](Index begin, Index end) { std::memset(data + begin, 0, bytes(end - begin)); });
    return owned;
  }

  Index size_ = 0;
  std::unique_ptr<Scalar, Free> data_;
};

/// Where each layer's weights and biases lie in the flat vector.
class ParameterLayout {
 public:
  /// sizes n_0..n_L, at least two, all positive. std::invalid_argument otherwise, or where the count overflows.
  explicit ParameterLayout(const std::vector<Index>& sizes) {
    if (sizes.size() < 2) throw std::invalid_argument("sizes needs an input and at least one layer, such as {2, 1}");
    constexpr Index most = std::numeric_limits<Index>::max() / 64;
    for (std::size_t l = 0; l < sizes.size(); ++l) {
      if (sizes[l] < 1)
        throw std::invalid_argument("sizes[" + std::to_string(l) + "] is " + std::to_string(sizes[l]) +
                                    ", but a layer has at least 1 unit");
      if (l == 0) continue;
      if (sizes[l - 1] >= most / sizes[l] || total_ > most - sizes[l] * (sizes[l - 1] + 1))
        throw std::invalid_argument("sizes are too large: the number of parameters overflows");
      weights_.push_back(total_);
      biases_.push_back(total_ + sizes[l] * sizes[l - 1]);
      total_ += sizes[l] * (sizes[l - 1] + 1);
    }
  }
  Index total() const { return total_; }
  Index W(Index l) const { return weights_[static_cast<std::size_t>(l - 1)]; }
  Index b(Index l) const { return biases_[static_cast<std::size_t>(l - 1)]; }

 private:
  Index total_ = 0;
  std::vector<Index> weights_, biases_;
};

}  // namespace bpnet
