/// A program whose own matrices are row-major by default: bpnet's stay as the equations have them.
#define EIGEN_DEFAULT_TO_ROW_MAJOR

#include "bpnet/network.hpp"
#include "check.hpp"

using namespace bpnet;

int main() {
  const Network<double> net({3, 5, 2}, "tanh", "identity", 1);
  const Eigen::MatrixXd x = Eigen::MatrixXd::Random(3, 4), y = Eigen::MatrixXd::Random(2, 4);  // one sample a column
  static_assert(Eigen::MatrixXd::IsRowMajor && !Matrix<double>::IsRowMajor);
  const Matrix<double> a = net.predict(x);
  const auto g = net.gradient(x, y, "quadratic", Wrt::both);
  for (Index s = 0; s < x.cols(); ++s) {
    const Eigen::VectorXd column = x.col(s), hidden = (net.W(1) * column + net.b(1)).array().tanh();
    const Eigen::VectorXd expected = net.W(2) * hidden + net.b(2);
    CHECK_LE((a.col(s) - expected).norm(), 1e-14);
    const Eigen::VectorXd delta =
        (1 - hidden.array().square()) * (net.W(2).transpose() * (expected - y.col(s))).array();
    CHECK_LE((g.x.col(s) - net.W(1).transpose() * delta / 4).norm(), 1e-14);
  }
  return check_report();
}
