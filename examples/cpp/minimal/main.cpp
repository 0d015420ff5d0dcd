// Trains XOR, asks how the cost depends on the inputs, predicts, and returns nonzero where any of it is wrong.

#include <algorithm>
#include <bpnet/bpnet.hpp>
#include <cmath>
#include <cstdio>

int main() {
  // One sample a column: two inputs, one output.
  bpnet::Matrix<double> x(2, 4), y(1, 4);
  x << 0, 0, 1, 1,  //
      0, 1, 0, 1;
  y << 0, 1, 1, 0;

  bpnet::Network<double> net({2, 8, 1}, "tanh", "sigmoid", /*seed=*/1);

  bpnet::Trainer<double> trainer(net, {"binary_cross_entropy"}, bpnet::adam(0.05));
  const bpnet::History history = trainer.fit(x, y, {.epochs = 500, .batch_size = 4});
  std::printf("cost %.3f, after %d steps %.5f\n", history.cost.front(), static_cast<int>(history.steps),
              history.cost.back());

  const bpnet::Matrix<double> a = net.predict(x);
  for (bpnet::Index s = 0; s < 4; ++s) std::printf("%g xor %g = %.3f\n", x(0, s), x(1, s), a(0, s));

  // grad_x C: which way the cost rises, at a point between the corners. Beside it, central differences.
  const bpnet::Matrix<double> point = (bpnet::Matrix<double>(2, 1) << 0.3, 0.6).finished(), target = y.leftCols(1);
  const bpnet::Matrix<double> gradient = net.gradient(point, target, "binary_cross_entropy", bpnet::Wrt::x).x;
  double error = 0;
  for (bpnet::Index i = 0; i < 2; ++i) {
    const auto cost_beside = [&](double h) {
      bpnet::Matrix<double> moved = point;
      moved(i, 0) += h;
      return net.cost(moved, target, "binary_cross_entropy");
    };
    const double h = 1e-5, difference = (cost_beside(h) - cost_beside(-h)) / (2 * h);
    std::printf("dC/dx%d = %.9f, by differences %.9f\n", static_cast<int>(i), gradient(i, 0), difference);
    error = std::max(error, std::abs(gradient(i, 0) - difference));
  }

  const bool learnt = (a - y).cwiseAbs().maxCoeff() < 0.05;
  const bool exact = error < 1e-6;  // truncation is of order h^2, rounding of order 1e-16 / h
  return learnt && exact ? 0 : 1;
}
