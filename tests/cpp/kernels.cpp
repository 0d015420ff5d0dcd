// The table of kernels that the C++ tests share.
#include "bpnet/kernel_table.hpp"

extern constinit const bpnet::Kernels<float> kernels_float32;

namespace {

const bpnet::EngineTables tables{
    sizeof(bpnet::EngineTables), kernels_float32, bpnet::compiled_kernels<double>(), {}, {}};
[[maybe_unused]] const bool supplied = (bpnet::external_tables = &tables) != nullptr;

}  // namespace
