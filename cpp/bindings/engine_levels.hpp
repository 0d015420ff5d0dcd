/// Which engine runs: finds, loads and names the shared objects that are compiled for each instruction-set level.
#pragma once

#include <string>
#include <vector>

namespace bpnet::bindings {

/// Loads the best level that processor and operating system support, or the one that BPNET_ISA names.
/// std::runtime_error where that one is unknown or not to be had.
void load_engine();

/// The level in use, and all that this machine could run, best first.
const std::string& engine_level();
std::vector<std::string> available_levels();

}  // namespace bpnet::bindings
