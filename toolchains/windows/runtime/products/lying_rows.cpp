// Weights of linear layers lie as rows over k. For y = x W^T with few rows of x, panels of W cost nearly as much as what they are good
// for. So W is A here and stays where it is: each number is spread over a register straight from its row. x is B and laid out as panels, once,
// by all threads. The sums come out by columns, and are transposed, tile by tile, while they are in the cache.
#include "lying_rows.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "../core/tensor.h"
#include "../threads/parallel.h"
#include "barrier.h"
#include "blocks.h"
#include "few_rows.h"
#include "rooms.h"
#include "shares.h"

namespace aotwin::runtime::products {
namespace {

constexpr int64_t panels_of_tile = 8;    // of B: 200 kB of the second cache
constexpr int64_t groups_of_tile = 4;    // of A's rows
constexpr int64_t rows_most = groups_of_tile * most_rows;
constexpr int64_t packed_most = 8 << 20;  // elements of B that are packed at a time

struct Plan : Blocks {
  using Blocks::Blocks;
  int64_t column_tiles = 1;
  int64_t groups_per_tile = 1;
  int64_t row_tiles = 1;
  int64_t panel_stride = 0;
  int64_t staged_bytes = 0;  // of a group
  bool staged = false;     // rows are converted, or brought together, block by block
  // Of this round
  int64_t first_unit = 0;  // (batch, column tile)
  int64_t units = 0;
  char* packed = nullptr;
};

// Panels of a round are those of its units, one after the other.
struct Unit {
  int64_t batch;
  int64_t first;  // panel within the batch element
  int64_t panels;
};
Unit unit_of(const Plan& plan, int64_t index) {
  const int64_t tile = index % plan.column_tiles;
  const int64_t first = part(plan.panels, plan.column_tiles, tile);
  return {index / plan.column_tiles, first, part(plan.panels, plan.column_tiles, tile + 1) - first};
}
int64_t panels_before(const Plan& plan, int64_t unit) {
  return unit / plan.column_tiles * plan.panels + part(plan.panels, plan.column_tiles, unit % plan.column_tiles);
}
char* packed_panel(const Plan& plan, int64_t index, int64_t block) {
  return plan.packed + (index * plan.k_blocks + block) * plan.panel_stride;
}

// Panel `index` of the round, one block of k.
void pack_of_round(const Plan& plan, int64_t index, int64_t block) {
  const int64_t absolute = panels_before(plan, plan.first_unit) + index;
  pack_panel(plan, absolute / plan.panels, absolute % plan.panels, block, packed_panel(plan, index, block));
}

struct Tile {
  Unit unit;
  int64_t first_panel;  // within the round
  int64_t first_group;
  int64_t groups;
};
Tile tile_of(const Plan& plan, int64_t index) {
  const int64_t number = plan.first_unit + index / plan.row_tiles;
  const int64_t first = part(plan.groups, plan.row_tiles, index % plan.row_tiles);
  return {unit_of(plan, number), panels_before(plan, number) - panels_before(plan, plan.first_unit), first,
          part(plan.groups, plan.row_tiles, index % plan.row_tiles + 1) - first};
}

// One thread's memory.
struct Own {
  char* sums;        // group by group, panel by panel, row by row
  char* transposed;  // a panel of them
  char* staged;
};

RowGroup stage(const Plan& plan, const RowGroup& rows, int64_t k, char* to) {
  // Not a multiple of what the nearest cache repeats itself by.
  const int64_t stride = whole_lines(units_of(plan, k) * plan.size) + 64;
  if (plan.kernels.unit > 1) {
    for (int64_t i = 0; i < rows.count; ++i) {
      std::memcpy(to + i * stride, rows.data + i * rows.stride, static_cast<size_t>(units_of(plan, k) * plan.size));
    }
  } else {
    for (int64_t i = 0; i < rows.count; ++i) {
      plan.kernels.pack_columns(plan.product.dtype, to + i * stride, rows.data + i * rows.stride, rows.stride / plan.a_size, static_cast<int>(k), static_cast<int>(k), 1);
    }
  }
  return {to, stride, rows.count};
}

// The group of the same number of the next block, or tile.
RowGroup following(const Plan& plan, const Tile& tile, const Tile& next, int64_t index, int64_t block) {
  if (block + 1 < plan.k_blocks) {
    return rows_of(plan, tile.unit.batch, tile.first_group + index, block + 1);
  }
  return index < next.groups ? rows_of(plan, next.unit.batch, next.first_group + index, 0) : RowGroup{plan.packed, 0, 0};
}

// A panel of B, which stays in the nearest cache, by each group of rows. A panel's share of the memory that is needed next is asked for
// meanwhile: all rows of the group that follows beside one panel, four rows beside each where there are many.
void multiply_panel(const Plan& plan, const Tile& tile, const RowGroup* rows, const RowGroup* ahead, int64_t index, int64_t block, char* const* to) {
  const int64_t width = width_of(plan, tile.unit.first + index);
  const int64_t k = units_of(plan, k_of(plan, block));
  const char* const panel = packed_panel(plan, tile.first_panel + index, block);
  const int64_t step = 64 / plan.size * plan.kernels.unit * plan.a_size;
  for (int64_t group = 0; group < tile.groups; ++group) {
    const RowGroup& needed = ahead[group];
    const bool few = tile.unit.panels * 4 < needed.count;
    const int64_t first = index * (few ? 16 : 4);
    const bool ask = first < needed.count;
    plan.kernels.multiply_rows[rows[group].count][width == plan.kernels.width ? 1 : 0](
        rows[group].data, rows[group].stride, panel, k, to[group], block == 0, ask ? needed.data + first * needed.stride : plan.packed,
        ask ? needed.stride : 0, ask && few ? 4 * needed.stride : 0, ask ? step : 0);
  }
}

// A panel's sums by columns, through a tile of rows.
void finish_transposed(const Plan& plan, const Tile& tile, const Finish& finish, int64_t panel, const Own& own, int64_t lanes_before, int64_t lanes) {
  const void* lane[rows_most];
  const int64_t first_row = row_of(plan, tile.first_group);
  const int64_t width = width_of(plan, panel);
  int count = 0;
  for (int64_t group = tile.first_group; group < tile.first_group + tile.groups; ++group) {
    const int64_t row = row_of(plan, group);
    const int64_t rows = row_of(plan, group + 1) - row;
    const char* const from = own.sums + ((row - first_row) * lanes + lanes_before * rows) * plan.size;
    for (int64_t i = 0; i < rows; ++i) {
      lane[count++] = from + i * width * plan.size;
    }
  }
  const bool wide = plan.size == 8;
  const int64_t columns = lanes_of(plan, panel);
  (wide ? double_kernels() : float_kernels()).pack_lanes(wide ? Dtype::f64 : Dtype::f32, own.transposed, lane, count, count, columns);
  plan.kernels.finish(finish, own.transposed, count, panel * plan.kernels.width, columns, first_row, count);
}

void finish_tile(const Plan& plan, const Tile& tile, const Own& own, int64_t lanes) {
  Finish finish = finish_of(plan.product, tile.unit.batch);
  std::swap(finish.row, finish.column);
  for (Addend& addend : finish.addends) {
    std::swap(addend.row, addend.column);
  }
  int64_t before = 0;
  for (int64_t i = 0; i < tile.unit.panels; ++i) {
    finish_transposed(plan, tile, finish, tile.unit.first + i, own, before, lanes);
    before += width_of(plan, tile.unit.first + i);
  }
}

void run_tile(const Plan& plan, const Tile& tile, const Tile& next, const Own& own) {
  int64_t lanes = 0;
  for (int64_t i = 0; i < tile.unit.panels; ++i) {
    lanes += width_of(plan, tile.unit.first + i);
  }
  for (int64_t block = 0; block < plan.k_blocks; ++block) {
    RowGroup rows[groups_of_tile];
    RowGroup ahead[groups_of_tile];
    char* to[groups_of_tile];
    char* sums = own.sums;
    for (int64_t i = 0; i < tile.groups; ++i) {
      rows[i] = rows_of(plan, tile.unit.batch, tile.first_group + i, block);
      ahead[i] = following(plan, tile, next, i, block);
      if (plan.staged) {
        rows[i] = stage(plan, rows[i], k_of(plan, block), own.staged + i * plan.staged_bytes);
      }
      to[i] = sums;
      sums += rows[i].count * lanes * plan.size;
    }
    for (int64_t i = 0; i < tile.unit.panels; ++i) {
      multiply_panel(plan, tile, rows, ahead, i, block, to);
      const int64_t width = width_of(plan, tile.unit.first + i);
      for (int64_t group = 0; group < tile.groups; ++group) {
        to[group] += rows[group].count * width * plan.size;
      }
    }
  }
  finish_tile(plan, tile, own, lanes);
}

}  // namespace

bool can_lie(int64_t k_stride, int64_t stride, const Product& product, const ProductKernels& kernels) {
  // The second of the last pair is not the row's where k is odd.
  return k_stride == 1 && stride >= product.k && (kernels.unit == 1 || product.k % 2 == 0) && product.dtype == product.b_dtype;
}

void run_lying_rows(const Product& product, const ProductKernels& kernels) {
  Plan plan(product, kernels);
  const auto element = static_cast<int64_t>(element_size(product.dtype));
  plan.column_tiles = (plan.panels + panels_of_tile - 1) / panels_of_tile;
  // Rows that share a place in the nearest cache put each other out.
  plan.staged = element * kernels.unit != plan.size || product.a.row * element % 2048 == 0;
  plan.panel_stride = panel_bytes(plan, kernels.width);

  const int threads = threads_for(product);
  const int64_t all_units = product.batch * plan.column_tiles;
  const int64_t unit_bytes = (plan.panels + plan.column_tiles - 1) / plan.column_tiles * plan.k_blocks * plan.panel_stride;
  const int64_t units_of_round = std::clamp<int64_t>(packed_most * plan.size / unit_bytes, 1, all_units);

  const int64_t sums_bytes = whole_lines(rows_most * panels_of_tile * kernels.width * plan.size);
  const int64_t transposed_bytes = whole_lines((rows_most * kernels.width + panel_slack) * plan.size);
  plan.staged_bytes = plan.staged ? kernels.rows * whole_lines(units_of(plan, plan.k_block) * plan.size + 128) : 0;
  const int64_t own_bytes = sums_bytes + transposed_bytes + groups_of_tile * plan.staged_bytes;
  Scratch packed(static_cast<size_t>(units_of_round * unit_bytes));
  Rooms memory(own_bytes, threads);
  plan.packed = packed.as<char>();

  for (int64_t first = 0; first < all_units; first += units_of_round) {
    plan.first_unit = first;
    plan.units = std::min(units_of_round, all_units - first);
    const int64_t pieces = (panels_before(plan, first + plan.units) - panels_before(plan, first)) * plan.k_blocks;
    plan.groups_per_tile = even_parts(plan.units, plan.groups, groups_of_tile, threads);
    plan.row_tiles = (plan.groups + plan.groups_per_tile - 1) / plan.groups_per_tile;
    const int64_t tiles = plan.units * plan.row_tiles;
    Shares packing(pieces);
    Shares shares(tiles);
    Barrier barrier;
    parallel(threads, [&](int index, int count) {
      char* const mine = memory.of<char>(index);
      const Own own{mine, mine + sums_bytes, mine + sums_bytes + transposed_bytes};
      packing.each(index, count, [&](int64_t i) { pack_of_round(plan, i / plan.k_blocks, i % plan.k_blocks); });
      barrier.wait(count);
      shares.each(index, count, [&](int64_t now) {
        run_tile(plan, tile_of(plan, now), tile_of(plan, std::min(now + 1, tiles - 1)), own);
      });
    });
  }
}

}  // namespace aotwin::runtime::products
