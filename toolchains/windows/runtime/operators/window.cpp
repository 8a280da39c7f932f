#include "window.h"

namespace aotwin::runtime {

Triple triple_of(const int64_t* values, int64_t count, int64_t spatial, int64_t before, const Triple* missing, const char* what) {
  if (count == 0 && missing != nullptr) {
    return *missing;
  }
  require(count == 1 || count == spatial, what, ": ", count, " numbers where 1 or ", spatial, " are wanted");
  Triple result{before, before, before};
  for (int64_t i = 0; i < spatial; ++i) {
    result[static_cast<size_t>(3 - spatial + i)] = values[count == 1 ? 0 : i];
  }
  return result;
}

int64_t window_count(int64_t input, int64_t kernel, int64_t padding, int64_t stride, int64_t dilation, bool ceil) {
  const int64_t room = input + 2 * padding - dilation * (kernel - 1) - 1;
  int64_t count = (room + (ceil ? stride - 1 : 0)) / stride;
  if (room < 0 && (room + (ceil ? stride - 1 : 0)) % stride != 0) {
    --count;  // rounded down
  }
  ++count;
  if (ceil && (count - 1) * stride >= input + padding) {
    --count;
  }
  return count;
}

void count_windows(Windows& windows, const Triple& input, bool ceil, const char* what) {
  for (size_t d = 0; d < 3; ++d) {
    require(windows.kernel[d] > 0 && windows.stride[d] > 0 && windows.dilation[d] > 0, what,
            ": kernel, stride and dilation must be positive, they are ", windows.kernel[d], ", ", windows.stride[d], " and ",
            windows.dilation[d]);
    require(windows.padding[d] >= 0 && windows.padding[d] <= ((windows.kernel[d] - 1) * windows.dilation[d] + 1) / 2, what, ": padding ",
            windows.padding[d], " is more than half of the kernel, ", windows.kernel[d]);
    windows.output[d] =
        window_count(input[d], windows.kernel[d], windows.padding[d], windows.stride[d], windows.dilation[d], ceil);
    require(windows.output[d] >= 1, what, ": an input of ", input[d], " is too small for a kernel of ", windows.kernel[d],
            " with dilation ", windows.dilation[d], " and padding ", windows.padding[d]);
  }
}

Planes::Planes(const Tensor& tensor, int64_t spatial_dimensions, const char* what)
    : input(contiguous_suggested(tensor)),
      channels_last(suggests_channels_last(tensor) && tensor.dim() == spatial_dimensions + 2),
      spatial(spatial_dimensions),
      batched(tensor.dim() == spatial_dimensions + 2) {
  require(tensor.dim() == spatial + 1 || tensor.dim() == spatial + 2, what, ": an input of ", spatial + 1, " or ", spatial + 2,
          " dimensions is wanted, its shape is ", tensor.sizes());
  if (!channels_last) {
    input = contiguous(tensor);
  }
  for (int64_t d = batched ? 1 : 0; d < tensor.dim(); ++d) {
    require(tensor.size(d) > 0, what, ": the input of shape ", tensor.sizes(), " is empty but for its batch");
  }
  batch = batched ? tensor.size(0) : 1;
  channels = tensor.size(batched ? 1 : 0);
  size = {1, 1, 1};
  for (int64_t i = 0; i < spatial; ++i) {
    size[static_cast<size_t>(3 - spatial + i)] = tensor.size(tensor.dim() - spatial + i);
  }
}

Tensor Planes::output(const Triple& sizes, Dtype dtype) const {
  Dims shape;
  if (batched) {
    shape.push_back(batch);
  }
  shape.push_back(channels);
  for (int64_t i = 0; i < spatial; ++i) {
    shape.push_back(sizes[static_cast<size_t>(3 - spatial + i)]);
  }
  return channels_last ? empty_like_channels_last(shape, dtype) : empty(shape, dtype);
}

}  // namespace aotwin::runtime
