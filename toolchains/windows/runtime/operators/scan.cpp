// Running reductions along one dimension: cumsum, cumprod, cummax, cummin, logcumsumexp.
#include <cmath>
#include <limits>

#include "arguments.h"
#include "layout.h"
#include "walk.h"

namespace aotwin::runtime {

namespace {

// What torch keeps a running sum or product in.
template <class T>
struct Accumulator {
  using type = std::conditional_t<std::is_integral_v<T>, int64_t, opmath_t<T>>;
};
template <>
struct Accumulator<float> {
  using type = double;
};
template <>
struct Accumulator<std::complex<float>> {
  using type = std::complex<double>;
};
template <class T>
using accumulator_t = typename Accumulator<T>::type;

// A contiguous tensor seen as outer x length x inner around dimension `dim`.
struct Blocks {
  Blocks(const Tensor& tensor, int64_t dim) {
    for (int64_t i = 0; i < tensor.dim(); ++i) {
      (i < dim ? outer : i == dim ? length : inner) *= tensor.size(i);
    }
  }
  int64_t outer = 1;
  int64_t length = 1;
  int64_t inner = 1;
};

// Neighbouring lines are scanned together, so that memory is read in order: their running values fill an array of this size.
constexpr int64_t width = 64;

template <class T, class Step>
void scan(const Tensor& input, const Tensor& output, int64_t dim, accumulator_t<T> start, Step&& step) {
  const Blocks blocks(input, dim);
  const T* const source = input.as<T>();
  T* const target = output.as<T>();
  if (blocks.inner == 1) {
    parallel_for(0, blocks.outer, 16384 / std::max<int64_t>(blocks.length, 1), [&](int64_t first, int64_t last) {
      for (int64_t line = first; line < last; ++line) {
        accumulator_t<T> running = start;
        for (int64_t i = line * blocks.length; i < (line + 1) * blocks.length; ++i) {
          running = step(running, cast<accumulator_t<T>>(source[i]));
          target[i] = cast<T>(running);
        }
      }
    });
    return;
  }
  const int64_t strips = (blocks.inner + width - 1) / width;
  parallel_for(0, blocks.outer * strips, 256 / std::max<int64_t>(blocks.length, 1), [&](int64_t first, int64_t last) {
    for (int64_t strip = first; strip < last; ++strip) {
      const int64_t from = strip % strips * width;
      const int64_t lanes = std::min(width, blocks.inner - from);
      accumulator_t<T> running[width];
      for (int64_t k = 0; k < lanes; ++k) {
        running[k] = start;
      }
      int64_t offset = strip / strips * blocks.length * blocks.inner + from;
      for (int64_t i = 0; i < blocks.length; ++i, offset += blocks.inner) {
        for (int64_t k = 0; k < lanes; ++k) {
          running[k] = step(running[k], cast<accumulator_t<T>>(source[offset + k]));
          target[offset + k] = cast<T>(running[k]);
        }
      }
    }
  });
}

struct Prepared {
  Tensor input;
  Tensor output;
  int64_t dim;
};

Prepared prepare(const Tensor& self, int64_t dim, Dtype dtype) {
  return {contiguous(to_dtype(self, dtype)), empty(self.sizes(), dtype), wrap_dim(dim, self.dim())};
}

Dtype summed(const Tensor& self, const int32_t* dtype) {
  return dtype_or(dtype, is_integral(self.dtype(), true) ? Dtype::i64 : self.dtype());
}

Tensor cumulative_sum(const Tensor& self, int64_t dim, Dtype dtype) {
  Prepared work = prepare(self, dim, dtype);
  if (dtype == Dtype::boolean) {
    fail("cumsum: the result's dtype cannot be bool");
  }
  for_any(dtype, "cumsum", [&]<class T>(TypeTag<T>) {
    scan<T>(work.input, work.output, work.dim, accumulator_t<T>(0), [](auto a, auto b) { return a + b; });
  });
  return work.output;
}

Tensor cumulative_product(const Tensor& self, int64_t dim, Dtype dtype) {
  Prepared work = prepare(self, dim, dtype);
  if (dtype == Dtype::boolean) {
    fail("cumprod: the result's dtype cannot be bool");
  }
  for_any(dtype, "cumprod", [&]<class T>(TypeTag<T>) {
    scan<T>(work.input, work.output, work.dim, accumulator_t<T>(1), [](auto a, auto b) { return a * b; });
  });
  return work.output;
}

template <class T>
T log_add_exp(T running, T value) {
  if constexpr (is_complex_v<T>) {
    using Part = typename T::value_type;
    if (is_nan(running) || is_nan(value)) {
      return T(std::numeric_limits<Part>::quiet_NaN(), std::numeric_limits<Part>::quiet_NaN());
    }
    const bool ordered = running.real() < value.real();
    const T least = ordered ? running : value;
    const T most = ordered ? value : running;
    if (!std::isfinite(most.real()) && least.real() == most.real()) {
      // Both -inf: nothing is added. Both +inf: the angles count.
      return least.real() < 0 ? least : std::log(std::exp(least) + std::exp(most));
    }
    const T ratio = std::exp(least - most);
    // log(1 + ratio), exact where the ratio is small
    const Part squared = ratio.real() * (2 + ratio.real()) + ratio.imag() * ratio.imag();
    return most + T(Part(0.5) * std::log1p(squared), std::atan2(ratio.imag(), 1 + ratio.real()));
  } else {
    if (std::isnan(running) || std::isnan(value)) {
      return std::numeric_limits<T>::quiet_NaN();
    }
    const T least = std::min(running, value);
    const T most = std::max(running, value);
    if (least == most && !std::isfinite(least)) {
      return running;
    }
    return most + std::log1p(std::exp(least - most));
  }
}

Tensor log_cumulative_sum_exp(const Tensor& self, int64_t dim) {
  require(is_floating(self.dtype()) || is_complex(self.dtype()), "logcumsumexp: a floating or complex tensor is needed, not ",
          self.dtype());
  Prepared work = prepare(self, dim, self.dtype());
  for_any(self.dtype(), "logcumsumexp", [&]<class T>(TypeTag<T>) {
    if constexpr (!std::is_integral_v<T>) {
      using A = accumulator_t<T>;
      if constexpr (is_complex_v<A>) {
        const A start(-std::numeric_limits<typename A::value_type>::infinity(), 0);
        scan<T>(work.input, work.output, work.dim, start, log_add_exp<A>);
      } else {
        scan<T>(work.input, work.output, work.dim, -std::numeric_limits<A>::infinity(), log_add_exp<A>);
      }
    }
  });
  return work.output;
}

// The running extreme and where it was met last. A NaN, once met, stays.
template <class Better>
void extremes(const Tensor& self, int64_t dim, const char* what, AtenTensorHandle* values, AtenTensorHandle* indices,
              Better&& better) {
  dim = wrap_dim(dim, self.dim());
  Tensor found = empty(self.sizes(), self.dtype());
  Tensor where = empty(self.sizes(), Dtype::i64);
  const Lines<3> lines({&self, &found, &where}, dim);
  const int64_t length = self.dim() == 0 ? 1 : self.size(dim);
  const auto run = [&]<class T>(TypeTag<T>) {
    lines.each_parallel(length, [&](const std::array<int64_t, 3>& at, int64_t) {
      const T* const source = self.as<T>() + at[0];
      T* const value = found.as<T>() + at[1];
      int64_t* const index = where.as<int64_t>() + at[2];
      T best = length > 0 ? source[0] : T();
      int64_t best_index = 0;
      for (int64_t i = 0; i < length; ++i) {
        const T candidate = source[i * lines.step[0]];
        if (is_nan(candidate) || (!is_nan(best) && better(cast<opmath_t<T>>(candidate), cast<opmath_t<T>>(best)))) {
          best = candidate;
          best_index = i;
        }
        value[i * lines.step[1]] = best;
        index[i * lines.step[2]] = best_index;
      }
    });
  };
  if (self.dtype() == Dtype::boolean) {
    run(TypeTag<bool>{});
  } else {
    for_real(self.dtype(), what, run);
  }
  answer_all({values, indices}, std::move(found), std::move(where));
}

}  // namespace

}  // namespace aotwin::runtime

using namespace aotwin::runtime;

extern "C" {

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_cumsum)(AtenTensorHandle self, int64_t dim, int32_t* dtype, AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, cumulative_sum(borrow(self), dim, summed(borrow(self), dtype))); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_cumprod)(AtenTensorHandle self, int64_t dim, int32_t* dtype, AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, cumulative_product(borrow(self), dim, summed(borrow(self), dtype))); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_logcumsumexp)(AtenTensorHandle self, int64_t dim, AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, log_cumulative_sum_exp(borrow(self), dim)); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_cummax)(AtenTensorHandle self, int64_t dim, AtenTensorHandle* ret0,
                                                  AtenTensorHandle* ret1) {
  return guarded([&] { extremes(borrow(self), dim, "cummax", ret0, ret1, [](auto a, auto b) { return a >= b; }); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_cummin)(AtenTensorHandle self, int64_t dim, AtenTensorHandle* ret0,
                                                  AtenTensorHandle* ret1) {
  return guarded([&] { extremes(borrow(self), dim, "cummin", ret0, ret1, [](auto a, auto b) { return a <= b; }); });
}
}
