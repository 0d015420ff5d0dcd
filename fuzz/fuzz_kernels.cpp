/// libFuzzer target: the engine's kernels against plain loops in the promised order, bit for bit, whatever the sizes,
/// strides and numbers. Each input is one call of one kernel; every array lies between poisoned bytes.
#include "gradients.hpp"
#include "passes.hpp"
#include "products.hpp"
#include "steps.hpp"

namespace {

using Check = void (*)(fuzz::Input&);

template <class Scalar>
constexpr Check checks[] = {
    &fuzz::check_affine_samples<Scalar>, &fuzz::check_pull_samples<Scalar>,
    &fuzz::check_combine_rows<Scalar>,   &fuzz::check_pack_rows<Scalar>,
    &fuzz::check_affine_units<Scalar>,   &fuzz::check_affine_one<Scalar>,
    &fuzz::check_pull_units<Scalar>,     &fuzz::check_outer<Scalar>,
    &fuzz::check_outer_turned<Scalar>,   &fuzz::check_sums<Scalar>,
    &fuzz::check_to_lanes<Scalar>,       &fuzz::check_from_lanes<Scalar>,
    &fuzz::check_gather<Scalar>,         &fuzz::check_tile_passes<Scalar>,
    &fuzz::check_softmax<Scalar>,        &fuzz::check_finite_and_largest<Scalar>,
    &fuzz::check_activation<Scalar>,     &fuzz::check_cost<Scalar>,
    &fuzz::check_update<Scalar>,         &fuzz::check_add<Scalar>,
    &fuzz::check_permute<Scalar>,        &fuzz::check_outer_folded<Scalar>,
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input in(data, size);
  const auto chosen = fuzz::to_size(in.below(std::ssize(checks<float>)));
  (in.flag() ? checks<double> : checks<float>)[chosen](in);
  fuzz::arena.reset();
  return 0;
}
