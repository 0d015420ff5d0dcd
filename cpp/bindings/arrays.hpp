/// NumPy arrays as views of samples, checked. Nothing is copied here; objects that are no arrays yet become some in
/// Python (_arrays.py), sharing their memory where they can.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <optional>
#include <string>

#include "bpnet/targets.hpp"

namespace bpnet::bindings {

namespace py = pybind11;

/// An array that is kept alive, and what the core sees of it.
struct Input {
  py::object array;
  Samples samples;
  bool single = false;  ///< one sample without an axis of its own
};

/// `object` as an array of real numbers. TypeError where it is none: complex, text, objects, masked, ...
py::array as_real(py::handle object, const char* name);

/// The name of an object's class, for complaints.
std::string type_name(py::handle object);

/// How a shape reads in a message: (3, 784).
std::string shape_text(const py::array& array);

/// x (m, width) or one sample (width,).
Input as_samples(py::handle x, Index width, const char* name);

/// y for outputs of this width: (m, width); (m,) where width is 1; with `labels_allowed`, integer class labels (m,).
/// For one sample each without the m.
struct TargetInput {
  Input input;
  bool labels = false;
  Targets targets() const { return {input.samples, labels}; }
};
TargetInput as_targets(py::handle y, Index width, Index m, bool single, bool labels_allowed, const char* name);

/// sample_weight (m,), or a number for one sample; None: nothing.
std::optional<Input> as_weights(py::handle weights, Index m, bool single, const char* name);

/// `out` as a writable C-contiguous array of this dtype and shape that shares no memory with `x`.
template <class Scalar>
void check_out(const py::array& out, const Input& x, Index width);

/// Rows (m, n) with the m left out for one sample.
template <class Scalar>
py::array_t<Scalar> new_rows(Index m, Index n, bool single) {
  if (single) return py::array_t<Scalar>(n);
  return py::array_t<Scalar>({m, n});
}

}  // namespace bpnet::bindings
