// Element-wise operators: operands brought to one dtype and to the memory order of the result, then a flat loop.
#pragma once

#include <utility>

#include "../core/tensor.h"
#include "../threads/parallel.h"
#include "arguments.h"
#include "layout.h"

namespace aotwin::runtime {

// `tensor` broadcast to the result's shape, in `dtype`, its elements in the result's order of memory.
Tensor aligned(const Tensor& tensor, const Tensor& result, Dtype dtype);
// For the result of an operator with these operands.
Tensor empty_for(const Tensor& a, const Tensor& b, Dtype dtype);

constexpr int64_t elementwise_grain = 16384;

// result[i] = f(a[i]); `result` has the shape of `a` and is dense.
template <class From, class To, class F>
void map_elements(const Tensor& a, const Tensor& result, F&& f) {
  const Tensor source = aligned(a, result, a.dtype());
  const From* const from = source.as<From>();
  To* const to = result.as<To>();
  parallel_for(0, result.numel(), elementwise_grain, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      to[i] = f(from[i]);
    }
  });
}

// result[i] = f(a[i], b[i]), all in the result's dtype T; f works in T's opmath.
template <class T, class F>
void map_pairs(const Tensor& a, const Tensor& b, const Tensor& result, F&& f) {
  const Tensor left = aligned(a, result, result.dtype());
  const Tensor right = aligned(b, result, result.dtype());
  const T* const x = left.as<T>();
  const T* const y = right.as<T>();
  T* const to = result.as<T>();
  parallel_for(0, result.numel(), elementwise_grain, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      to[i] = cast<T>(static_cast<opmath_t<T>>(f(cast<opmath_t<T>>(x[i]), cast<opmath_t<T>>(y[i]))));
    }
  });
}

}  // namespace aotwin::runtime
