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

// Results of `Places` places and `Vectors` registers of channels at a time: as many sums as hide the time that one addition takes.
template <class S, int Places, int Vectors>
AOTWIN_ALWAYS void depthwise_block(const GroupedRow& row, int64_t x, int64_t c) {
  typedef Vector<float> V;
  constexpr int width = lanes<float>;
  V acc[Places][Vectors];
#pragma clang loop unroll(full)
  for (int v = 0; v < Vectors; ++v) {
    const V bias = row.bias != nullptr ? load<float>(row.bias + c + v * width) : V{};
#pragma clang loop unroll(full)
    for (int i = 0; i < Places; ++i) acc[i][v] = bias;
  }
  for (int64_t t = 0; t < row.taps; ++t) {
    const S* const from = static_cast<const S*>(row.from[t]) + x * row.step + c;
    const float* const weights = row.weights[t] + c;
#pragma clang loop unroll(full)
    for (int v = 0; v < Vectors; ++v) {
      const V weight = load<float>(weights + v * width);
#pragma clang loop unroll(full)
      for (int i = 0; i < Places; ++i) acc[i][v] = multiply_add(load<float>(from + i * row.step + v * width), weight, acc[i][v]);
    }
  }
  S* const to = static_cast<S*>(row.out) + x * row.out_step + c;
#pragma clang loop unroll(full)
  for (int i = 0; i < Places; ++i) {
#pragma clang loop unroll(full)
    for (int v = 0; v < Vectors; ++v) store<float>(to + i * row.out_step + v * width, acc[i][v]);
  }
}

template <class S>
void depthwise_row(const GroupedRow& row) {
  constexpr int width = lanes<float>;
  constexpr int places = 8;
  constexpr int beside = 4;
  const int64_t whole = row.count / places * places;
  int64_t c = 0;
  for (; c + width <= row.channels; c += width) {
    for (int64_t x = 0; x < whole; x += places) depthwise_block<S, places, 1>(row, x, c);
  }
  int64_t x = whole;
  for (; x + 2 <= row.count; x += 2) {
    for (c = 0; c + beside * width <= row.channels; c += beside * width) depthwise_block<S, 2, beside>(row, x, c);
    for (; c + width <= row.channels; c += width) depthwise_block<S, 2, 1>(row, x, c);
  }
  for (; x < row.count; ++x) {
    for (c = 0; c + beside * width <= row.channels; c += beside * width) depthwise_block<S, 1, beside>(row, x, c);
    for (; c + width <= row.channels; c += width) depthwise_block<S, 1, 1>(row, x, c);
  }
  for (c = row.channels / width * width; c < row.channels; ++c) {
    for (x = 0; x < row.count; ++x) {
      float sum = row.bias != nullptr ? row.bias[c] : 0.0F;
      for (int64_t t = 0; t < row.taps; ++t) sum += widen(static_cast<const S*>(row.from[t])[x * row.step + c]) * row.weights[t][c];
      narrow(static_cast<S*>(row.out) + x * row.out_step + c, sum);
    }
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
  if (row.group == 1) {
    return depthwise_row<S>(row);
  }
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

constinit const ConvolutionKernels convolution_kernels = {table_pack_planes, table_grouped_row, table_depthwise_plane};

}  // namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE
