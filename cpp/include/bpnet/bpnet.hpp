/// All of bpnet in one include.
#pragma once

#include "bpnet/network.hpp"
#include "bpnet/train/trainer.hpp"
