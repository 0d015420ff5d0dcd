#include <pybind11/stl.h>

#include "bindings.hpp"
#include "shared.hpp"

namespace bpnet::bindings {

namespace {

/// Below this many multiply-adds a call keeps the GIL: giving it away would take longer.
constexpr double quick_work = 1e5;

/// Releases the GIL for long calls only.
class MaybeNoGil {
 public:
  explicit MaybeNoGil(bool release) {
    if (release) release_.emplace();
  }

 private:
  std::optional<ReleasedGil> release_;
};

/// The common case of as_samples without its questions: a plain array of the network's own type, ready to be used.
template <class Scalar>
bool quick_samples(py::handle object, Index width, Samples& samples, bool& single) {
  using namespace py::detail;
  if (Py_TYPE(object.ptr()) != npy_api::get().PyArray_Type_) return false;
  const PyArray_Proxy* array = array_proxy(object.ptr());
  static const PyObject* const own_dtype = py::dtype::of<Scalar>().release().ptr();
  constexpr int ready = npy_api::NPY_ARRAY_C_CONTIGUOUS_ | npy_api::NPY_ARRAY_ALIGNED_;
  if (array->descr != own_dtype || (array->flags & ready) != ready || array->nd < 1 || array->nd > 2) return false;
  if (array->dimensions[array->nd - 1] != width) return false;
  single = array->nd == 1;
  const auto bytes = static_cast<std::ptrdiff_t>(sizeof(Scalar));
  samples = {array->data, single ? 1 : array->dimensions[0], width, width * bytes, bytes, element_type<Scalar>(),
             false};
  return true;
}

template <class Scalar>
py::object predict(PyNetwork<Scalar>& self, py::handle x, py::object out, py::handle threads) {
  const Network<Scalar>& net = self.net;
  Input input;
  if (!quick_samples<Scalar>(x, net.n_inputs(), input.samples, input.single))
    input = as_samples(x, net.n_inputs(), "x");
  if (out.is_none()) {
    out = new_rows<Scalar>(input.samples.count, net.n_outputs(), input.single);
  } else {
    if (!py::isinstance<py::array>(out))
      throw py::type_error("out is a " + type_name(out) + ", but must be a NumPy array");
    if (!input.array) input.array = py::reinterpret_borrow<py::object>(x);
    check_out<Scalar>(py::reinterpret_borrow<py::array>(out), input, net.n_outputs());
    const auto* first = reinterpret_cast<const char*>(net.theta().data());
    const auto* data = static_cast<const char*>(py::reinterpret_borrow<py::array>(out).data());
    if (data >= first && data < first + static_cast<std::size_t>(net.n_parameters()) * sizeof(Scalar))
      throw py::value_error("out shares memory with the network's parameters");
  }
  auto* to = reinterpret_cast<Scalar*>(py::detail::array_proxy(out.ptr())->data);
  const Guard::Reading reading(self.guard);
  const double work = static_cast<double>(input.samples.count) * static_cast<double>(net.n_parameters());
  if (work < quick_work) {
    if (!threads.is_none()) resolve_threads(threads);
    net.predict(input.samples, to);
    return out;
  }
  const int n_threads = resolve_threads(threads);
  SignalWatcher watcher;
  const ReleasedGil no_gil;
  net.predict(input.samples, to, {n_threads, watcher.pointer()});
  return out;
}

template <class Scalar>
py::tuple forward(PyNetwork<Scalar>& self, py::handle x, py::handle threads) {
  const Network<Scalar>& net = self.net;
  const Input input = as_samples(x, net.n_inputs(), "x");
  py::list z, a;
  LayerRows<Scalar> rows;
  for (Index l = 0; l <= net.depth(); ++l) {
    const auto room = [&](py::list& into, std::vector<Scalar*>& pointers) {
      auto array = new_rows<Scalar>(input.samples.count, net.size(l), input.single);
      pointers.push_back(array.mutable_data());
      into.append(std::move(array));
    };
    room(a, rows.a);
    if (l > 0) room(z, rows.z);
  }
  const int n_threads = resolve_threads(threads);
  const Guard::Reading reading(self.guard);
  SignalWatcher watcher;
  {
    const ReleasedGil no_gil;
    net.forward(input.samples, rows, {n_threads, watcher.pointer()});
  }
  return py::make_tuple(z, a);
}

Reduction reduction_named(const std::string& name) {
  if (name == "mean") return Reduction::mean;
  if (name == "sum") return Reduction::sum;
  throw py::value_error("reduction is '" + name + "', but must be 'mean' or 'sum'");
}

constexpr int wrt_parameters = 1, wrt_x = 2, wrt_layers = 4;

template <class Scalar>
py::tuple gradient(PyNetwork<Scalar>& self, py::handle x, py::handle y, const PyCost& cost, py::handle sample_weight,
                   int wrt, const std::string& reduction, py::handle threads) {
  const Network<Scalar>& net = self.net;
  const Input input = as_samples(x, net.n_inputs(), "x");
  const Index m = input.samples.count;
  const TargetInput targets = as_targets(y, net.n_outputs(), m, input.single, cost.takes_labels(), "y");
  const auto weights = as_weights(sample_weight, m, input.single, "sample_weight");
  const CostHolder<Scalar> holder(cost);
  const Reduction reduce = reduction_named(reduction);
  const int n_threads = resolve_threads(threads);
  Batch<Scalar> batch{input.samples, targets.targets(), {}, {0, m, nullptr}, holder.use()};
  if (weights) batch.weights.values = weights->samples;

  py::object flat = py::none(), grad_x = py::none(), deltas = py::none(), activations = py::none();
  GradientRows<Scalar> out;
  const auto rows = [&](Index n) { return new_rows<Scalar>(m, n, input.single); };
  const auto keep = [](auto array, auto*& pointer) {
    pointer = array.mutable_data();
    return py::object(std::move(array));
  };
  if (wrt & wrt_parameters) flat = keep(py::array_t<Scalar>(net.n_parameters()), out.nabla);
  if (wrt & wrt_x) grad_x = keep(rows(net.n_inputs()), out.x);
  if (wrt & wrt_layers) {
    py::list delta_list, activation_list;
    for (Index l = 0; l <= net.depth(); ++l) {
      if (l > 0) delta_list.append(keep(rows(net.size(l)), out.deltas.emplace_back()));
      activation_list.append(keep(rows(net.size(l)), out.activations.emplace_back()));
    }
    deltas = delta_list;
    activations = activation_list;
  }
  const Guard::Reading reading(self.guard);
  SignalWatcher watcher;
  double value = 0;
  {
    const ReleasedGil no_gil;
    value = net.gradient(batch, reduce, out, {n_threads, watcher.pointer()});
  }
  return py::make_tuple(value, flat, grad_x, deltas, activations);
}

template <class Scalar>
double cost(PyNetwork<Scalar>& self, py::handle x, py::handle y, const PyCost& by, py::handle sample_weight,
            const std::string& reduction, py::handle threads) {
  return gradient(self, x, y, by, sample_weight, 0, reduction, threads)[0].template cast<double>();
}

/// A writable view of part of theta that keeps the network alive.
template <class Scalar>
py::array view_of(py::object self, Scalar* data, std::vector<py::ssize_t> shape) {
  std::vector<py::ssize_t> strides{static_cast<py::ssize_t>(sizeof(Scalar))};
  if (shape.size() == 2) strides.push_back(shape[0] * static_cast<py::ssize_t>(sizeof(Scalar)));
  return py::array_t<Scalar>(std::move(shape), std::move(strides), data, std::move(self));
}

template <class Scalar>
void initialize(PyNetwork<Scalar>& self, const std::tuple<std::string, double, double>& weights,
                const std::optional<std::tuple<std::string, double, double>>& biases, std::uint64_t seed) {
  const auto read = [](const std::tuple<std::string, double, double>& from) -> std::optional<Initializer> {
    const auto& [name, first, second] = from;
    if (name == "auto") return std::nullopt;
    Initializer scheme = initializer_named(name);
    scheme.first = first;
    scheme.second = second;
    return scheme;
  };
  const Guard::Writing writing(self.guard);
  SignalWatcher watcher;
  const ReleasedGil no_gil;
  self.net.initialize(seed, read(weights), biases ? read(*biases) : std::nullopt, watcher.pointer());
}

template <class Scalar>
std::vector<Scalar> vector_of(const py::object& object, const char* name) {
  if (object.is_none()) return {};
  const auto array = py::array_t<Scalar, py::array::c_style | py::array::forcecast>(as_real(object, name));
  if (array.ndim() != 1 || array.size() == 0)
    throw py::value_error(std::string(name) + " has shape " + shape_text(array) + ", but must have one axis");
  return {array.data(), array.data() + array.size()};
}

template <class Scalar>
void set_normalization(PyNetwork<Scalar>& self, const py::object& input_shift, const py::object& input_scale,
                       const py::object& output_shift, const py::object& output_scale) {
  Normalization<Scalar> normal{
      vector_of<Scalar>(input_shift, "input_shift"), vector_of<Scalar>(input_scale, "input_scale"),
      vector_of<Scalar>(output_shift, "output_shift"), vector_of<Scalar>(output_scale, "output_scale")};
  const Guard::Writing writing(self.guard);
  self.net.set_normalization(std::move(normal));
}

template <class Scalar>
py::dict normalization(const PyNetwork<Scalar>& self) {
  self.guard.meet();
  const auto& normal = self.net.normalization();
  const auto copy = [](const std::vector<Scalar>& v) -> py::object {
    if (v.empty()) return py::none();
    return py::array_t<Scalar>(static_cast<py::ssize_t>(v.size()), v.data());
  };
  py::dict all;
  all["input_shift"] = copy(normal.input_shift);
  all["input_scale"] = copy(normal.input_scale);
  all["output_shift"] = copy(normal.output_shift);
  all["output_scale"] = copy(normal.output_scale);
  return all;
}

/// Whether all targets, standardised, lie within what the output activation can reach; NaN does not count.
template <class Scalar>
bool targets_in_range(PyNetwork<Scalar>& self, py::handle object) {
  const Network<Scalar>& net = self.net;
  const py::array array = as_real(object, "y");
  const Index m = array.ndim() == 0 ? 1 : array.shape(0);
  const bool single = array.ndim() == 0 || (array.ndim() == 1 && net.n_outputs() > 1 && m == net.n_outputs());
  const TargetInput y = as_targets(object, net.n_outputs(), single ? 1 : m, single, false, "y");
  const Guard::Reading reading(self.guard);
  SignalWatcher watcher;
  engine::Pulse pulse(watcher.pointer());
  const Activation f = net.activation(net.depth());
  const auto low = static_cast<Scalar>(f.low()), high = static_cast<Scalar>(f.high());
  const auto& normal = net.normalization();
  const Samples& from = y.input.samples;
  const ReleasedGil no_gil;
  constexpr Index block = 256;
  const Index width = from.width;
  std::vector<Scalar> rows(static_cast<std::size_t>(block * width));
  std::vector<Index> indices(block);
  for (Index begin = 0; begin < from.count; begin += block) {
    const Index n = std::min(block, from.count - begin);
    for (Index k = 0; k < n; ++k) indices[static_cast<std::size_t>(k)] = begin + k;
    kernels<Scalar>().gather(engine::Layout::unit_lanes, from, indices.data(), n, rows.data(), width);
    if (normal.of_output())
      kernels<Scalar>().standardise(engine::Layout::unit_lanes, rows.data(), width, n, width,
                                    normal.pointer(normal.output_shift), normal.pointer(normal.output_scale));
    pulse.beat(10.0 * static_cast<double>(n * width));
    for (Index k = 0; k < n * width; ++k)
      if (const Scalar v = rows[static_cast<std::size_t>(k)]; v < low || v > high) return false;
  }
  return true;
}

/// W^1..W^L, or b^1..b^L, as views.
template <class Scalar>
py::list views(py::object self, bool weights) {
  auto& core = self.cast<PyNetwork<Scalar>&>();
  core.guard.meet();
  auto& net = core.net;
  py::list all;
  for (Index l = 1; l <= net.depth(); ++l)
    all.append(weights ? view_of(self, net.weights(l), {net.size(l), net.size(l - 1)})
                       : view_of(self, net.biases(l), {net.size(l)}));
  return all;
}

template <class Scalar>
void bind_one(py::module_& module, const char* name) {
  using Self = PyNetwork<Scalar>;
  py::class_<Self, PyNetworkBase>(module, name)
      .def(py::init([](std::vector<Index> sizes, const std::vector<std::string>& names) {
             std::vector<Activation> activations;
             for (const auto& activation : names) activations.emplace_back(std::string_view(activation));
             SignalWatcher watcher;
             const ReleasedGil no_gil;
             return std::make_unique<Self>(std::move(sizes), std::move(activations), watcher.pointer());
           }),
           py::arg("sizes"), py::arg("activations"))
      .def_property_readonly("sizes", [](const Self& self) { return self.net.sizes(); })
      .def_property_readonly("activations",
                             [](const Self& self) {
                               std::vector<std::string> names;
                               for (const auto f : self.net.activations()) names.emplace_back(f.name());
                               return names;
                             })
      .def_property_readonly("n_parameters", [](const Self& self) { return self.net.n_parameters(); })
      .def("initialize", &initialize<Scalar>, py::arg("weights"), py::arg("biases"), py::arg("seed"))
      .def_property_readonly("parameters",
                             [](py::object self) {
                               auto& core = self.cast<Self&>();
                               core.guard.meet();
                               return view_of(self, core.net.theta().data(), {core.net.n_parameters()});
                             })
      .def("copied_parameters",
           [](Self& self) {
             const Guard::Reading reading(self.guard);
             return py::array_t<Scalar>(self.net.n_parameters(), self.net.theta().data());
           })
      .def_property_readonly("weights", [](py::object self) { return views<Scalar>(std::move(self), true); })
      .def_property_readonly("biases", [](py::object self) { return views<Scalar>(std::move(self), false); })
      .def_property_readonly("normalization", &normalization<Scalar>)
      .def("set_normalization", &set_normalization<Scalar>, py::arg("input_shift"), py::arg("input_scale"),
           py::arg("output_shift"), py::arg("output_scale"))
      .def("predict", &predict<Scalar>, py::arg("x"), py::arg("out") = py::none(), py::arg("threads") = py::none())
      .def("forward", &forward<Scalar>, py::arg("x"), py::arg("threads") = py::none())
      .def("cost", &cost<Scalar>, py::arg("x"), py::arg("y"), py::arg("cost"), py::arg("sample_weight"),
           py::arg("reduction"), py::arg("threads"))
      .def("gradient", &gradient<Scalar>, py::arg("x"), py::arg("y"), py::arg("cost"), py::arg("sample_weight"),
           py::arg("wrt"), py::arg("reduction"), py::arg("threads"))
      .def("targets_in_range", &targets_in_range<Scalar>, py::arg("y"))
      .def(
          "check_cost",
          [](const Self& self, const PyCost& by) {
            if (!by.function) by.cost.check<Scalar>(self.net.activation(self.net.depth()));
          },
          py::arg("cost"));
}

}  // namespace

void bind_network(py::module_& module) {
  py::class_<PyNetworkBase> base(module, "Network");
  base.def(
      "before_use",
      [](const PyNetworkBase& self, const py::object& call) {
        Py_XDECREF(before_use.call);
        before_use = call.is_none() ? BeforeUse{} : BeforeUse{&self.guard, call.inc_ref().ptr()};
      },
      py::arg("call").none(true));
  refuse_pickling(base);
  bind_one<float>(module, "Network32");
  bind_one<double>(module, "Network64");
}

}  // namespace bpnet::bindings
