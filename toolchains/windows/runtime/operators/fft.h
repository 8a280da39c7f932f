// Fourier transforms of tensors, as torch's _fft_* do them.
#pragma once

#include "../core/tensor.h"

namespace aotwin::runtime {

// `normalization`: 0 none, 1 by the root of the number of elements, 2 by that number.
Tensor fft_complex(const Tensor& self, const Dims& dims, int64_t normalization, bool forward);
// Of real input; along the last of `dims` only the first half is given with `onesided`.
Tensor fft_from_real(const Tensor& self, const Dims& dims, int64_t normalization, bool onesided);
// Of half a spectrum along the last of `dims`, to `length` real elements there.
Tensor fft_to_real(const Tensor& self, const Dims& dims, int64_t normalization, int64_t length);

}  // namespace aotwin::runtime
