// Maxima with their positions: max_pool, adaptive_max_pool, and max_unpool, which puts them back.
#include <algorithm>
#include <limits>

#include "window.h"

namespace aotwin::runtime {

namespace {

// Positions of one window along one dimension: first, first + step, ... below last.
struct Span {
  int64_t first;
  int64_t last;
  int64_t step;
};

Span window_span(const Windows& windows, const Triple& input, size_t dim, int64_t at) {
  const int64_t step = windows.dilation[dim];
  int64_t first = at * windows.stride[dim] - windows.padding[dim];
  const int64_t last = std::min(first + (windows.kernel[dim] - 1) * step + 1, input[dim]);
  if (first < 0) {
    first += (-first + step - 1) / step * step;
  }
  return {first, last, step};
}

Span adaptive_span(const Triple& input, const Triple& output, size_t dim, int64_t at) {
  return {at * input[dim] / output[dim], ((at + 1) * input[dim] + output[dim] - 1) / output[dim], 1};
}

// `value` at `position` put before what was best so far, in the order in which torch looks at a window: the first of equals, the
// last NaN. Written without branches, for vectors.
template <class T>
inline void challenge(T value, int32_t position, T& best, int32_t& where) {
  const bool better = cast<opmath_t<T>>(value) > cast<opmath_t<T>>(best) || is_nan(value);
  best = better ? value : best;
  where = better ? position : where;
}

// The same where positions do not come in order.
template <class T>
inline void challenge_unordered(T value, int32_t position, T& best, int32_t& where) {
  const opmath_t<T> a = cast<opmath_t<T>>(value);
  const opmath_t<T> b = cast<opmath_t<T>>(best);
  const bool better = is_nan(value) ? !is_nan(best) || position > where
                                    : !is_nan(best) && (a > b || (a == b && position < where));
  best = better ? value : best;
  where = better ? position : where;
}

template <class T>
T lowest() {
  return std::is_integral_v<T> ? std::numeric_limits<T>::lowest() : cast<T>(-std::numeric_limits<float>::infinity());
}

// One row of results. `best` and `where` hold a plane's columns, or the channels.
template <class T>
struct Row {
  const T* source;
  T* values;
  int64_t* indices;
  Span depth;
  Span height;
  T* best;
  int32_t* where;
};

// Contiguous planes: first down the columns of the rows that count, then along each window.
template <class T, class SpanAt>
void row_of_plane(const Planes& planes, const Triple& output, const Row<T>& row, SpanAt&& span_at) {
  const int64_t width = planes.size[2];
  const int64_t first_row = row.depth.first * planes.size[1] + row.height.first;
  for (int64_t w = 0; w < width; ++w) {
    row.best[w] = lowest<T>();
    row.where[w] = static_cast<int32_t>(first_row * width + w);
  }
  for (int64_t d = row.depth.first; d < row.depth.last; d += row.depth.step) {
    for (int64_t h = row.height.first; h < row.height.last; h += row.height.step) {
      const int64_t start = (d * planes.size[1] + h) * width;
      for (int64_t w = 0; w < width; ++w) {
        challenge(row.source[start + w], static_cast<int32_t>(start + w), row.best[w], row.where[w]);
      }
    }
  }
  for (int64_t column = 0; column < output[2]; ++column) {
    const Span span = span_at(2, column);
    T best = lowest<T>();
    int32_t where = static_cast<int32_t>(first_row * width + span.first);
    for (int64_t w = span.first; w < span.last; w += span.step) {
      challenge_unordered(row.best[w], row.where[w], best, where);
    }
    row.values[column] = best;
    row.indices[column] = where;
  }
}

// Channels-last: all channels of a position at once.
template <class T, class SpanAt>
void row_of_channels(const Planes& planes, const Triple& output, const Row<T>& row, SpanAt&& span_at) {
  const int64_t channels = planes.channels;
  for (int64_t column = 0; column < output[2]; ++column) {
    const Span width = span_at(2, column);
    const int64_t start = (row.depth.first * planes.size[1] + row.height.first) * planes.size[2] + width.first;
    std::fill(row.best, row.best + channels, lowest<T>());
    std::fill(row.where, row.where + channels, static_cast<int32_t>(start));
    for (int64_t d = row.depth.first; d < row.depth.last; d += row.depth.step) {
      for (int64_t h = row.height.first; h < row.height.last; h += row.height.step) {
        for (int64_t w = width.first; w < width.last; w += width.step) {
          const int64_t position = (d * planes.size[1] + h) * planes.size[2] + w;
          const T* __restrict candidates = row.source + position * channels;
          T* __restrict best = row.best;
          int32_t* __restrict where = row.where;
          for (int64_t c = 0; c < channels; ++c) {
            challenge(candidates[c], static_cast<int32_t>(position), best[c], where[c]);
          }
        }
      }
    }
    std::copy(row.best, row.best + channels, row.values + column * channels);
    std::copy(row.where, row.where + channels, row.indices + column * channels);
  }
}

// The maximum of each window of each plane; NaN counts as larger than all.
template <class T, class SpanAt>
void maxima(const Planes& planes, const Triple& output, const Tensor& values, const Tensor& indices, SpanAt&& span_at) {
  const int64_t positions = planes.size[0] * planes.size[1] * planes.size[2];
  require(positions <= INT32_MAX, "pooling: ", positions, " positions are too many");
  const int64_t results = output[0] * output[1] * output[2];
  const int64_t lanes = planes.channels_last ? planes.channels : 1;
  const int64_t groups = planes.channels_last ? planes.batch : planes.batch * planes.channels;
  const int64_t rows = output[0] * output[1];
  const size_t held = static_cast<size_t>(planes.channels_last ? planes.channels : planes.size[2]);
  parallel_for(0, groups * rows, std::max<int64_t>(2048 / (output[2] * lanes), 1), [&](int64_t begin, int64_t end) {
    Scratch best(held * sizeof(T));
    Scratch where(held * sizeof(int32_t));
    for (int64_t item = begin; item < end; ++item) {
      const int64_t group = item / rows;
      const int64_t number = item % rows;
      const int64_t to = (group * results + number * output[2]) * lanes;
      const Row<T> row{planes.input.as<T>() + group * positions * lanes,
                       values.as<T>() + to,
                       indices.as<int64_t>() + to,
                       span_at(0, number / output[1]),
                       span_at(1, number % output[1]),
                       best.as<T>(),
                       where.as<int32_t>()};
      planes.channels_last ? row_of_channels(planes, output, row, span_at) : row_of_plane(planes, output, row, span_at);
    }
  });
}

void max_pool(const Tensor& self, int64_t spatial, const Triple& kernel, const Triple& stride, const Triple& padding,
              const Triple& dilation, bool ceil, AtenTensorHandle* ret0, AtenTensorHandle* ret1) {
  const Planes planes(self, spatial, "max_pool");
  Windows windows{kernel, stride, padding, dilation, {}};
  count_windows(windows, planes.size, ceil, "max_pool");
  Tensor values = planes.output(windows.output, self.dtype());
  Tensor indices = planes.output(windows.output, Dtype::i64);
  for_real(self.dtype(), "max_pool", [&]<class T>(TypeTag<T>) {
    maxima<T>(planes, windows.output, values, indices,
              [&](size_t dim, int64_t at) { return window_span(windows, planes.size, dim, at); });
  });
  answer_all({ret0, ret1}, std::move(values), std::move(indices));
}

void adaptive_max_pool(const Tensor& self, int64_t spatial, const int64_t* output_size, int64_t count, AtenTensorHandle* ret0,
                       AtenTensorHandle* ret1) {
  require(count == spatial, "adaptive_max_pool: ", count, " output sizes where ", spatial, " are wanted");
  const Planes planes(self, spatial, "adaptive_max_pool");
  const Triple output = triple_of(output_size, count, spatial, 1, nullptr, "adaptive_max_pool");
  Tensor values = planes.output(output, self.dtype());
  Tensor indices = planes.output(output, Dtype::i64);
  for_float(self.dtype(), "adaptive_max_pool", [&]<class T>(TypeTag<T>) {
    if (values.numel() > 0) {
      maxima<T>(planes, output, values, indices,
                [&](size_t dim, int64_t at) { return adaptive_span(planes.size, output, dim, at); });
    }
  });
  answer_all({ret0, ret1}, std::move(values), std::move(indices));
}

Tensor max_unpool(const Tensor& self, const Tensor& indices, int64_t spatial, const int64_t* output_size, int64_t count) {
  require(count == spatial, "max_unpool: ", count, " output sizes where ", spatial, " are wanted");
  require(indices.dtype() == Dtype::i64 && indices.sizes() == self.sizes(), "max_unpool: indices of shape ", indices.sizes(), " and ",
          indices.dtype(), " do not fit an input of shape ", self.sizes());
  const Planes planes(self, spatial, "max_unpool");
  const Triple output = triple_of(output_size, count, spatial, 1, nullptr, "max_unpool");
  for (const int64_t size : output) {
    require(size >= 0, "max_unpool: an output size is ", size);
  }
  Tensor where = planes.channels_last ? empty_like_channels_last(self.sizes(), Dtype::i64) : empty(self.sizes(), Dtype::i64);
  copy_into(where, indices);
  Tensor result = planes.output(output, self.dtype());
  fill_zero(result);
  const int64_t positions = planes.size[0] * planes.size[1] * planes.size[2];
  const int64_t results = output[0] * output[1] * output[2];
  for_real(self.dtype(), "max_unpool", [&]<class T>(TypeTag<T>) {
    parallel_for(0, planes.batch * planes.channels, std::max<int64_t>(8192 / positions, 1), [&](int64_t begin, int64_t end) {
      for (int64_t plane = begin; plane < end; ++plane) {
        const int64_t from = planes.first(plane, positions);
        T* const to = result.as<T>() + planes.first(plane, results);
        for (int64_t i = 0; i < positions; ++i) {
          const int64_t source = from + i * planes.step();
          const int64_t position = where.as<int64_t>()[source];
          require(position >= 0 && position < results, "max_unpool: index ", position, " is out of range for ", results, " positions");
          to[position * planes.step()] = planes.input.as<T>()[source];
        }
      }
    });
  });
  return result;
}

}  // namespace

}  // namespace aotwin::runtime

using namespace aotwin::runtime;

namespace {

AOTITorchError max_pool_shim(int64_t spatial, AtenTensorHandle self, const int64_t* kernel_size, int64_t kernel_count,
                             const int64_t* stride, int64_t stride_count, const int64_t* padding, int64_t padding_count,
                             const int64_t* dilation, int64_t dilation_count, int32_t ceil_mode, AtenTensorHandle* ret0,
                             AtenTensorHandle* ret1) {
  return guarded([&] {
    const Triple kernel = triple_of(kernel_size, kernel_count, spatial, 1, nullptr, "max_pool");
    max_pool(borrow(self), spatial, kernel, triple_of(stride, stride_count, spatial, 1, &kernel, "max_pool"),
             triple_of(padding, padding_count, spatial, 0, nullptr, "max_pool"),
             triple_of(dilation, dilation_count, spatial, 1, nullptr, "max_pool"), ceil_mode != 0, ret0, ret1);
  });
}

}  // namespace

extern "C" {

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_max_pool2d_with_indices)(
    AtenTensorHandle self, const int64_t* kernel_size, int64_t kernel_size_len_, const int64_t* stride, int64_t stride_len_,
    const int64_t* padding, int64_t padding_len_, const int64_t* dilation, int64_t dilation_len_, int32_t ceil_mode,
    AtenTensorHandle* ret0, AtenTensorHandle* ret1) {
  return max_pool_shim(2, self, kernel_size, kernel_size_len_, stride, stride_len_, padding, padding_len_, dilation, dilation_len_,
                       ceil_mode, ret0, ret1);
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_max_pool3d_with_indices)(
    AtenTensorHandle self, const int64_t* kernel_size, int64_t kernel_size_len_, const int64_t* stride, int64_t stride_len_,
    const int64_t* padding, int64_t padding_len_, const int64_t* dilation, int64_t dilation_len_, int32_t ceil_mode,
    AtenTensorHandle* ret0, AtenTensorHandle* ret1) {
  return max_pool_shim(3, self, kernel_size, kernel_size_len_, stride, stride_len_, padding, padding_len_, dilation, dilation_len_,
                       ceil_mode, ret0, ret1);
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_adaptive_max_pool2d)(AtenTensorHandle self, const int64_t* output_size,
                                                               int64_t output_size_len_, AtenTensorHandle* ret0,
                                                               AtenTensorHandle* ret1) {
  return guarded([&] { adaptive_max_pool(borrow(self), 2, output_size, output_size_len_, ret0, ret1); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_adaptive_max_pool3d)(AtenTensorHandle self, const int64_t* output_size,
                                                               int64_t output_size_len_, AtenTensorHandle* ret0,
                                                               AtenTensorHandle* ret1) {
  return guarded([&] { adaptive_max_pool(borrow(self), 3, output_size, output_size_len_, ret0, ret1); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_max_unpool2d)(AtenTensorHandle self, AtenTensorHandle indices, const int64_t* output_size,
                                                        int64_t output_size_len_, AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, max_unpool(borrow(self), borrow(indices), 2, output_size, output_size_len_)); });
}

AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_max_unpool3d)(AtenTensorHandle self, AtenTensorHandle indices, const int64_t* output_size,
                                                        int64_t output_size_len_, const int64_t*, int64_t, const int64_t*, int64_t,
                                                        AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, max_unpool(borrow(self), borrow(indices), 3, output_size, output_size_len_)); });
}
}
