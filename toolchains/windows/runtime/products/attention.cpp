#include "attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "../threads/parallel.h"
#include "attention_problem.h"
#include "packing.h"

namespace aotwin::runtime::products {
namespace {

// Strides of the query where it is dense, else dense in its order of dimensions: what torch's empty_like gives.
Dims strides_like(const Tensor& tensor) {
  if (tensor.is_dense()) {
    return tensor.strides();
  }
  int order[4] = {3, 2, 1, 0};
  for (int i = 1; i < 4; ++i) {
    for (int j = i; j > 0; --j) {
      const int64_t a = tensor.stride(order[j - 1]);
      const int64_t b = tensor.stride(order[j]);
      // Repeated elements (stride 0) have no place in the order: they stay where they were.
      if (a == 0 || b == 0 || a < b || (a == b && tensor.size(order[j - 1]) <= tensor.size(order[j]))) {
        break;
      }
      std::swap(order[j - 1], order[j]);
    }
  }
  Dims strides = Dims::filled(4, 1);
  int64_t step = 1;
  for (const int dimension : order) {
    strides[static_cast<size_t>(dimension)] = step;
    step *= std::max<int64_t>(1, tensor.size(dimension));
  }
  return strides;
}

Tensor contiguous_rows(const Tensor& tensor) {
  return tensor.stride(3) == 1 || tensor.size(3) == 1 ? tensor : contiguous(tensor);
}

// As numbers to add, not yet broadcast: a mask is often much smaller than the scores.
Tensor numbers_of(const Tensor& mask, Dtype dtype) {
  if (mask.dtype() != Dtype::boolean) {
    return dtype == Dtype::f64 ? to_dtype(mask, Dtype::f64) : mask.dtype() == Dtype::f64 ? to_dtype(mask, Dtype::f32) : mask;
  }
  const Tensor flat = contiguous(mask);
  Tensor numbers = empty(mask.sizes(), dtype == Dtype::f64 ? Dtype::f64 : Dtype::f32);
  const bool* const from = flat.as<bool>();
  const auto fill = [&](auto* to) {
    parallel_for(0, flat.numel(), 65536, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        to[i] = from[i] ? 0 : -std::numeric_limits<std::remove_pointer_t<decltype(to)>>::infinity();
      }
    });
  };
  if (dtype == Dtype::f64) {
    fill(numbers.as<double>());
  } else {
    fill(numbers.as<float>());
  }
  return numbers;
}

// What fits together, and its sizes.
AttentionProblem problem_of(const Tensor& query, const Tensor& key, const Tensor& value) {
  require(query.dim() == 4 && key.dim() == 4 && value.dim() == 4, "attention: query, key and value of shapes ", query.sizes(), ", ", key.sizes(), " and ",
          value.sizes(), " must have four dimensions");
  require(query.dtype() == key.dtype() && query.dtype() == value.dtype(), "attention: query, key and value of dtypes ", query.dtype(), ", ", key.dtype(), " and ",
          value.dtype(), " must have one dtype");
  for_float(query.dtype(), "attention", [](auto) {});
  AttentionProblem p;
  p.batch = query.size(0);
  p.heads = query.size(1);
  p.queries = query.size(2);
  p.keys = key.size(2);
  p.size = query.size(3);
  const int64_t key_heads = key.size(1);
  require(key.size(0) == p.batch && value.size(0) == p.batch && value.size(1) == key_heads && value.size(2) == p.keys && key.size(3) == p.size &&
              value.size(3) == p.size && (p.heads == 0 || (key_heads > 0 && p.heads % key_heads == 0)),
          "attention: query, key and value of shapes ", query.sizes(), ", ", key.sizes(), " and ", value.sizes(), " do not fit");
  p.heads_of_key = p.heads == 0 ? 1 : p.heads / key_heads;
  return p;
}

}  // namespace

Attention attend(const Tensor& query, const Tensor& key, const Tensor& value, bool causal, const Tensor* mask, std::optional<double> scale) {
  AttentionProblem p = problem_of(query, key, value);
  p.causal = causal;
  p.scale = scale ? *scale : 1 / std::sqrt(static_cast<double>(p.size));
  const bool wide = query.dtype() == Dtype::f64;
  Attention result;
  result.out = empty_strided(query.sizes(), strides_like(query), query.dtype());
  result.log_sum = empty_strided({p.batch, p.heads, p.queries}, {p.queries * p.heads, 1, p.heads}, wide ? Dtype::f64 : Dtype::f32);
  if (result.log_sum.numel() == 0 || p.size == 0) {
    return result;
  }
  if (p.keys == 0) {
    fill_zero(result.out);
    fill_zero(result.log_sum);
    return result;
  }
  p.query = contiguous_rows(query);
  p.key = contiguous_rows(key);
  p.value = contiguous_rows(value);
  p.out = result.out;
  p.log_sum = result.log_sum;
  if (mask != nullptr) {
    require(mask->dim() == 2 || mask->dim() == 4, "attention: a mask of shape ", mask->sizes(), " has neither two nor four dimensions");
    p.mask = expand(numbers_of(*mask, query.dtype()), {p.batch, p.heads, p.queries, p.keys});
  }
  const bool few = p.queries <= most_rows_of_head && p.heads_of_key <= most_heads_of_key;
  const ProductKernels& products = few && !wide ? float_kernels() : kernels_for(query.dtype(), query.dtype(), true);
  const AttentionKernels& kernels = attention_kernels(query.dtype(), products.unit > 1);
  if (wide) {
    few ? attend_by_rows<double>(p, products, kernels) : attend_by_tiles<double>(p, products, kernels);
  } else {
    few ? attend_by_rows<float>(p, products, kernels) : attend_by_tiles<float>(p, products, kernels);
  }
  return result;
}

}  // namespace aotwin::runtime::products
