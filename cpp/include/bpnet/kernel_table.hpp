/// Fills the engine's table with the rows of activations, costs and optimizer rules, and finds the table in use.
///
/// In a program that includes the headers, that is the table compiled at the program's own flags. Where
/// BPNET_EXTERNAL_KERNELS is defined (the Python extension), the program supplies `external_tables` with one from
/// elsewhere.
#pragma once

#include "bpnet/cost.hpp"
#include "bpnet/engine/kernels.hpp"

namespace bpnet {

template <class Scalar>
using Kernels = engine::Kernels<Scalar, costs::OutputArrays<Scalar>>;

/// The rules of `Kernels::updates`.
enum class Rule { plain, momentum, nesterov, rmsprop, adam };
using UpdateRules =
    engine::List<engine::PlainStep, engine::MomentumStep, engine::NesterovStep, engine::RmsPropStep, engine::AdamStep>;

/// The name of the level this file is compiled for.
constexpr const char* compiled_level() {
#if defined(__AVX512F__)
  return "v4";
#elif defined(__AVX2__) && defined(__FMA__)
  return "v3";
#elif defined(__aarch64__)
  return "neon";
#else
  return "baseline";
#endif
}

namespace detail {

template <class Row, class Scalar>
constexpr engine::ActivationKernels<Scalar> activation_kernels() {
  if constexpr (std::is_same_v<Row, activations::Softmax>) {
    return {nullptr, nullptr, nullptr, &engine::map_logs<Row, Scalar>};
  } else {
    engine::ActivationKernels<Scalar> k{&engine::map_value<Row, Scalar>, &engine::map_value_slope<Row, Scalar>, nullptr,
                                        nullptr};
    if constexpr (Row::has_tail) k.tail = &engine::map_tail<Row, Scalar>;
    if constexpr (Row::low >= 0) k.logs = &engine::map_logs<Row, Scalar>;
    return k;
  }
}

template <class Scalar>
inline constexpr auto activation_rows = activations::Activations::map([](auto tag) {
  return activation_kernels<typename decltype(tag)::type, Scalar>();
});

template <class Scalar>
inline constexpr auto cost_rows = costs::Costs::map([](auto tag) {
  return static_cast<void (*)(const costs::OutputArrays<Scalar>&, Scalar, Index)>(
      &costs::map_cost<typename decltype(tag)::type, Scalar>);
});

template <class Scalar>
inline constexpr auto update_rows = UpdateRules::map([](auto tag) {
  return static_cast<void (*)(const engine::Update<Scalar>&, const engine::UpdateArrays<Scalar>&)>(
      &engine::update<typename decltype(tag)::type, Scalar>);
});

}  // namespace detail

/// The table of this translation unit's own flags.
template <class Scalar>
constexpr Kernels<Scalar> compiled_kernels() {
  using namespace engine;
  return {compiled_level(),
          has_fma,
          static_cast<int>(Lanes<Scalar>::size),
          &affine_samples<Scalar>,
          &pull_samples<Scalar>,
          &affine_units<Scalar>,
          &affine_one<Scalar>,
          &pull_units<Scalar>,
          &pack_rows<Scalar>,
          &combine_rows<Scalar>,
          &outer_rows<Scalar>,
          &step_rows<Scalar>,
          &outer_samples<Scalar>,
          &outer_turned<Scalar>,
          &outer_folded<Scalar>,
          &outer_folded_rows<Scalar>,
          &sum_rows<Scalar>,
          &sum_samples<Scalar>,
          &gather<Scalar>,
          &to_lanes<Scalar>,
          &to_lanes_apart<Scalar>,
          &to_rows<Scalar>,
          &to_panels<Scalar>,
          Block<Scalar>::panel,
          &all_finite<Scalar>,
          &largest<Scalar>,
          &multiply<Scalar>,
          &scale_samples<Scalar>,
          &sum_units<Scalar>,
          &standardise<Scalar>,
          &softmax<Scalar>,
          &softmax_pull<Scalar>,
          &softmax_cross_entropy_delta<Scalar>,
          &engine::add<Scalar>,
          &engine::permute,
          bpnet::detail::activation_rows<Scalar>.data(),
          bpnet::detail::cost_rows<Scalar>.data(),
          bpnet::detail::update_rows<Scalar>.data()};
}

/// The functions that costs are made of and the root that optimizers take, by name, for the tables of accuracy.
namespace functions {
struct Exp {
  static constexpr const char* name = "exp";
  template <class L>
  static L value(L x) {
    return exp(x);
  }
};
struct Expm1 {
  static constexpr const char* name = "expm1";
  template <class L>
  static L value(L x) {
    return expm1(x);
  }
};
struct Log {
  static constexpr const char* name = "log";
  template <class L>
  static L value(L x) {
    return log(x);
  }
};
struct Log1p {
  static constexpr const char* name = "log1p";
  template <class L>
  static L value(L x) {
    return log1p(x);
  }
};
struct Sqrt {
  static constexpr const char* name = "sqrt";
  template <class L>
  static L value(L x) {
    return engine::sqrt_by_steps(x);
  }
};
using Functions = engine::List<Exp, Expm1, Log, Log1p, Sqrt>;
}  // namespace functions

template <class Scalar>
struct NamedFunction {
  const char* name;
  void (*value)(const Scalar*, Scalar*, Index count);
};
template <class Scalar>
inline constexpr auto function_rows = functions::Functions::map([](auto tag) {
  using T = typename decltype(tag)::type;
  return NamedFunction<Scalar>{T::name, &engine::map_value<T, Scalar>};
});

/// What one compiled level exports.
struct EngineTables {
  std::size_t bytes = sizeof(EngineTables);  ///< first, so that an engine of another build is known by it
  Kernels<float> float32;
  Kernels<double> float64;
  std::array<NamedFunction<float>, functions::Functions::size> functions32;
  std::array<NamedFunction<double>, functions::Functions::size> functions64;
};
inline constexpr EngineTables compiled_tables() {
  return {sizeof(EngineTables), compiled_kernels<float>(), compiled_kernels<double>(), function_rows<float>,
          function_rows<double>};
}

#if defined(BPNET_EXTERNAL_KERNELS)
/// Set once, before any network exists.
inline const EngineTables* external_tables = nullptr;

template <class Scalar>
const Kernels<Scalar>& kernels() {
  if constexpr (std::is_same_v<Scalar, float>)
    return external_tables->float32;
  else
    return external_tables->float64;
}
#else
template <class Scalar>
const Kernels<Scalar>& kernels() {
  static constexpr Kernels<Scalar> table = compiled_kernels<Scalar>();
  return table;
}
#endif

}  // namespace bpnet
