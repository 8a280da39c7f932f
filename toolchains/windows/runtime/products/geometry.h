// A convolution in one form for all: three place dimensions, a list of taps.
#pragma once

#include <cstdint>
#include <vector>

#include "../core/tensor.h"
#include "product.h"

namespace aotwin::runtime::products {

// Where a tap reads, relative to place * stride.
struct Tap {
  int32_t d;
  int32_t h;
  int32_t w;
  int32_t weight;  // its number in the kernel
};

struct Geometry {
  Dtype dtype = Dtype::f32;
  int64_t batch = 0;
  int64_t groups = 1;
  int64_t channels = 0;      // of a group
  int64_t out_channels = 0;  // of a group
  int64_t in[3] = {1, 1, 1};
  int64_t out[3] = {1, 1, 1};
  int64_t stride[3] = {1, 1, 1};
  int64_t kernel[3] = {1, 1, 1};
  std::vector<Tap> taps;
  bool row_taps = false;  // taps come in rows of kernel[2], one place apart
  // Not 0: weights lie by terms (taps, channels), results next to each other; channels last and one group only. Elements from one term to the next,
  int64_t term = 0;
  int64_t block = 0;  // and from one block of block_columns results to the next

  bool by_terms() const {
    return term != 0;
  }
  bool in_blocks() const {
    return by_terms() && block != block_columns;
  }
  // Of by terms: where the first term of a result lies.
  int64_t weight_of(int64_t result) const {
    return result / block_columns * block + result % block_columns;
  }

  int64_t all_taps() const {
    return kernel[0] * kernel[1] * kernel[2];
  }
  int64_t places() const {
    return out[0] * out[1] * out[2];
  }
  int64_t in_places() const {
    return in[0] * in[1] * in[2];
  }
};

// Channels last: `input` [batch, in..., channels], `weight` [groups * out_channels, taps, channels] or by terms, `out` [batch, out..., channels], all
// dense.
void convolve_rows(const Geometry& geometry, const void* input, const void* weight, Product& product);
// Planes: `input` [batch, channels, in...], `weight` [groups * out_channels, channels, taps], `out` [batch, channels, out...].
void convolve_planes(const Geometry& geometry, const void* input, const void* weight, Product& product);

// A kernel of 3 x 3 by Winograd's algorithm, four results from sixteen products in place of 36; arguments as convolve_rows has them.
bool suits_winograd(const Geometry& geometry);
void convolve_winograd(const Geometry& geometry, const void* input, const void* weight, const Finish& finish);

// Few channels: lines of the input are multiplied as they lie; arguments as convolve_rows has them.
bool suits_lines(const Geometry& geometry);
void convolve_lines(const Geometry& geometry, const void* input, const void* weight, const Finish& finish);

// Groups of few channels, with as many results; not for float64. Weights as floats, from [groups * out channels, taps, channels].
bool has_small_groups(const Geometry& geometry);
Tensor weights_by_taps(const Geometry& geometry, const void* weight);
void convolve_small_groups(const Geometry& geometry, const void* input, const Tensor& weights, const Tensor* bias, void* out);
// The same for one channel a group.
void convolve_depthwise(const Geometry& geometry, const void* input, const Tensor& weights, const Finish& finish);

// One channel a group, one result a channel; not for float64. Weights [channels, taps] in their dtype.
bool is_depthwise(const Geometry& geometry);
void depthwise_planes(const Geometry& geometry, const void* input, const void* weight, const Tensor* bias, void* out);

}  // namespace aotwin::runtime::products
