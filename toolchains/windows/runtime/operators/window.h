// What kinds of pooling share: two or three spatial dimensions seen as three, and the windows over them.
#pragma once

#include <array>

#include "../core/tensor.h"
#include "../threads/parallel.h"
#include "arguments.h"
#include "layout.h"

namespace aotwin::runtime {

using Triple = std::array<int64_t, 3>;

// Parameters with one value for all dimensions, or one for each; `missing` stands for an empty list.
Triple triple_of(const int64_t* values, int64_t count, int64_t spatial, int64_t before, const Triple* missing, const char* what);

struct Windows {
  Triple kernel;
  Triple stride;
  Triple padding;
  Triple dilation;
  Triple output;
};

// Number of windows along one dimension, as torch counts them: with `ceil`, a last one may reach over the end, if it begins
// inside of the input or its left padding.
int64_t window_count(int64_t input, int64_t kernel, int64_t padding, int64_t stride, int64_t dilation, bool ceil);

// Checks and fills `output`.
void count_windows(Windows& windows, const Triple& input, bool ceil, const char* what);

// The spatial dimensions of a tensor [C, ...] or [N, C, ...], read as [planes][d, h, w], two dimensions with d = 1.
struct Planes {
  Planes(const Tensor& input, int64_t spatial, const char* what);

  Tensor input;       // contiguous, or channels-last
  bool channels_last;
  int64_t batch;
  int64_t channels;
  Triple size;

  // Of the shape with other spatial sizes, in the same format.
  Tensor output(const Triple& sizes, Dtype dtype) const;
  // Calls f(batch and channel, offset of its first element, step between neighbouring positions): tensors in either format are
  // read through it. `positions` is the number of spatial positions.
  int64_t first(int64_t plane, int64_t positions) const {
    return channels_last ? plane / channels * channels * positions + plane % channels : plane * positions;
  }
  int64_t step() const {
    return channels_last ? channels : 1;
  }

  int64_t spatial;
  bool batched;
};

}  // namespace aotwin::runtime
