/// Which of its two layouts a tile is quicker in. Both give the same bits.
#pragma once

#include <cmath>
#include <vector>

#include "bpnet/kernel_table.hpp"

namespace bpnet {

/// Whether a register is as long as a line of the cache, as those of AVX-512 are.
template <class Scalar>
bool registers_fill_lines() {
  return kernels<Scalar>().lanes * static_cast<Index>(sizeof(Scalar)) == 64;
}

/// Whether registers of a weight matrix with so many outputs are as long as a line of the cache, and lie across two.
template <class Scalar>
bool lies_across_lines(Index n_out) {
  return registers_fill_lines<Scalar>() && n_out % kernels<Scalar>().lanes != 0;
}

/// An estimate of what a tile costs in either layout, in multiply-adds of whole registers. Unit lanes are empty where a
/// layer's outputs do not fill their last register, sample lanes where samples do not, in products and in activations;
/// sample lanes have the rows of x and y turned around and, on the way back, every delta; unit lanes have the weights
/// turned around on the way back. One register of outputs has a load for each multiply-add of its gradient, which
/// AVX-512 makes quicker in whole tiles in sample lanes alone (engine/outer_spread.hpp).
template <class Scalar>
class LayoutChoice {
 public:
  void prepare(const std::vector<Index>& sizes) {
    const double lanes = kernels<Scalar>().lanes;
    const auto registers = [&](double n) { return std::ceil(n / lanes); };
    Estimate there, back;
    there.lanes_register =
        turning_rows * static_cast<double>(sizes.front()) + turning * static_cast<double>(sizes.back());
    for (std::size_t l = 1; l < sizes.size(); ++l) {
      const auto n_out = static_cast<double>(sizes[l]), n_in = static_cast<double>(sizes[l - 1]);
      const double padded = static_cast<double>(engine::padded(sizes[l])) / lanes;
      for (Estimate* e : {&there, &back}) {
        e->units_sample += elementwise * padded + calling;
        e->lanes_register += elementwise * n_out;
      }
      const bool from_l2 = n_in * n_out * sizeof(Scalar) > l1;
      const double start = from_l2 ? starting_from_l2 : starting;
      there.units_sample += n_in * registers(n_out);
      if (from_l2 && lies_across_lines<Scalar>(sizes[l])) there.units_across += across_lines * n_in * registers(n_out);
      there.lanes_register += n_in * n_out;
      there.lanes_tile += start * n_in * n_out;
      if (engine::worth_packing<Scalar>(sizes[l], sizes[l - 1])) there.lanes_tile += packing * n_in * n_out / lanes;
      const double by_units = n_in * registers(n_out), by_inputs = n_out * registers(n_in);
      const double loads = registers_fill_lines<Scalar>() && registers(n_out) == 1 ? loading * by_units : 0;
      back.units_sample += by_units + loads;
      back.lanes_part += loads;
      back.lanes_sample += std::min(by_units, by_inputs);  // roles are exchanged where that pays
      back.lanes_register += turning * n_out;
      if (l == 1) continue;
      back.units_sample += by_inputs;
      back.units_tile += turning_weights * n_out * registers(n_in);
      back.lanes_register += n_in * n_out;
      back.lanes_tile += start * n_in * n_out;
    }
    forward_ = there;
    both_ = there + back;
  }

  /// For m samples, forward only or there and back.
  engine::Layout operator()(Index m, bool backward) const {
    const Estimate& e = backward ? both_ : forward_;
    const auto samples = static_cast<double>(m);
    const double registers = static_cast<double>(engine::padded(m)) / kernels<Scalar>().lanes;
    // One register of samples has too few chains to make use of what it is spared.
    const double units = samples * (e.units_sample + (registers > 1 ? e.units_across : 0)) + e.units_tile;
    const double lanes = registers * e.lanes_register + e.lanes_tile + (m == engine::padded(m) ? 0 : entering) +
                         samples * (e.lanes_sample + (m == engine::tile_samples ? 0 : e.lanes_part));
    return units <= lanes ? engine::Layout::unit_lanes : engine::Layout::sample_lanes;
  }

 private:
  static constexpr double l1 = 32768;
  static constexpr double starting = 0.05, starting_from_l2 = 0.2;  ///< of a weight's chain, whatever the samples
  static constexpr double turning = 3.2;                            ///< a register of numbers turned around
  static constexpr double turning_rows = 8, turning_weights = 5;
  static constexpr double elementwise = 10;     ///< a register's activation, or the rest of its way back
  static constexpr double calling = 10;         ///< a sample's share of beginning and ending a block of units
  static constexpr double entering = 100;       ///< a tile whose samples do not fill its registers
  static constexpr double across_lines = 0.17;  ///< a register of weights that lies in two lines of L2
  static constexpr double loading = 0.7;        ///< a load that nothing hides
  static constexpr double packing = 3;          ///< a register of weights copied out

  struct Estimate {
    double units_sample = 0, units_across = 0, units_tile = 0;
    double lanes_sample = 0, lanes_part = 0, lanes_register = 0, lanes_tile = 0;
    Estimate operator+(const Estimate& b) const {
      return {units_sample + b.units_sample, units_across + b.units_across, units_tile + b.units_tile,
              lanes_sample + b.lanes_sample, lanes_part + b.lanes_part,     lanes_register + b.lanes_register,
              lanes_tile + b.lanes_tile};
    }
  };
  Estimate forward_, both_;
};

}  // namespace bpnet
