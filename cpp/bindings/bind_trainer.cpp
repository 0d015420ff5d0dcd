#include <pybind11/functional.h>
#include <pybind11/stl.h>

#include "bindings.hpp"
#include "shared.hpp"

namespace bpnet::bindings {

namespace {

using ScheduleNumbers = std::tuple<std::string, double, double, double>;

Schedule schedule_from(const ScheduleNumbers& from) {
  const auto& [kind, initial, shape, steps] = from;
  using Kind = Schedule::Kind;
  for (const auto& [name, value] : {std::pair{"constant", Kind::constant},
                                    {"exponential", Kind::exponential},
                                    {"step", Kind::step},
                                    {"cosine", Kind::cosine}})
    if (kind == name) return {value, initial, shape, value == Kind::constant ? 1 : steps};
  throw py::value_error("unknown schedule '" + kind + "'");
}

Optimizer optimizer_from(const std::string& name, const ScheduleNumbers& schedule, double momentum, bool nesterov,
                         double decay1, double decay2, double eps, double weight_decay, bool decay_biases) {
  const Schedule rate = schedule_from(schedule);
  if (name == "sgd") return sgd(rate, momentum, nesterov);
  if (name == "rmsprop") return rmsprop(rate, decay1, eps);
  if (name == "adam") return adam(rate, decay1, decay2, eps);
  if (name == "adamw") return adamw(rate, decay1, decay2, eps, weight_decay, decay_biases);
  throw py::value_error("unknown optimizer '" + name + "'");
}

/// A trainer of either type, as Python holds it.
class PyTrainer {
 public:
  virtual ~PyTrainer() = default;
  virtual Index steps() const = 0;
  virtual Index epochs() const = 0;
  virtual double step(py::handle x, py::handle y, py::handle sample_weight) = 0;
  virtual void apply(py::handle flat) = 0;
  virtual py::tuple fit(py::handle x, py::handle y, Index epochs, Index batch_size, bool shuffle,
                        py::handle sample_weight, const py::object& validation, const py::object& on_epoch,
                        const py::object& on_progress) = 0;
  /// See `collected`.
  virtual int traverse(visitproc visit, void* arg) const = 0;
  virtual void clear() = 0;
};

/// x, y and sample_weight of one call, kept alive.
template <class Scalar>
struct Data {
  Input x;
  TargetInput y;
  std::optional<Input> weights;

  Data(const Network<Scalar>& net, const PyCost& cost, py::handle x_object, py::handle y_object,
       py::handle weight_object, const std::string& prefix)
      : x(as_samples(x_object, net.n_inputs(), (prefix + "x").c_str())),
        y(as_targets(y_object, net.n_outputs(), x.samples.count, x.single, cost.takes_labels(),
                     (prefix + "y").c_str())),
        weights(as_weights(weight_object, x.samples.count, x.single, (prefix + "sample_weight").c_str())) {}

  Weights<Scalar> core_weights() const { return weights ? Weights<Scalar>{weights->samples} : Weights<Scalar>{}; }
  Batch<Scalar> batch(const CostUse<Scalar>& cost) const {
    return {x.samples, y.targets(), core_weights(), {0, x.samples.count, nullptr}, cost};
  }
};

template <class Scalar>
class TypedTrainer : public PyTrainer {
 public:
  TypedTrainer(py::object net, const PyCost& cost, const Optimizer& optimizer, const Penalties& penalties,
               std::uint64_t seed, py::object threads)
      : keep_(std::move(net)),
        self_(keep_.cast<PyNetwork<Scalar>&>()),
        cost_(cost),
        holder_(cost_),
        threads_(std::move(threads)),
        trainer_(self_.net, holder_.use(), optimizer, penalties, seed) {
    resolve_threads(threads_);
  }

  Index steps() const override {
    self_.guard.meet();
    return trainer_.steps();
  }
  Index epochs() const override {
    self_.guard.meet();
    return trainer_.epochs();
  }

  double step(py::handle x, py::handle y, py::handle sample_weight) override {
    const Data<Scalar> data(self_.net, cost_, x, y, sample_weight, "");
    const int threads = resolve_threads(threads_);
    const Guard::Writing writing(self_.guard);
    SignalWatcher watcher;
    const ReleasedGil no_gil;
    return trainer_.step(data.x.samples, data.y.targets(), data.core_weights(), {threads, watcher.pointer()});
  }

  void apply(py::handle object) override {
    const auto g = py::array_t<Scalar, py::array::c_style | py::array::forcecast>(as_real(object, "gradient"));
    if (g.ndim() != 1 || g.size() != self_.net.n_parameters())
      throw py::value_error("gradient has shape " + shape_text(g) + ", but the network has (" +
                            std::to_string(self_.net.n_parameters()) + ",) parameters");
    const Guard::Writing writing(self_.guard);
    const ReleasedGil no_gil;
    trainer_.apply(g.data());
  }

  py::tuple fit(py::handle x, py::handle y, Index epochs, Index batch_size, bool shuffle, py::handle sample_weight,
                const py::object& validation, const py::object& on_epoch, const py::object& on_progress) override {
    const Data<Scalar> data(self_.net, cost_, x, y, sample_weight, "");
    std::optional<Data<Scalar>> held_out;
    std::optional<Batch<Scalar>> validation_batch;
    if (!validation.is_none()) {
      const auto parts = validation.cast<py::tuple>();
      held_out.emplace(self_.net, cost_, parts[0], parts[1], parts[2], "validation ");
      validation_batch = held_out->batch(holder_.use());
      check_validation(*validation_batch);
    }
    const int threads = resolve_threads(threads_);
    const Guard::Writing writing(self_.guard);
    const Index steps_before = trainer_.steps();
    SignalWatcher watcher(on_progress.is_none() ? py::none()
                                                : py::object(py::cpp_function([this, on_progress, steps_before] {
                                                    on_progress(trainer_.steps() - steps_before);
                                                  })));
    typename Trainer<Scalar>::OnEpoch hook;
    if (!on_epoch.is_none())
      hook = [&](const Epoch& epoch) {
        const HeldGil gil;
        const py::object stop = gil.call([&] { return on_epoch(epoch.number, epoch.cost, epoch.validation_cost); });
        const int truth = gil.call([&] { return PyObject_IsTrue(stop.ptr()); });
        if (truth < 0) throw py::error_already_set();
        // The core trusts labels and weights that it has looked through, but a callback may have written to them.
        if (data.y.labels || data.weights) self_.net.check_batch(data.batch(holder_.use()));
        if (validation_batch && (held_out->y.labels || held_out->weights)) check_validation(*validation_batch);
        return truth == 1;
      };
    History history;
    {
      const ReleasedGil no_gil;
      history = trainer_.fit(data.x.samples, data.y.targets(), {epochs, batch_size, shuffle}, data.core_weights(),
                             validation_batch ? &*validation_batch : nullptr, hook, {threads, watcher.pointer()});
    }
    return py::make_tuple(history.cost, history.validation_cost, history.steps, history.stopped);
  }

  int traverse(visitproc visit, void* arg) const override {
    Py_VISIT(keep_.ptr());
    Py_VISIT(threads_.ptr());
    return cost_.traverse(visit, arg);
  }
  /// The network stays: what is called afterwards looks at it, and no cycle goes through it but by what others hold.
  void clear() override {
    threads_ = py::none();
    cost_.clear();
  }

 private:
  /// The core speaks of x, y and sample_weight; here they are the validation's.
  void check_validation(const Batch<Scalar>& batch) const {
    try {
      self_.net.check_batch(batch);
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument(std::string("validation ") + error.what());
    }
  }

  py::object keep_;
  PyNetwork<Scalar>& self_;
  PyCost cost_;
  CostHolder<Scalar> holder_;
  py::object threads_;
  Trainer<Scalar> trainer_;
};

}  // namespace

}  // namespace bpnet::bindings

namespace pybind11::detail {

template <>
class type_caster<bpnet::Optimizer> : public bpnet::bindings::InitializedCaster<bpnet::Optimizer> {};
template <>
class type_caster<bpnet::bindings::PyTrainer> : public bpnet::bindings::InitializedCaster<bpnet::bindings::PyTrainer> {
};

}  // namespace pybind11::detail

namespace bpnet::bindings {

namespace {

std::unique_ptr<PyTrainer> make_trainer(py::object net, const PyCost& cost, const Optimizer& optimizer, double l1,
                                        double l2, bool penalize_biases, std::uint64_t seed, py::object threads) {
  const Penalties penalties{l1, l2, penalize_biases};
  if (py::isinstance<PyNetwork<float>>(net))
    return std::make_unique<TypedTrainer<float>>(net, cost, optimizer, penalties, seed, threads);
  if (py::isinstance<PyNetwork<double>>(net))
    return std::make_unique<TypedTrainer<double>>(net, cost, optimizer, penalties, seed, threads);
  throw py::type_error("net must be a network");
}

/// DivergenceError reaches Python as bpnet's own exception, with its epoch and step.
void register_divergence() {
  py::register_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const DivergenceError& error) {
      const py::object type = py::module_::import("bpnet._errors").attr("DivergenceError");
      const py::object epoch = error.epoch < 0 ? py::none() : py::object(py::int_(error.epoch));
      const py::object exception = type(error.what(), epoch, error.step);
      PyErr_SetObject(type.ptr(), exception.ptr());
    }
  });
}

}  // namespace

void bind_trainer(py::module_& module) {
  register_divergence();
  py::class_<Optimizer> optimizer(module, "Optimizer");
  optimizer.def(py::init(&optimizer_from), py::arg("name"), py::arg("schedule"), py::arg("momentum") = 0.0,
                py::arg("nesterov") = false, py::arg("decay1") = 0.9, py::arg("decay2") = 0.999, py::arg("eps") = 1e-8,
                py::arg("weight_decay") = 0.0, py::arg("decay_biases") = true);
  refuse_pickling(optimizer);
  py::class_<PyTrainer> trainer(module, "Trainer", collected<PyTrainer>());
  refuse_pickling(trainer);
  trainer
      .def(py::init(&make_trainer), py::arg("net"), py::arg("cost"), py::arg("optimizer"), py::arg("l1"), py::arg("l2"),
           py::arg("penalize_biases"), py::arg("seed"), py::arg("threads"))
      .def_property_readonly("steps", &PyTrainer::steps)
      .def_property_readonly("epochs", &PyTrainer::epochs)
      .def("step", &PyTrainer::step, py::arg("x"), py::arg("y"), py::arg("sample_weight"))
      .def("apply", &PyTrainer::apply, py::arg("flat"))
      .def("fit", &PyTrainer::fit, py::arg("x"), py::arg("y"), py::arg("epochs"), py::arg("batch_size"),
           py::arg("shuffle"), py::arg("sample_weight"), py::arg("validation"), py::arg("on_epoch"),
           py::arg("on_progress"));
}

}  // namespace bpnet::bindings
