// What the C functions that make random tensors share.
#pragma once

#include "arguments.h"
#include "layout.h"
#include "random_fill.h"

namespace aotwin::runtime {

struct Options {
  Options(const int32_t* dtype_number, Dtype fallback, const int32_t* layout, const int32_t* device)
      : dtype(dtype_or(dtype_number, fallback)) {
    check_layout(layout);
    check_device(device);
  }
  Dtype dtype;
};

// torch's numbers of memory formats: 0 contiguous, 1 preserve, 2 and 3 channels-last.
inline Tensor empty_in_format(const Tensor& self, Dtype dtype, const int32_t* format) {
  switch (value_or<int32_t>(format, 1)) {
    case 0:
      return empty(self.sizes(), dtype);
    case 1:
      return empty_preserving(self, dtype);
    default:
      return empty_like_channels_last(self.sizes(), dtype);
  }
}

template <class Fill>
Tensor filled(const Dims& sizes, Dtype dtype, Fill&& fill) {
  Tensor result = empty(sizes, dtype);
  fill(result);
  return result;
}

}  // namespace aotwin::runtime
