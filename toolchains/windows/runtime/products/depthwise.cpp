// Depthwise convolutions, and by groups of few channels: one pass over the input, each element multiplied in registers.
#include <algorithm>
#include <cstring>
#include <vector>

#include "../threads/parallel.h"
#include "convolution_kernels.h"
#include "geometry.h"

namespace aotwin::runtime::products {
namespace {

// Weights as floats, [channels][taps].
void widen_weights(const Geometry& g, const void* weight, float* to) {
  for_float(g.dtype, "convolution", [&]<class T>(TypeTag<T>) {
    const T* const from = static_cast<const T*>(weight);
    const int64_t count = g.groups * static_cast<int64_t>(g.taps.size());
    for (int64_t i = 0; i < count; ++i) {
      to[i] = cast<float>(from[i]);
    }
  });
}

const float* widen_bias(const Tensor* bias, Tensor& keep) {
  if (bias == nullptr) {
    return nullptr;
  }
  keep = contiguous(to_dtype(*bias, Dtype::f32));
  return keep.as<float>();
}

// Results of a row whose tap reads inside: first <= x * stride + tap < last.
void inside_range(int64_t tap, int64_t stride, int64_t in, int64_t out, int64_t& first, int64_t& last) {
  first = tap >= 0 ? 0 : (-tap + stride - 1) / stride;
  last = in - tap <= 0 ? 0 : (in - tap + stride - 1) / stride;
  first = std::min(first, out);
  last = std::clamp<int64_t>(last, first, out);
}

}  // namespace

bool is_depthwise(const Geometry& g) {
  return g.channels == 1 && g.out_channels == 1 && g.groups > 1 && g.dtype != Dtype::f64;
}

bool has_small_groups(const Geometry& g) {
  const bool few = g.channels == 2 || g.channels == 4 || g.channels == 8 || g.channels == 16;
  return is_depthwise(g) || (g.dtype != Dtype::f64 && g.groups > 1 && few && g.out_channels == g.channels && g.groups * g.channels % 16 == 0);
}

// [taps][channels of a group][all results]
Tensor weights_by_taps(const Geometry& g, const void* weight) {
  const auto taps = static_cast<int64_t>(g.taps.size());
  const int64_t all = g.groups * g.out_channels;
  Tensor result = empty({taps, g.channels, all}, Dtype::f32);
  for_float(g.dtype, "convolution", [&]<class T>(TypeTag<T>) {
    const T* from = static_cast<const T*>(weight);
    for (int64_t o = 0; o < all; ++o) {
      for (int64_t i = 0; i < taps * g.channels; ++i) {
        result.as<float>()[i * all + o] = cast<float>(*from++);
      }
    }
  });
  return result;
}

void convolve_small_groups(const Geometry& g, const void* input, const Tensor& weights, const Tensor* bias, void* out) {
  const int64_t channels = g.groups * g.channels;
  const auto taps = static_cast<int64_t>(g.taps.size());
  const auto size = static_cast<int64_t>(element_size(g.dtype));
  Tensor keep;
  const float* const biases = widen_bias(bias, keep);
  const ConvolutionKernels& kernels = convolution_kernels();
  // In the middle of a row all columns of taps are inside; towards its ends fewer: cuts where their number changes.
  std::vector<int64_t> cuts = {0, g.out[2]};
  for (const Tap& tap : g.taps) {
    int64_t first = 0;
    int64_t last = 0;
    inside_range(tap.w, g.stride[2], g.in[2], g.out[2], first, last);
    cuts.push_back(first);
    cuts.push_back(last);
  }
  std::sort(cuts.begin(), cuts.end());
  cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
  const int64_t rows = g.batch * g.out[0] * g.out[1];
  const int64_t work = std::max<int64_t>(1, g.out[2] * channels * taps * g.channels);
  parallel_for(0, rows, std::max<int64_t>(1, 65536 / work), [&](int64_t begin, int64_t end) {
    Scratch lists(static_cast<size_t>(taps * 16));
    const void** const from = lists.as<const void*>();
    const float** const used = lists.as<const float*>() + taps;
    for (int64_t row = begin; row < end; ++row) {
      const int64_t h = row % g.out[1] * g.stride[1];
      const int64_t d = row / g.out[1] % g.out[0] * g.stride[0];
      const char* const image = static_cast<const char*>(input) + row / g.out[1] / g.out[0] * g.in_places() * channels * size;
      char* const to = static_cast<char*>(out) + row * g.out[2] * channels * size;
      for (size_t cut = 0; cut + 1 < cuts.size(); ++cut) {
        const int64_t x = cuts[cut];
        int64_t count = 0;
        for (int64_t t = 0; t < taps; ++t) {
          const Tap& tap = g.taps[static_cast<size_t>(t)];
          const int64_t at_d = d + tap.d;
          const int64_t at_h = h + tap.h;
          const int64_t at_w = x * g.stride[2] + tap.w;
          if (at_d >= 0 && at_d < g.in[0] && at_h >= 0 && at_h < g.in[1] && at_w >= 0 && at_w < g.in[2]) {
            from[count] = image + ((at_d * g.in[1] + at_h) * g.in[2] + at_w) * channels * size;
            used[count] = weights.as<float>() + t * g.channels * channels;
            ++count;
          }
        }
        const GroupedRow piece{from,       g.stride[2] * channels, used, biases, count, channels, g.channels, cuts[cut + 1] - x, to + x * channels * size,
                               channels};
        kernels.grouped_row(g.dtype, piece);
      }
    }
  });
}

void depthwise_planes(const Geometry& g, const void* input, const void* weight, const Tensor* bias, void* out) {
  const int64_t channels = g.groups;
  const auto taps = static_cast<int64_t>(g.taps.size());
  const auto size = static_cast<int64_t>(element_size(g.dtype));
  Scratch scratch(static_cast<size_t>(taps * channels * 4));
  float* const weights = scratch.as<float>();
  widen_weights(g, weight, weights);
  Tensor keep;
  const float* const biases = widen_bias(bias, keep);
  // A plane with its border of zeros, in float: then no place is special.
  int64_t before[3] = {0, 0, 0};
  int64_t after[3] = {0, 0, 0};
  for (const Tap& tap : g.taps) {
    const int64_t at[3] = {tap.d, tap.h, tap.w};
    for (int i = 0; i < 3; ++i) {
      before[i] = std::max(before[i], -at[i]);
      after[i] = std::max(after[i], (g.out[i] - 1) * g.stride[i] + at[i] + 1 - g.in[i]);
    }
  }
  const int64_t depth = before[0] + g.in[0] + after[0];
  const int64_t height = before[1] + g.in[1] + after[1];
  const int64_t width = before[2] + g.in[2] + after[2];
  const ConvolutionKernels& kernels = convolution_kernels();
  const int64_t work = std::max<int64_t>(1, g.places() * taps);
  parallel_for(0, g.batch * channels, std::max<int64_t>(1, 65536 / work), [&](int64_t begin, int64_t end) {
    Scratch padded(static_cast<size_t>(depth * height * width * 4 + 64));
    Scratch list(static_cast<size_t>(taps * 8));
    float* const plane = padded.as<float>();
    const float** const from = list.as<const float*>();
    std::memset(plane, 0, static_cast<size_t>(depth * height * width * 4));
    for (int64_t index = begin; index < end; ++index) {
      const int64_t channel = index % channels;
      for_float(g.dtype, "convolution", [&]<class T>(TypeTag<T>) {
        const T* source = static_cast<const T*>(input) + index * g.in_places();
        for (int64_t d = 0; d < g.in[0]; ++d) {
          for (int64_t h = 0; h < g.in[1]; ++h) {
            float* const row = plane + ((before[0] + d) * height + before[1] + h) * width + before[2];
            for (int64_t w = 0; w < g.in[2]; ++w) {
              row[w] = cast<float>(source[w]);
            }
            source += g.in[2];
          }
        }
      });
      for (int64_t d = 0; d < g.out[0]; ++d) {
        for (int64_t h = 0; h < g.out[1]; ++h) {
          for (int64_t t = 0; t < taps; ++t) {
            const Tap& tap = g.taps[static_cast<size_t>(t)];
            from[t] = plane + ((before[0] + d * g.stride[0] + tap.d) * height + before[1] + h * g.stride[1] + tap.h) * width + before[2] + tap.w;
          }
          char* const to = static_cast<char*>(out) + ((index * g.out[0] + d) * g.out[1] + h) * g.out[2] * size;
          const DepthwisePlane piece{from, g.stride[2], weights + channel * taps, biases != nullptr ? biases[channel] : 0.0F, taps, g.out[2], to};
          kernels.depthwise_plane(g.dtype, piece);
        }
      }
    }
  });
}

}  // namespace aotwin::runtime::products
