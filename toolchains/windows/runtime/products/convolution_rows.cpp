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
  int64_t least[3];  // of the taps
  int64_t most[3];
};

// A place of the results: where its tap (0, 0, 0) would read, which may be outside of the image.
struct Place {
  const char* at;
  int64_t d;
  int64_t h;
  int64_t w;
  bool inside;  // with every tap
};

// `count` places from `index` on; returns whether all are inside.
bool find_places(const Rows& rows, int64_t index, int count, int64_t pixel_bytes, Place* places) {
  const Geometry& g = *rows.geometry;
  int64_t w = index % g.out[2];
  index /= g.out[2];
  int64_t h = index % g.out[1];
  index /= g.out[1];
  int64_t d = index % g.out[0];
  int64_t image = index / g.out[0];
  bool all = true;
  for (int i = 0; i < count; ++i) {
    Place& place = places[i];
    place.d = d * g.stride[0];
    place.h = h * g.stride[1];
    place.w = w * g.stride[2];
    place.at = rows.input + (image * g.in_places() + (place.d * g.in[1] + place.h) * g.in[2] + place.w) * pixel_bytes;
    place.inside = place.d + rows.least[0] >= 0 && place.d + rows.most[0] < g.in[0] && place.h + rows.least[1] >= 0 && place.h + rows.most[1] < g.in[1] &&
                   place.w + rows.least[2] >= 0 && place.w + rows.most[2] < g.in[2];
    all = all && place.inside;
    if (++w == g.out[2]) {
      w = 0;
      if (++h == g.out[1]) {
        h = 0;
        if (++d == g.out[0]) {
          d = 0;
          ++image;
        }
      }
    }
  }
  return all;
}

bool reads_inside(const Geometry& g, const Place& place, const Tap& tap) {
  const int64_t d = place.d + tap.d;
  const int64_t h = place.h + tap.h;
  const int64_t w = place.w + tap.w;
  return d >= 0 && d < g.in[0] && h >= 0 && h < g.in[1] && w >= 0 && w < g.in[2];
}

int64_t distance_of(const Geometry& g, const Tap& tap, int64_t pixel_bytes) {
  return ((tap.d * g.in[1] + tap.h) * g.in[2] + tap.w) * pixel_bytes;
}

void pack_places(const Product& product, int64_t group, int64_t first_place, int count, int width, int64_t first_k, int64_t k, void* panel) {
  const Rows& rows = *static_cast<const Rows*>(product.context);
  const Geometry& g = *rows.geometry;
  const auto size = static_cast<int64_t>(element_size(g.dtype));
  const int64_t sum_size = g.dtype == Dtype::f64 ? 8 : 4;
  const int64_t pixel_bytes = g.groups * g.channels * size;
  const int64_t group_bytes = group * g.channels * size;
  Place places[32];
  const bool all_inside = find_places(rows, first_place, count, pixel_bytes, places);
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
    const int64_t distance = distance_of(g, taps[0], pixel_bytes) + group_bytes + inside * size;
    if (all_inside) {
      for (int i = 0; i < count; ++i) {
        lane[i] = places[i].at + distance;
      }
    } else {
      for (int i = 0; i < count; ++i) {
        const Place& place = places[i];
        if (place.inside || (reads_inside(g, place, taps[0]) && reads_inside(g, place, taps[taps_of_row - 1]))) {
          lane[i] = place.at + distance;
          continue;
        }
        lane[i] = zeros;
        if (taps_of_row == 1) {
          continue;
        }
        // At a border: what is there, and zeros.
        for (int64_t t = 0; t < taps_of_row; ++t) {
          char* const part = buffers[i] + t * g.channels * size;
          if (reads_inside(g, place, taps[t])) {
            std::memcpy(part, place.at + distance_of(g, taps[t], pixel_bytes), static_cast<size_t>(g.channels * size));
          } else {
            std::memset(part, 0, static_cast<size_t>(g.channels * size));
          }
        }
        lane[i] = buffers[i] + inside * size;
      }
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
  product.b_block = g.in_blocks() ? g.block : 0;
  const bool pointwise = taps == 1 && g.stride[0] == 1 && g.stride[1] == 1 && g.stride[2] == 1 && g.in_places() == g.places() && g.taps[0].d == 0 &&
                         g.taps[0].h == 0 && g.taps[0].w == 0;
  if (pointwise) {
    product.a = {input, g.channels, all_channels, 1};
    product.b = g.by_terms() ? Operand{weight, 0, g.term, 1} : Operand{weight, g.out_channels * g.channels, 1, g.channels};
    run(product);
    return;
  }
  Rows rows = {};
  rows.geometry = &g;
  rows.input = static_cast<const char*>(input);
  rows.weight = static_cast<const char*>(weight);
  const auto size = static_cast<int64_t>(element_size(g.dtype));
  rows.joined = g.row_taps && g.kernel[2] > 1 && g.groups == 1 && g.channels < joined_channels && g.kernel[2] * g.channels * size <= joined_most * 2 &&
                g.dtype != Dtype::f64;
  for (const Tap& tap : g.taps) {
    const int64_t at[3] = {tap.d, tap.h, tap.w};
    for (int i = 0; i < 3; ++i) {
      rows.least[i] = std::min(rows.least[i], at[i]);
      rows.most[i] = std::max(rows.most[i], at[i]);
    }
  }
  // No pair may lie in two runs.
  rows.kernels = &kernels_for(g.dtype, g.dtype, (rows.joined ? g.kernel[2] * g.channels : g.channels) % 2 == 0);
  product.kernels = rows.kernels;
  product.context = &rows;
  product.pack_a = pack_places;
  if (g.groups == 1) {
    // A matrix in memory: the next panels of it can be asked for ahead, and one by terms need not be laid out at all.
    product.b = g.by_terms() ? Operand{weight, 0, g.term, 1} : Operand{weight, 0, 1, product.k};
  } else {
    product.pack_b = pack_weights;
  }
  run(product);
}

}  // namespace aotwin::runtime::products
