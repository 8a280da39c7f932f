// Sampling of volumes at given places: grid_sampler_3d.
#include <algorithm>
#include <cmath>

#include "arguments.h"
#include "layout.h"
#include "../threads/parallel.h"

namespace aotwin::runtime {

namespace {

enum class Padding : int64_t { zeros = 0, border = 1, reflection = 2 };

// A coordinate in [-1, 1] as a place between elements; with `corners` the ends are the centres of the outermost elements.
template <class M>
M unnormalized(M coordinate, int64_t size, bool corners) {
  return corners ? (coordinate + 1) / 2 * static_cast<M>(size - 1) : ((coordinate + 1) * static_cast<M>(size) - 1) / 2;
}

// Mirrored at low / 2 and high / 2 as often as it takes.
template <class M>
M reflected(M place, int64_t twice_low, int64_t twice_high) {
  if (twice_low == twice_high) {
    return 0;
  }
  const M least = static_cast<M>(twice_low) / 2;
  const M span = static_cast<M>(twice_high - twice_low) / 2;
  place = std::fabs(place - least);
  const M extra = std::fmod(place, span);
  const bool odd = std::fmod(std::floor(place / span), M(2)) != 0;
  return odd ? span - extra + least : extra + least;
}

template <class M>
M padded(M place, int64_t size, Padding padding, bool corners) {
  if (padding == Padding::zeros) {
    return place;
  }
  if (padding == Padding::reflection) {
    place = corners ? reflected(place, 0, 2 * (size - 1)) : reflected(place, -1, 2 * size - 1);
  }
  const M last = static_cast<M>(size - 1);
  return place > 0 ? std::min(place, last) : M(0);  // NaN becomes 0
}

// Far outside of any tensor, but small enough for integers; NaN too.
template <class M>
M bounded(M place) {
  return place > M(-1e9) && place < M(1e9) ? place : M(-100);
}

struct Corner {
  int64_t offset;
  double weight;
};

// The elements that count for a sample, at most eight, with their weights.
template <class M>
int corners_of(const M (&place)[3], const int64_t (&size)[3], const int64_t (&stride)[3], bool nearest, Corner (&corners)[8]) {
  int count = 0;
  if (nearest) {
    int64_t offset = 0;
    for (int d = 0; d < 3; ++d) {
      const int64_t at = static_cast<int64_t>(std::nearbyint(bounded(place[d])));
      if (at < 0 || at >= size[d]) {
        return 0;
      }
      offset += at * stride[d];
    }
    corners[count++] = {offset, 1};
    return count;
  }
  int64_t low[3];
  M part[3];
  for (int d = 0; d < 3; ++d) {
    const M floor = std::floor(bounded(place[d]));
    low[d] = static_cast<int64_t>(floor);
    part[d] = place[d] - floor;
  }
  for (int corner = 0; corner < 8; ++corner) {
    int64_t offset = 0;
    M weight = 1;
    bool inside = true;
    for (int d = 2; d >= 0; --d) {
      const bool upper = (corner >> (2 - d) & 1) != 0;
      const int64_t at = low[d] + (upper ? 1 : 0);
      inside = inside && at >= 0 && at < size[d];
      offset += at * stride[d];
      weight *= upper ? part[d] : 1 - part[d];
    }
    if (inside) {
      corners[count++] = {offset, static_cast<double>(weight)};
    }
  }
  return count;
}

Tensor grid_sampler(const Tensor& input, const Tensor& grid, int64_t interpolation, int64_t padding, bool corners) {
  require(input.dim() == 5 && grid.dim() == 5, "grid_sampler_3d: five dimensions are wanted, the shapes are ", input.sizes(), " and ",
          grid.sizes());
  require(input.size(0) == grid.size(0) && grid.size(4) == 3, "grid_sampler_3d: a grid of shape ", grid.sizes(),
          " does not fit an input of shape ", input.sizes());
  require(input.dtype() == grid.dtype(), "grid_sampler_3d: the input is ", input.dtype(), ", the grid ", grid.dtype());
  require(interpolation == 0 || interpolation == 1, "grid_sampler_3d: interpolation ", interpolation,
          " is neither 0 (bilinear) nor 1 (nearest)");
  require(padding >= 0 && padding <= 2, "grid_sampler_3d: padding ", padding, " is not 0 (zeros), 1 (border) or 2 (reflection)");
  for (int64_t d = 2; d < 5; ++d) {
    require(input.size(d) > 0, "grid_sampler_3d: the input of shape ", input.sizes(), " is empty");
  }
  const int64_t channels = input.size(1);
  Tensor result = empty({input.size(0), channels, grid.size(1), grid.size(2), grid.size(3)}, input.dtype());
  const int64_t samples = grid.size(1) * grid.size(2) * grid.size(3);
  const Tensor places = contiguous(grid);
  const int64_t size[3] = {input.size(2), input.size(3), input.size(4)};
  const int64_t stride[3] = {input.stride(2), input.stride(3), input.stride(4)};
  for_float(input.dtype(), "grid_sampler_3d", [&]<class T>(TypeTag<T>) {
    using Math = opmath_t<T>;
    parallel_for(0, input.size(0) * samples, 256, [&](int64_t first, int64_t last) {
      for (int64_t sample = first; sample < last; ++sample) {
        const int64_t batch = sample / samples;
        const T* const coordinate = places.as<T>() + sample * 3;
        Math place[3];
        for (int d = 0; d < 3; ++d) {
          // The grid's order is x, y, z: from the last dimension to the first.
          place[d] = padded(unnormalized(cast<Math>(coordinate[2 - d]), size[d], corners), size[d], static_cast<Padding>(padding), corners);
        }
        Corner found[8];
        const int count = corners_of(place, size, stride, interpolation == 1, found);
        for (int64_t channel = 0; channel < channels; ++channel) {
          const T* const values = input.as<T>() + batch * input.stride(0) + channel * input.stride(1);
          Math sum = 0;
          for (int i = 0; i < count; ++i) {
            sum += cast<Math>(values[found[i].offset]) * static_cast<Math>(found[i].weight);
          }
          result.as<T>()[(batch * channels + channel) * samples + sample % samples] = cast<T>(sum);
        }
      }
    });
  });
  return result;
}

}  // namespace

}  // namespace aotwin::runtime

using namespace aotwin::runtime;

extern "C" AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_grid_sampler_3d)(AtenTensorHandle input, AtenTensorHandle grid,
                                                                      int64_t interpolation_mode, int64_t padding_mode,
                                                                      int32_t align_corners, AtenTensorHandle* ret0) {
  return guarded([&] { answer(ret0, grid_sampler(borrow(input), borrow(grid), interpolation_mode, padding_mode, align_corners != 0)); });
}
