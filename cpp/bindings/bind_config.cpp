#include <pybind11/stl.h>

#include "bindings.hpp"
#include "engine_levels.hpp"
#include "shared.hpp"

namespace bpnet::bindings {

namespace {

/// f or, with `slope`, f' of a block of numbers, by the name of an activation or of a function the costs are made of.
template <class Scalar>
void evaluate(const std::string& name, const Scalar* z, Scalar* value, Scalar* slopes, Index count) {
  const auto& functions = []() -> const auto& {
    if constexpr (std::is_same_v<Scalar, float>)
      return external_tables->functions32;
    else
      return external_tables->functions64;
  }
  ();
  for (const auto& function : functions)
    if (name == function.name) return function.value(z, value, count);
  const Activation f(name);
  if (f.is_softmax()) throw py::value_error("softmax is not elementwise");
  kernels<Scalar>().activations[f.index()].value_slope(z, value, slopes, count);
}

/// One elementwise kernel over a flat array, through the engine in use.
template <class Scalar>
py::array_t<Scalar> elementwise(const std::string& name, const py::array_t<Scalar, py::array::c_style>& z, bool slope) {
  constexpr Index block = 4096;
  std::vector<Scalar> in(block), value(block), slopes(block);
  py::array_t<Scalar> out(z.size());
  for (Index begin = 0; begin < z.size(); begin += block) {
    const Index n = std::min<Index>(block, z.size() - begin);
    std::copy_n(z.data() + begin, n, in.data());
    evaluate(name, in.data(), value.data(), slopes.data(), engine::padded(n));
    std::copy_n((slope ? slopes : value).data(), n, out.mutable_data() + begin);
  }
  return out;
}

py::dict config() {
  py::dict info;
  info["version"] = BPNET_VERSION;
  info["isa"] = engine_level();
  info["isa_available"] = available_levels();
  info["fma"] = kernels<float>().fma;
  info["lanes_float32"] = kernels<float>().lanes;
  info["lanes_float64"] = kernels<double>().lanes;
  info["threads"] = default_threads();
  info["compiler"] =
#if defined(__clang__)
      "Clang " __clang_version__;
#else
      "GCC " __VERSION__;
#endif
  info["eigen"] = std::to_string(EIGEN_WORLD_VERSION) + "." + std::to_string(EIGEN_MAJOR_VERSION) + "." +
                  std::to_string(EIGEN_MINOR_VERSION);
  return info;
}

}  // namespace

void bind_config(py::module_& module) {
  module.attr("__version__") = BPNET_VERSION;
  module.def("config", &config);
  module.def("default_threads", &default_threads);
  module.def("elementwise", &elementwise<float>, py::arg("name"), py::arg("z").noconvert(), py::arg("slope"));
  module.def("elementwise", &elementwise<double>, py::arg("name"), py::arg("z").noconvert(), py::arg("slope"));
  module.def("activation_names", [] {
    std::vector<std::string> names;
    for (const auto& row : Activation::table) names.emplace_back(row.name);
    return names;
  });
  module.def("activation_range", [](const std::string& name) {
    const Activation f(name);
    return std::pair(f.low(), f.high());
  });
  module.def("cost_names", [] {
    std::vector<std::string> names;
    for (const auto& row : Cost::table) names.emplace_back(row.name);
    return names;
  });
}

}  // namespace bpnet::bindings
