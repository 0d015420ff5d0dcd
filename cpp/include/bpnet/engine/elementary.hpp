/// Elementary functions over lanes: each is written once for `Lanes` and `Single` of both dtypes.
///
/// They use the operations of lanes.hpp alone (no libm, no estimates), so that they give the same bits at every width,
/// and take no branches but for huge angles and for sigmoid and tanh far out. NaN gives NaN, infinity the limit,
/// overflow infinity; results below the normal numbers are rounded to subnormals as the others are.
///
/// The error named beside each function is the largest one measured, in units of the last digit (ulp) of the exact
/// result, with and without fused multiply-add: for exp, sigmoid, tanh and their slopes over every float32 of 2^-12 <=
/// |x| < 2^8 and samples beyond, else over millions of arguments in both dtypes.
#pragma once

#include "bpnet/engine/elementary/arithmetic.hpp"
#include "bpnet/engine/elementary/exp.hpp"
#include "bpnet/engine/elementary/log.hpp"
#include "bpnet/engine/elementary/logistic.hpp"
#include "bpnet/engine/elementary/normal.hpp"
#include "bpnet/engine/elementary/trig.hpp"
