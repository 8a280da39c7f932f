// torch's fused linear layers. It packs their weights in advance; here they are what a linear layer has: [out, in], plain.
#include "matmul.h"
#include "pointwise_attributes.h"
#include "shims.h"

using namespace aotwin::runtime;
using namespace aotwin::runtime::products;

namespace {

// Several blocks of results, one after the other: strides say how the first lies, and no other weight has elements in one place.
bool lies_in_blocks(const Tensor& weight) {
  return weight.dtype() == Dtype::f32 && weight.stride(0) == 1 && weight.stride(1) == block_columns && weight.size(0) > block_columns &&
         weight.size(0) % block_columns == 0;
}

// X [..., in] as a matrix, the result with the same leading sizes.
Tensor linear(const char* name, const Tensor& x, const Tensor& weight, const Tensor* bias, Fused fused) {
  require(x.dim() >= 1 && weight.dim() == 2 && x.size(-1) == weight.size(1), name, ": an input of shape ", x.sizes(), " does not fit weights of shape ",
          weight.sizes());
  const Tensor input = x.dim() == 2 ? x : contiguous(x);
  const int64_t k = weight.size(1);
  const int64_t n = weight.size(0);
  int64_t rows = 1;
  for (int64_t i = 0; i + 1 < x.dim(); ++i) {
    rows *= x.size(i);
  }
  Dims sizes = x.sizes();
  sizes.back() = n;
  Tensor out = empty(sizes, x.dtype());
  const Tensor matrix = x.dim() == 2 ? input : view(input, {rows, k}, {k, 1}, input.storage_offset());
  fused.in_blocks = lies_in_blocks(weight);
  Tensor other;
  if (fused.other != nullptr) {
    other = contiguous(expand(*fused.other, sizes));
    other = view(other, {rows, n}, {n, 1}, other.storage_offset());
    fused.other = &other;
  }
  multiply_tensors(name, view(out, {rows, n}, {n, 1}, 0), matrix, view(weight, {k, n}, {weight.stride(1), weight.stride(0)}, weight.storage_offset()), bias,
                   bias == nullptr ? 0 : 1, 1, fused);
  return out;
}

}  // namespace

extern "C" AOTITorchError AOTWIN_SHIM(aoti_torch_cpu__linear_pointwise)(AtenTensorHandle X, AtenTensorHandle W, AtenTensorHandle* B, const char* attr,
                                                                        const double** scalars, int64_t scalars_len_, const char** algorithm,
                                                                        AtenTensorHandle* ret0) {
  return guarded([&] {
    Fused fused;
    set_activation(fused, "_linear_pointwise", attr, scalars, scalars_len_, algorithm == nullptr ? nullptr : *algorithm);
    const std::optional<Tensor> bias = maybe(B);
    *ret0 = give(linear("_linear_pointwise", borrow(X), borrow(W), bias ? &*bias : nullptr, fused));
  });
}

extern "C" AOTITorchError AOTWIN_SHIM(aoti_torch_cpu__linear_pointwise_binary)(AtenTensorHandle X, AtenTensorHandle other, AtenTensorHandle W,
                                                                               AtenTensorHandle* B, const char* attr, AtenTensorHandle* ret0) {
  return guarded([&] {
    Fused fused;
    const Tensor addend = borrow(other);
    set_binary(fused, "_linear_pointwise_binary", attr, addend, nullptr);
    const std::optional<Tensor> bias = maybe(B);
    *ret0 = give(linear("_linear_pointwise_binary", borrow(X), borrow(W), bias ? &*bias : nullptr, fused));
  });
}
