// Batches of small matrices for linear algebra: computed in double precision, whatever they are stored in.
#pragma once

#include "../core/tensor.h"
#include "../threads/parallel.h"
#include "arguments.h"

namespace aotwin::runtime {

// float64 or complex128.
Dtype wide_dtype(Dtype dtype, const char* what);

// Leading dimensions of a batch of matrices.
Dims batch_of(const Tensor& matrices);
Dims with_matrix(Dims batch, int64_t rows, int64_t columns);

// A copy of its own, in the wide dtype, contiguous, its batch broadcast to `batch`.
Tensor widened(const Tensor& matrices, const Dims& batch, const char* what);
// Back to `dtype`; column by column in memory, as LAPACK has it, or row by row.
Tensor narrowed(const Tensor& wide, Dtype dtype, bool by_columns);

// Calls f(TypeTag<M>, number) for each matrix of the batch, with M double or complex<double>.
template <class F>
void each_matrix(const Dims& batch, Dtype dtype, int64_t work, F&& f) {
  parallel_for(0, product(batch), 16384 / (work > 0 ? work : 1), [&](int64_t first, int64_t last) {
    for (int64_t number = first; number < last; ++number) {
      if (is_complex(dtype)) {
        f(TypeTag<std::complex<double>>{}, number);
      } else {
        f(TypeTag<double>{}, number);
      }
    }
  });
}

inline double conjugate(double value) {
  return value;
}
inline std::complex<double> conjugate(std::complex<double> value) {
  return std::conj(value);
}

// A square matrix as it is read: transposed, conjugated, or as it lies.
template <class M>
struct View {
  const M* data;
  int64_t row;
  int64_t column;
  bool conjugated = false;

  M at(int64_t i, int64_t j) const {
    const M value = data[i * row + j * column];
    return conjugated ? conjugate(value) : value;
  }
  View adjoint() const {
    return {data, column, row, !conjugated};
  }
  View transposed() const {
    return {data, column, row, conjugated};
  }
};

// Solves T X = B in place; B is [size, columns] row by row, T a triangle.
template <class M>
void solve_triangle(const View<M>& triangle, bool upper, bool unit, M* right, int64_t size, int64_t columns) {
  for (int64_t step = 0; step < size; ++step) {
    const int64_t i = upper ? size - 1 - step : step;
    M* const row = right + i * columns;
    for (int64_t j = upper ? i + 1 : 0; j < (upper ? size : i); ++j) {
      const M factor = triangle.at(i, j);
      for (int64_t k = 0; k < columns; ++k) {
        row[k] -= factor * right[j * columns + k];
      }
    }
    if (!unit) {
      const M diagonal = triangle.at(i, i);
      for (int64_t k = 0; k < columns; ++k) {
        row[k] /= diagonal;
      }
    }
  }
}

}  // namespace aotwin::runtime
