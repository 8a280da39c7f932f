// Distances between rows: _cdist_forward and _pdist_forward.
#include <algorithm>
#include <cmath>

#include "arguments.h"
#include "layout.h"
#include "promotion.h"
#include "../threads/parallel.h"

namespace aotwin::runtime {

namespace {

// Calls f with the measure of this p: what adds a difference to a sum, what joins two sums, and what ends one.
template <class T, class F>
void with_measure(double p, F&& f) {
  const auto plus = [](T a, T b) { return a + b; };
  const auto itself = [](T sum) { return sum; };
  if (p == 0) {
    f([](T sum, T difference) { return sum + (difference != 0 ? T(1) : T(0)); }, plus, itself);
  } else if (p == 1) {
    f(plus, plus, itself);
  } else if (p == 2) {
    f([](T sum, T difference) { return sum + difference * difference; }, plus, [](T sum) { return std::sqrt(sum); });
  } else if (std::isinf(p)) {
    const auto larger = [](T sum, T difference) { return difference > sum || difference != difference ? difference : sum; };
    f(larger, larger, itself);
  } else {
    const T power = static_cast<T>(p);
    f([power](T sum, T difference) { return sum + std::pow(difference, power); }, plus,
      [power](T sum) { return std::pow(sum, 1 / power); });
  }
}

// Sums beside each other, for vectors, which meet at the end; `join` is how two sums meet.
constexpr int64_t lanes = 16;

template <class T, class Add, class Join, class End>
T distance(const T* a, const T* b, int64_t count, Add&& add, Join&& join, End&& end) {
  T sums[lanes] = {};
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    for (int64_t k = 0; k < lanes; ++k) {
      sums[k] = add(sums[k], std::fabs(a[i + k] - b[i + k]));
    }
  }
  for (; i < count; ++i) {
    sums[i % lanes] = add(sums[i % lanes], std::fabs(a[i] - b[i]));
  }
  T sum = sums[0];
  for (int64_t k = 1; k < lanes; ++k) {
    sum = join(sum, sums[k]);
  }
  return end(sum);
}

template <class F>
void for_single_or_double(Dtype dtype, const char* what, F&& f) {
  require(dtype == Dtype::f32 || dtype == Dtype::f64, what, " is not defined for ", dtype);
  dtype == Dtype::f32 ? f(TypeTag<float>{}) : f(TypeTag<double>{});
}

Tensor cdist(const Tensor& x1, const Tensor& x2, double p) {
  require(x1.dim() >= 2 && x2.dim() >= 2, "cdist: rows are wanted, the shapes are ", x1.sizes(), " and ", x2.sizes());
  require(x1.size(-1) == x2.size(-1), "cdist: rows of ", x1.size(-1), " and of ", x2.size(-1), " elements");
  require(p >= 0, "cdist: p is ", p);
  require(x1.dtype() == x2.dtype(), "cdist: the tensors are ", x1.dtype(), " and ", x2.dtype());
  const auto leading = [](const Tensor& tensor) { return Dims(tensor.sizes().data(), tensor.sizes().size() - 2); };
  const Dims batch = broadcast(leading(x1), leading(x2));
  const int64_t rows = x1.size(-2);
  const int64_t columns = x2.size(-2);
  const int64_t width = x1.size(-1);
  const auto spread = [&](const Tensor& tensor) {
    Dims sizes = batch;
    sizes.push_back(tensor.size(-2));
    sizes.push_back(width);
    return contiguous(expand(tensor, sizes));
  };
  const Tensor left = spread(x1);
  const Tensor right = spread(x2);
  Dims sizes = batch;
  sizes.push_back(rows);
  sizes.push_back(columns);
  Tensor result = empty(sizes, x1.dtype());
  for_single_or_double(x1.dtype(), "cdist", [&]<class T>(TypeTag<T>) {
    with_measure<T>(p, [&](auto add, auto join, auto end) {
      const int64_t work = std::max<int64_t>(columns * width, 1);
      parallel_for(0, product(batch) * rows, std::max<int64_t>(16384 / work, 1), [&](int64_t first, int64_t last) {
        for (int64_t row = first; row < last; ++row) {
          const T* const a = left.as<T>() + row * width;
          const T* const b = right.as<T>() + row / rows * columns * width;
          for (int64_t column = 0; column < columns; ++column) {
            result.as<T>()[row * columns + column] = distance(a, b + column * width, width, add, join, end);
          }
        }
      });
    });
  });
  return result;
}

Tensor pdist(const Tensor& self, double p) {
  require(self.dim() == 2, "pdist: two dimensions are wanted, the shape is ", self.sizes());
  require(p >= 0, "pdist: p is ", p);
  const int64_t rows = self.size(0);
  const int64_t width = self.size(1);
  const Tensor all = contiguous(self);
  Tensor result = empty({rows <= 1 ? 0 : rows * (rows - 1) / 2}, self.dtype());
  for_single_or_double(self.dtype(), "pdist", [&]<class T>(TypeTag<T>) {
    with_measure<T>(p, [&](auto add, auto join, auto end) {
      parallel_for(0, rows, 16, [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) {
          T* const to = result.as<T>() + i * rows - i * (i + 1) / 2 - i - 1;
          for (int64_t j = i + 1; j < rows; ++j) {
            to[j] = distance(all.as<T>() + i * width, all.as<T>() + j * width, width, add, join, end);
          }
        }
      });
    });
  });
  return result;
}

}  // namespace

}  // namespace aotwin::runtime

using namespace aotwin::runtime;

extern "C" {

// The mode chooses between ways to compute the same; here there is one, without the cancellation of the way by products.
AOTITorchError AOTWIN_SHIM(aoti_torch_cpu__cdist_forward)(AtenTensorHandle x1, AtenTensorHandle x2, double p, int64_t*,
                                                          AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, cdist(borrow(x1), borrow(x2), p)); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu__pdist_forward)(AtenTensorHandle self, double p, AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, pdist(borrow(self), p)); });
}
}
