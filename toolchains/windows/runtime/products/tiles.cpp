// The order of work. A is packed once, by all threads, in blocks of k, unless there are few columns: then its rows are used as they lie. Each
// tile of results (some hundred rows by a few panels of columns) is one thread's: it packs its panels of B, block of k by block of k, multiplies
// them with A's while they are in the nearest cache, keeps the sums beside them, and finishes a panel's when the last block of k is in. A
// tile's sums depend on nothing but the shape.
#include "tiles.h"

#include <algorithm>

#include "../core/tensor.h"
#include "../threads/parallel.h"
#include "barrier.h"
#include "blocks.h"
#include "few_rows.h"
#include "rooms.h"
#include "shares.h"

namespace aotwin::runtime::products {
namespace {

constexpr int64_t rows_of_tile = 280;       // A's block of a tile: 290 kB of the second cache
constexpr int64_t panels_of_tile = 4;
constexpr int64_t packed_most = 8 << 20;    // elements of A that are packed at a time
constexpr int64_t lying_columns_most = 256;  // of results, by rows that are not laid out

struct Plan : Blocks {
  using Blocks::Blocks;
  int64_t row_tiles = 1;  // of one batch element
  int64_t panels_per_tile = 1;
  int64_t column_tiles = 1;
  int64_t panel_stride = 0;  // bytes between A's panels
  bool direct = false;       // B's panels are made while the first rows are multiplied by them
  bool lying = false;        // A's rows are multiplied as they lie
  // Of this round
  int64_t first_unit = 0;  // (batch, row tile)
  int64_t units = 0;
  char* packed = nullptr;
};

// Rows and panels are spread evenly: [0, m) in row_tiles tiles, each tile in panels of nearly the same height.
struct Rows {
  int64_t first;
  int64_t count;
  int64_t first_panel;  // within the batch element
  int64_t panels;
};
Rows rows_of(const Plan& plan, int64_t tile) {
  const int64_t panel = part(plan.groups, plan.row_tiles, tile);
  const int64_t next = part(plan.groups, plan.row_tiles, tile + 1);
  const int64_t row = row_of(plan, panel);
  return {row, row_of(plan, next) - row, panel, next - panel};
}

char* packed_panel(const Plan& plan, int64_t unit_panel, int64_t block) {
  return plan.packed + (unit_panel * plan.k_blocks + block) * plan.panel_stride;
}

// Panel `index` of this round, every block of k.
void pack_rows(const Plan& plan, int64_t index) {
  const Product& product = plan.product;
    // Units of a round are whole row tiles; panels are numbered through them.
  const int64_t batch = plan.first_unit / plan.row_tiles;
  const int64_t start = rows_of(plan, plan.first_unit % plan.row_tiles).first_panel;
  const int64_t absolute = start + index;
  const int64_t panel = absolute % plan.groups;
  const int64_t at_batch = batch + absolute / plan.groups;
  const int64_t row = row_of(plan, panel);
  const int count = static_cast<int>(row_of(plan, panel + 1) - row);
  for (int64_t block = 0; block < plan.k_blocks; ++block) {
    void* const to = packed_panel(plan, index, block);
    const int64_t k = k_of(plan, block);
    if (product.pack_a != nullptr) {
      product.pack_a(product, at_batch, row, count, count, block * plan.k_block, k, to);
    } else {
      pack_operand(plan.kernels, product.a, product.dtype, at_batch, product.a.row, product.a.column, row, count, count, block * plan.k_block, k, to);
    }
  }
}

// Where the next panel of B lies, for asking memory ahead: call after call of `multiply` takes its share of the panel's lines.
struct Ahead {
  const char* data = nullptr;
  int64_t part = 0;
  int64_t step = 0;
  int64_t calls = 0;
  int64_t lines = 1;  // of a row, where B's rows are contiguous
  int64_t call = 0;   // bytes from one call to the next

  const char* of_call(int64_t index) const {
    return data + index / lines * call + index % lines * 64;
  }
};
Ahead ahead_of(const Plan& plan, int64_t batch, int64_t column, int64_t block) {
  const Product& product = plan.product;
  Ahead ahead;
  ahead.data = plan.packed;
  if (product.pack_b != nullptr || column >= product.n || block >= plan.k_blocks) {
    return ahead;
  }
  const char* const from = columns_of(plan, batch, column, block);
  const int64_t width = std::min<int64_t>(plan.kernels.width, product.n - column);
  if (plan.ready) {  // four lines after four
    ahead.data = from;
    ahead.part = 64;
    ahead.step = 256;
    ahead.call = k_of(plan, block) / 16 * 256;
    ahead.calls = ahead.call == 0 ? 0 : k_of(plan, block) * width * plan.b_size / ahead.call;
  } else if (product.b.row == 1) {  // four columns a call
    ahead.data = from;
    ahead.part = product.b.column * plan.b_size;
    ahead.step = 64 * plan.b_size * plan.kernels.unit / plan.size;
    ahead.call = 4 * ahead.part;
    ahead.calls = width / 4;
  } else if (product.b.column == 1) {  // one line of each row
    const int64_t rows_of_call = units_of(plan, k_of(plan, block)) * plan.size / 64 * 4;
    ahead.data = from;
    ahead.part = product.b.row * plan.b_size;
    ahead.step = 4 * ahead.part;
    ahead.lines = std::max<int64_t>(1, width * plan.b_size / 64);
    ahead.call = rows_of_call * ahead.part;
    ahead.calls = rows_of_call == 0 ? 0 : ahead.lines * (k_of(plan, block) / rows_of_call);
  }
  return ahead;
}

void pack_columns(const Plan& plan, int64_t batch, int64_t column, int count, int width, int64_t block, char* panel) {
  const Product& product = plan.product;
  if (product.pack_b != nullptr) {
    product.pack_b(product, batch, column, count, width, block * plan.k_block, k_of(plan, block), panel);
  } else {
    pack_panel(plan, batch, column / plan.kernels.width, block, panel);
  }
}

struct Tile {
  int64_t batch;
  int64_t unit_panel;  // of its first panel of A within the round
  Rows rows;
  int64_t first_column;
  int64_t columns;
};
Tile tile_of(const Plan& plan, int64_t index) {
  const int64_t unit = plan.first_unit + index / plan.column_tiles;
  const int64_t column_tile = index % plan.column_tiles;
  Tile tile;
  tile.batch = unit / plan.row_tiles;
  tile.rows = rows_of(plan, unit % plan.row_tiles);
  const int64_t before = plan.first_unit / plan.row_tiles * plan.groups + rows_of(plan, plan.first_unit % plan.row_tiles).first_panel;
  tile.unit_panel = tile.batch * plan.groups + tile.rows.first_panel - before;
  const int64_t width = plan.kernels.width;
  tile.first_column = part(plan.panels, plan.column_tiles, column_tile) * width;
  tile.columns = std::min(plan.product.n, part(plan.panels, plan.column_tiles, column_tile + 1) * width) - tile.first_column;
  return tile;
}

// Of the panel after the one at `at`, if it is one to be multiplied as it lies.
const char* following_columns(const Plan& plan, const Tile& tile, const Tile& next, int64_t at, int64_t block) {
  const int64_t width = plan.kernels.width;
  if (at + 2 * width <= tile.columns) {
    return columns_of(plan, tile.batch, tile.first_column + at + width, block);
  }
  if (block + 1 < plan.k_blocks) {
    return columns_of(plan, tile.batch, tile.first_column, block + 1);
  }
  return columns_of(plan, next.batch, next.first_column, 0);
}

// A panel of columns within a tile.
struct Columns {
  int64_t at;  // from the tile's first
  int count;
  bool full;
  bool direct;     // they are multiplied as they lie, once
  int64_t width;   // of the panel
  const char* panel;  // theirs
};

Ahead following_panel(const Plan& plan, const Tile& tile, const Tile& next, int64_t at, int64_t block) {
  const int64_t width = plan.kernels.width;
  if (plan.direct) {
    return Ahead{plan.packed};
  }
  if (at + width < tile.columns) {
    return ahead_of(plan, tile.batch, tile.first_column + at + width, block);
  }
  if (block + 1 < plan.k_blocks) {
    return ahead_of(plan, tile.batch, tile.first_column, block + 1);
  }
  return ahead_of(plan, next.batch, next.first_column, 0);
}

// Panel `i` of the tile's rows by a panel of columns.
void multiply_panels(const Plan& plan, const Tile& tile, const Tile& next, const Columns& columns, int64_t block, int64_t i, int64_t height, char* packed, const Ahead& ahead,
                     char* to) {
  const Product& product = plan.product;
  const int64_t k = k_of(plan, block);
  const bool first = block == 0;
  if (plan.lying) {
    const RowGroup rows = rows_of(plan, tile.batch, tile.rows.first_panel + i, block);
    // The rows that follow, once: for other columns they are in a near cache.
    const bool more = columns.at == 0 && i + 1 < tile.rows.panels;
    plan.kernels.multiply_rows[height][columns.full](rows.data, rows.stride, columns.panel, k, to, first, more ? rows.data + height * rows.stride : rows.data,
                                                     more ? rows.stride : 0, more ? 4 * rows.stride : 0, more ? 64 : 0);
    return;
  }
  const char* const rows = packed_panel(plan, tile.unit_panel + i, block);
  if (columns.direct && i == 0) {
    plan.kernels.multiply_columns[height](rows, columns_of(plan, tile.batch, tile.first_column + columns.at, block), product.b.row * plan.size, k, to, first, packed,
                                          following_columns(plan, tile, next, columns.at, block));
    return;
  }
  const bool ask = i < ahead.calls;
  plan.kernels.multiply[height][columns.full](rows, columns.panel, units_of(plan, k), to, first, ask ? ahead.of_call(i) : plan.packed, ask ? ahead.part : 0, ask ? ahead.step : 0);
}

// `sums` holds what `multiply` adds up, panel of columns by panel, row by row. Where there is one block of k, the same place serves all panels, and
// stays in the nearest cache. Results are written as soon as they are complete, while what follows is multiplied.
void run_tile(const Plan& plan, const Tile& tile, const Tile& next, char* panel, char* sums) {
  const Finish finish = finish_of(plan.product, tile.batch);
  for (int64_t block = 0; block < plan.k_blocks; ++block) {
    for (int64_t at = 0; at < tile.columns; at += plan.kernels.width) {
      const int count = static_cast<int>(std::min<int64_t>(plan.kernels.width, tile.columns - at));
      const bool full = count > plan.kernels.width / 2;
      const char* const used = plan.ready ? columns_of(plan, tile.batch, tile.first_column + at, block) : panel;
      const Columns columns{at, count, full, plan.direct && count == plan.kernels.width, full ? plan.kernels.width : plan.kernels.width / 2, used};
      if (!plan.ready && !columns.direct) {
        pack_columns(plan, tile.batch, tile.first_column + at, count, static_cast<int>(columns.width), block, panel);
      }
      const Ahead ahead = following_panel(plan, tile, next, at, block);
      char* to = sums + (plan.k_blocks == 1 ? 0 : at * tile.rows.count * plan.size);
      int64_t row = tile.rows.first;
      for (int64_t i = 0; i < tile.rows.panels; ++i) {
        const int64_t height = row_of(plan, tile.rows.first_panel + i + 1) - row;
        const bool last = block + 1 == plan.k_blocks;
        if (last) {
          ask_for_results(finish, row, height, tile.first_column + at, count);
        }
        multiply_panels(plan, tile, next, columns, block, i, height, panel, ahead, to);
        if (last) {
          plan.kernels.finish(finish, to, columns.width, row, height, tile.first_column + at, count);
        }
        to += plan.k_blocks == 1 ? 0 : height * columns.width * plan.size;
        row += height;
      }
    }
  }
}

// Panels of A are not worth their making for few columns. Rows that share a place in the nearest cache would put each other out.
bool rows_may_lie(const Product& product, const ProductKernels& kernels) {
  const auto size = static_cast<int64_t>(element_size(product.dtype));
  return product.pack_a == nullptr && product.a.column == 1 && kernels.unit == 1 && (product.dtype == Dtype::f32 || product.dtype == Dtype::f64) &&
         product.n <= lying_columns_most && product.a.row * size % 2048 != 0;
}

}  // namespace

void run_tiles(const Product& product, const ProductKernels& kernels) {
  Plan plan(product, kernels);
  plan.lying = rows_may_lie(product, kernels);
  const bool in_lines = product.b.column == 1 && (product.b_block != 0 || product.b.row >= product.n);
  plan.direct = !plan.lying && !plan.ready && product.pack_b == nullptr && in_lines && product.b_dtype == Dtype::f32 && kernels.multiply_columns[1] != nullptr;
  const int64_t panels_of_rows = std::max<int64_t>(1, rows_of_tile / kernels.rows);
  plan.row_tiles = (plan.groups + panels_of_rows - 1) / panels_of_rows;
  const int64_t height = (product.m + plan.groups - 1) / plan.groups;
  plan.panel_stride = panel_bytes(plan, height);

  const int64_t all_units = product.batch * plan.row_tiles;
  const int threads = threads_for(product);
  // Fewer rows in a tile where there are not enough tiles for all threads.
  while (plan.row_tiles < plan.groups && product.batch * plan.row_tiles * plan.panels < threads) {
    ++plan.row_tiles;
  }
  const int64_t panels_of_unit = (plan.groups + plan.row_tiles - 1) / plan.row_tiles;
  const int64_t unit_bytes = panels_of_unit * plan.k_blocks * plan.panel_stride;
  const int64_t units_of_round = std::clamp<int64_t>(packed_most * plan.size / unit_bytes, 1, std::max<int64_t>(all_units, 1));
  const int64_t rows_most = panels_of_unit * height;

  const int64_t b_panel_bytes = panel_bytes(plan, kernels.width);
  const int64_t sums_bytes = panels_of_tile * kernels.width * rows_most * plan.size;
  const int64_t own_bytes = b_panel_bytes + whole_lines(sums_bytes);
  Scratch packed(static_cast<size_t>(plan.lying ? 64 : units_of_round * unit_bytes));
  Rooms own(own_bytes, threads);
  plan.packed = packed.as<char>();

  for (int64_t first = 0; first < product.batch * plan.row_tiles; first += units_of_round) {
    plan.first_unit = first;
    plan.units = std::min(units_of_round, product.batch * plan.row_tiles - first);
    const int64_t last = first + plan.units;
    const auto panels_before = [&](int64_t unit) {
      return unit / plan.row_tiles * plan.groups + part(plan.groups, plan.row_tiles, unit % plan.row_tiles);
    };
    const int64_t panels = panels_before(last) - panels_before(first);
    plan.panels_per_tile = even_parts(plan.units, plan.panels, panels_of_tile, threads);
    plan.column_tiles = (plan.panels + plan.panels_per_tile - 1) / plan.panels_per_tile;
    const int64_t tiles = plan.units * plan.column_tiles;
    Shares rows(plan.lying ? 0 : panels);
    Shares shares(tiles);
    Barrier barrier;
    parallel(threads, [&](int index, int count) {
      char* const panel = own.of<char>(index);
      char* const sums = panel + b_panel_bytes;
      rows.each(index, count, [&](int64_t i) { pack_rows(plan, i); });
      barrier.wait(count);
      shares.each(index, count, [&](int64_t now) {
        // Only a guess, for what is asked for ahead: who takes a tile before its time may keep another thread from it.
        run_tile(plan, tile_of(plan, now), tile_of(plan, std::min(now + 1, tiles - 1)), panel, sums);
      });
    });
  }
}

}  // namespace aotwin::runtime::products
