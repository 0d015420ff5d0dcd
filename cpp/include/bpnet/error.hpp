/// What the core throws besides std::invalid_argument, which says which argument, what it was, what it should be.
#pragma once

#include <stdexcept>
#include <string>

#include "bpnet/types.hpp"

namespace bpnet {

/// The cost or the parameters are no longer finite.
class DivergenceError : public std::runtime_error {
 public:
  DivergenceError(const std::string& what, Index at_epoch, Index at_step)
      : std::runtime_error(what), epoch(at_epoch), step(at_step) {}
  Index epoch;  ///< of fit, counted from 0, over the life of the trainer; -1 for a single step
  Index step;   ///< counted from 0, over the life of the trainer
};

}  // namespace bpnet
