// QR factors by reflections, and their application: geqrf and ormqr, with LAPACK's signs and storage.
#include <algorithm>
#include <cmath>

#include "matrices.h"

namespace aotwin::runtime {

namespace {

double real_of(double value) {
  return value;
}
double real_of(std::complex<double> value) {
  return value.real();
}

// Makes the reflection that maps column `at` below the diagonal to zero: its vector is left there (the first element, 1, is not
// stored), its factor is returned.
template <class M>
M reflect_column(M* matrix, int64_t rows, int64_t columns, int64_t at) {
  const M head = matrix[at * columns + at];
  double rest = 0;
  for (int64_t i = at + 1; i < rows; ++i) {
    rest += std::norm(matrix[i * columns + at]);
  }
  if (rest == 0 && head == M(real_of(head))) {
    return M(0);
  }
  const double length = std::sqrt(std::norm(head) + rest);
  const double beta = real_of(head) < 0 ? length : -length;
  for (int64_t i = at + 1; i < rows; ++i) {
    matrix[i * columns + at] /= head - M(beta);
  }
  matrix[at * columns + at] = M(beta);
  return (M(beta) - head) / M(beta);
}

// target := (1 - factor v v^H) target, with v = (1, vector...) acting on the rows from `at` on. Row i of the vector is
// vector[i * step]; row i, column j of the target is target[i * row + j * column].
template <class M>
void apply(M factor, const M* vector, int64_t step, int64_t at, int64_t rows, M* target, int64_t row, int64_t column, int64_t first,
           int64_t columns, bool conjugated = false) {
  const auto element = [&](int64_t i) { return i == at ? M(1) : conjugated ? conjugate(vector[i * step]) : vector[i * step]; };
  for (int64_t j = first; j < columns; ++j) {
    M sum = M(0);
    for (int64_t i = at; i < rows; ++i) {
      sum += conjugate(element(i)) * target[i * row + j * column];
    }
    sum *= factor;
    for (int64_t i = at; i < rows; ++i) {
      target[i * row + j * column] -= element(i) * sum;
    }
  }
}

struct Factors {
  Tensor packed;
  Tensor factors;
};

Factors geqrf(const Tensor& self) {
  require(self.dim() >= 2, "geqrf: matrices are wanted, the shape is ", self.sizes());
  const int64_t rows = self.size(-2);
  const int64_t columns = self.size(-1);
  const int64_t count = std::min(rows, columns);
  const Dims batch = batch_of(self);
  const Tensor packed = widened(self, batch, "geqrf");
  Dims sizes = batch;
  sizes.push_back(count);
  const Tensor factors = empty(sizes, packed.dtype());
  each_matrix(batch, self.dtype(), rows * columns * count, [&]<class M>(TypeTag<M>, int64_t number) {
    M* const matrix = packed.as<M>() + number * rows * columns;
    for (int64_t at = 0; at < count; ++at) {
      const M factor = reflect_column(matrix, rows, columns, at);
      factors.as<M>()[number * count + at] = factor;
      apply(conjugate(factor), matrix + at, columns, at, rows, matrix, columns, int64_t(1), at + 1, columns);
    }
  });
  return {narrowed(packed, self.dtype(), true), to_dtype(factors, self.dtype())};
}

Tensor ormqr(const Tensor& self, const Tensor& tau, const Tensor& other, bool left, bool transpose) {
  require(self.dim() >= 2 && other.dim() == self.dim() && tau.dim() == self.dim() - 1, "ormqr: reflections of shape ", self.sizes(), " and ",
          tau.sizes(), " do not fit matrices of shape ", other.sizes());
  require(self.dtype() == tau.dtype() && self.dtype() == other.dtype(), "ormqr: the tensors are ", self.dtype(), ", ", tau.dtype(),
          " and ", other.dtype());
  const int64_t size = self.size(-2);
  const int64_t count = tau.size(-1);
  const Dims batch = batch_of(self);
  require(batch_of(other) == batch && Dims(tau.sizes().data(), batch.size()) == batch && other.size(left ? -2 : -1) == size &&
              count <= self.size(-1) && count <= size,
          "ormqr: reflections of shape ", self.sizes(), " and ", tau.sizes(), " do not fit matrices of shape ", other.sizes());
  const Tensor vectors = widened(self, batch, "ormqr");
  const Tensor factors = contiguous(to_dtype(tau, vectors.dtype()));
  const Tensor result = widened(other, batch, "ormqr");
  const int64_t rows = other.size(-2);
  const int64_t columns = other.size(-1);
  const int64_t width = self.size(-1);
  each_matrix(batch, self.dtype(), rows * columns * count, [&]<class M>(TypeTag<M>, int64_t number) {
    const M* const vector = vectors.as<M>() + number * size * width;
    M* const target = result.as<M>() + number * rows * columns;
    // Q is the product of the reflections in order. From the left the last one acts first, unless Q is transposed; from the right
    // the same is done to the transposed target, where factors and vectors are conjugated.
    const bool backward = left != transpose;
    for (int64_t k = 0; k < count; ++k) {
      const int64_t at = backward ? count - 1 - k : k;
      const M factor = factors.as<M>()[number * count + at];
      const M turned = transpose ? conjugate(factor) : factor;
      if (left) {
        apply(turned, vector + at, width, at, size, target, columns, int64_t(1), int64_t(0), columns);
      } else {
        apply(turned, vector + at, width, at, size, target, int64_t(1), columns, int64_t(0), rows, true);
      }
    }
  });
  return narrowed(result, self.dtype(), true);
}

}  // namespace

}  // namespace aotwin::runtime

using namespace aotwin::runtime;

extern "C" {

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_geqrf)(AtenTensorHandle self, AtenTensorHandle* ret0, AtenTensorHandle* ret1) {
  return guarded([&] {
    Factors result = geqrf(borrow(self));
    answer_all({ret0, ret1}, std::move(result.packed), std::move(result.factors));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_ormqr)(AtenTensorHandle self, AtenTensorHandle input2, AtenTensorHandle input3, int32_t left,
                                                 int32_t transpose, AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, ormqr(borrow(self), borrow(input2), borrow(input3), left != 0, transpose != 0)); });
}
}
