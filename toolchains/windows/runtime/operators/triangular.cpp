// Solving with factors that are triangles: cholesky_solve, cholesky_inverse, triangular_solve; taking LU factors apart.
#include <algorithm>

#include "matrices.h"

namespace aotwin::runtime {

namespace {

void check_factor(const Tensor& factor, const char* what) {
  require(factor.dim() >= 2 && factor.size(-1) == factor.size(-2), what, ": square matrices are wanted, the shape is ", factor.sizes());
}

// Right-hand sides in place of which the solution of (factor factor^H) X = B is put.
template <class M>
void solve_with_cholesky(const M* factor, bool upper, M* right, int64_t size, int64_t columns) {
  const View<M> stored{factor, size, 1};
  const View<M> lower = upper ? stored.adjoint() : stored;
  solve_triangle(lower, false, false, right, size, columns);
  solve_triangle(lower.adjoint(), true, false, right, size, columns);
}

Tensor cholesky_solve(const Tensor& right, const Tensor& factor, bool upper) {
  check_factor(factor, "cholesky_solve");
  require(right.dim() >= 2 && right.size(-2) == factor.size(-1) && right.dtype() == factor.dtype(), "cholesky_solve: right-hand sides of shape ",
          right.sizes(), " and ", right.dtype(), " do not fit factors of shape ", factor.sizes(), " and ", factor.dtype());
  const Dims batch = broadcast(batch_of(right), batch_of(factor));
  const Tensor solution = widened(right, batch, "cholesky_solve");
  const Tensor factors = widened(factor, batch, "cholesky_solve");
  const int64_t size = factor.size(-1);
  const int64_t columns = right.size(-1);
  each_matrix(batch, right.dtype(), size * size * columns, [&]<class M>(TypeTag<M>, int64_t number) {
    solve_with_cholesky(factors.as<M>() + number * size * size, upper, solution.as<M>() + number * size * columns, size, columns);
  });
  return narrowed(solution, right.dtype(), true);
}

Tensor cholesky_inverse(const Tensor& factor, bool upper) {
  check_factor(factor, "cholesky_inverse");
  const Dims batch = batch_of(factor);
  const int64_t size = factor.size(-1);
  const Tensor factors = widened(factor, batch, "cholesky_inverse");
  const Tensor inverse = zeros(factors.sizes(), factors.dtype());
  each_matrix(batch, factor.dtype(), size * size * size, [&]<class M>(TypeTag<M>, int64_t number) {
    M* const to = inverse.as<M>() + number * size * size;
    for (int64_t i = 0; i < size; ++i) {
      to[i * size + i] = M(1);
    }
    solve_with_cholesky(factors.as<M>() + number * size * size, upper, to, size, size);
  });
  return narrowed(inverse, factor.dtype(), true);
}

struct Solved {
  Tensor solution;
  Tensor factors;
};

Solved triangular_solve(const Tensor& right, const Tensor& triangle, bool upper, bool transpose, bool unit) {
  check_factor(triangle, "triangular_solve");
  require(right.dim() >= 2 && right.size(-2) == triangle.size(-1) && right.dtype() == triangle.dtype(),
          "triangular_solve: right-hand sides of shape ", right.sizes(), " and ", right.dtype(), " do not fit triangles of shape ",
          triangle.sizes(), " and ", triangle.dtype());
  const Dims batch = broadcast(batch_of(right), batch_of(triangle));
  const Tensor solution = widened(right, batch, "triangular_solve");
  const Tensor triangles = widened(triangle, batch, "triangular_solve");
  const int64_t size = triangle.size(-1);
  const int64_t columns = right.size(-1);
  each_matrix(batch, right.dtype(), size * size * columns, [&]<class M>(TypeTag<M>, int64_t number) {
    const View<M> stored{triangles.as<M>() + number * size * size, size, 1};
    // Transposed without conjugation, as torch has it.
    solve_triangle(transpose ? stored.transposed() : stored, upper != transpose, unit, solution.as<M>() + number * size * columns, size,
                   columns);
  });
  return {narrowed(solution, right.dtype(), true), narrowed(triangles, right.dtype(), true)};
}

struct Unpacked {
  Tensor permutation;
  Tensor lower;
  Tensor upper;
};

Unpacked lu_unpack(const Tensor& packed, const Tensor& pivots, bool data, bool with_pivots) {
  require(packed.dim() >= 2, "lu_unpack: matrices are wanted, the shape is ", packed.sizes());
  wide_dtype(packed.dtype(), "lu_unpack");  // for its check
  const int64_t rows = packed.size(-2);
  const int64_t columns = packed.size(-1);
  const int64_t inner = std::min(rows, columns);
  const Dims batch = batch_of(packed);
  Unpacked result{empty({0}, packed.dtype()), empty({0}, packed.dtype()), empty({0}, packed.dtype())};
  if (with_pivots) {
    Dims expected = batch;
    expected.push_back(inner);
    require(pivots.dtype() == Dtype::i32 && pivots.sizes() == expected, "lu_unpack: pivots of shape ", pivots.sizes(), " and ",
            pivots.dtype(), " do not fit factors of shape ", packed.sizes());
    const Tensor swaps = contiguous(pivots);
    result.permutation = zeros(with_matrix(batch, rows, rows), packed.dtype());
    Scratch memory(static_cast<size_t>(rows) * sizeof(int64_t));
    int64_t* const order = memory.as<int64_t>();
    for (int64_t number = 0; number < product(batch); ++number) {
      for (int64_t i = 0; i < rows; ++i) {
        order[i] = i;
      }
      for (int64_t i = 0; i < inner; ++i) {
        const int64_t other = swaps.as<int32_t>()[number * inner + i] - 1;
        require(other >= 0 && other < rows, "lu_unpack: the pivot ", other + 1, " is out of range for ", rows, " rows");
        std::swap(order[i], order[other]);
      }
      for_any(packed.dtype(), "lu_unpack", [&]<class T>(TypeTag<T>) {
        for (int64_t i = 0; i < rows; ++i) {
          result.permutation.as<T>()[(number * rows + order[i]) * rows + i] = T(1);
        }
      });
    }
  }
  if (data) {
    const Tensor source = contiguous(packed);
    result.lower = zeros(with_matrix(batch, rows, inner), packed.dtype());
    result.upper = zeros(with_matrix(batch, inner, columns), packed.dtype());
    for_any(packed.dtype(), "lu_unpack", [&]<class T>(TypeTag<T>) {
      for (int64_t row = 0; row < product(batch) * rows; ++row) {
        const int64_t number = row / rows;
        const int64_t i = row % rows;
        for (int64_t j = 0; j < columns; ++j) {
          const T value = source.as<T>()[row * columns + j];
          if (j < i) {
            result.lower.as<T>()[row * inner + j] = value;
          } else {
            result.upper.as<T>()[(number * inner + i) * columns + j] = value;
          }
        }
        if (i < inner) {
          result.lower.as<T>()[row * inner + i] = T(1);
        }
      }
    });
  }
  return result;
}

}  // namespace

}  // namespace aotwin::runtime

using namespace aotwin::runtime;

extern "C" {

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_cholesky_solve)(AtenTensorHandle self, AtenTensorHandle input2, int32_t upper,
                                                          AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, cholesky_solve(borrow(self), borrow(input2), upper != 0)); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_cholesky_inverse)(AtenTensorHandle self, int32_t upper, AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, cholesky_inverse(borrow(self), upper != 0)); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_triangular_solve)(AtenTensorHandle self, AtenTensorHandle A, int32_t upper, int32_t transpose,
                                                            int32_t unitriangular, AtenTensorHandle* ret0, AtenTensorHandle* ret1) {
  return guarded([&] {
    Solved result = triangular_solve(borrow(self), borrow(A), upper != 0, transpose != 0, unitriangular != 0);
    answer_all({ret0, ret1}, std::move(result.solution), std::move(result.factors));
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_lu_unpack)(AtenTensorHandle LU_data, AtenTensorHandle LU_pivots, int32_t unpack_data,
                                                     int32_t unpack_pivots, AtenTensorHandle* ret0, AtenTensorHandle* ret1,
                                                     AtenTensorHandle* ret2) {
  return guarded([&] {
    Unpacked result = lu_unpack(borrow(LU_data), borrow(LU_pivots), unpack_data != 0, unpack_pivots != 0);
    answer_all({ret0, ret1, ret2}, std::move(result.permutation), std::move(result.lower), std::move(result.upper));
  });
}
}
