#include "bindings.hpp"
#include "shared.hpp"

namespace bpnet::bindings {

void bind_cost(py::module_& module) {
  py::class_<PyCost> bound(module, "Cost", collected<PyCost>());
  refuse_pickling(bound);
  bound.def(py::init([](const std::string& name) {
              return PyCost{Cost(name), {}};
            }),
            py::arg("name"))
      .def(py::init([](const std::string& name, double parameter) {
             return PyCost{Cost(name, parameter), {}};
           }),
           py::arg("name"), py::arg("parameter"))
      .def_static(
          "custom",
          [](py::object function) {
            return PyCost{Cost("quadratic"), std::move(function)};
          },
          py::arg("function"));
}

}  // namespace bpnet::bindings
