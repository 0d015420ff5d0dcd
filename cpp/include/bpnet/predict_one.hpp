/// One sample from x to y: every weight is touched once, and there is no tile, no lock, no allocation and no exception.
/// The operations and their order are those of `forward_tile`, so the bits are the same.
#pragma once

#include <array>
#include <cmath>

#include "bpnet/model.hpp"

namespace bpnet {

namespace detail {

/// Layers of at most so many units find their scratch on the stack; the small ones without touching new pages of it.
inline constexpr Index widest_on_stack = 2048, widest_nearby = 128;

/// y of x, scratch: twice padded(widest) numbers, aligned to 64 bytes.
template <class Scalar>
void predict_one(const Model<Scalar>& net, const Scalar* x, Scalar* out, Scalar* scratch) noexcept {
  const auto& k = kernels<Scalar>();
  const auto& normal = net.normalization();
  Scalar *to = scratch, *other = scratch + engine::padded(net.widest());
  const Scalar* a = x;
  if (normal.of_input()) {
    std::copy_n(x, net.n_inputs(), to);
    k.standardise(engine::Layout::unit_lanes, to, net.n_inputs(), 1, engine::padded(net.n_inputs()),
                  normal.pointer(normal.input_shift), normal.pointer(normal.input_scale));
    a = std::exchange(to, std::exchange(other, to));
  }
  for (Index l = 1; l <= net.depth(); ++l) {
    const Index n = net.size(l);
    const Activation f = net.activation(l);
    if (l == net.depth() && engine::padded(n) == n) to = out;                // kernels fill whole registers
    k.affine_one(net.weights(l), net.biases(l), n, net.size(l - 1), a, to);  // (F1)
    if (f.is_softmax())
      k.softmax(engine::Layout::unit_lanes, to, to, nullptr, nullptr, n, 1, engine::padded(n));
    else if (!f.is_identity())
      k.activations[f.index()].value(to, to, engine::padded(n));  // (F2)
    a = std::exchange(to, std::exchange(other, to));
  }
  if (a != out) std::copy_n(a, net.n_outputs(), out);
  if (normal.of_output()) restore_outputs(net, out);
}

template <Index widest, class Scalar>
[[gnu::noinline]] void predict_one_on_stack(const Model<Scalar>& net, const Scalar* x, Scalar* out) noexcept {
  alignas(64) std::array<Scalar, 2 * widest> scratch;
  predict_one(net, x, out, scratch.data());
}

}  // namespace detail

/// y = a^L of one sample x, back in raw units. (F1), (F2)
/// x: n_0 numbers; out: n_L numbers, which overlap neither x nor the parameters. A network with a layer of more than
/// 2048 units takes its scratch from the heap the first time a thread comes here, and ends the program if there is
/// none.
template <class Scalar>
void predict_one(const Model<Scalar>& net, const Scalar* x, Scalar* out) noexcept {
  if (net.widest() <= detail::widest_nearby) return detail::predict_one_on_stack<detail::widest_nearby>(net, x, out);
  if (net.widest() <= detail::widest_on_stack)
    return detail::predict_one_on_stack<detail::widest_on_stack>(net, x, out);
  thread_local AlignedBuffer<Scalar> scratch;
  scratch.reserve(2 * engine::padded(net.widest()));
  detail::predict_one(net, x, out, scratch.data());
}

}  // namespace bpnet
