#include "arrays.hpp"

#include <algorithm>

namespace bpnet::bindings {

namespace {

[[noreturn]] void wrong_type(const std::string& message) { throw py::type_error(message); }

/// The element type of a dtype that the core can read.
std::optional<ElementType> element_type_of(const py::dtype& dtype) {
  const auto bytes = dtype.itemsize();
  const auto sized = [&](ElementType one, ElementType two, ElementType four,
                         ElementType eight) -> std::optional<ElementType> {
    switch (bytes) {
      case 1:
        return one;
      case 2:
        return two;
      case 4:
        return four;
      case 8:
        return eight;
      default:
        return std::nullopt;
    }
  };
  using enum ElementType;
  switch (dtype.kind()) {
    case 'b':
      return boolean;
    case 'i':
      return sized(int8, int16, int32, int64);
    case 'u':
      return sized(uint8, uint16, uint32, uint64);
    case 'f':
      if (bytes == 2) return float16;
      if (bytes == 4) return float32;
      if (bytes == 8) return float64;
      if (bytes == sizeof(long double)) return longdouble;
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

bool is_swapped(const py::dtype& dtype) {
  const char order = dtype.byteorder();
  return order == (std::endian::native == std::endian::little ? '>' : '<');
}

bool is_masked(const py::array& array) {
  if (Py_TYPE(array.ptr()) == py::detail::npy_api::get().PyArray_Type_) return false;
  return py::isinstance(array, py::module_::import("numpy.ma").attr("MaskedArray"));
}

/// Views the last axis as the values of a sample, the first as samples; an axis of one number may be missing.
Samples view(const py::array& array, Index count, Index width, bool has_samples_axis, bool has_values_axis) {
  const auto dtype = array.dtype();
  Samples samples;
  samples.data = array.data();
  samples.count = count;
  samples.width = width;
  samples.type = *element_type_of(dtype);
  samples.swapped = is_swapped(dtype);
  const auto item = static_cast<std::ptrdiff_t>(dtype.itemsize());
  samples.value_stride = has_values_axis ? array.strides(array.ndim() - 1) : item;
  samples.sample_stride = has_samples_axis ? array.strides(0) : item * width;
  return samples;
}

/// The first and the last byte that an array can touch.
std::pair<const char*, const char*> extent(const py::array& array) {
  const char *low = static_cast<const char*>(array.data()), *high = low + array.itemsize();
  for (py::ssize_t axis = 0; axis < array.ndim(); ++axis) {
    if (array.shape(axis) == 0) return {low, low};
    const auto reach = (array.shape(axis) - 1) * array.strides(axis);
    (reach < 0 ? low : high) += reach;
  }
  return {low, high};
}

}  // namespace

std::string type_name(py::handle object) { return py::str(py::type::of(object).attr("__name__")); }

std::string shape_text(const py::array& array) {
  std::string text = "(";
  for (py::ssize_t axis = 0; axis < array.ndim(); ++axis)
    text += (axis ? ", " : "") + std::to_string(array.shape(axis));
  return text + (array.ndim() == 1 ? ",)" : ")");
}

py::array as_real(py::handle object, const char* name) {
  if (!py::isinstance<py::array>(object))  // lists, tensors, frames: Python knows what each of them offers
    return py::module_::import("bpnet._arrays").attr("as_array")(name, object);
  auto array = py::reinterpret_borrow<py::array>(object);
  if (is_masked(array)) wrong_type(std::string(name) + " is masked; fill it or drop the masked samples first");
  if (!element_type_of(array.dtype()))
    wrong_type(std::string(name) + " has dtype " + std::string(py::str(array.dtype())) +
               ", but must be real numbers (bool, integer or float)");
  return array;
}

Input as_samples(py::handle object, Index width, const char* name) {
  const py::array x = as_real(object, name);
  Input input{x, {}, false};
  if (x.ndim() == 1 && x.shape(0) == width) {
    input.single = true;
    input.samples = view(x, 1, width, false, true);
  } else if (x.ndim() == 2 && x.shape(1) == width) {
    input.samples = view(x, x.shape(0), width, true, true);
  } else if (x.ndim() == 2) {
    throw py::value_error(std::string(name) + " has " + std::to_string(x.shape(1)) +
                          " features, but the network takes " + std::to_string(width));
  } else {
    throw py::value_error(std::string(name) + " has shape " + shape_text(x) + ", but the network takes (m, " +
                          std::to_string(width) + ") or, for one sample, (" + std::to_string(width) + ",)" +
                          (x.ndim() == 1 && width == 1 ? ": a column of samples is x.reshape(-1, 1)" : ""));
  }
  return input;
}

TargetInput as_targets(py::handle object, Index width, Index m, bool single, bool labels_allowed, const char* name) {
  const py::array y = as_real(object, name);
  TargetInput target{{y, {}, single}, false};
  const auto n = std::to_string(width);
  const auto complain = [&](const std::string& more) {
    const std::string expected = single ? (width == 1 ? "a number or shape (1,)" : "shape (" + n + ",)")
                                        : "shape (" + std::to_string(m) + ", " + n + ")" +
                                              (width == 1 ? " or (" + std::to_string(m) + ",)" : "");
    throw py::value_error(std::string(name) + " has shape " + shape_text(y) +
                          ", but the network's outputs and x ask for " + expected + more);
  };
  const py::ssize_t samples_axes = single ? 0 : 1;
  const bool flat = y.ndim() == samples_axes;  // one number a sample, no axis of its own
  if (!single && y.ndim() >= 1 && y.shape(0) != m)
    throw py::value_error(std::string(name) + " has " + std::to_string(y.shape(0)) + " samples, but x has " +
                          std::to_string(m));
  if (flat && width > 1) {
    if (!labels_allowed) complain("; class labels need cost='cross_entropy'");
    const char kind = y.dtype().kind();
    if (kind != 'i' && kind != 'u')
      throw py::type_error(
          std::string(name) + " has one number a sample, so it must be integer class labels, but its dtype is " +
          std::string(py::str(y.dtype())) + "; or give it shape (" + std::to_string(m) + ", " + n + ")");
    target.labels = true;
    target.input.samples = view(y, m, 1, !single, false);
  } else if (flat) {
    target.input.samples = view(y, m, 1, !single, false);
  } else if (y.ndim() == samples_axes + 1 && y.shape(samples_axes) == width) {
    target.input.samples = view(y, m, width, !single, true);
  } else {
    complain("");
  }
  return target;
}

std::optional<Input> as_weights(py::handle object, Index m, bool single, const char* name) {
  if (object.is_none()) return std::nullopt;
  const py::array w = as_real(object, name);
  Input input{w, {}, single};
  const bool fits = (single && (w.ndim() == 0 || (w.ndim() == 1 && w.shape(0) == 1))) ||
                    (!single && w.ndim() == 1 && w.shape(0) == m);
  if (!fits)
    throw py::value_error(
        std::string(name) + " has shape " + shape_text(w) +
        ", but must have one number for each sample: " + (single ? "a number" : "(" + std::to_string(m) + ",)"));
  input.samples = view(w, m, 1, w.ndim() == 1, false);
  return input;
}

template <class Scalar>
void check_out(const py::array& out, const Input& x, Index width) {
  const auto wrong = [&](const std::string& what) { throw py::value_error("out " + what); };
  if (is_masked(out)) wrong_type("out is a masked array, but must be a plain one");
  if (!out.dtype().is(py::dtype::of<Scalar>()) && !out.dtype().equal(py::dtype::of<Scalar>()))
    throw py::type_error("out has dtype " + std::string(py::str(out.dtype())) + ", but the network's is " +
                         std::string(py::str(py::dtype::of<Scalar>())));
  const bool fits = x.single ? out.ndim() == 1 && out.shape(0) == width
                             : out.ndim() == 2 && out.shape(0) == x.samples.count && out.shape(1) == width;
  if (!fits)
    wrong("has shape " + shape_text(out) + ", but must be " +
          (x.single ? "(" + std::to_string(width) + ",)"
                    : "(" + std::to_string(x.samples.count) + ", " + std::to_string(width) + ")"));
  if (!(out.flags() & py::array::c_style)) wrong("must be C-contiguous");
  if (!out.writeable()) wrong("is read-only");
  if (reinterpret_cast<std::uintptr_t>(out.data()) % sizeof(Scalar) != 0) wrong("is not aligned");
  const auto [low, high] = extent(out);
  const auto [x_low, x_high] = extent(py::reinterpret_borrow<py::array>(x.array));
  if (low < x_high && x_low < high) wrong("shares memory with x");
}

template void check_out<float>(const py::array&, const Input&, Index);
template void check_out<double>(const py::array&, const Input&, Index);

}  // namespace bpnet::bindings
