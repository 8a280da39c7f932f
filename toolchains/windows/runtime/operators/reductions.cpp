// Reductions that are called as functions: amax, and the mean square of _fused_rms_norm.
#include <cmath>
#include <limits>

#include "elementwise.h"
#include "walk.h"

namespace aotwin::runtime {

namespace {

Tensor amax(const Tensor& self, const Dims& asked, bool keep) {
  require(self.dim() <= 64, "amax: a tensor of ", self.dim(), " dimensions, at most 64 are allowed");
  Dims reduced = Dims::filled(self.sizes().size(), asked.empty() ? 1 : 0);
  for (const int64_t dim : asked) {
    const int64_t at = wrap_dim(dim, self.dim());
    if (self.dim() > 0) {
      require(reduced[static_cast<size_t>(at)] == 0, "amax: dimension ", dim, " occurs twice in ", asked);
      reduced[static_cast<size_t>(at)] = 1;
    }
  }
  Dims kept, result_sizes, outer, inner_sizes, inner;
  for (size_t d = 0; d < reduced.size(); ++d) {
    if (reduced[d] != 0) {
      require(self.sizes()[d] > 0, "amax: dimension ", d, " of ", self.sizes(), " has no elements");
      inner_sizes.push_back(self.sizes()[d]);
      inner.push_back(self.strides()[d]);
      if (keep) {
        result_sizes.push_back(1);
      }
    } else {
      kept.push_back(self.sizes()[d]);
      outer.push_back(self.strides()[d]);
      result_sizes.push_back(self.sizes()[d]);
    }
  }
  Tensor result = empty(result_sizes, self.dtype());
  const int64_t count = product(inner_sizes);
  const auto run = [&]<class T>(TypeTag<T>) {
    parallel_for(0, result.numel(), 8192 / count, [&](int64_t first, int64_t last) {
      Walk<1> place(kept, {&outer}, first);
      for (int64_t i = first; i < last; ++i, place.next()) {
        Walk<1> within(inner_sizes, {&inner}, 0);
        const T* const from = self.as<T>() + place[0];
        T best = from[0];
        for (int64_t k = 0; k < count; ++k, within.next()) {
          const T value = from[within[0]];
          if (is_nan(value) || cast<opmath_t<T>>(value) > cast<opmath_t<T>>(best)) {
            best = value;
            if (is_nan(value)) {
              break;
            }
          }
        }
        result.as<T>()[i] = best;
      }
    });
  };
  self.dtype() == Dtype::boolean ? run(TypeTag<bool>{}) : for_real(self.dtype(), "amax", run);
  return result;
}

struct Normalized {
  Tensor output;
  Tensor factors;  // 1 / root of the mean square
};

Normalized rms_norm(const Tensor& input, const Dims& shape, const Tensor* weight, const double* eps) {
  require(!shape.empty() && static_cast<int64_t>(shape.size()) <= input.dim(), "rms_norm: ", shape, " does not end ", input.sizes());
  const size_t leading = input.sizes().size() - shape.size();
  Dims sizes = input.sizes();
  for (size_t d = 0; d < shape.size(); ++d) {
    require(input.sizes()[leading + d] == shape[d], "rms_norm: ", shape, " does not end ", input.sizes());
    sizes[leading + d] = 1;
  }
  if (weight != nullptr) {
    require(weight->sizes() == shape, "rms_norm: a weight of shape ", weight->sizes(), " does not fit ", shape);
    require(weight->dtype() == input.dtype(), "rms_norm: the input is ", input.dtype(), ", the weight ", weight->dtype());
  }
  const int64_t width = product(shape);
  const Tensor source = contiguous(input);
  const Tensor scale = weight != nullptr ? contiguous(*weight) : Tensor();
  Normalized result{empty(input.sizes(), input.dtype()), Tensor()};
  for_float(input.dtype(), "rms_norm", [&]<class T>(TypeTag<T>) {
    using Math = opmath_t<T>;
    result.factors = empty(sizes, std::is_same_v<Math, float> ? Dtype::f32 : Dtype::f64);
    const Math least = eps != nullptr ? static_cast<Math>(*eps) : std::numeric_limits<Math>::epsilon();
    const int64_t rows = width > 0 ? input.numel() / width : 0;
    parallel_for(0, rows, 8192 / std::max<int64_t>(width, 1), [&](int64_t first, int64_t last) {
      for (int64_t row = first; row < last; ++row) {
        const T* const from = source.as<T>() + row * width;
        // Sixteen sums beside each other: vectors for the machine, and less rounding.
        Math sums[16] = {};
        for (int64_t i = 0; i < width; ++i) {
          const Math value = cast<Math>(from[i]);
          sums[i % 16] += value * value;
        }
        Math sum = 0;
        for (const Math part : sums) {
          sum += part;
        }
        const Math factor = Math(1) / std::sqrt(sum / static_cast<Math>(width) + least);
        result.factors.as<Math>()[row] = factor;
        T* const to = result.output.as<T>() + row * width;
        for (int64_t i = 0; i < width; ++i) {
          const Math value = cast<Math>(from[i]) * factor;
          to[i] = cast<T>(weight != nullptr ? value * cast<Math>(scale.as<T>()[i]) : value);
        }
      }
    });
  });
  return result;
}

}  // namespace

}  // namespace aotwin::runtime

using namespace aotwin::runtime;

extern "C" {

AOTITorchError AOTWIN_SHIM(aoti_torch_aten_amax)(AtenTensorHandle self, const int64_t* dim, int64_t dim_len_, int32_t keepdim,
                                                 AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, amax(borrow(self), list_of(dim, dim_len_), keepdim != 0)); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu__fused_rms_norm)(AtenTensorHandle input, const int64_t* normalized_shape,
                                                           int64_t normalized_shape_len_, AtenTensorHandle* weight, double* eps,
                                                           AtenTensorHandle* ret0, AtenTensorHandle* ret1) {
  return guarded([&] {
    const std::optional<Tensor> scale = maybe(weight);
    Normalized result =
        rms_norm(borrow(input), list_of(normalized_shape, normalized_shape_len_), scale ? &*scale : nullptr, eps);
    answer_all({ret0, ret1}, std::move(result.output), std::move(result.factors));
  });
}
}
