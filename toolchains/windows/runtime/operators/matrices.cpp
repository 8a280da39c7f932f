#include "matrices.h"

namespace aotwin::runtime {

Dtype wide_dtype(Dtype dtype, const char* what) {
  require(dtype == Dtype::f32 || dtype == Dtype::f64 || dtype == Dtype::c64 || dtype == Dtype::c128, what, " is not defined for ", dtype);
  return is_complex(dtype) ? Dtype::c128 : Dtype::f64;
}

Dims batch_of(const Tensor& matrices) {
  return Dims(matrices.sizes().data(), matrices.sizes().size() - 2);
}

Dims with_matrix(Dims batch, int64_t rows, int64_t columns) {
  batch.push_back(rows);
  batch.push_back(columns);
  return batch;
}

Tensor widened(const Tensor& matrices, const Dims& batch, const char* what) {
  Tensor result = empty(with_matrix(batch, matrices.size(-2), matrices.size(-1)), wide_dtype(matrices.dtype(), what));
  copy_into(result, matrices);
  return result;
}

Tensor narrowed(const Tensor& wide, Dtype dtype, bool by_columns) {
  Dims strides = contiguous_strides(wide.sizes());
  if (by_columns) {
    const size_t last = strides.size() - 1;
    strides[last] = wide.size(-2) > 1 ? wide.size(-2) : 1;
    strides[last - 1] = 1;
  }
  Tensor result = empty_strided(wide.sizes(), strides, dtype);
  copy_into(result, wide);
  return result;
}

}  // namespace aotwin::runtime
