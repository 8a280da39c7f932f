// Transposed convolutions: some ordinary ones, whose results lie between each other.
#include <algorithm>
#include <cstring>

#include "constant_cache.h"
#include "convolution_parts.h"

namespace aotwin::runtime::products {
namespace {

// [channels, out channels of a group, kernel] as [groups * out channels, kernel, channels of a group].
Tensor arrange_transposed(const Tensor& given, const Geometry& g) {
  const Tensor weight = contiguous(given);
  const int64_t taps = g.all_taps();
  const Tensor source = view(weight, {g.groups, g.out_channels, taps, g.channels}, {g.channels * g.out_channels * taps, taps, 1, g.out_channels * taps},
                             weight.storage_offset());
  Tensor result = empty(source.sizes(), weight.dtype());
  copy_into(result, source);
  return result;
}

// The results whose places have one remainder by the stride, which is `at`: they have the same taps, and are an ordinary convolution.
Geometry phase_of(const Geometry& whole, const Lists& lists, const int64_t (&at)[3]) {
  Geometry g = whole;
  g.taps.clear();
  g.row_taps = false;
  for (int i = 0; i < 3; ++i) {
    g.stride[i] = 1;
    g.out[i] = (whole.out[i] - at[i] + whole.stride[i] - 1) / whole.stride[i];
  }
  for (int64_t tap = 0; tap < whole.all_taps(); ++tap) {
    const int64_t in_kernel[3] = {tap / (whole.kernel[1] * whole.kernel[2]), tap / whole.kernel[2] % whole.kernel[1], tap % whole.kernel[2]};
    int64_t reads[3];
    bool meets = true;
    for (int i = 0; i < 3; ++i) {
      const int64_t distance = at[i] + lists.padding[i] - in_kernel[i] * lists.dilation[i];
      meets = meets && distance % whole.stride[i] == 0;
      reads[i] = distance / whole.stride[i];
    }
    if (meets) {
      g.taps.push_back({static_cast<int32_t>(reads[0]), static_cast<int32_t>(reads[1]), static_cast<int32_t>(reads[2]), static_cast<int32_t>(tap)});
    }
  }
  return g;
}

// The taps of a phase, of [groups * out channels, kernel, channels of a group].
Tensor weights_of(const Geometry& phase, const Tensor& weight) {
  const auto taps = static_cast<int64_t>(phase.taps.size());
  if (taps == phase.all_taps()) {
    return weight;
  }
  const int64_t row = phase.channels * static_cast<int64_t>(element_size(phase.dtype));
  Tensor used = empty({phase.groups * phase.out_channels, taps, phase.channels}, weight.dtype());
  for (int64_t o = 0; o < phase.groups * phase.out_channels; ++o) {
    for (int64_t t = 0; t < taps; ++t) {
      std::memcpy(used.as<char>() + (o * taps + t) * row, weight.as<char>() + (o * phase.all_taps() + phase.taps[static_cast<size_t>(t)].weight) * row,
                  static_cast<size_t>(row));
    }
  }
  return used;
}

// Where a phase's results lie.
Tensor results_of(const Geometry& whole, const Geometry& phase, const int64_t (&at)[3], const Tensor& out) {
  const int64_t places = out.dim() - 2;
  Dims sizes = out.sizes();
  Dims strides = out.strides();
  int64_t offset = out.storage_offset();
  for (int64_t i = 0; i < places; ++i) {
    const auto dimension = static_cast<size_t>(2 + i);
    sizes[dimension] = phase.out[3 - places + i];
    offset += at[3 - places + i] * strides[dimension];
    strides[dimension] *= whole.stride[3 - places + i];
  }
  return view(out, sizes, strides, offset);
}

}  // namespace

void convolve_transposed(const Geometry& whole, const Lists& lists, const Tensor& input, const Tensor& weight, const Tensor* bias, const Fused& fused,
                         const Tensor& out) {
  const Tensor arranged = derived_from_constant(weight, kind_transposed, [&] { return arrange_transposed(weight, whole); });
  for (int64_t phase = 0; phase < whole.stride[0] * whole.stride[1] * whole.stride[2]; ++phase) {
    const int64_t at[3] = {phase / (whole.stride[1] * whole.stride[2]), phase / whole.stride[2] % whole.stride[1], phase % whole.stride[2]};
    const Geometry g = phase_of(whole, lists, at);
    if (g.places() == 0) {
      continue;
    }
    const Tensor part = results_of(whole, g, at, out);
    const Tensor result = is_rows(part) ? part : empty_strided(part.sizes(), row_strides(part.sizes()), out.dtype());
    convolve_into(g, true, input, weights_of(g, arranged), bias, nullptr, fused, result);
    if (result.data() != part.data()) {
      copy_into(part, result);
    }
  }
}

}  // namespace aotwin::runtime::products
