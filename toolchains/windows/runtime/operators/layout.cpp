#include "layout.h"

#include <utility>

namespace aotwin::runtime {

namespace {

// > 0: `inner` must change places with `outer`; < 0: the order is right; 0: the operands do not tell.
int order_of(const Dims& shape, const Dims* const* strides, size_t count, size_t inner, size_t outer) {
  for (size_t i = 0; i < count; ++i) {
    const int64_t a = (*strides[i])[inner];
    const int64_t b = (*strides[i])[outer];
    if (a == 0 || b == 0) {
      continue;
    }
    if (a != b) {
      return a < b ? -1 : 1;
    }
    if (shape[inner] > shape[outer]) {
      return 1;
    }
  }
  return 0;
}

}  // namespace

Dims elementwise_strides(const Dims& shape, const Dims* const* strides, size_t count) {
  const size_t rank = shape.size();
  // Dimensions from the innermost to the outermost: row-major, unless the operands say otherwise. The insertion sort that may
  // stop at a pair without opinion is part of the result: torch does so too.
  Dims order;
  for (size_t i = 0; i < rank; ++i) {
    order.push_back(static_cast<int64_t>(rank - 1 - i));
  }
  for (size_t i = 1; i < rank; ++i) {
    size_t moving = i;
    for (size_t j = i; j-- > 0;) {
      const int verdict =
          order_of(shape, strides, count, static_cast<size_t>(order[j]), static_cast<size_t>(order[moving]));
      if (verdict > 0) {
        std::swap(order[j], order[moving]);
        moving = j;
      } else if (verdict < 0) {
        break;
      }
    }
  }
  Dims result = Dims::filled(rank, 0);
  int64_t stride = 1;
  for (size_t i = 0; i < rank; ++i) {
    const size_t dim = static_cast<size_t>(order[i]);
    result[dim] = stride;
    stride *= shape[dim] > 1 ? shape[dim] : 1;
  }
  return result;
}

Dims elementwise_strides(const Dims& shape, std::initializer_list<const Dims*> strides) {
  return elementwise_strides(shape, strides.begin(), strides.size());
}

Dims preserved_strides(const Tensor& tensor) {
  return tensor.is_dense() ? tensor.strides() : elementwise_strides(tensor.sizes(), {&tensor.strides()});
}

Tensor empty_preserving(const Tensor& tensor, Dtype dtype) {
  return empty_strided(tensor.sizes(), preserved_strides(tensor), dtype);
}

bool suggests_channels_last(const Tensor& tensor) {
  // torch looks at the strides alone: from the channels to the outermost dimension they must not fall, and two dimensions of
  // size 1 (N111) are read as contiguous.
  const int64_t rank = tensor.dim();
  if ((rank != 4 && rank != 5) || tensor.stride(1) == 0) {
    return false;
  }
  int64_t least = 0;
  for (int64_t step = 0; step < rank; ++step) {
    const int64_t dim = step == 0 ? 1 : step == rank - 1 ? 0 : rank - step;
    if (tensor.size(dim) == 0 || tensor.stride(dim) < least) {
      return false;
    }
    if (dim == 0 && least == tensor.stride(1)) {
      return false;
    }
    least = tensor.stride(dim);
    if (tensor.size(dim) > 1) {
      least *= tensor.size(dim);
    }
  }
  return true;
}

Tensor empty_suggested(const Dims& sizes, const Tensor& like, Dtype dtype) {
  return suggests_channels_last(like) ? empty_like_channels_last(sizes, dtype) : empty(sizes, dtype);
}

Tensor contiguous_suggested(const Tensor& tensor) {
  if (!suggests_channels_last(tensor)) {
    return contiguous(tensor);
  }
  if (tensor.is_channels_last()) {
    return tensor;
  }
  Tensor result = empty_like_channels_last(tensor.sizes(), tensor.dtype());
  copy_into(result, tensor);
  return result;
}

Tensor at_least_1d(const Tensor& tensor) {
  return tensor.dim() > 0 ? tensor : view(tensor, {1}, {1}, tensor.storage_offset());
}

Tensor without_dim(const Tensor& tensor, int64_t dim) {
  Dims sizes = tensor.sizes();
  Dims strides = tensor.strides();
  sizes.erase(static_cast<size_t>(dim));
  strides.erase(static_cast<size_t>(dim));
  return view(tensor, sizes, strides, tensor.storage_offset());
}

Tensor with_dim(const Tensor& tensor, int64_t dim) {
  Dims sizes = tensor.sizes();
  Dims strides = tensor.strides();
  const size_t at = static_cast<size_t>(dim);
  const int64_t stride = at < sizes.size() ? sizes[at] * strides[at] : 1;
  sizes.insert(at, 1);
  strides.insert(at, stride);
  return view(tensor, sizes, strides, tensor.storage_offset());
}

}  // namespace aotwin::runtime
