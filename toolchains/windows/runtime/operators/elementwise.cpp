#include "elementwise.h"

namespace aotwin::runtime {

Tensor aligned(const Tensor& tensor, const Tensor& result, Dtype dtype) {
  if (tensor.dtype() == dtype && tensor.sizes() == result.sizes() && tensor.strides() == result.strides()) {
    return tensor;
  }
  Tensor copy = empty_strided(result.sizes(), result.strides(), dtype);
  copy_into(copy, tensor);
  return copy;
}

Tensor empty_for(const Tensor& a, const Tensor& b, Dtype dtype) {
  const Dims shape = broadcast(a.sizes(), b.sizes());
  const bool same = a.sizes() == b.sizes() && a.strides() == b.strides() && a.is_dense();
  if (same) {
    return empty_strided(shape, a.strides(), dtype);
  }
  const Tensor left = expand(a, shape);
  const Tensor right = expand(b, shape);
  return empty_strided(shape, elementwise_strides(shape, {&left.strides(), &right.strides()}), dtype);
}

}  // namespace aotwin::runtime
