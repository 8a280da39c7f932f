// Concatenation along one dimension.
#include "arguments.h"
#include "layout.h"
#include "promotion.h"

namespace aotwin::runtime {

namespace {

// torch lets empty tensors of one dimension stand beside any others.
bool counts(const Tensor& tensor) {
  return tensor.dim() != 1 || tensor.size(0) != 0;
}

Tensor concatenate(const AtenTensorHandle* handles, int64_t count, int64_t dim) {
  require(count > 0 && handles != nullptr, "cat: there are no tensors");
  const Tensor* shaped = nullptr;
  bool channels_last = true;
  Dtype dtype = borrow(handles[0]).dtype();
  for (int64_t i = 0; i < count; ++i) {
    const Tensor& tensor = borrow(handles[i]);
    require(tensor.dim() > 0, "cat: tensor ", i, " has no dimensions");
    dtype = promoted(dtype, tensor.dtype());
    channels_last = channels_last && suggests_channels_last(tensor);
    if (shaped == nullptr && counts(tensor)) {
      shaped = &tensor;
    }
  }
  if (shaped == nullptr) {
    return empty({0}, dtype);
  }
  dim = wrap_dim(dim, shaped->dim());
  const size_t at = static_cast<size_t>(dim);
  Dims sizes = shaped->sizes();
  sizes[at] = 0;
  for (int64_t i = 0; i < count; ++i) {
    const Tensor& tensor = borrow(handles[i]);
    if (!counts(tensor)) {
      continue;
    }
    bool fits = tensor.dim() == shaped->dim();
    for (size_t d = 0; fits && d < sizes.size(); ++d) {
      fits = d == at || tensor.sizes()[d] == sizes[d];
    }
    require(fits, "cat: tensor ", i, " of shape ", tensor.sizes(), " does not fit ", shaped->sizes(), " but in dimension ", dim);
    sizes[at] += tensor.sizes()[at];
  }
  Tensor result = channels_last ? empty_like_channels_last(sizes, dtype) : empty(sizes, dtype);
  int64_t position = 0;
  for (int64_t i = 0; i < count; ++i) {
    const Tensor& tensor = borrow(handles[i]);
    if (counts(tensor)) {
      copy_into(view(result, tensor.sizes(), result.strides(), position * result.strides()[at]), tensor);
      position += tensor.sizes()[at];
    }
  }
  return result;
}

}  // namespace

}  // namespace aotwin::runtime

using namespace aotwin::runtime;

extern "C" AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_cat)(const AtenTensorHandle* tensors, int64_t tensors_len_, int64_t dim,
                                                          AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, concatenate(tensors, tensors_len_, dim)); });
}
