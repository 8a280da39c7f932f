// 3 x 3 kernels by Winograd's algorithm F(2 x 2, 3 x 3): tiles of four results, each from a tile of 4 x 4 places. Both tile and kernel
// are transformed to sixteen numbers, whose products over the channels are sixteen products of matrices; their sums are transformed
// back. 2.25 times fewer multiplications than taps have, and sums that are a ninth as long, so that the error is about the same.
#include "winograd_kernels.h"

#include <algorithm>
#include <cstring>

#include "../threads/parallel.h"
#include "geometry.h"

namespace aotwin::runtime::products {
namespace {

constexpr int64_t numbers = 16;              // of a transformed tile
constexpr int64_t chunk_bytes = 2 << 20;     // of transformed tiles and their products: what stays in the caches
constexpr int64_t tiles_least = 140;         // of a chunk, so that the kernels' panels are not packed for few rows
constexpr int64_t columns_most = 512;        // of results that are finished at once
constexpr int64_t apart = 272;               // more between the sixteen, which would fall into one set of a cache where sizes are powers of 2

struct Plan {
  const Geometry& g;
  const float* input;
  int64_t tiles_of_row;
  int64_t tile_rows;   // of all images
  int64_t chunk_rows;  // of tiles
  int64_t capacity;    // tiles of a chunk

  // Elements from one of the sixteen to the next.
  int64_t tiles_plane() const {
    return capacity * g.channels + apart;
  }
  int64_t products_plane() const {
    return capacity * g.out_channels + apart;
  }
  int64_t kernels_plane() const {
    return g.out_channels * g.channels + apart;
  }
};

// The rows of tiles of an image, and where it is.
int64_t rows_of_image(const Geometry& g) {
  return (g.out[1] + 1) / 2;
}

void transform_row(const Plan& plan, int64_t index, const float* zeros, float* to) {
  const Geometry& g = plan.g;
  const int64_t image = index / rows_of_image(g);
  const int64_t top = index % rows_of_image(g) * 2 + g.taps[0].h;
  const float* const from = plan.input + image * g.in_places() * g.channels;
  const WinogradKernels& kernels = winograd_kernels();
  for (int64_t tile = 0; tile < plan.tiles_of_row; ++tile) {
    const int64_t left = tile * 2 + g.taps[0].w;
    const float* places[numbers];
    for (int64_t i = 0; i < numbers; ++i) {
      const int64_t h = top + i / 4;
      const int64_t w = left + i % 4;
      const bool inside = h >= 0 && h < g.in[1] && w >= 0 && w < g.in[2];
      places[i] = inside ? from + (h * g.in[2] + w) * g.channels : zeros;
    }
    kernels.input(places, g.channels, to + tile * g.channels, plan.tiles_plane());
  }
}

void finish_row(const Plan& plan, const Finish& finish, const ProductKernels& kernels, int64_t index, const float* from, float* two_rows) {
  const Geometry& g = plan.g;
  const int64_t image = index / rows_of_image(g);
  const int64_t top = index % rows_of_image(g) * 2;
  const int64_t width = plan.tiles_of_row * 2;
  const WinogradKernels& transforms = winograd_kernels();
  for (int64_t column = 0; column < g.out_channels; column += columns_most) {
    const int64_t count = std::min(columns_most, g.out_channels - column);
    for (int64_t tile = 0; tile < plan.tiles_of_row; ++tile) {
      transforms.output(from + tile * g.out_channels + column, plan.products_plane(), count, two_rows + tile * 2 * count, count, width * count);
    }
    for (int64_t h = 0; h < 2 && top + h < g.out[1]; ++h) {
      kernels.finish(finish, two_rows + h * width * count, count, image * g.places() + (top + h) * g.out[2], g.out[2], column, static_cast<int>(count));
    }
  }
}

}  // namespace

bool suits_winograd(const Geometry& g) {
  const bool form = g.dtype == Dtype::f32 && g.groups == 1 && g.row_taps && g.kernel[0] == 1 && g.kernel[1] == 3 && g.kernel[2] == 3 && g.in[0] == 1 &&
                    g.out[0] == 1 && g.taps[0].d == 0 && g.taps[3].h == g.taps[0].h + 1 && g.stride[1] == 1 && g.stride[2] == 1;
  // Fewer places do not repay the transforms of the kernels, which are made at each call; few channels those of the places.
  return form && g.channels % 16 == 0 && g.out_channels % 16 == 0 && g.channels >= 32 && g.out_channels >= 32 && g.places() >= 144;
}

void convolve_winograd(const Geometry& g, const void* input, const void* weight, const Finish& finish) {
  Plan plan = {g, static_cast<const float*>(input), (g.out[2] + 1) / 2, g.batch * rows_of_image(g), 0, 0};
  const int64_t row_bytes = numbers * plan.tiles_of_row * (g.channels + g.out_channels) * 4;
  const int64_t least = (tiles_least + plan.tiles_of_row - 1) / plan.tiles_of_row;
  const int64_t rows_most = std::max(chunk_bytes / row_bytes, least);
  const int64_t chunks = (plan.tile_rows + rows_most - 1) / rows_most;
  plan.chunk_rows = (plan.tile_rows + chunks - 1) / chunks;
  plan.capacity = plan.chunk_rows * plan.tiles_of_row;
  Scratch kernels(static_cast<size_t>(numbers * plan.kernels_plane() * 4));
  Scratch tiles(static_cast<size_t>(numbers * plan.tiles_plane() * 4));
  Scratch products(static_cast<size_t>(numbers * plan.products_plane() * 4));
  Scratch nothing(static_cast<size_t>(g.channels * 4));
  std::memset(nothing.data(), 0, static_cast<size_t>(g.channels * 4));
  parallel_for(0, g.out_channels, std::max<int64_t>(1, 16384 / g.channels), [&](int64_t first, int64_t last) {
    for (int64_t o = first; o < last; ++o) {
      winograd_kernels().weight(static_cast<const float*>(weight) + o * 9 * g.channels, g.channels, kernels.as<float>() + o * g.channels, plan.kernels_plane());
    }
  });
  const int64_t two_rows = 4 * plan.tiles_of_row * std::min(columns_most, g.out_channels);
  for (int64_t begin = 0; begin < plan.tile_rows; begin += plan.chunk_rows) {
    const int64_t rows = std::min(plan.chunk_rows, plan.tile_rows - begin);
    parallel_for(0, rows, 1, [&](int64_t first, int64_t last) {
      for (int64_t row = first; row < last; ++row) {
        transform_row(plan, begin + row, nothing.as<float>(), tiles.as<float>() + row * plan.tiles_of_row * g.channels);
      }
    });
    Product product;
    product.batch = numbers;
    product.m = rows * plan.tiles_of_row;
    product.n = g.out_channels;
    product.k = g.channels;
    product.a = {tiles.data(), plan.tiles_plane(), g.channels, 1};
    product.b = {kernels.data(), plan.kernels_plane(), 1, g.channels};
    product.finish.out = products.data();
    product.finish.row = g.out_channels;
    product.out_batch = plan.products_plane();
    run(product);
    parallel_for(0, rows, 1, [&](int64_t first, int64_t last) {
      Scratch buffer(static_cast<size_t>(two_rows * 4));
      for (int64_t row = first; row < last; ++row) {
        finish_row(plan, finish, float_kernels(), begin + row, products.as<float>() + row * plan.tiles_of_row * g.out_channels, buffer.as<float>());
      }
    });
  }
}

}  // namespace aotwin::runtime::products
