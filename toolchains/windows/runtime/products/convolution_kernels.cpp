// The table of convolution_kernels.h for one CPU level. Compiled once for each.
#include "convolution_kernels.h"

#include "vectors.h"

namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE {
namespace {

template <class C, class S>
void pack_planes(C* panel, const S* planes, const PlaneLanes& lanes_of, int count, int width, int64_t first, int64_t k) {
  constexpr int side = lanes<C>;
  int64_t channel = first / lanes_of.taps;
  int64_t tap = first % lanes_of.taps;
  for (int64_t at = 0; at < k; ++at) {
    const S* const plane = planes + channel * lanes_of.channel;
    const int32_t* const offset = lanes_of.offsets + tap * 32;
    C* const to = panel + at * width;
    if (lanes_of.straight[tap] != 0 && count == width) {
      const S* const from = plane + offset[0];
      for (int i = 0; i < width; i += side) store<C>(to + i, load<C>(from + i));
    } else {
      for (int i = 0; i < count; ++i) to[i] = offset[i] < 0 ? 0 : widen(plane[offset[i]]);
      for (int i = count; i < width; ++i) to[i] = 0;
    }
    if (++tap == lanes_of.taps) {
      tap = 0;
      ++channel;
    }
  }
}

// One of the two halves of pairs: the low one first, then the high one is added to it.
template <bool High>
AOTWIN_ALWAYS void pack_half(uint32_t* to, const bfloat* plane, const int32_t* offset, bool straight, int count, int width) {
  typedef typename VectorOf<uint16_t, lanes<float>>::loose Raw;
  if (straight && count == width) {
    for (int i = 0; i < width; i += lanes<float>) {
      const auto value = __builtin_convertvector(*reinterpret_cast<const Raw*>(plane + offset[0] + i), Vector<uint32_t>);
      store<uint32_t>(to + i, High ? load<uint32_t>(to + i) | value << 16 : value);
    }
    return;
  }
  for (int i = 0; i < width; ++i) {
    const uint32_t value = i < count && offset[i] >= 0 ? plane[offset[i]].bits : 0U;
    to[i] = High ? to[i] | value << 16 : value;
  }
}

void pack_plane_pairs(uint32_t* panel, const bfloat* planes, const PlaneLanes& lanes_of, int count, int width, int64_t first, int64_t k) {
  int64_t channel = first / lanes_of.taps;
  int64_t tap = first % lanes_of.taps;
  for (int64_t at = 0; at < k; ++at) {
    const bfloat* const plane = planes + channel * lanes_of.channel;
    const int32_t* const offset = lanes_of.offsets + tap * 32;
    uint32_t* const to = panel + at / 2 * width;
    if (at % 2 == 0) {
      pack_half<false>(to, plane, offset, lanes_of.straight[tap] != 0, count, width);
    } else {
      pack_half<true>(to, plane, offset, lanes_of.straight[tap] != 0, count, width);
    }
    if (++tap == lanes_of.taps) {
      tap = 0;
      ++channel;
    }
  }
}

void table_pack_planes(bool pairs, Dtype dtype, void* panel, const PlaneLanes& lanes_of, int count, int width, int64_t first, int64_t k) {
  if (pairs) {
    return pack_plane_pairs(static_cast<uint32_t*>(panel), static_cast<const bfloat*>(lanes_of.planes), lanes_of, count, width, first, k);
  }
  switch (dtype) {
    case Dtype::f64:
      pack_planes(static_cast<double*>(panel), static_cast<const double*>(lanes_of.planes), lanes_of, count, width, first, k);
      break;
    case Dtype::f32:
      pack_planes(static_cast<float*>(panel), static_cast<const float*>(lanes_of.planes), lanes_of, count, width, first, k);
      break;
    case Dtype::bf16:
      pack_planes(static_cast<float*>(panel), static_cast<const bfloat*>(lanes_of.planes), lanes_of, count, width, first, k);
      break;
    default:
      pack_planes(static_cast<float*>(panel), static_cast<const half*>(lanes_of.planes), lanes_of, count, width, first, k);
  }
}

// Lane l of the result is lane index[l].
AOTWIN_ALWAYS Vector<float> choose(Vector<float> from, Vector<int32_t> index) {
#if AOTWIN_LEVEL == 4
  return reinterpret_cast<Vector<float>>(_mm512_permutexvar_ps(reinterpret_cast<__m512i>(index), from));
#else
  return reinterpret_cast<Vector<float>>(_mm256_permutevar8x32_ps(from, reinterpret_cast<__m256i>(index)));
#endif
}

// Neighbours share what they read: each place is loaded once for all taps of a row.
template <int Taps>
AOTWIN_ALWAYS void add_neighbours(const float* from, const float* weights, Vector<float> (&acc)[depthwise_places]) {
  Vector<float> weight[Taps];
#pragma clang loop unroll(full)
  for (int t = 0; t < Taps; ++t) weight[t] = load<float>(weights + t * depthwise_channels);
#pragma clang loop unroll(full)
  for (int at = 0; at < depthwise_places + Taps - 1; ++at) {
    const Vector<float> value = load<float>(from + at * depthwise_channels);
#pragma clang loop unroll(full)
    for (int t = 0; t < Taps; ++t) {
      if (at - t >= 0 && at - t < depthwise_places) acc[at - t] = multiply_add(value, weight[t], acc[at - t]);
    }
  }
}

AOTWIN_ALWAYS void add_apart(const DepthwiseRow& row, const float* from, const float* weights, Vector<float> (&acc)[depthwise_places]) {
  for (int64_t t = 0; t < row.taps; ++t) {
    const Vector<float> weight = load<float>(weights + t * depthwise_channels);
#pragma clang loop unroll(full)
    for (int i = 0; i < depthwise_places; ++i) {
      acc[i] = multiply_add(load<float>(from + (t * row.apart + i * row.step) * depthwise_channels), weight, acc[i]);
    }
  }
}

// `Taps`: of a row whose taps and results are one place apart; 0 for any.
template <int Taps>
void depthwise_row(const DepthwiseRow& row) {
  for (int64_t x = 0; x < row.count; x += depthwise_places) {
    for (int c = 0; c < depthwise_channels; c += lanes<float>) {
      Vector<float> acc[depthwise_places] = {};
      for (int64_t r = 0; r < row.row_count; ++r) {
        const float* const from = row.rows[r] + x * row.step * depthwise_channels + c;
        const float* const weights = row.weights + r * row.taps * depthwise_channels + c;
        if constexpr (Taps != 0) {
          add_neighbours<Taps>(from, weights, acc);
        } else {
          add_apart(row, from, weights, acc);
        }
      }
#pragma clang loop unroll(full)
      for (int i = 0; i < depthwise_places; ++i) store<float>(row.sums + (x + i) * depthwise_channels + c, acc[i]);
    }
  }
}

void table_depthwise_row(const DepthwiseRow& row) {
  const bool neighbours = row.step == 1 && row.apart == 1;
  if (neighbours && row.taps == 3) {
    depthwise_row<3>(row);
  } else if (neighbours && row.taps == 5) {
    depthwise_row<5>(row);
  } else if (neighbours && row.taps == 7) {
    depthwise_row<7>(row);
  } else {
    depthwise_row<0>(row);
  }
}

// Each number of a group, over the lanes of its group's results.
template <class S, int Places>
AOTWIN_ALWAYS void grouped_block(const GroupedRow& row, int64_t x, int64_t c) {
  typedef Vector<float> V;
  constexpr int width = lanes<float>;
  const auto group = static_cast<int>(row.group);
  V acc[Places];
  const V bias = row.bias != nullptr ? load<float>(row.bias + c) : V{};
#pragma clang loop unroll(full)
  for (int i = 0; i < Places; ++i) acc[i] = bias;
  Vector<int32_t> first = {};
  for (int l = 0; l < width; ++l) first[l] = l & -group;
  for (int64_t t = 0; t < row.taps; ++t) {
    const float* weights = row.weights[t] + c;
    const S* const from = static_cast<const S*>(row.from[t]) + x * row.step;
    if (group < width) {
      V at[Places];
#pragma clang loop unroll(full)
      for (int i = 0; i < Places; ++i) at[i] = load<float>(from + i * row.step + c);
      for (int j = 0; j < group; ++j, weights += row.channels) {
        const V weight = load<float>(weights);
#pragma clang loop unroll(full)
        for (int i = 0; i < Places; ++i) acc[i] = multiply_add(choose(at[i], first + j), weight, acc[i]);
      }
    } else {
      const S* const of_group = from + (c & -static_cast<int64_t>(group));
      for (int j = 0; j < group; ++j, weights += row.channels) {
        const V weight = load<float>(weights);
#pragma clang loop unroll(full)
        for (int i = 0; i < Places; ++i) acc[i] = multiply_add(spread<float>(widen(of_group[i * row.step + j])), weight, acc[i]);
      }
    }
  }
  S* const to = static_cast<S*>(row.out) + x * row.out_step + c;
#pragma clang loop unroll(full)
  for (int i = 0; i < Places; ++i) store<float>(to + i * row.out_step, acc[i]);
}

template <class S>
void grouped_row(const GroupedRow& row) {
  constexpr int places = AOTWIN_LEVEL == 4 ? 8 : 4;
  for (int64_t c = 0; c < row.channels; c += lanes<float>) {
    int64_t x = 0;
    for (; x + places <= row.count; x += places) grouped_block<S, places>(row, x, c);
    for (; x + 2 <= row.count; x += 2) grouped_block<S, 2>(row, x, c);
    for (; x < row.count; ++x) grouped_block<S, 1>(row, x, c);
  }
}

void table_grouped_row(Dtype dtype, const GroupedRow& row) {
  if (dtype == Dtype::f32) {
    grouped_row<float>(row);
  } else if (dtype == Dtype::bf16) {
    grouped_row<bfloat>(row);
  } else {
    grouped_row<half>(row);
  }
}

template <class S>
void depthwise_plane(const DepthwisePlane& plane) {
  typedef Vector<float> V;
  constexpr int width = lanes<float>;
  S* const out = static_cast<S*>(plane.out);
  int64_t x = 0;
  if (plane.step == 1) {
    for (; x + 4 * width <= plane.count; x += 4 * width) {
      V acc[4];
#pragma clang loop unroll(full)
      for (int i = 0; i < 4; ++i) acc[i] = spread<float>(plane.bias);
      for (int64_t t = 0; t < plane.taps; ++t) {
        const V weight = spread<float>(plane.weights[t]);
#pragma clang loop unroll(full)
        for (int i = 0; i < 4; ++i) acc[i] = multiply_add(load<float>(plane.from[t] + x + i * width), weight, acc[i]);
      }
#pragma clang loop unroll(full)
      for (int i = 0; i < 4; ++i) store<float>(out + x + i * width, acc[i]);
    }
    for (; x + width <= plane.count; x += width) {
      V acc = spread<float>(plane.bias);
      for (int64_t t = 0; t < plane.taps; ++t) acc = multiply_add(load<float>(plane.from[t] + x), spread<float>(plane.weights[t]), acc);
      store<float>(out + x, acc);
    }
  }
  for (; x < plane.count; ++x) {
    float sum = plane.bias;
    for (int64_t t = 0; t < plane.taps; ++t) sum += plane.from[t][x * plane.step] * plane.weights[t];
    narrow(out + x, sum);
  }
}

void table_depthwise_plane(Dtype dtype, const DepthwisePlane& plane) {
  if (dtype == Dtype::f32) {
    depthwise_plane<float>(plane);
  } else if (dtype == Dtype::bf16) {
    depthwise_plane<bfloat>(plane);
  } else {
    depthwise_plane<half>(plane);
  }
}

}  // namespace

constinit const ConvolutionKernels convolution_kernels = {table_pack_planes, table_grouped_row, table_depthwise_row, table_depthwise_plane};

}  // namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE
