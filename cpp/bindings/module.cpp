#include "bindings.hpp"
#include "engine_levels.hpp"

PYBIND11_MODULE(_core, module, pybind11::mod_gil_not_used()) {
  using namespace bpnet::bindings;
  module.doc() = "The compiled core of bpnet: NumPy arrays in, NumPy arrays out.";
  load_engine();
  bind_config(module);
  bind_cost(module);
  bind_network(module);
  bind_trainer(module);
}
