// Channels last: a place of the input is a row of channels, so a tap of many places is a panel packed from pointers to rows.
#include <algorithm>
#include <cstring>

#include "geometry.h"
#include "kernels.h"

namespace aotwin::runtime::products {
namespace {

// Channels below which the taps of one row are packed together: their channels lie one after the other.
constexpr int64_t joined_channels = 32;
constexpr int64_t joined_most = 512;  // elements of a row of taps

alignas(64) const char zeros[joined_most * 8] = {};

struct Rows {
  const Geometry* geometry;
  const char* input;
  const char* weight;
  const ProductKernels* kernels;
  bool joined;
};

struct Place {
  const char* image;
  int64_t d;
  int64_t h;
  int64_t w;
};

Place place_of(const Rows& rows, int64_t index, int64_t size) {
  const Geometry& g = *rows.geometry;
  const int64_t w = index % g.out[2];
  index /= g.out[2];
  const int64_t h = index % g.out[1];
  index /= g.out[1];
  const int64_t d = index % g.out[0];
  const int64_t image = index / g.out[0];
  return {rows.input + image * g.in_places() * g.groups * g.channels * size, d * g.stride[0], h * g.stride[1], w * g.stride[2]};
}

const char* pointer_of(const Geometry& g, const Place& place, const Tap& tap, int64_t pixel_bytes) {
  const int64_t d = place.d + tap.d;
  const int64_t h = place.h + tap.h;
  const int64_t w = place.w + tap.w;
  if (d < 0 || d >= g.in[0] || h < 0 || h >= g.in[1] || w < 0 || w >= g.in[2]) {
    return nullptr;
  }
  return place.image + ((d * g.in[1] + h) * g.in[2] + w) * pixel_bytes;
}

void pack_places(const Product& product, int64_t group, int64_t first_place, int count, int width, int64_t first_k, int64_t k, void* panel) {
  const Rows& rows = *static_cast<const Rows*>(product.context);
  const Geometry& g = *rows.geometry;
  const auto size = static_cast<int64_t>(element_size(g.dtype));
  const int64_t sum_size = g.dtype == Dtype::f64 ? 8 : 4;
  const int64_t pixel_bytes = g.groups * g.channels * size;
  const int64_t group_bytes = group * g.channels * size;
  Place places[32];
  for (int i = 0; i < count; ++i) {
    places[i] = place_of(rows, first_place + i, size);
  }
  const int64_t taps_of_row = rows.joined ? g.kernel[2] : 1;
  const int64_t run = taps_of_row * g.channels;
  char buffers[32][joined_most * 2];  // float64 is never joined: see convolve_rows
  const void* lane[32];
  char* to = static_cast<char*>(panel);
  for (int64_t at = first_k; at < first_k + k;) {
    const int64_t row = at / run;
    const int64_t inside = at % run;
    const int64_t now = std::min(run - inside, first_k + k - at);
    const Tap* const taps = g.taps.data() + row * taps_of_row;
    for (int i = 0; i < count; ++i) {
      const Place& place = places[i];
      const char* from = nullptr;
      if (taps_of_row == 1) {
        from = pointer_of(g, place, taps[0], pixel_bytes);
        lane[i] = from != nullptr ? from + group_bytes + inside * size : zeros;
        continue;
      }
      from = pointer_of(g, place, taps[0], pixel_bytes);
      if (from != nullptr && pointer_of(g, place, taps[taps_of_row - 1], pixel_bytes) != nullptr) {
        lane[i] = from + inside * size;
        continue;
      }
      // At a border: what is there, and zeros.
      bool any = false;
      for (int64_t t = 0; t < taps_of_row; ++t) {
        const char* const tap = pointer_of(g, place, taps[t], pixel_bytes);
        char* const part = buffers[i] + t * g.channels * size;
        if (tap != nullptr) {
          std::memcpy(part, tap, static_cast<size_t>(g.channels * size));
          any = true;
        } else {
          std::memset(part, 0, static_cast<size_t>(g.channels * size));
        }
      }
      lane[i] = any ? buffers[i] + inside * size : zeros;
    }
    rows.kernels->pack_lanes(g.dtype, to, lane, count, width, now);
    to += now / rows.kernels->unit * width * sum_size;
    at += now;
  }
}

void pack_weights(const Product& product, int64_t group, int64_t first_column, int count, int width, int64_t first_k, int64_t k, void* panel) {
  const Rows& rows = *static_cast<const Rows*>(product.context);
  const Geometry& g = *rows.geometry;
  const auto size = static_cast<int64_t>(element_size(g.dtype));
  const int64_t all = product.k;
  const char* const from = rows.weight + ((group * g.out_channels + first_column) * all + first_k) * size;
  const void* lane[32];
  for (int i = 0; i < count; ++i) {
    lane[i] = from + i * all * size;
  }
  rows.kernels->pack_lanes(g.dtype, panel, lane, count, width, k);
}

}  // namespace

void convolve_rows(const Geometry& g, const void* input, const void* weight, Product& product) {
  const int64_t all_channels = g.groups * g.channels;
  const auto taps = static_cast<int64_t>(g.taps.size());
  product.batch = g.groups;
  product.m = g.batch * g.places();
  product.n = g.out_channels;
  product.k = taps * g.channels;
  product.dtype = g.dtype;
  product.b_dtype = g.dtype;
  const bool pointwise = taps == 1 && g.stride[0] == 1 && g.stride[1] == 1 && g.stride[2] == 1 && g.in_places() == g.places() && g.taps[0].d == 0 &&
                         g.taps[0].h == 0 && g.taps[0].w == 0;
  if (pointwise) {
    product.a = {input, g.channels, all_channels, 1};
    product.b = {weight, g.out_channels * g.channels, 1, g.channels};
    run(product);
    return;
  }
  Rows rows;
  rows.geometry = &g;
  rows.input = static_cast<const char*>(input);
  rows.weight = static_cast<const char*>(weight);
  const auto size = static_cast<int64_t>(element_size(g.dtype));
  rows.joined = g.row_taps && g.kernel[2] > 1 && g.groups == 1 && g.channels < joined_channels && g.kernel[2] * g.channels * size <= joined_most * 2 &&
                g.dtype != Dtype::f64;
  // No pair may lie in two runs.
  rows.kernels = &kernels_for(g.dtype, g.dtype, (rows.joined ? g.kernel[2] * g.channels : g.channels) % 2 == 0);
  product.kernels = rows.kernels;
  product.context = &rows;
  product.pack_a = pack_places;
  if (g.groups == 1) {
    // A matrix in memory: the next panels of it can be asked for ahead.
    product.b = {weight, 0, 1, product.k};
  } else {
    product.pack_b = pack_weights;
  }
  run(product);
}

}  // namespace aotwin::runtime::products
