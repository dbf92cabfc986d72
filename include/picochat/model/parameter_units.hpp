// A model whose weights no process holds whole: they are gathered unit by unit, used, and dropped.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "picochat/model/parameters.hpp"

namespace picochat::model {

// Weights that are gathered at once, as a flat buffer of their own in which matrices come first.
struct ParameterUnit {
  struct Range {
    int64_t whole, unit, count;  // first element in the flat buffer of all parameters, and in the unit's
  };
  std::vector<Range> ranges;
  int64_t size = 0, decay_size = 0;

  // Where the element at `whole` of the flat buffer stands in the unit's.
  int64_t place(int64_t whole) const;
  // Between the flat buffer of all parameters and the unit's.
  void copy_from(const at::Tensor& whole, const at::Tensor& unit) const;
  void copy_to(const at::Tensor& unit, const at::Tensor& whole) const;
};

// Unit 0 is all that stands outside the blocks; unit 1 + b is block b. All blocks are laid out alike.
std::vector<ParameterUnit> parameter_units(const ParameterLayout& layout);

// Where a transformer finds its weights unit by unit, and leaves their gradients. One buffer serves all blocks in turn.
class ParameterSource {
 public:
  // Flat, at least as long as the unit. Gradient buffers are zero when a unit's backward pass begins.
  struct UnitBuffers {
    at::Tensor outer, block, outer_gradients, block_gradients;
  };
  virtual ~ParameterSource() = default;
  virtual UnitBuffers buffers() = 0;
  virtual void gather(int64_t unit) = 0;  // fills `outer` or `block`; a collective: on every rank in the same order
  virtual void reduce(int64_t unit) = 0;  // takes the unit's gradients and leaves zeros; a collective too
};

// A flat buffer, or a source.
struct Parameters {
  Parameters(const at::Tensor& f) : flat(f) {}
  Parameters(ParameterSource& s) : source(&s) {}
  at::Tensor flat;
  ParameterSource* source = nullptr;
};

}  // namespace picochat::model
