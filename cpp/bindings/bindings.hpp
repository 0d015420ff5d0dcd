/// One function a concept; module.cpp calls them in order.
#pragma once

#include <pybind11/pybind11.h>

namespace bpnet::bindings {

void bind_config(pybind11::module_&);
void bind_cost(pybind11::module_&);
void bind_network(pybind11::module_&);
void bind_trainer(pybind11::module_&);

}  // namespace bpnet::bindings
