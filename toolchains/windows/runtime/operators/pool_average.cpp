// Means of windows: avg_pool and adaptive_avg_pool.
#include <algorithm>

#include "window.h"

namespace aotwin::runtime {

namespace {

// Positions [first, last) of one window along one dimension, and how many it has with padding.
struct Span {
  int64_t first;
  int64_t last;
  int64_t padded;
};

// Sums go to float where the elements are half as wide; integers stay integers.
template <class T, class SpanAt, class Divisor>
void means(const Planes& planes, const Triple& output, const Tensor& result, SpanAt&& span_at, Divisor&& divisor) {
  using Math = opmath_t<T>;
  const int64_t positions = planes.size[0] * planes.size[1] * planes.size[2];
  const int64_t results = output[0] * output[1] * output[2];
  const int64_t lanes = planes.channels_last ? planes.channels : 1;
  const int64_t groups = planes.channels_last ? planes.batch : planes.batch * planes.channels;
  const int64_t rows = output[0] * output[1];
  parallel_for(0, groups * rows, std::max<int64_t>(2048 / std::max<int64_t>(output[2] * lanes, 1), 1), [&](int64_t begin, int64_t end) {
    // Contiguous planes: the sums down each column, from which windows along a row are put together. Channels-last: those of all
    // channels.
    const int64_t held = planes.channels_last ? lanes : planes.size[2];
    Scratch memory(static_cast<size_t>(held) * sizeof(Math));
    Math* const sums = memory.as<Math>();
    const auto add = [&](const T* values) {
      for (int64_t k = 0; k < held; ++k) {
        sums[k] += cast<Math>(values[k]);
      }
    };
    const auto mean = [](Math sum, Math count) { return count == Math(0) ? T(0) : cast<T>(static_cast<Math>(sum / count)); };
    for (int64_t item = begin; item < end; ++item) {
      const int64_t group = item / rows;
      const int64_t row = item % rows;
      const T* const source = planes.input.as<T>() + group * positions * lanes;
      T* const to = result.as<T>() + (group * results + row * output[2]) * lanes;
      const Span depth = span_at(0, row / output[1]);
      const Span height = span_at(1, row % output[1]);
      const auto each_line = [&](auto&& f) {
        for (int64_t d = depth.first; d < depth.last; ++d) {
          for (int64_t h = height.first; h < height.last; ++h) {
            f(source + (d * planes.size[1] + h) * planes.size[2] * lanes);
          }
        }
      };
      if (!planes.channels_last) {
        std::fill(sums, sums + held, Math(0));
        each_line(add);
      }
      for (int64_t column = 0; column < output[2]; ++column) {
        const Span width = span_at(2, column);
        const Math count = cast<Math>(divisor(depth, height, width));
        if (!planes.channels_last) {
          Math sum = Math(0);
          for (int64_t w = width.first; w < width.last; ++w) {
            sum += sums[w];
          }
          to[column] = mean(sum, count);
          continue;
        }
        std::fill(sums, sums + held, Math(0));
        each_line([&](const T* line) {
          for (int64_t w = width.first; w < width.last; ++w) {
            add(line + w * lanes);
          }
        });
        for (int64_t c = 0; c < lanes; ++c) {
          to[column * lanes + c] = mean(sums[c], count);
        }
      }
    }
  });
}

// float dtypes and int64, as torch has it
template <class F>
void for_averaged(Dtype dtype, const char* what, F&& f) {
  if (dtype == Dtype::i64) {
    f(TypeTag<int64_t>{});
  } else {
    for_float(dtype, what, f);
  }
}

int64_t inside(const Span& span) {
  return std::max<int64_t>(span.last - span.first, 0);
}

Tensor average_pool(const Tensor& self, int64_t spatial, const Triple& kernel, const Triple& stride, const Triple& padding, bool ceil,
                    bool count_padding, const int64_t* divisor_override) {
  require(divisor_override == nullptr || *divisor_override != 0, "avg_pool: the divisor is 0");
  const Planes planes(self, spatial, "avg_pool");
  Windows windows{kernel, stride, padding, {1, 1, 1}, {}};
  count_windows(windows, planes.size, ceil, "avg_pool");
  Tensor result = planes.output(windows.output, self.dtype());
  const auto span_at = [&](size_t dim, int64_t at) {
    const int64_t first = at * windows.stride[dim] - windows.padding[dim];
    const int64_t last = std::min(first + windows.kernel[dim], planes.size[dim] + windows.padding[dim]);
    return Span{std::max<int64_t>(first, 0), std::min(last, planes.size[dim]), last - first};
  };
  const auto divisor = [&](const Span& d, const Span& h, const Span& w) {
    if (inside(d) * inside(h) * inside(w) == 0) {
      return int64_t(0);
    }
    return divisor_override != nullptr ? *divisor_override
           : count_padding             ? d.padded * h.padded * w.padded
                                       : inside(d) * inside(h) * inside(w);
  };
  for_averaged(self.dtype(), "avg_pool", [&]<class T>(TypeTag<T>) { means<T>(planes, windows.output, result, span_at, divisor); });
  return result;
}

Tensor adaptive_average_pool(const Tensor& self, int64_t spatial, const int64_t* output_size, int64_t count) {
  require(count == spatial, "adaptive_avg_pool: ", count, " output sizes where ", spatial, " are wanted");
  const Triple output = triple_of(output_size, count, spatial, 1, nullptr, "adaptive_avg_pool");
  for (const int64_t size : output) {
    require(size >= 0, "adaptive_avg_pool: an output size is ", size);
  }
  const Planes planes(self, spatial, "adaptive_avg_pool");
  Tensor result = planes.output(output, self.dtype());
  const auto span_at = [&](size_t dim, int64_t at) {
    return Span{at * planes.size[dim] / output[dim], ((at + 1) * planes.size[dim] + output[dim] - 1) / output[dim], 0};
  };
  const auto divisor = [](const Span& d, const Span& h, const Span& w) { return inside(d) * inside(h) * inside(w); };
  for_float(self.dtype(), "adaptive_avg_pool", [&]<class T>(TypeTag<T>) {
    if (result.numel() > 0) {
      means<T>(planes, output, result, span_at, divisor);
    }
  });
  return result;
}

}  // namespace

}  // namespace aotwin::runtime

using namespace aotwin::runtime;

namespace {

AOTITorchError average_pool_shim(int64_t spatial, AtenTensorHandle self, const int64_t* kernel_size, int64_t kernel_count,
                                 const int64_t* stride, int64_t stride_count, const int64_t* padding, int64_t padding_count,
                                 int32_t ceil_mode, int32_t count_include_pad, const int64_t* divisor_override,
                                 AtenTensorHandle* ret0) {
  return guarded([&] {
    const Triple kernel = triple_of(kernel_size, kernel_count, spatial, 1, nullptr, "avg_pool");
    answer(ret0, average_pool(borrow(self), spatial, kernel, triple_of(stride, stride_count, spatial, 1, &kernel, "avg_pool"),
                              triple_of(padding, padding_count, spatial, 0, nullptr, "avg_pool"), ceil_mode != 0,
                              count_include_pad != 0, divisor_override));
  });
}

}  // namespace

extern "C" {

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_avg_pool2d)(AtenTensorHandle self, const int64_t* kernel_size, int64_t kernel_size_len_,
                                                      const int64_t* stride, int64_t stride_len_, const int64_t* padding,
                                                      int64_t padding_len_, int32_t ceil_mode, int32_t count_include_pad,
                                                      int64_t* divisor_override, AtenTensorHandle* ret0) {
  return average_pool_shim(2, self, kernel_size, kernel_size_len_, stride, stride_len_, padding, padding_len_, ceil_mode,
                           count_include_pad, divisor_override, ret0);
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_avg_pool3d)(AtenTensorHandle self, const int64_t* kernel_size, int64_t kernel_size_len_,
                                                      const int64_t* stride, int64_t stride_len_, const int64_t* padding,
                                                      int64_t padding_len_, int32_t ceil_mode, int32_t count_include_pad,
                                                      int64_t* divisor_override, AtenTensorHandle* ret0) {
  return average_pool_shim(3, self, kernel_size, kernel_size_len_, stride, stride_len_, padding, padding_len_, ceil_mode,
                           count_include_pad, divisor_override, ret0);
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu__adaptive_avg_pool2d)(AtenTensorHandle self, const int64_t* output_size,
                                                                int64_t output_size_len_, AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, adaptive_average_pool(borrow(self), 2, output_size, output_size_len_)); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu__adaptive_avg_pool3d)(AtenTensorHandle self, const int64_t* output_size,
                                                                int64_t output_size_len_, AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, adaptive_average_pool(borrow(self), 3, output_size, output_size_len_)); });
}
}
