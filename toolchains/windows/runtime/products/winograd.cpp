// 3 x 3 kernels by Winograd's algorithm F(2 x 2, 3 x 3): tiles of four results, each from a tile of 4 x 4 places. Both tile and kernel
// are transformed to sixteen numbers, whose products over the channels are sixteen products of matrices; their sums are transformed
// back. 2.25 times fewer multiplications than taps have, and sums that are a ninth as long, so that the error is about the same.
//
// The order of work: the kernels are transformed and laid out as panels (kernels.h), as are some hundred tiles; then each task makes, for some
// columns of results, all sixteen products, whose sums stay in a near cache until they are transformed back. Where there are tiles enough, each
// thread has some hundred of its own, which no other's cache sees; else all threads work on the same. Where no other task needs the same kernels,
// it is the task that transforms them, block by block, and they never leave a near cache. A result depends on nothing but the shape.
#include "winograd_kernels.h"

#include <algorithm>
#include <cstring>

#include "../threads/parallel.h"
#include "barrier.h"
#include "geometry.h"
#include "packing.h"
#include "rooms.h"
#include "shares.h"

namespace aotwin::runtime::products {
namespace {

constexpr int64_t numbers = 16;            // of a transformed tile
constexpr int64_t chunk_bytes = 1 << 20;   // of tiles that are transformed at a time,
constexpr int64_t tiles_least = 140;       // but so many, since all kernels pass through the caches for each chunk
constexpr int64_t own_tiles_least = 84;    // of a thread's own; fewer do not repay that each thread takes all kernels past them
constexpr int64_t rows_of_task = 160;      // tiles: their sums are 330 kB
constexpr int64_t apart = 272;             // more between the sixteen, which would fall into one set of a cache where sizes are powers of 2

struct Plan {
  const Geometry& g;
  const Finish& finish;
  const ProductKernels& kernels;
  const float* input;
  const float* zeros;
  const float* weight;
  float* columns;  // panels of transformed kernels, [column panels][16][k_blocks]
  int64_t tiles_of_row;
  int64_t k_block;
  int64_t k_blocks;
  int64_t panel_stride;  // elements between panels of tiles
  // Of the chunk
  int64_t first_row;  // of tiles, of all images
  int64_t tiles;
  int64_t row_panels;
  int64_t groups;  // of row panels
  bool by_task;    // kernels are each task's own
  float* packed;   // [16][k_blocks][row_panels]

  int64_t columns_plane() const {
    return kernels.width * g.channels + apart;
  }
  // Columns of results in a panel, all of which may be fewer than its width.
  int count_of(int64_t column_panel) const {
    return static_cast<int>(std::min<int64_t>(kernels.width, g.out_channels - column_panel * kernels.width));
  }
  int64_t tiles_plane() const {
    return kernels.rows * g.channels + apart;
  }
  int64_t k_of(int64_t block) const {
    return std::min(k_block, g.channels - block * k_block);
  }
  float* panel(int64_t number, int64_t block, int64_t index) const {
    return packed + ((number * k_blocks + block) * row_panels + index) * panel_stride;
  }
};

// The rows of tiles of an image.
int64_t rows_of_image(const Geometry& g) {
  return (g.out[1] + 1) / 2;
}

void transform_tile(const Plan& plan, int64_t tile, float* to) {
  const Geometry& g = plan.g;
  const int64_t row = plan.first_row + tile / plan.tiles_of_row;
  const int64_t top = row % rows_of_image(g) * 2 + g.taps[0].h;
  const int64_t left = tile % plan.tiles_of_row * 2 + g.taps[0].w;
  const float* const image = plan.input + row / rows_of_image(g) * g.in_places() * g.channels;
  const float* places[numbers];
  for (int64_t i = 0; i < numbers; ++i) {
    const int64_t h = top + i / 4;
    const int64_t w = left + i % 4;
    const bool inside = h >= 0 && h < g.in[1] && w >= 0 && w < g.in[2];
    places[i] = inside ? image + (h * g.in[2] + w) * g.channels : plan.zeros;
  }
  winograd_kernels().input(places, g.channels, to, plan.tiles_plane());
}

// The tiles of one panel, `transformed` between.
void pack_tiles(const Plan& plan, int64_t index, float* transformed) {
  const int64_t first = part(plan.tiles, plan.row_panels, index);
  const int count = static_cast<int>(part(plan.tiles, plan.row_panels, index + 1) - first);
  for (int i = 0; i < count; ++i) {
    transform_tile(plan, first + i, transformed + i * plan.g.channels);
  }
  const void* lane[32];
  for (int64_t number = 0; number < numbers; ++number) {
    for (int64_t block = 0; block < plan.k_blocks; ++block) {
      for (int i = 0; i < count; ++i) {
        lane[i] = transformed + number * plan.tiles_plane() + i * plan.g.channels + block * plan.k_block;
      }
      plan.kernels.pack_lanes(Dtype::f32, plan.panel(number, block, index), lane, count, count, plan.k_of(block));
    }
  }
}

// The sixteen panels of a column panel's kernels for one block of k.
struct Kernels {
  float* first;
  int64_t plane;  // elements from one to the next
};
Kernels shared_kernels(const Plan& plan, int64_t index, int64_t block) {
  return {plan.columns + index * numbers * plan.columns_plane() + block * plan.k_block * plan.count_of(index), plan.columns_plane()};
}
int64_t block_plane(const Plan& plan) {
  return plan.kernels.width * plan.k_block + apart;
}

// Those that lie by terms are transformed to where they belong; of others each is a row, and `transformed` between.
void pack_kernels(const Plan& plan, int64_t index, int64_t block, const Kernels& to, float* transformed) {
  const Geometry& g = plan.g;
  const int count = plan.count_of(index);
  const int64_t column = index * plan.kernels.width;
  const int64_t first = block * plan.k_block;
  const int64_t k = plan.k_of(block);
  if (g.by_terms()) {
    for (int64_t c = 0; c < k; ++c) {
      winograd_kernels().weight(plan.weight + g.weight_of(column) + (first + c) * g.term, g.channels * g.term, count, to.first + c * count, to.plane);
    }
    return;
  }
  const void* lane[32];
  for (int i = 0; i < count; ++i) {
    winograd_kernels().weight(plan.weight + (column + i) * 9 * g.channels + first, g.channels, k, transformed + i * k, block_plane(plan));
  }
  for (int64_t number = 0; number < numbers; ++number) {
    for (int i = 0; i < count; ++i) {
      lane[i] = transformed + number * block_plane(plan) + i * k;
    }
    plan.kernels.pack_lanes(Dtype::f32, to.first + number * to.plane, lane, count, count, k);
  }
}

// Tiles [first, last) of one row of them, whose sums begin at `sums`.
void finish_tiles(const Plan& plan, int64_t first, int64_t last, int64_t column, int count, const float* sums, int64_t plane, float* results) {
  const Geometry& g = plan.g;
  const int64_t row = plan.first_row + first / plan.tiles_of_row;
  const int64_t image = row / rows_of_image(g);
  const int64_t top = row % rows_of_image(g) * 2;
  const int64_t left = first % plan.tiles_of_row * 2;
  const int64_t line = (last - first) * 2 * count;
  for (int64_t tile = first; tile < last; ++tile) {
    winograd_kernels().output(sums + (tile - first) * count, plane, count, results + (tile - first) * 2 * count, count, line);
  }
  const int64_t places = std::min(2 * (last - first), g.out[2] - left);
  for (int64_t h = 0; h < 2 && top + h < g.out[1]; ++h) {
    plan.kernels.finish(plan.finish, results + h * line, count, image * g.places() + (top + h) * g.out[2] + left, places, column, count);
  }
}

struct Room {
  float* sums;
  float* kernels;  // of a block of a task, or between
  float* results;  // also for the transformed tiles of a panel
};

// All that follows for one panel of columns and one group of row panels.
void run_task(const Plan& plan, int64_t index, const Room& room) {
  const int64_t column_panel = index / plan.groups;
  const int64_t column = column_panel * plan.kernels.width;
  const int64_t first_panel = part(plan.row_panels, plan.groups, index % plan.groups);
  const int64_t last_panel = part(plan.row_panels, plan.groups, index % plan.groups + 1);
  const int64_t first = part(plan.tiles, plan.row_panels, first_panel);
  const int64_t last = part(plan.tiles, plan.row_panels, last_panel);
  const int count = plan.count_of(column_panel);
  const int full = count > plan.kernels.width / 2 ? 1 : 0;
  const int64_t plane = (last - first) * count;
  for (int64_t block = 0; block < plan.k_blocks; ++block) {
    const int64_t k = plan.k_of(block);
    Kernels kernels = shared_kernels(plan, column_panel, block);
    if (plan.by_task) {
      kernels = {room.kernels, block_plane(plan)};
      pack_kernels(plan, column_panel, block, kernels, nullptr);
    }
    for (int64_t number = 0; number < numbers; ++number) {
      const float* const panel = kernels.first + number * kernels.plane;
      // Meanwhile the next panel is asked for: each call takes four lines for each of its steps.
      const float* ahead = number + 1 < numbers ? panel + kernels.plane : panel;
      int64_t row = first;
      for (int64_t i = first_panel; i < last_panel; ++i) {
        const int64_t after = part(plan.tiles, plan.row_panels, i + 1);
        plan.kernels.multiply[after - row][full](plan.panel(number, block, i), panel, k, room.sums + number * plane + (row - first) * count, block == 0,
                                                 reinterpret_cast<const char*>(ahead), 64, 256);
        ahead += k / 16 * 64;
        row = after;
      }
    }
  }
  for (int64_t tile = first; tile < last;) {
    const int64_t end = std::min(last, (tile / plan.tiles_of_row + 1) * plan.tiles_of_row);
    finish_tiles(plan, tile, end, column, count, room.sums + (tile - first) * count, plane, room.results);
    tile = end;
  }
}

// Tasks of some rows, and enough of them for all threads.
int64_t groups_for(const Plan& plan, int64_t tiles, int64_t column_panels, int threads) {
  const int64_t row_panels = (tiles + plan.kernels.rows - 1) / plan.kernels.rows;
  int64_t groups = (tiles + rows_of_task - 1) / rows_of_task;
  while (groups < row_panels && groups * column_panels < threads) {
    ++groups;
  }
  return groups;
}

// How rows of tiles are cut into chunks, which are transformed at a time.
struct Chunks {
  int64_t count;
  int64_t most;  // rows
  bool own;      // each is one thread's
};
Chunks chunks_of(const Plan& plan, int64_t tile_rows, int threads) {
  const int64_t row_bytes = numbers * plan.tiles_of_row * plan.g.channels * 4;
  const int64_t fitting = chunk_bytes / row_bytes;
  const bool enough = fitting * plan.tiles_of_row >= own_tiles_least && tile_rows * plan.tiles_of_row >= threads * own_tiles_least && tile_rows >= 4 * threads;
  const int64_t least = (tiles_least + plan.tiles_of_row - 1) / plan.tiles_of_row;
  const int64_t most = enough ? fitting : std::max(fitting, least);
  int64_t count = (tile_rows + most - 1) / most;
  if (enough) {
    count = std::min((count + threads - 1) / threads * threads, tile_rows);
  }
  return {count, (tile_rows + count - 1) / count, enough && count > 1};
}

void set_chunk(Plan& plan, int64_t tile_rows, const Chunks& chunks, int64_t index, int64_t column_panels, int threads) {
  plan.first_row = part(tile_rows, chunks.count, index);
  plan.tiles = (part(tile_rows, chunks.count, index + 1) - plan.first_row) * plan.tiles_of_row;
  plan.row_panels = (plan.tiles + plan.kernels.rows - 1) / plan.kernels.rows;
  plan.groups = groups_for(plan, plan.tiles, column_panels, threads);
}

}  // namespace

bool suits_winograd(const Geometry& g) {
  const bool form = g.dtype == Dtype::f32 && g.groups == 1 && g.row_taps && g.kernel[0] == 1 && g.kernel[1] == 3 && g.kernel[2] == 3 && g.in[0] == 1 &&
                    g.out[0] == 1 && g.taps[0].d == 0 && g.taps[3].h == g.taps[0].h + 1 && g.stride[1] == 1 && g.stride[2] == 1;
  // Fewer places do not repay the transforms of the kernels, which are made at each call and wait for memory unless weights lie in blocks; few
  // channels those of the places.
  const int64_t places_least = g.in_blocks() ? 49 : 144;
  return form && g.channels % 16 == 0 && g.out_channels % 16 == 0 && g.channels >= 32 && g.out_channels >= 32 && g.places() >= places_least;
}

void convolve_winograd(const Geometry& g, const void* input, const void* weight, const Finish& finish) {
  const ProductKernels& kernels = float_kernels();
  Plan plan = {g, finish, kernels, static_cast<const float*>(input), nullptr, static_cast<const float*>(weight), nullptr, (g.out[2] + 1) / 2,
               0, 0, 0, 0, 0, 0, 0, false, nullptr};
  const int64_t tile_rows = g.batch * rows_of_image(g);
  const int threads = thread_count();
  const Chunks chunks = chunks_of(plan, tile_rows, threads);
  plan.k_blocks = (g.channels + kernels.k_most - 1) / kernels.k_most;
  plan.k_block = ((g.channels + plan.k_blocks - 1) / plan.k_blocks + 15) / 16 * 16;
  plan.k_blocks = (g.channels + plan.k_block - 1) / plan.k_block;
  plan.panel_stride = (kernels.rows * plan.k_block + panel_slack + 15) / 16 * 16;

  const int64_t panels_most = (chunks.most * plan.tiles_of_row + kernels.rows - 1) / kernels.rows;
  const int64_t column_panels = (g.out_channels + kernels.width - 1) / kernels.width;
  const int64_t sums_size = numbers * (rows_of_task + kernels.rows) * kernels.width;
  const int64_t kernels_size = numbers * block_plane(plan) + panel_slack;
  const int64_t results_size = std::max(4 * plan.tiles_of_row * kernels.width, numbers * plan.tiles_plane());
  const int64_t room_size = sums_size + kernels_size + results_size;
  Scratch zeros(static_cast<size_t>(g.channels * 4));
  plan.groups = groups_for(plan, tile_rows * plan.tiles_of_row, column_panels, threads);
  plan.by_task = g.by_terms() && chunks.count == 1 && plan.groups == 1;
  Scratch columns(static_cast<size_t>(((plan.by_task ? 0 : column_panels * numbers * plan.columns_plane()) + panel_slack) * 4));
  const int64_t packed_size = numbers * plan.k_blocks * panels_most * plan.panel_stride;
  Rooms packed(packed_size * 4, chunks.own ? threads : 1);
  Rooms rooms(room_size * 4, threads);
  std::memset(zeros.data(), 0, static_cast<size_t>(g.channels * 4));
  plan.zeros = zeros.as<float>();
  plan.columns = columns.as<float>();
  plan.packed = packed.of<float>(0);
  const auto room_of = [&](int index) {
    float* const own = rooms.of<float>(index);
    return Room{own, own + sums_size, own + sums_size + kernels_size};
  };
  Shares of_kernels(plan.by_task ? 0 : column_panels * plan.k_blocks);
  const auto transform_kernels = [&](int index, int count) {
    of_kernels.each(index, count, [&](int64_t i) {
      const int64_t panel = i / plan.k_blocks;
      const int64_t block = i % plan.k_blocks;
      pack_kernels(plan, panel, block, shared_kernels(plan, panel, block), room_of(index).kernels);
    });
  };
  if (chunks.own) {
    Shares shares(chunks.count);
    Barrier barrier;
    parallel(threads, [&](int index, int count) {
      transform_kernels(index, count);
      barrier.wait(count);
      Plan own = plan;
      own.packed = packed.of<float>(index);
      shares.each(index, count, [&](int64_t chunk) {
        set_chunk(own, tile_rows, chunks, chunk, column_panels, 1);
        for (int64_t i = 0; i < own.row_panels; ++i) {
          pack_tiles(own, i, room_of(index).results);
        }
        for (int64_t i = 0; i < column_panels * own.groups; ++i) {
          run_task(own, i, room_of(index));
        }
      });
    });
    return;
  }
  for (int64_t chunk = 0; chunk < chunks.count; ++chunk) {
    set_chunk(plan, tile_rows, chunks, chunk, column_panels, threads);
    Shares panels(plan.row_panels);
    Shares tasks(column_panels * plan.groups);
    Barrier barrier;
    parallel(threads, [&](int index, int count) {
      if (chunk == 0) {
        transform_kernels(index, count);
      }
      panels.each(index, count, [&](int64_t i) { pack_tiles(plan, i, room_of(index).results); });
      barrier.wait(count);
      tasks.each(index, count, [&](int64_t i) { run_task(plan, i, room_of(index)); });
    });
  }
}

}  // namespace aotwin::runtime::products
