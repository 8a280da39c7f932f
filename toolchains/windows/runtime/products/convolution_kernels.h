// The inner loops of convolutions that are no products of matrices in memory, one table per CPU level.
#pragma once

#include <cstdint>

#include "../core/dtype.h"

namespace aotwin::runtime::products {

// Lanes of a panel whose elements lie in planes: lane i of tap t and channel c is at planes[c * channel + offset[t][i]], or zero where
// the offset is negative. k counts channels, and within each the taps.
struct PlaneLanes {
  const void* planes;
  int64_t channel;
  const int32_t* offsets;  // [taps][32]
  const uint8_t* straight;  // [taps]: all lanes there, one after the other
  int64_t taps;
};

// One row of results of a convolution by groups of few channels, with as many results, channels next to each other in memory:
// out[x][c] = bias[c] + sum over t and j of from[t][x * step + first of c's group + j] * weights[t][j * channels + c].
struct GroupedRow {
  const void* const* from;  // [taps]: where channel 0 of tap t lies for x = 0
  int64_t step;             // elements from x to x + 1
  const float* const* weights;  // [taps]: those of channel 0
  const float* bias;        // or null
  int64_t taps;
  int64_t channels;  // of all groups; a multiple of 16
  int64_t group;     // channels of a group: 2, 4, 8 or 16
  int64_t count;  // of x
  void* out;
  int64_t out_step;
};

// One row of results of a depthwise convolution, 16 channels of it, which are next to each other:
// sums[x] = sum over r and t of rows[r][x * step + t * apart] * weights[r * taps + t].
inline constexpr int depthwise_channels = 16;
inline constexpr int depthwise_places = 8;  // are computed at a time: a row is read and written as if its length were a multiple
struct DepthwiseRow {
  const float* const* rows;  // of places; a row for each row of taps
  int64_t row_count;
  const float* weights;
  int64_t taps;   // of a row
  int64_t apart;  // places
  int64_t step;   // places
  int64_t count;  // of x
  float* sums;
};

// Depthwise, with places next to each other: out[x] = sum over t of from[t][x * step] * weights[t] + bias.
struct DepthwisePlane {
  const float* const* from;
  int64_t step;
  const float* weights;
  float bias;
  int64_t taps;
  int64_t count;
  void* out;
};

struct ConvolutionKernels {
  // `pairs`: bfloat16 as it lies, two of k in 32 bits, see ProductKernels::unit.
  void (*pack_planes)(bool pairs, Dtype dtype, void* panel, const PlaneLanes& lanes, int count, int width, int64_t first, int64_t k);
  void (*grouped_row)(Dtype dtype, const GroupedRow& row);
  void (*depthwise_row)(const DepthwiseRow& row);
  void (*depthwise_plane)(Dtype dtype, const DepthwisePlane& plane);
};

namespace level3 {
extern const ConvolutionKernels convolution_kernels;
}
namespace level4 {
extern const ConvolutionKernels convolution_kernels;
}
const ConvolutionKernels& convolution_kernels();

}  // namespace aotwin::runtime::products
