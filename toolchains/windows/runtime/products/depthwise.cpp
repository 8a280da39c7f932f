// Depthwise convolutions, and by groups of few channels: one pass over the input, each element multiplied in registers.
//
// Depthwise ones with channels last are computed 16 channels at a time, whose places are brought together first: in the tensor they are as far
// apart as there are channels, which is few sets of a cache.
#include <algorithm>
#include <cstring>
#include <vector>

#include "../threads/parallel.h"
#include "convolution_kernels.h"
#include "geometry.h"
#include "kernels.h"
#include "packing.h"
#include "rooms.h"

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

namespace {

constexpr int64_t band_bytes = 256 << 10;  // of input that is laid out at a time: it stays in the second cache

// A part of the results: 16 channels (or what is left of them) of some rows of an image.
struct Band {
  int64_t channel;
  int64_t channels;
  int64_t image;
  int64_t depth;
  int64_t first;  // row
  int64_t rows;
};

// How a band's input lies: [rows of the kernel's depth][rows][places][16], with what the kernel reads beyond the borders as zeros.
struct Staging {
  explicit Staging(const Geometry& g)
      : left(g.taps[0].w), top(g.taps[0].h), apart_w(g.kernel[2] > 1 ? g.taps[1].w - left : 1),
        apart_h(g.kernel[1] > 1 ? g.taps[static_cast<size_t>(g.kernel[2])].h - top : 1) {
    const int64_t results = (g.out[2] + depthwise_places - 1) / depthwise_places * depthwise_places;
    width = (results - 1) * g.stride[2] + (g.kernel[2] - 1) * apart_w + 1;
    row = width * depthwise_channels;
    sums = results * depthwise_channels;
  }
  int64_t rows_for(const Geometry& g, int64_t results) const {
    return (results - 1) * g.stride[1] + (g.kernel[1] - 1) * apart_h + 1;
  }
  int64_t left;
  int64_t top;
  int64_t apart_w;
  int64_t apart_h;
  int64_t width = 0;  // places
  int64_t row = 0;    // elements
  int64_t sums = 0;
};

void stage_row(const Geometry& g, const Staging& staging, const char* line, const Band& band, float* to) {
  const auto size = static_cast<int64_t>(element_size(g.dtype));
  const int64_t first = std::clamp<int64_t>(-staging.left, 0, staging.width);
  const int64_t last = line == nullptr ? first : std::clamp<int64_t>(g.in[2] - staging.left, first, staging.width);
  std::memset(to, 0, static_cast<size_t>(first * depthwise_channels) * sizeof(float));
  if (first < last) {
    float_kernels().pack_columns(g.dtype, to + first * depthwise_channels, line + ((staging.left + first) * g.groups + band.channel) * size, g.groups,
                                 static_cast<int>(band.channels), depthwise_channels, last - first);
  }
  std::memset(to + last * depthwise_channels, 0, static_cast<size_t>((staging.width - last) * depthwise_channels) * sizeof(float));
}

void stage_band(const Geometry& g, const Staging& staging, const void* input, const Band& band, float* to) {
  const auto size = static_cast<int64_t>(element_size(g.dtype));
  const int64_t rows = staging.rows_for(g, band.rows);
  for (int64_t deep = 0; deep < g.kernel[0]; ++deep) {
    const int64_t d = band.depth * g.stride[0] + g.taps[static_cast<size_t>(deep * g.kernel[1] * g.kernel[2])].d;
    for (int64_t i = 0; i < rows; ++i, to += staging.row) {
      const int64_t h = band.first * g.stride[1] + staging.top + i;
      const bool inside = d >= 0 && d < g.in[0] && h >= 0 && h < g.in[1];
      const int64_t at = ((band.image * g.in[0] + d) * g.in[1] + h) * g.in[2] * g.groups * size;
      stage_row(g, staging, inside ? static_cast<const char*>(input) + at : nullptr, band, to);
    }
  }
}

}  // namespace

void convolve_depthwise(const Geometry& g, const void* input, const Tensor& weights, const Finish& finish) {
  const Staging staging(g);
  const auto taps = static_cast<int64_t>(g.taps.size());
  const int64_t blocks = (g.groups + depthwise_channels - 1) / depthwise_channels;
  const int64_t images = g.batch * g.out[0];
  const int64_t row_bytes = g.kernel[0] * staging.row * static_cast<int64_t>(sizeof(float));
  // Bands of rows: as few as fit into the cache, and enough for all threads.
  int64_t bands = 1;
  const int64_t wanted = images * blocks * g.places() / g.out[0] * taps * depthwise_channels < 65536 ? 1 : 2 * thread_count();
  while (bands < g.out[1] && (images * blocks * bands < wanted || staging.rows_for(g, (g.out[1] + bands - 1) / bands) * row_bytes > band_bytes)) {
    ++bands;
  }
  const int64_t rows_most = (g.out[1] + bands - 1) / bands;
  const int64_t staged = g.kernel[0] * staging.rows_for(g, rows_most) * staging.row;
  const int threads = threads_for_parts(images * blocks * bands, wanted == 1 ? images * blocks * bands : 1);
  const auto numbers = static_cast<size_t>(staged + staging.sums + taps * depthwise_channels);
  Rooms rooms(static_cast<int64_t>(numbers * sizeof(float) + static_cast<size_t>(taps) * sizeof(void*)), threads);
  parallel_parts(0, images * blocks * bands, threads, [&](int64_t begin, int64_t end, int thread) {
    float* const input_rows = rooms.of<float>(thread);
    float* const sums = input_rows + staged;
    float* const of_taps = sums + staging.sums;
    const float** const rows = reinterpret_cast<const float**>(of_taps + taps * depthwise_channels);
    for (int64_t index = begin; index < end; ++index) {
      const int64_t image = index / bands / blocks;
      const int64_t channel = index / bands % blocks * depthwise_channels;
      const int64_t first = part(g.out[1], bands, index % bands);
      const Band band{channel, std::min<int64_t>(depthwise_channels, g.groups - channel), image / g.out[0], image % g.out[0], first,
                      part(g.out[1], bands, index % bands + 1) - first};
      stage_band(g, staging, input, band, input_rows);
      float_kernels().pack_columns(Dtype::f32, of_taps, weights.as<float>() + channel, g.groups, static_cast<int>(band.channels), depthwise_channels, taps);
      for (int64_t h = 0; h < band.rows; ++h) {
        for (int64_t r = 0; r < g.kernel[0] * g.kernel[1]; ++r) {
          const int64_t deep = r / g.kernel[1] * staging.rows_for(g, band.rows);
          rows[r] = input_rows + (deep + h * g.stride[1] + r % g.kernel[1] * staging.apart_h) * staging.row;
        }
        const DepthwiseRow row{rows, g.kernel[0] * g.kernel[1], of_taps, g.kernel[2], staging.apart_w, g.stride[2], g.out[2], sums};
        convolution_kernels().depthwise_row(row);
        float_kernels().finish(finish, sums, depthwise_channels, (image * g.out[1] + first + h) * g.out[2], g.out[2], channel, static_cast<int>(band.channels));
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
  const int64_t list_bytes = whole_lines(taps * 8);
  const int threads = threads_for_parts(g.batch * channels, std::max<int64_t>(1, 65536 / work));
  Rooms rooms(list_bytes + depth * height * width * 4 + 64, threads);
  parallel_parts(0, g.batch * channels, threads, [&](int64_t begin, int64_t end, int thread) {
    const float** const from = rooms.of<const float*>(thread);
    auto* const plane = reinterpret_cast<float*>(rooms.of<char>(thread) + list_bytes);
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
