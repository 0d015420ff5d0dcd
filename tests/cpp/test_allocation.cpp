/// After the first call with a network's shape, predicting, differentiating and training allocate nothing.
#include <atomic>
#include <cstdlib>
#include <new>

#include "bpnet/bpnet.hpp"
#include "numbers.hpp"

// ---- an allocator that counts ---------------------------------------------------------------------------------------

namespace {

std::atomic<long> allocations{0};
thread_local long allocations_here = 0;

void* counted(std::size_t size, std::size_t alignment) {
  ++allocations;
  ++allocations_here;
  const std::size_t rounded = (std::max<std::size_t>(size, 1) + alignment - 1) / alignment * alignment;
  return std::aligned_alloc(alignment, rounded);
}
void* counted_or_throw(std::size_t size, std::size_t alignment) {
  if (void* memory = counted(size, alignment)) return memory;
  throw std::bad_alloc();
}
// Not inlined: GCC warns where it sees free() meet operator new.
[[gnu::noinline]] void release(void* memory) { std::free(memory); }
constexpr std::size_t standard = __STDCPP_DEFAULT_NEW_ALIGNMENT__;
constexpr std::size_t to_size(std::align_val_t alignment) { return static_cast<std::size_t>(alignment); }

}  // namespace

void* operator new(std::size_t n) { return counted_or_throw(n, standard); }
void* operator new[](std::size_t n) { return counted_or_throw(n, standard); }
void* operator new(std::size_t n, std::align_val_t a) { return counted_or_throw(n, to_size(a)); }
void* operator new[](std::size_t n, std::align_val_t a) { return counted_or_throw(n, to_size(a)); }
void* operator new(std::size_t n, const std::nothrow_t&) noexcept { return counted(n, standard); }
void* operator new[](std::size_t n, const std::nothrow_t&) noexcept { return counted(n, standard); }
void* operator new(std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept { return counted(n, to_size(a)); }
void* operator new[](std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return counted(n, to_size(a));
}
void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { release(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept { release(memory); }
void operator delete[](void* memory, std::align_val_t, const std::nothrow_t&) noexcept { release(memory); }

namespace {

using namespace bpnet;
using ::Index;
using ::to_size;

/// How often body() allocates.
template <class Body>
long count(const Body& body) {
  const long before = allocations;
  body();
  return allocations - before;
}

/// body() once to warm up, then `calls` times without an allocation.
template <class Body>
void check_silent(const char* what, const Body& body, int calls = 3) {
  body();
  const long seen = count([&] {
    for (int k = 0; k < calls; ++k) body();
  });
  if (!CHECK(seen == 0)) std::cerr << "    " << what << ": " << seen << " allocations\n";
}

/// The counter counts what this program and Eigen allocate.
void test_counter() {
  CHECK(count([] { ::operator delete(::operator new(4)); }) == 1);
  CHECK(count([] { std::vector<double> x(100); }) == 1);
  CHECK(count([] { AlignedBuffer<float> x(100); }) == 1);
  CHECK(count([] { ::operator delete[](::operator new[](64, std::nothrow)); }) == 1);
}

// ---- one thread -----------------------------------------------------------------------------------------------------

struct Case {
  std::vector<Index> sizes;
  const char* activation;
  const char* output_activation;
  const char* cost;
  bool labels;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {{3, 1}, "sigmoid", "sigmoid", "quadratic", false},
      {{2, 16, 1}, "tanh", "sigmoid", "binary_cross_entropy", false},
      {{20, 30, 10}, "relu", "softmax", "cross_entropy", true},
      {{20, 30, 10}, "sigmoid", "softmax", "quadratic", false},
      {{7, 33, 65, 18, 5}, "gelu", "identity", "huber", false},
      {{130, 70, 66}, "softmax", "exponential", "poisson", false},
  };
  return all;
}

/// More than a megabyte of weights: walked block by block.
const Case wide_case{{500, 510, 7}, "tanh", "softmax", "cross_entropy", true};

/// Data for a case; targets lie in [0, 1) and suit every cost.
template <class Scalar>
struct Data {
  std::vector<Scalar> x, y, weights;
  std::vector<std::int64_t> classes;
  Batch<Scalar> batch;

  Data(const Case& c, Index m, bool weighted)
      : x(normals<Scalar>(c.sizes.front() * m, 1)),
        y(normals<Scalar>(c.sizes.back() * m, 2)),
        weights(normals<Scalar>(m, 3)),
        classes(::labels(m, c.sizes.back(), 4)) {
    for (auto* positive : {&y, &weights})
      for (Scalar& v : *positive) v = std::abs(v) / 8;
    const auto bytes = static_cast<std::ptrdiff_t>(sizeof(Scalar));
    const auto rows = [&](const std::vector<Scalar>& values, Index n) {
      return Samples{values.data(), m, n, n * bytes, bytes, element_type<Scalar>(), false};
    };
    batch.x = rows(x, c.sizes.front());
    batch.y = c.labels ? Targets(Samples{classes.data(), m, 1, 8, 8, ElementType::int64, false}, true)
                       : Targets(rows(y, c.sizes.back()));
    if (weighted) batch.weights.values = rows(weights, 1);
    batch.rows = {0, m, nullptr};
    batch.cost = {c.cost, nullptr};
  }
};

template <class Scalar>
void test_network(const Case& c, Index m, bool weighted, bool normalized) {
  Network<Scalar> net(c.sizes, c.activation, c.output_activation, 1);
  if (normalized)
    net.set_normalization({std::vector<Scalar>(to_size(net.n_inputs()), Scalar(0.5)),
                           std::vector<Scalar>(to_size(net.n_inputs()), Scalar(2)),
                           {},
                           std::vector<Scalar>(to_size(net.n_outputs()), Scalar(3))});
  const Data<Scalar> data(c, m, weighted);
  std::vector<Scalar> out(to_size(net.n_outputs() * m)), nabla(to_size(net.n_parameters())), x_gradient(data.x.size());
  check_silent("predict", [&] { net.predict(data.batch.x, out.data()); });
  check_silent("predict_one", [&] { net.predict_one(data.x.data(), out.data()); });
  static_assert(noexcept(net.predict_one(data.x.data(), out.data())));
  check_silent("cost", [&] { net.cost(data.batch); });
  const GradientRows<Scalar> wanted{nabla.data(), x_gradient.data(), {}, {}};
  GradientSpace<Scalar> space;
  check_silent("gradient", [&] {
    engine::Pulse pulse(nullptr);
    batch_gradient(static_cast<const Model<Scalar>&>(net), data.batch, Reduction::mean, wanted, space, {}, pulse);
  });
}

/// The epochs of a fit beyond the first: allocations from the end of the first epoch to the end of the last.
template <class Scalar>
long allocations_of_later_epochs(Trainer<Scalar>& trainer, const Data<Scalar>& data, const FitOptions& options,
                                 const std::type_identity_t<Batch<Scalar>>* validation, const Call& call = {}) {
  long first = 0, last = 0;
  const auto on_epoch = [&](const Epoch& epoch) {
    if (epoch.number == 0) first = allocations;
    last = allocations;
    return false;
  };
  trainer.fit(data.batch.x, data.batch.y, options, data.batch.weights, validation, on_epoch, call);
  return last - first;
}

template <class Scalar>
void test_training(const Case& c, Index batch_size, bool weighted, bool shuffle, const Optimizer& optimizer,
                   const Penalties& penalties) {
  Network<Scalar> net(c.sizes, c.activation, c.output_activation, 1);
  Trainer<Scalar> trainer(net, {c.cost, nullptr}, optimizer, penalties, 7);
  const Data<Scalar> minibatch(c, batch_size, weighted), all(c, 3 * batch_size + 5, weighted),
      held_out(c, 70, weighted);
  check_silent("step", [&] { trainer.step(minibatch.batch.x, minibatch.batch.y, minibatch.batch.weights); });
  const FitOptions options{4, batch_size, shuffle};
  CHECK(allocations_of_later_epochs(trainer, all, options, nullptr) == 0);
  CHECK(allocations_of_later_epochs(trainer, all, options, &held_out.batch) == 0);
}

template <class Scalar>
void test_one_thread() {
  const std::vector<Optimizer> optimizers{sgd(0.01), sgd(0.01, 0.9, true), rmsprop(), adam(),
                                          adamw(Schedule(Schedule::Kind::cosine, 1e-3, 0, 100))};
  std::size_t k = 0;
  for (const Case& c : cases())
    for (const Index m : {1, 10, 64, 200}) {
      const bool odd = k % 2 == 1;
      for (const bool weighted : {false, true}) {
        test_network<Scalar>(c, m, weighted, odd);
        const Penalties penalties = odd ? Penalties{1e-4, 1e-3, false} : Penalties{};
        test_training<Scalar>(c, m, weighted, !odd || weighted, optimizers[k++ % optimizers.size()], penalties);
      }
    }
  for (const Index m : {1, 64, 200}) {
    test_network<Scalar>(wide_case, m, true, m == 64);
    test_training<Scalar>(wide_case, m, true, true, adamw(), {1e-4, 1e-3, false});
  }
}

/// More samples than a shuffle keeps a table of, and a type that is converted tile by tile.
void test_large_epoch() {
  constexpr Index m = 3000, n = 5;
  const auto x = normals<double>(n * m, 5), y = normals<double>(m, 6);
  Network<float> net({n, 20, 1}, "tanh", "identity", 1);
  Trainer<float> trainer(net);
  long first = 0, last = 0;
  trainer.fit({x.data(), m, n, n * 8, 8, ElementType::float64, false},
              Samples{y.data(), m, 1, 8, 8, ElementType::float64, false}, {3, 200, true}, {}, nullptr,
              [&](const Epoch& epoch) {
                (epoch.number == 0 ? first : last) = allocations;
                return false;
              });
  CHECK(first == last);
}

// ---- two threads ----------------------------------------------------------------------------------------------------

/// A helper's workspace is made when the helper first gets a tile, which may be late; nothing is allocated after that.
void test_two_threads(const Case& c, Index m, int rounds) {
  const Data<float> data(c, m, true);
  Network<float> net(c.sizes, c.activation, c.output_activation, 1);
  Trainer<float> trainer(net, {c.cost, nullptr});
  const Call two{2, nullptr};
  std::vector<float> out(to_size(net.n_outputs() * m));
  const auto round = [&] {
    trainer.step(data.batch.x, data.batch.y, data.batch.weights, two);
    net.predict(data.batch.x, out.data(), two);
  };
  const auto by_helper = [] { return allocations - allocations_here; };
  const long before = by_helper();
  for (int k = 0; k < 500 && by_helper() == before; ++k) round();
  for (int k = 0; k < rounds; ++k) round();
  CHECK(count([&] {
          for (int k = 0; k < rounds; ++k) round();
        }) == 0);
  CHECK(allocations_of_later_epochs(trainer, data, {5, m / 2, true}, &data.batch, two) == 0);
}

}  // namespace

int main() {
  test_counter();
  test_two_threads({{20, 64, 64, 10}, "relu", "softmax", "cross_entropy", true}, 640, 40);
  test_two_threads(wide_case, 150, 10);
  test_one_thread<float>();
  test_one_thread<double>();
  test_large_epoch();
  return check_report();
}
