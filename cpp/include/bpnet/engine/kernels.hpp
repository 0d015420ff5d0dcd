/// The table through which everything hot is reached. One is compiled for each instruction-set level; who uses it
/// neither knows nor cares which. Rows of activations, costs and optimizers are numbered; their names live above.
#pragma once

#include "bpnet/engine/elementwise.hpp"
#include "bpnet/engine/folded.hpp"
#include "bpnet/engine/gather.hpp"
#include "bpnet/engine/gradient.hpp"
#include "bpnet/engine/grid.hpp"
#include "bpnet/engine/product.hpp"
#include "bpnet/engine/softmax.hpp"
#include "bpnet/engine/unit_product.hpp"
#include "bpnet/engine/units.hpp"
#include "bpnet/engine/update.hpp"

namespace bpnet::engine {

template <class Scalar>
struct ActivationKernels {
  void (*value)(const Scalar* z, Scalar* a, Index count) = nullptr;
  void (*value_slope)(const Scalar* z, Scalar* a, Scalar* slope, Index count) = nullptr;
  void (*tail)(const Scalar* z, const Scalar* a, const Scalar* slope, Scalar* tail,
               Index count) = nullptr;  ///< null: zero everywhere
  void (*logs)(const Scalar* z, const Scalar* a, const Scalar* slope, const LogArrays<Scalar>&, Index count) = nullptr;
};

/// `CostArrays` is the plain struct of one tile's outputs that the costs take.
template <class Scalar, class CostArrays>
struct Kernels {
  const char* level;
  bool fma;
  int lanes;

  decltype(&engine::affine_samples<Scalar>) affine_samples;
  decltype(&engine::pull_samples<Scalar>) pull_samples;
  decltype(&engine::affine_units<Scalar>) affine_units;
  decltype(&engine::affine_one<Scalar>) affine_one;
  decltype(&engine::pull_units<Scalar>) pull_units;
  decltype(&engine::pack_rows<Scalar>) pack_rows;
  decltype(&engine::combine_rows<Scalar>) combine_rows;
  decltype(&engine::outer_rows<Scalar>) outer_rows;
  decltype(&engine::step_rows<Scalar>) step_rows;
  decltype(&engine::outer_samples<Scalar>) outer_samples;
  decltype(&engine::outer_turned<Scalar>) outer_turned;
  decltype(&engine::outer_folded<Scalar>) outer_folded;
  decltype(&engine::outer_folded_rows<Scalar>) outer_folded_rows;
  decltype(&engine::sum_rows<Scalar>) sum_rows;
  decltype(&engine::sum_samples<Scalar>) sum_samples;

  decltype(&engine::gather<Scalar>) gather;
  decltype(&engine::to_lanes<Scalar>) to_lanes;
  decltype(&engine::to_lanes_apart<Scalar>) to_lanes_apart;
  decltype(&engine::to_rows<Scalar>) to_rows;
  decltype(&engine::to_panels<Scalar>) to_panels;
  Index panel;  ///< Block::panel of the level
  decltype(&engine::all_finite<Scalar>) all_finite;
  decltype(&engine::largest<Scalar>) largest;

  decltype(&engine::multiply<Scalar>) multiply;
  decltype(&engine::scale_samples<Scalar>) scale_samples;
  decltype(&engine::sum_units<Scalar>) sum_units;
  decltype(&engine::standardise<Scalar>) standardise;
  decltype(&engine::softmax<Scalar>) softmax;
  decltype(&engine::softmax_pull<Scalar>) softmax_pull;
  decltype(&engine::softmax_cross_entropy_delta<Scalar>) softmax_cross_entropy_delta;
  decltype(&engine::add<Scalar>) add;
  decltype(&engine::permute) permute;  ///< the same for every Scalar

  const ActivationKernels<Scalar>* activations;                                ///< a row an activation
  void (*const* costs)(const CostArrays&, Scalar parameter, Index count);      ///< a row a cost
  void (*const* updates)(const Update<Scalar>&, const UpdateArrays<Scalar>&);  ///< a row an optimizer rule
};

}  // namespace bpnet::engine
