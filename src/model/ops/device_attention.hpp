// Attention on a GPU through the libraries that LibTorch brings: cuDNN, FlashAttention-2, the memory-efficient kernels.
#pragma once

#include <map>
#include <string>

#include "model/ops/ops.hpp"

namespace picochat::model::ops {

class DeviceAttention {
 public:
  // choice: auto, cudnn, flash, efficient or math (the plain operations of `plain`). The choice is tried on random
  // values of the first shape that comes, against `plain`; "auto" takes the first that runs and agrees.
  DeviceAttention(at::Device device, at::ScalarType dtype, std::string choice, Ops& plain);

  // Runs one of the names on random values of this shape. Empty: it agrees with the plain operations; else why not.
  std::string try_out(const std::string& name, const AttentionShape& shape);

  // Empty before the first call.
  const std::string& used() const { return used_; }

  // As Ops::attention and what belongs to it.
  Tensor forward(const AttentionShape& shape, const Tensor& q, const Tensor& k, const Tensor& v, const DropoutMask& dropout,
                 const Tensor& out, const Tensor& lse);
  Tensor output(const Tensor& lse) const { return saved_.at(lse.data_ptr()).out; }
  HeadGradients backward(const AttentionShape& shape, const Tensor& q, const Tensor& k, const Tensor& v, const DropoutMask& dropout,
                         const Tensor& out, const Tensor& lse, const Tensor& dout, const Tensor& dq, const Tensor& dk, const Tensor& dv);

 private:
  // The output of a library, and what its backward pass needs besides.
  struct Saved {
    Tensor out, lse, first, second;
  };
  void choose(const AttentionShape& shape);
  const std::string& backend_for(const AttentionShape& shape, const DropoutMask& dropout) const;
  Saved run_forward(const std::string& name, const AttentionShape& shape, const Tensor& q, const Tensor& k, const Tensor& v);
  HeadGradients run_backward(const std::string& name, const AttentionShape& shape, const Tensor& q, const Tensor& k, const Tensor& v, const Saved& saved,
                             const Tensor& dout);

  at::Device device_;
  at::ScalarType dtype_;
  std::string choice_, used_;
  Ops& plain_;
  std::map<const void*, Saved> saved_;  // by the address of the caller's lse, which names the layer
};

}  // namespace picochat::model::ops
