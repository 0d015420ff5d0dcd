/// What several bindings need: a network with a guard against use while it changes, costs, calls that can be
/// interrupted.
#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "arrays.hpp"
#include "bpnet/bpnet.hpp"
#include "gil.hpp"

namespace bpnet::bindings {

/// How many forks lie between the process that imported bpnet and this one.
unsigned fork_generation();

/// What this thread calls, with the GIL, before it looks at one network: the thread that reads batches ahead of a
/// training waits in there until the training has caught up.
struct BeforeUse {
  const void* guard = nullptr;  ///< the network's
  PyObject* call = nullptr;
};
inline thread_local BeforeUse before_use;

/// Many may read, or one write. Nobody waits: who comes at the wrong time is told so.
class Guard {
 public:
  /// Held while a call reads the network. RuntimeError while another thread trains it; the thread that trains it may
  /// read (from callbacks).
  class Reading {
   public:
    explicit Reading(Guard& guard) : guard_(guard), generation_(fork_generation()) {
      guard.meet();
      counted_ = guard.begin_read();
    }
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;
    ~Reading() {
      if (counted_ && generation_ == fork_generation()) guard_.users_.fetch_sub(1, std::memory_order_release);
    }

   private:
    Guard& guard_;
    unsigned generation_;
    bool counted_ = false;
  };
  /// Held while a call changes the network. RuntimeError while anybody else uses it.
  class Writing {
   public:
    explicit Writing(Guard& guard) : guard_(guard) {
      guard.meet();
      guard.begin_write();
    }
    Writing(const Writing&) = delete;
    Writing& operator=(const Writing&) = delete;
    ~Writing() {
      guard_.writer_.store(std::thread::id{}, std::memory_order_relaxed);
      guard_.users_.store(0, std::memory_order_release);
    }

   private:
    Guard& guard_;
  };

  /// What every use begins with, also one that needs no turn: a look at the parameters, at the number of steps.
  void meet() const {
    if (before_use.guard == this) wait_before_use();
  }

 private:
  static void wait_before_use();

  /// In a forked child the parent's other threads are gone, and with them whoever they were counted for.
  void forget_other_process() {
    const unsigned now = fork_generation();
    if (generation_.exchange(now, std::memory_order_relaxed) == now) return;
    if (users_.load(std::memory_order_relaxed) < 0 &&
        writer_.load(std::memory_order_relaxed) == std::this_thread::get_id())
      return;  // the fork was made in a callback of this very fit
    users_.store(0, std::memory_order_relaxed);
  }
  bool begin_read() {
    forget_other_process();
    int users = users_.load(std::memory_order_relaxed);
    do {
      if (users < 0) {
        if (writer_.load(std::memory_order_relaxed) == std::this_thread::get_id()) return false;
        throw std::runtime_error(
            "the network is being trained: a fit or step is running in another thread; wait for it, or use net.copy()");
      }
    } while (!users_.compare_exchange_weak(users, users + 1, std::memory_order_acquire));
    return true;
  }
  void begin_write() {
    forget_other_process();
    int users = 0;
    if (!users_.compare_exchange_strong(users, -1, std::memory_order_acquire))
      throw std::runtime_error(users < 0
                                   ? "the network is being trained: a fit or step is running already; one at a time"
                                   : "the network is in use in another thread; it cannot change now");
    writer_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  }

  std::atomic<int> users_{0};  ///< readers, or -1 for a writer
  std::atomic<std::thread::id> writer_{};
  std::atomic<unsigned> generation_{fork_generation()};
};

/// From Python to a T whose __init__ is done. TypeError for what __new__ alone has made: there is no T in it yet, and
/// pybind11 would hand out the memory that it is to lie in.
template <class T>
class InitializedCaster : public py::detail::type_caster_base<T> {
  using Base = py::detail::type_caster_base<T>;

 public:
  using Base::Base;
  bool load(py::handle from, bool convert) { return Base::template load_impl<InitializedCaster>(from, convert); }
  void load_value(py::detail::value_and_holder&& from) {
    if (!from.holder_constructed())
      throw py::type_error("this " + type_name(reinterpret_cast<PyObject*>(from.inst)) +
                           " was made by __new__ alone, but needs __init__ too");
    Base::load_value(std::move(from));
  }
};

/// The T in an object of this type or one derived from it; null before its __init__ is done.
template <class T>
T* initialized(PyObject* object) {
  static const auto* const type = py::detail::get_type_info(typeid(T));
  auto* instance = reinterpret_cast<py::detail::instance*>(object);
  if (!instance->simple_layout && instance->nonsimple.status == nullptr) return nullptr;  // not even __new__ is done
  const auto held = instance->get_value_and_holder(type, false);
  return held.inst != nullptr && held.holder_constructed() ? held.template value_ptr<T>() : nullptr;
}

/// What Python holds as Network32 and Network64.
struct PyNetworkBase {
  Guard guard;
  virtual ~PyNetworkBase() = default;
};
template <class Scalar>
struct PyNetwork : PyNetworkBase {
  Network<Scalar> net;
  PyNetwork(std::vector<Index> sizes, std::vector<Activation> activations, Watcher* watcher)
      : net(std::move(sizes), std::move(activations), watcher) {}
};

/// Pickle and copy are refused, in Python's words: without a __reduce__, copyreg calls pybind11's base of all classes,
/// and that ends the process.
template <class Class>
void refuse_pickling(Class& bound) {
  bound.def("__reduce__", [](const py::object& self) -> py::object {
    throw py::type_error("cannot pickle '" + type_name(self) + "' object");
  });
}

/// How a class takes part in Python's collection of cycles. T::traverse visits every reference that T owns; T::clear
/// lets go of those that may close a cycle, and whatever is called afterwards still works or raises.
template <class T>
py::custom_type_setup collected() {
  return py::custom_type_setup([](PyHeapTypeObject* made) {
    PyTypeObject& type = made->ht_type;
    type.tp_flags |= Py_TPFLAGS_HAVE_GC;
    type.tp_traverse = [](PyObject* self, visitproc visit, void* arg) {
      Py_VISIT(Py_TYPE(self));
      const T* held = initialized<T>(self);
      return held == nullptr ? 0 : held->traverse(visit, arg);
    };
    type.tp_clear = [](PyObject* self) {
      if (T* held = initialized<T>(self)) held->clear();
      return 0;
    };
  });
}

/// A cost as Python holds it: a row of the table, or a callable.
struct PyCost {
  Cost cost{"quadratic"};
  py::object function;  ///< null: a row of the table

  bool takes_labels() const { return !function && cost.is_cross_entropy(); }

  int traverse(visitproc visit, void* arg) const {
    Py_VISIT(function.ptr());
    return 0;
  }
  /// A callable becomes None: still no row of the table, and a TypeError where it is called.
  void clear() {
    if (function) function = py::none();
  }
};

/// A callable (a, y) -> (cost, dC/da), called with the GIL; somebody else's reference.
template <class Scalar>
class PyCustomCost : public CustomCost<Scalar> {
 public:
  explicit PyCustomCost(const py::object& function) : function_(function) {}
  void evaluate(const Scalar* a, const Scalar* y, Index m, Index n, Scalar* cost, Scalar* grad) const override;

 private:
  const py::object& function_;
};

/// A PyCost as the core uses it, while that lives.
template <class Scalar>
struct CostHolder {
  std::unique_ptr<PyCustomCost<Scalar>> custom;
  Cost cost;

  explicit CostHolder(const PyCost& from) : cost(from.cost) {
    if (from.function) custom = std::make_unique<PyCustomCost<Scalar>>(from.function);
  }
  CostUse<Scalar> use() const { return {cost, custom.get()}; }
};

/// Looks for Ctrl-C on the main thread, and calls a Python function now and then. Made and destroyed with the GIL.
class SignalWatcher : public Watcher {
 public:
  explicit SignalWatcher(py::object on_beat = py::none());
  /// Null where there is nothing to watch for.
  Watcher* pointer() { return watches_ ? this : nullptr; }
  bool stop() override;

 private:
  py::object on_beat_;
  bool watches_;
};

/// None, or a number of threads of at least 1.
int resolve_threads(py::handle threads);
/// The smallest of CPU affinity, cgroup quota and BPNET_NUM_THREADS (else OMP_NUM_THREADS).
int default_threads();

}  // namespace bpnet::bindings

namespace pybind11::detail {

template <>
class type_caster<bpnet::bindings::PyNetworkBase>
    : public bpnet::bindings::InitializedCaster<bpnet::bindings::PyNetworkBase> {};
template <class Scalar>
class type_caster<bpnet::bindings::PyNetwork<Scalar>>
    : public bpnet::bindings::InitializedCaster<bpnet::bindings::PyNetwork<Scalar>> {};
template <>
class type_caster<bpnet::bindings::PyCost> : public bpnet::bindings::InitializedCaster<bpnet::bindings::PyCost> {};

}  // namespace pybind11::detail
