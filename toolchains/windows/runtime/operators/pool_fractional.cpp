// Maxima of windows whose places are drawn at random: fractional_max_pool.
#include <limits>

#include "window.h"

namespace aotwin::runtime {

namespace {

// Where the window `at` begins along a dimension; the last one ends with the input. In the samples' own dtype, as the places are
// part of the result.
template <class T>
int64_t window_start(T sample, int64_t at, int64_t input, int64_t output, int64_t kernel) {
  if (at == output - 1) {
    return input - kernel;
  }
  using Math = opmath_t<T>;
  const T alpha = cast<T>(static_cast<Math>(input - kernel) / static_cast<Math>(output - 1));
  const auto scaled = [&](int64_t i) {
    const T moved = cast<T>(static_cast<Math>(i) + cast<Math>(sample));
    return static_cast<int64_t>(cast<Math>(cast<T>(cast<Math>(moved) * cast<Math>(alpha))));
  };
  return scaled(at) - scaled(0);
}

void fractional_max_pool(const Tensor& self, int64_t spatial, const int64_t* kernel_size, int64_t kernel_count,
                         const int64_t* output_size, int64_t output_count, const Tensor& samples, AtenTensorHandle* ret0,
                         AtenTensorHandle* ret1) {
  const char* const what = "fractional_max_pool";
  require(output_count == spatial && kernel_count == spatial, what, ": ", spatial, " kernel and output sizes are wanted");
  const Planes planes(contiguous(self), spatial, what);
  const Triple kernel = triple_of(kernel_size, kernel_count, spatial, 1, nullptr, what);
  const Triple output = triple_of(output_size, output_count, spatial, 1, nullptr, what);
  for (size_t d = 0; d < 3; ++d) {
    require(kernel[d] > 0 && output[d] > 0 && output[d] + kernel[d] - 1 <= planes.size[d], what, ": output ", output[d], " and kernel ",
            kernel[d], " do not fit an input of ", planes.size[d]);
  }
  require(samples.dtype() == self.dtype(), what, ": the samples are ", samples.dtype(), ", the input ", self.dtype());
  require(samples.dim() == 3 && samples.size(0) >= planes.batch && samples.size(1) >= planes.channels && samples.size(2) == spatial, what,
          ": samples of shape ", samples.sizes(), " do not fit an input of shape ", self.sizes());
  Tensor values = planes.output(output, self.dtype());
  Tensor indices = planes.output(output, Dtype::i64);
  const int64_t positions = planes.size[0] * planes.size[1] * planes.size[2];
  const int64_t results = output[0] * output[1] * output[2];
  for_float(self.dtype(), what, [&]<class T>(TypeTag<T>) {
    parallel_for(0, planes.batch * planes.channels, 1, [&](int64_t begin, int64_t end) {
      for (int64_t plane = begin; plane < end; ++plane) {
        const T* const source = planes.input.as<T>() + plane * positions;
        const auto start = [&](size_t dim, int64_t at) {
          if (dim + static_cast<size_t>(spatial) < 3) {
            return int64_t(0);
          }
          // The first sample is that of the last dimension in two dimensions, of the first one in three.
          const int64_t number = spatial == 2 ? 2 - static_cast<int64_t>(dim) : static_cast<int64_t>(dim);
          const T sample = samples.as<T>()[plane / planes.channels * samples.stride(0) + plane % planes.channels * samples.stride(1) +
                                           number * samples.stride(2)];
          return window_start(sample, at, planes.size[dim], output[dim], kernel[dim]);
        };
        for (int64_t at = 0; at < results; ++at) {
          const int64_t d0 = start(0, at / (output[1] * output[2]));
          const int64_t h0 = start(1, at / output[2] % output[1]);
          const int64_t w0 = start(2, at % output[2]);
          T best = cast<T>(-std::numeric_limits<float>::infinity());
          int64_t where = (d0 * planes.size[1] + h0) * planes.size[2] + w0;
          for (int64_t d = d0; d < d0 + kernel[0]; ++d) {
            for (int64_t h = h0; h < h0 + kernel[1]; ++h) {
              for (int64_t w = w0; w < w0 + kernel[2]; ++w) {
                const int64_t position = (d * planes.size[1] + h) * planes.size[2] + w;
                require(position >= 0 && position < positions, what, ": a sample is outside of [0, 1)");
                const T value = source[position];
                if (is_nan(value) || cast<opmath_t<T>>(value) > cast<opmath_t<T>>(best)) {
                  best = value;
                  where = position;
                }
              }
            }
          }
          values.as<T>()[plane * results + at] = best;
          indices.as<int64_t>()[plane * results + at] = where;
        }
      }
    });
  });
  answer_all({ret0, ret1}, std::move(values), std::move(indices));
}

}  // namespace

}  // namespace aotwin::runtime

using namespace aotwin::runtime;

extern "C" {

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_fractional_max_pool2d)(AtenTensorHandle self, const int64_t* kernel_size,
                                                                 int64_t kernel_size_len_, const int64_t* output_size,
                                                                 int64_t output_size_len_, AtenTensorHandle random_samples,
                                                                 AtenTensorHandle* ret0, AtenTensorHandle* ret1) {
  return guarded([&] {
    fractional_max_pool(borrow(self), 2, kernel_size, kernel_size_len_, output_size, output_size_len_, borrow(random_samples), ret0,
                        ret1);
  });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_fractional_max_pool3d)(AtenTensorHandle self, const int64_t* kernel_size,
                                                                 int64_t kernel_size_len_, const int64_t* output_size,
                                                                 int64_t output_size_len_, AtenTensorHandle random_samples,
                                                                 AtenTensorHandle* ret0, AtenTensorHandle* ret1) {
  return guarded([&] {
    fractional_max_pool(borrow(self), 3, kernel_size, kernel_size_len_, output_size, output_size_len_, borrow(random_samples), ret0,
                        ret1);
  });
}
}
