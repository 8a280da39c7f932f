// Channels first: places next to each other are next to each other in memory, so panels are filled along them, k after k. Results are
// the transposed product, [out channels, places], one for each image and group.
#include <algorithm>

#include "../threads/parallel.h"
#include "convolution_kernels.h"
#include "geometry.h"
#include "kernels.h"

namespace aotwin::runtime::products {
namespace {

struct Planes {
  const Geometry* geometry;
  const char* input;
  const char* weight;
  const ProductKernels* kernels;
  const int32_t* offsets;   // [panels][taps][32]
  const uint8_t* straight;  // [panels][taps]
};

// Where each tap of a panel's places reads, the same for every channel, group and image.
void find_offsets(const Geometry& g, int64_t first_place, int count, int32_t* offsets, uint8_t* straight) {
  int64_t d[32];
  int64_t h[32];
  int64_t w[32];
  for (int i = 0; i < count; ++i) {
    const int64_t place = first_place + i;
    w[i] = place % g.out[2] * g.stride[2];
    h[i] = place / g.out[2] % g.out[1] * g.stride[1];
    d[i] = place / g.out[2] / g.out[1] * g.stride[0];
  }
  for (size_t t = 0; t < g.taps.size(); ++t) {
    const Tap& tap = g.taps[t];
    int32_t* const offset = offsets + t * 32;
    bool all = true;
    for (int i = 0; i < count; ++i) {
      const int64_t at_d = d[i] + tap.d;
      const int64_t at_h = h[i] + tap.h;
      const int64_t at_w = w[i] + tap.w;
      const bool inside = at_d >= 0 && at_d < g.in[0] && at_h >= 0 && at_h < g.in[1] && at_w >= 0 && at_w < g.in[2];
      offset[i] = inside ? static_cast<int32_t>((at_d * g.in[1] + at_h) * g.in[2] + at_w) : -1;
      all = all && inside && offset[i] == offset[0] + i;
    }
    straight[t] = all ? 1 : 0;
  }
}

void pack_places(const Product& product, int64_t batch, int64_t first_place, int count, int width, int64_t first_k, int64_t k, void* panel) {
  const Planes& planes = *static_cast<const Planes*>(product.context);
  const Geometry& g = *planes.geometry;
  const auto size = static_cast<int64_t>(element_size(g.dtype));
  const auto taps = static_cast<int64_t>(g.taps.size());
  const int64_t index = first_place / planes.kernels->width * taps;
  const PlaneLanes lanes{planes.input + batch * g.channels * g.in_places() * size, g.in_places(), planes.offsets + index * 32, planes.straight + index, taps};
  convolution_kernels().pack_planes(planes.kernels->unit == 2, g.dtype, panel, lanes, count, width, first_k, k);
}

void pack_weights(const Product& product, int64_t batch, int64_t first_row, int count, int width, int64_t first_k, int64_t k, void* panel) {
  const Planes& planes = *static_cast<const Planes*>(product.context);
  const Geometry& g = *planes.geometry;
  const auto size = static_cast<int64_t>(element_size(g.dtype));
  const char* const from = planes.weight + ((batch % g.groups * g.out_channels + first_row) * product.k + first_k) * size;
  const void* lane[32];
  for (int i = 0; i < count; ++i) {
    lane[i] = from + i * product.k * size;
  }
  planes.kernels->pack_lanes(g.dtype, panel, lane, count, width, k);
}

}  // namespace

void convolve_planes(const Geometry& g, const void* input, const void* weight, Product& product) {
  Planes planes = {};
  planes.geometry = &g;
  planes.input = static_cast<const char*>(input);
  planes.weight = static_cast<const char*>(weight);
  planes.kernels = &kernels_for(g.dtype, g.dtype, true);
  product.kernels = planes.kernels;
  product.batch = g.batch * g.groups;
  product.m = g.out_channels;
  product.n = g.places();
  product.k = static_cast<int64_t>(g.taps.size()) * g.channels;
  product.dtype = g.dtype;
  product.b_dtype = g.dtype;
  const auto taps = static_cast<int64_t>(g.taps.size());
  const int64_t width = planes.kernels->width;
  const int64_t panels = (g.places() + width - 1) / width;
  Scratch table(static_cast<size_t>(panels * taps * (32 * 4 + 1)));
  int32_t* const offsets = table.as<int32_t>();
  uint8_t* const straight = table.as<uint8_t>() + panels * taps * 32 * 4;
  parallel_for(0, panels, std::max<int64_t>(1, 256 / taps), [&](int64_t first, int64_t last) {
    for (int64_t panel = first; panel < last; ++panel) {
      const int count = static_cast<int>(std::min(width, g.places() - panel * width));
      find_offsets(g, panel * width, count, offsets + panel * taps * 32, straight + panel * taps);
    }
  });
  planes.offsets = offsets;
  planes.straight = straight;
  product.context = &planes;
  product.pack_a = pack_weights;
  product.pack_b = pack_places;
  run(product);
}

}  // namespace aotwin::runtime::products
