/// Optimizer steps: one pass over parameters, gradient and state.
#pragma once

#include <limits>
#include <utility>

#include "bpnet/engine/elementary/arithmetic.hpp"

namespace bpnet::engine {

/// One step's numbers. Penalties and decay are zero where a segment (biases) is exempt.
template <class Scalar>
struct Update {
  Scalar eta = 0;         ///< learning rate
  Scalar mu = 0;          ///< (O1) momentum
  Scalar decay1 = 0;      ///< rho of (O2), beta1 of (O3)
  Scalar decay2 = 0;      ///< beta2 of (O3)
  Scalar eps = 0;         ///< (O2), (O3)
  Scalar mean1 = 1;       ///< (O3): from the first sum to m^, (1 - beta1) / (1 - beta1^t)
  Scalar root_mean2 = 1;  ///< from the root of the squares' sum to that of v^, sqrt((1 - beta2) / (1 - beta2^t)), or s
  Scalar shrink = 0;      ///< eta lambda of (O4)
  Scalar l1 = 0, l2 = 0;  ///< penalties: their gradients are added to g
};

/// The arrays of one step: `columns` pieces of n numbers, `stride` apart, those of the gradient `g_stride` apart. A
/// state the rule has no use for may be null. Where `kept` is not null, the step can be taken back: it receives theta
/// as it was, and the new state goes to next_first and next_second.
template <class Scalar>
struct UpdateArrays {
  Scalar* theta;
  const Scalar* g;
  Scalar* first;   ///< v of (O1), m / (1 - beta1) of (O3), s / (1 - rho) of (O2)
  Scalar* second;  ///< v / (1 - beta2) of (O3)
  Index n;
  Index columns = 1;
  Index stride = 0;
  Index g_stride = 0;
  Scalar *kept = nullptr, *next_first = nullptr, *next_second = nullptr;
};

/// The same numbers as lanes, held in registers through the pass. Without Shrinks, shrink is 0.
template <class L, bool Shrinks_>
struct UpdateLanes {
  static constexpr bool Shrinks = Shrinks_;
  L eta, mu, decay1, decay2, eps, step, root_mean2, shrink;
  template <class Scalar>
  explicit UpdateLanes(const Update<Scalar>& u)
      : eta(u.eta),
        mu(u.mu),
        decay1(u.decay1),
        decay2(u.decay2),
        eps(u.eps),
        step(u.eta * u.mean1),
        root_mean2(u.root_mean2),
        shrink(-u.shrink) {}
};

// A rule's step has two halves: `begin` brings the states up to date and returns what theta's move hangs on, of which
// `take_root` takes the root, if there is one; `finish` moves theta. Between them others can begin, `ahead` registers
// of numbers.

/// What rules without a root have in common. (O1)
struct RootlessStep {
  static constexpr bool can_shrink = false;
  static constexpr int ahead = 0;
  template <class L>
  static L take_root(L direction, bool) {
    return direction;
  }
  template <class L, class Numbers>
  static L finish(const Numbers& u, L theta, L direction) {
    return madd(-u.eta, direction, theta);
  }
};

/// theta <- theta - eta g. (O1) without momentum
struct PlainStep : RootlessStep {
  static constexpr int states = 0;
  template <class L, class Numbers>
  static L begin(const Numbers&, L g, L&, L&) {
    return g;
  }
};

/// v <- mu v + g; theta <- theta - eta v. (O1)
struct MomentumStep : RootlessStep {
  static constexpr int states = 1;
  template <class L, class Numbers>
  static L begin(const Numbers& u, L g, L& v, L&) {
    v = madd(u.mu, v, g);
    return v;
  }
};

/// v <- mu v + g; theta <- theta - eta (g + mu v). (O1), Nesterov's
struct NesterovStep : RootlessStep {
  static constexpr int states = 1;
  template <class L, class Numbers>
  static L begin(const Numbers& u, L g, L& v, L&) {
    v = madd(u.mu, v, g);
    return madd(u.mu, v, g);
  }
};

/// theta's move before the quotient is formed; `root` is the square before its root is taken.
template <class L>
struct Fraction {
  L numerator, root;
};

/// What rules with a root have in common. The root is correctly rounded, by the divider or by steps; the divider would
/// be busy with roots and quotients for twice as long as the step takes, so the quotient is by multiplication. From the
/// root to theta is a long way, on which many numbers would wait in line: so they set out four registers ahead.
struct RootStep {
  static constexpr int ahead = 4;
  template <class L>
  [[gnu::always_inline]] static Fraction<L> take_root(Fraction<L> move, bool by_steps) {
    return {move.numerator, by_steps ? sqrt_by_steps(move.root) : sqrt(move.root)};
  }
  /// theta - numerator / (root scale + eps), the largest of which is as good as infinite.
  template <class L, class Numbers>
  static L finish(const Numbers& u, L theta, Fraction<L> move) {
    constexpr auto most = std::numeric_limits<typename L::Scalar>::max() / 8;
    return madd(-move.numerator, reciprocal(min(madd(move.root, u.root_mean2, u.eps), L(most))), theta);
  }
};

/// s <- rho s + (1 - rho) g^2; theta <- theta - eta g / (sqrt(s) + eps). (O2)
/// What is kept is s / (1 - rho): a factor that is the same for all is put in once, where the root is scaled.
struct RmsPropStep : RootStep {
  static constexpr int states = 1;
  static constexpr bool can_shrink = false;
  template <class L, class Numbers>
  static Fraction<L> begin(const Numbers& u, L g, L& s, L&) {
    s = madd(u.decay1, s, g * g);
    return {u.eta * g, s};
  }
};

/// m <- beta1 m + (1 - beta1) g; v <- beta2 v + (1 - beta2) g^2; theta <- theta - eta m^ / (sqrt(v^) + eps). (O3), (O4)
/// Kept are m / (1 - beta1) and v / (1 - beta2), as above.
struct AdamStep : RootStep {
  static constexpr int states = 2;
  static constexpr bool can_shrink = true;
  template <class L, class Numbers>
  static Fraction<L> begin(const Numbers& u, L g, L& m, L& v) {
    m = madd(u.decay1, m, g);
    v = madd(u.decay2, v, g * g);
    return {u.step * m, v};
  }
  template <class L, class Numbers>
  static L finish(const Numbers& u, L theta, Fraction<L> move) {
    if constexpr (Numbers::Shrinks) theta = madd(u.shrink, theta, theta);  // (O4)
    return RootStep::finish(u, theta, move);
  }
};

namespace detail {

/// With Shares, the divider has every other register's roots, the multiply-adds the rest.
template <class Rule, bool Keep, bool Shrinks, bool Shares, class Scalar>
void update(const Update<Scalar>& u, const UpdateArrays<Scalar>& arrays) {
  using L = Lanes<Scalar>;
  const L zero(Scalar(0)), l1(u.l1), l2(u.l2);
  const UpdateLanes<L, Shrinks> numbers(u);
  const bool penalised = u.l1 != Scalar(0) || u.l2 != Scalar(0);
  const Index n = arrays.n;
  for (Index column = 0; column < arrays.columns; ++column) {
    UpdateArrays<Scalar> at = arrays;  // a copy: its pointers stay in registers
    at.theta += column * arrays.stride;
    at.g += column * arrays.g_stride;
    if constexpr (Rule::states > 0) at.first += column * arrays.stride;
    if constexpr (Rule::states > 1) at.second += column * arrays.stride;
    if constexpr (Keep) at.kept += column * arrays.stride;
    if constexpr (Keep && Rule::states > 0) at.next_first += column * arrays.stride;
    if constexpr (Keep && Rule::states > 1) at.next_second += column * arrays.stride;
    const auto begin = [&](Index i, auto load, auto store, L& first, L& second, bool by_steps)
        __attribute__((always_inline)) {
      L g = load(at.g + i);
      if constexpr (Rule::states > 0) first = load(at.first + i);
      if constexpr (Rule::states > 1) second = load(at.second + i);
      if constexpr (Keep) store(load(at.theta + i), at.kept + i);
      if (penalised) {
        const L theta = load(at.theta + i);
        g = madd(l2, theta, g);
        g = g + select(theta == zero, zero, copysign(l1, theta));
      }
      return Rule::take_root(Rule::begin(numbers, g, first, second), by_steps);
    };
    const auto store_states = [&](Index i, auto store, L first, L second) __attribute__((always_inline)) {
      if constexpr (Rule::states > 0) store(first, (Keep ? at.next_first : at.first) + i);
      if constexpr (Rule::states > 1) store(second, (Keep ? at.next_second : at.second) + i);
    };
    const auto step = [&](Index i, auto load, auto store) __attribute__((always_inline)) {
      L first = zero, second = zero;
      const L theta = load(at.theta + i);
      store(Rule::finish(numbers, theta, begin(i, load, store, first, second, false)), at.theta + i);
      store_states(i, store, first, second);
    };
    const auto load = [](const Scalar* from) __attribute__((always_inline)) { return L::load(from); };
    const auto store = [](L x, Scalar * to) __attribute__((always_inline)) { x.store(to); };
    Index i = 0;
    if constexpr (constexpr Index ahead = Rule::ahead * L::size; ahead > 0) {
      if (n >= ahead && arrays.columns == 1) {  // short columns of a wide layer come from afar, and then it is slower
        const auto start = [&](Index at_first, int k) __attribute__((always_inline)) {
          L first = zero, second = zero;
          const auto move = begin(at_first, load, store, first, second, Shares && k % 2 == 1);
          store_states(at_first, store, first, second);
          return move;
        };
        const auto finish = [&](Index at_first, auto move) __attribute__((always_inline)) {
          Rule::finish(numbers, L::load(at.theta + at_first), move).store(at.theta + at_first);
        };
        decltype(start(0, 0)) moves[Rule::ahead];
        for (int k = 0; k < Rule::ahead; ++k) moves[k] = start(k * L::size, k);
        for (; i + 2 * ahead <= n; i += ahead) {
#pragma GCC unroll 8
          for (int k = 0; k < Rule::ahead; ++k) {
            const auto next = start(i + ahead + k * L::size, k);
            finish(i + k * L::size, std::exchange(moves[k], next));
          }
        }
        for (int k = 0; k < Rule::ahead; ++k, i += L::size) finish(i, moves[k]);
      }
    }
    for (; i + L::size <= n; i += L::size) step(i, load, store);
    if (const Index rest = n - i; rest > 0)
      step(
          i, [rest](const Scalar* from) { return L::load_first(from, rest); },
          [rest](L x, Scalar* to) { x.store_first(to, rest); });
  }
}

}  // namespace detail

/// One step of Rule.
template <class Rule, class Scalar>
void update(const Update<Scalar>& u, const UpdateArrays<Scalar>& arrays) {
  const auto pass = [&](auto shrinks, auto shares) {
    if (arrays.kept)
      detail::update<Rule, true, shrinks(), shares()>(u, arrays);
    else
      detail::update<Rule, false, shrinks(), shares()>(u, arrays);
  };
  const auto step = [&](auto shrinks) {
    if constexpr (Rule::ahead > 0 && roots_may_be_slow<Lanes<Scalar>>)
      if (roots_are_slow()) return pass(shrinks, std::true_type{});
    pass(shrinks, std::false_type{});
  };
  if constexpr (Rule::can_shrink)
    if (u.shrink != Scalar(0)) return step(std::true_type{});
  step(std::false_type{});
}

/// a += b: one node of the tree that sums the shards of a gradient.
template <class Scalar>
void add(Scalar* a, const Scalar* b, Index n) {
  using L = Lanes<Scalar>;
  Index i = 0;
  for (; i + L::size <= n; i += L::size) (L::load(a + i) + L::load(b + i)).store(a + i);
  if (i < n) (L::load_first(a + i, n - i) + L::load_first(b + i, n - i)).store_first(a + i, n - i);
}

}  // namespace bpnet::engine
