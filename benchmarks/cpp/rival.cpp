// bpnet without Python, for benchmarks/rivals/cpp_.py, which has it work on the problem that all rivals get:
//
//   rival training|prediction float32|float64 SIZES BATCH ACTIVATION adam|sgd RATE FOLDER
//
// FOLDER has `theta`, `x` and `y` as raw numbers. Then stdin brings a number a line: so many epochs, or predictions of
// the first batch; or the word `result`: theta, or the last outputs, go to FOLDER/result. Each line is answered by
// "done".

#include <bpnet/bpnet.hpp>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using bpnet::Index;

struct Job {
  bool training;
  std::vector<Index> sizes;
  Index batch;
  bpnet::Activation activation;
  bpnet::Optimizer optimizer;
  std::string folder;
};

std::vector<Index> numbers(const std::string& text) {
  std::vector<Index> all;
  std::istringstream in(text);
  for (std::string number; std::getline(in, number, ',');) all.push_back(std::stol(number));
  return all;
}

/// The numbers of a file, n a column.
template <class Scalar>
bpnet::Matrix<Scalar> read(const std::string& path, Index n) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) throw std::runtime_error("cannot read " + path);
  bpnet::Matrix<Scalar> all(n, static_cast<Index>(file.tellg()) / static_cast<Index>(sizeof(Scalar)) / n);
  file.seekg(0).read(reinterpret_cast<char*>(all.data()), all.size() * static_cast<Index>(sizeof(Scalar)));
  return all;
}

/// Answers line by line. `work(n)` does it n times; `data` are the `count` numbers that come of it.
template <class Scalar, class Work>
void serve(const std::string& folder, const Scalar* data, Index count, const Work& work) {
  for (std::string line; std::getline(std::cin, line);) {
    if (line == "result") {
      std::ofstream file(folder + "/result", std::ios::binary);
      file.write(reinterpret_cast<const char*>(data), count * static_cast<Index>(sizeof(Scalar)));
    } else {
      work(std::stol(line));
    }
    std::cout << "done" << std::endl;
  }
}

template <class Scalar>
void run(const Job& job) {
  bpnet::Network<Scalar> net(job.sizes, job.activation, job.activation);
  net.theta() = read<Scalar>(job.folder + "/theta", net.n_parameters()).col(0);
  const auto x = read<Scalar>(job.folder + "/x", net.n_inputs()), y = read<Scalar>(job.folder + "/y", net.n_outputs());
  if (job.training) {
    bpnet::Trainer<Scalar> trainer(net, {}, job.optimizer);
    serve(job.folder, net.theta().data(), net.n_parameters(),
          [&](Index epochs) { trainer.fit(x, y, {.epochs = epochs, .batch_size = job.batch, .shuffle = false}); });
  } else {
    const bpnet::Matrix<Scalar> first = x.leftCols(job.batch);
    const bpnet::Samples samples = bpnet::columns(first);
    bpnet::Matrix<Scalar> out(net.n_outputs(), job.batch);
    serve(job.folder, out.data(), out.size(), [&](Index calls) {
      for (Index k = 0; k < calls; ++k)
        if (job.batch == 1)
          net.predict_one(first.data(), out.data());
        else
          net.predict(samples, out.data());
    });
  }
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 9) throw std::invalid_argument("expected 8 arguments: see the head of rival.cpp");
  const std::string kind = argv[1], dtype = argv[2], rule = argv[6];
  const double rate = std::stod(argv[7]);
  const Job job{kind == "training",
                numbers(argv[3]),
                std::stol(argv[4]),
                bpnet::Activation(argv[5]),
                rule == "sgd" ? bpnet::sgd(rate) : bpnet::adam(rate),
                argv[8]};
  dtype == "float64" ? run<double>(job) : run<float>(job);
} catch (const std::exception& error) {
  std::fprintf(stderr, "rival: %s\n", error.what());
  return 1;
}
