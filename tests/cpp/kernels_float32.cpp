// Half of kernels.cpp, so that two processors can compile it.
#include "bpnet/kernel_table.hpp"

extern constinit const bpnet::Kernels<float> kernels_float32 = bpnet::compiled_kernels<float>();
