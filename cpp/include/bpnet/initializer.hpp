/// Initial weights and biases: the schemes by name, each a pure function of (numbers, shape, seed, stream).
///
/// A scheme computes in double and rounds once to the network's type. The bits are the same on every processor.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "bpnet/engine/elementary.hpp"
#include "bpnet/engine/threads.hpp"
#include "bpnet/orthonormal.hpp"
#include "bpnet/random.hpp"
#include "bpnet/types.hpp"

namespace bpnet {

enum class InitScheme {
  GlorotUniform,
  GlorotNormal,
  HeUniform,
  HeNormal,
  LecunUniform,
  LecunNormal,
  Orthogonal,
  NguyenWidrow,
  Normal,
  Uniform,
  Zeros,
  Constant
};

/// A scheme with its numbers: (gain) of orthogonal, (mean, std) of normal, (low, high) of uniform, (value) of constant.
struct Initializer {
  InitScheme scheme = InitScheme::GlorotUniform;
  double first = 0;
  double second = 0;

  friend bool operator==(const Initializer&, const Initializer&) = default;
};

/// Elements drawn each by itself: origin + scale * draw.
struct ElementLaw {
  enum class Draw { None, Uniform, Normal };
  Draw draw;
  double origin;
  double scale;
};

// ---- the schemes ----------------------------------------------------------------------------------------------------

namespace init {

inline ElementLaw uniform_of_variance(double variance) {
  const double limit = std::sqrt(3 * variance);
  return {ElementLaw::Draw::Uniform, -limit, 2 * limit};
}
inline ElementLaw normal_of_variance(double variance) { return {ElementLaw::Draw::Normal, 0, std::sqrt(variance)}; }

// X. Glorot, Y. Bengio, AISTATS 2010.
inline ElementLaw glorot_uniform(const Initializer&, double n_out, double n_in) {
  return uniform_of_variance(2 / (n_in + n_out));
}
inline ElementLaw glorot_normal(const Initializer&, double n_out, double n_in) {
  return normal_of_variance(2 / (n_in + n_out));
}

// K. He, X. Zhang, S. Ren, J. Sun, ICCV 2015.
inline ElementLaw he_uniform(const Initializer&, double, double n_in) { return uniform_of_variance(2 / n_in); }
inline ElementLaw he_normal(const Initializer&, double, double n_in) { return normal_of_variance(2 / n_in); }

// Y. LeCun et al., "Efficient BackProp", 1998.
inline ElementLaw lecun_uniform(const Initializer&, double, double n_in) { return uniform_of_variance(1 / n_in); }
inline ElementLaw lecun_normal(const Initializer&, double, double n_in) { return normal_of_variance(1 / n_in); }

inline ElementLaw normal(const Initializer& by, double, double) {
  return {ElementLaw::Draw::Normal, by.first, by.second};
}
inline ElementLaw uniform(const Initializer& by, double, double) {
  return {ElementLaw::Draw::Uniform, by.first, by.second - by.first};
}
inline ElementLaw zeros(const Initializer&, double, double) { return {ElementLaw::Draw::None, 0, 0}; }
inline ElementLaw constant(const Initializer& by, double, double) { return {ElementLaw::Draw::None, by.first, 0}; }

/// beta = 0.7 n_out^(1/n_in) of D. Nguyen, B. Widrow, "Improving the learning speed of 2-layer neural networks", 1990.
inline double nguyen_widrow_beta(double n_out, double n_in) {
  using Single = engine::Single<double>;
  return 0.7 * engine::exp(Single(engine::log(Single(n_out)).v / n_in)).v;
}
inline ElementLaw nguyen_widrow_biases(const Initializer&, double n_out, double n_in) {
  const double beta = nguyen_widrow_beta(n_out, n_in);
  return {ElementLaw::Draw::Uniform, -beta, 2 * beta};
}
/// Rows uniform in (-1, 1), each scaled to the norm beta.
inline void nguyen_widrow_weights(const Initializer&, Index n_out, Index n_in, const RandomStream& stream, double* W,
                                  const engine::Checkpoint& checkpoint) {
  engine::with_checkpoints(n_out * n_in, draw_work, checkpoint, [&](Index begin, Index end) {
    stream.uniforms(static_cast<std::uint64_t>(begin), static_cast<std::uint64_t>(end - begin), W + begin);
  });
  std::vector<double> scale = detail::zeros(n_out, checkpoint);
  const auto rows = [&](double work, const auto& row) {
    engine::with_checkpoints(n_out, work, checkpoint, [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) row(i, scale[static_cast<std::size_t>(i)]);
    });
  };
  for (Index j = 0; j < n_in; ++j)
    rows(2, [column = W + j * n_out](Index i, double& s) {
      column[i] = 2 * column[i] - 1;
      s += column[i] * column[i];
    });
  const double beta = nguyen_widrow_beta(static_cast<double>(n_out), static_cast<double>(n_in));
  rows(20, [beta](Index, double& s) { s = s > 0 ? beta / std::sqrt(s) : 0; });
  for (Index j = 0; j < n_in; ++j) rows(1, [column = W + j * n_out](Index i, double s) { column[i] *= s; });
}

/// gain times a random matrix whose rows or columns, whichever are fewer, are orthonormal (A. Saxe, J. McClelland,
/// S. Ganguli, 2013).
inline void orthogonal_weights(const Initializer& by, Index n_out, Index n_in, const RandomStream& stream, double* W,
                               const engine::Checkpoint& checkpoint) {
  const bool by_rows = n_out < n_in;
  const Index count = by_rows ? n_out : n_in, length = by_rows ? n_in : n_out;
  const Index next_vector = by_rows ? 1 : n_out, next_element = by_rows ? n_out : 1;
  OrthonormalVectors(stream, count, length, checkpoint).for_each([&](Index v, const double* q) {
    engine::with_checkpoints(length, 1, checkpoint, [&](Index begin, Index end) {
      for (Index e = begin; e < end; ++e) W[v * next_vector + e * next_element] = by.first * q[e];
    });
  });
}

}  // namespace init

/// One row a scheme: its name, its numbers with their defaults, and its function. `elements` draws weights and biases,
/// unless `weights` fills the whole matrix; then `elements` is for the biases, and where it is missing they have none.
struct InitSchemeRow {
  std::string_view name;
  InitScheme scheme;
  std::array<std::string_view, 2> numbers;
  double first;
  double second;
  ElementLaw (*elements)(const Initializer&, double n_out, double n_in);
  void (*weights)(const Initializer&, Index n_out, Index n_in, const RandomStream&, double* W,
                  const engine::Checkpoint&) = nullptr;
};

inline constexpr std::array init_schemes{
    InitSchemeRow{"glorot_uniform", InitScheme::GlorotUniform, {}, 0, 0, init::glorot_uniform},
    InitSchemeRow{"glorot_normal", InitScheme::GlorotNormal, {}, 0, 0, init::glorot_normal},
    InitSchemeRow{"he_uniform", InitScheme::HeUniform, {}, 0, 0, init::he_uniform},
    InitSchemeRow{"he_normal", InitScheme::HeNormal, {}, 0, 0, init::he_normal},
    InitSchemeRow{"lecun_uniform", InitScheme::LecunUniform, {}, 0, 0, init::lecun_uniform},
    InitSchemeRow{"lecun_normal", InitScheme::LecunNormal, {}, 0, 0, init::lecun_normal},
    InitSchemeRow{"orthogonal", InitScheme::Orthogonal, {"gain"}, 1, 0, nullptr, init::orthogonal_weights},
    InitSchemeRow{
        "nguyen_widrow", InitScheme::NguyenWidrow, {}, 0, 0, init::nguyen_widrow_biases, init::nguyen_widrow_weights},
    InitSchemeRow{"normal", InitScheme::Normal, {"mean", "std"}, 0, 1, init::normal},
    InitSchemeRow{"uniform", InitScheme::Uniform, {"low", "high"}, -0.05, 0.05, init::uniform},
    InitSchemeRow{"zeros", InitScheme::Zeros, {}, 0, 0, init::zeros},
    InitSchemeRow{"constant", InitScheme::Constant, {"value"}, 0, 0, init::constant},
};

inline const InitSchemeRow& init_scheme_row(InitScheme scheme) {
  for (const InitSchemeRow& row : init_schemes)
    if (row.scheme == scheme) return row;
  throw std::invalid_argument("not an InitScheme");
}

/// The scheme of this name with its default numbers. Throws std::invalid_argument for an unknown name ("auto" is a
/// rule, not a scheme: see `automatic_initializer`).
inline Initializer initializer_named(std::string_view name) {
  std::string known;
  for (const InitSchemeRow& row : init_schemes) {
    if (row.name == name) return {row.scheme, row.first, row.second};
    known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  throw std::invalid_argument("unknown initializer '" + std::string(name) + "'; known are " + known);
}

/// The scheme that suits a layer's activation.
inline Initializer automatic_initializer(std::string_view activation_name) {
  constexpr std::array<std::string_view, 7> rectifiers{"relu", "leaky_relu", "elu", "gelu", "silu", "mish", "softplus"};
  if (std::ranges::find(rectifiers, activation_name) != rectifiers.end()) return {InitScheme::HeNormal};
  // keeps mean 0 and variance 1 (G. Klambauer et al. 2017)
  if (activation_name == "selu") return {InitScheme::LecunNormal};
  // the limit sqrt(6 / n_in) of V. Sitzmann et al. 2020
  if (activation_name == "sine") return {InitScheme::HeUniform};
  return {InitScheme::GlorotUniform};
}

/// What a scheme of weights prescribes for the biases where the caller does not say: zeros, but for nguyen_widrow.
inline Initializer default_bias_initializer(const Initializer& weights) {
  if (weights.scheme == InitScheme::NguyenWidrow) return weights;
  return {InitScheme::Zeros};
}

// ---- checks ---------------------------------------------------------------------------------------------------------

namespace init {

inline std::string number(double x) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.9g", x);
  return text.data();
}

inline void check_shape(Index n_out, Index n_in) {
  if (n_out < 1 || n_in < 1)
    throw std::invalid_argument("a layer of " + std::to_string(n_in) + " inputs and " + std::to_string(n_out) +
                                " outputs cannot be initialized: both must be at least 1");
}

}  // namespace init

/// Throws std::invalid_argument for a number that is not finite, a negative std, or low > high.
inline void check_initializer(const Initializer& by) {
  const InitSchemeRow& row = init_scheme_row(by.scheme);
  const std::string name(row.name);
  const std::array<double, 2> values{by.first, by.second};
  for (std::size_t k = 0; k < values.size(); ++k)
    if (!row.numbers[k].empty() && !std::isfinite(values[k]))
      throw std::invalid_argument(name + ": " + std::string(row.numbers[k]) + " must be finite, but is " +
                                  init::number(values[k]));
  if (by.scheme == InitScheme::Normal && by.second < 0)
    throw std::invalid_argument(name + ": std must not be negative, but is " + init::number(by.second));
  if (by.scheme == InitScheme::Uniform && by.first > by.second)
    throw std::invalid_argument(name + ": low is " + init::number(by.first) + ", above high, which is " +
                                init::number(by.second));
  if (by.scheme == InitScheme::Uniform && !std::isfinite(by.second - by.first))
    throw std::invalid_argument(name + ": high - low must be finite");
}

// ---- filling --------------------------------------------------------------------------------------------------------

namespace init {

/// to[k] = the k-th number of the law, rounded once.
template <class Scalar>
void fill(const ElementLaw& law, const RandomStream& stream, Index count, Scalar* to,
          const engine::Checkpoint& checkpoint) {
  constexpr Index chunk = 256;
  std::array<double, chunk> draws{};
  for (Index first = 0; first < count; first += chunk) {
    const Index n = std::min(chunk, count - first);
    const auto from = static_cast<std::uint64_t>(first), size = static_cast<std::uint64_t>(n);
    if (law.draw == ElementLaw::Draw::Uniform) stream.uniforms(from, size, draws.data());
    if (law.draw == ElementLaw::Draw::Normal) stream.normals(from, size, draws.data());
    for (Index k = 0; k < n; ++k)
      to[first + k] = static_cast<Scalar>(law.origin + law.scale * draws[static_cast<std::size_t>(k)]);
    checkpoint(draw_work * static_cast<double>(n));
  }
}

}  // namespace init

/// Fills W (n_out, n_in), column-major, from the stream of (seed, stream).
/// Throws std::invalid_argument as `check_initializer` does, and for a shape below 1 x 1; W is then untouched. Where
/// the checkpoint throws, it is partly filled.
template <class Scalar>
void initialize(const Initializer& by, Index n_out, Index n_in, std::uint64_t seed, std::uint64_t stream, Scalar* W,
                const engine::Checkpoint& checkpoint = engine::undisturbed) {
  check_initializer(by);
  init::check_shape(n_out, n_in);
  const InitSchemeRow& row = init_scheme_row(by.scheme);
  const RandomStream numbers(seed, stream);
  if (row.weights == nullptr) {
    init::fill(row.elements(by, static_cast<double>(n_out), static_cast<double>(n_in)), numbers, n_out * n_in, W,
               checkpoint);
  } else if constexpr (std::is_same_v<Scalar, double>) {
    row.weights(by, n_out, n_in, numbers, W, checkpoint);
  } else {
    std::vector<double> exact = detail::zeros(n_out * n_in, checkpoint);
    row.weights(by, n_out, n_in, numbers, exact.data(), checkpoint);
    engine::with_checkpoints(n_out * n_in, 1, checkpoint, [&](Index begin, Index end) {
      std::transform(exact.data() + begin, exact.data() + end, W + begin,
                     [](double w) { return static_cast<Scalar>(w); });
    });
  }
}

/// Fills b (n_out) of a layer with n_in inputs: a scheme that goes by the shape takes that of the layer's weights.
/// Throws std::invalid_argument as `initialize` does, and for orthogonal, which has no biases.
template <class Scalar>
void initialize_biases(const Initializer& by, Index n_out, Index n_in, std::uint64_t seed, std::uint64_t stream,
                       Scalar* b, const engine::Checkpoint& checkpoint = engine::undisturbed) {
  check_initializer(by);
  init::check_shape(n_out, n_in);
  const InitSchemeRow& row = init_scheme_row(by.scheme);
  if (row.elements == nullptr) throw std::invalid_argument(std::string(row.name) + " is for weights, not for biases");
  init::fill(row.elements(by, static_cast<double>(n_out), static_cast<double>(n_in)), RandomStream(seed, stream), n_out,
             b, checkpoint);
}

}  // namespace bpnet
