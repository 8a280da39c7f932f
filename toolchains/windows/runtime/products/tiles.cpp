// The order of work. A is packed once, by all threads, in blocks of k; then each tile of results (some hundred rows by a few panels of
// columns) is one thread's: it packs its panels of B, block of k by block of k, multiplies them with A's while they are in the nearest
// cache, keeps the sums beside them, and finishes when the last block of k is in. A tile's sums depend on nothing but the shape.
#include "tiles.h"

#include <algorithm>
#include <atomic>

#include "../core/tensor.h"
#include "../threads/parallel.h"
#include "barrier.h"
#include "few_rows.h"
#include "packing.h"

namespace aotwin::runtime::products {
namespace {

constexpr int64_t rows_of_tile = 280;       // A's block of a tile: 290 kB of the second cache
constexpr int64_t panels_of_tile = 4;
constexpr int64_t packed_most = 8 << 20;    // elements of A that are packed at a time
constexpr int64_t slack = 16;               // elements that pack_lanes writes past a panel
constexpr int64_t work_per_thread = 1 << 16;

struct Plan {
  Plan(const Product& of, const ProductKernels& with) : product(of), kernels(with) {}
  const Product& product;
  const ProductKernels& kernels;
  int64_t size = 4;  // bytes of an element of the sums
  int64_t k_blocks = 1;
  int64_t k_block = 0;  // all but the last
  int64_t row_tiles = 1;  // of one batch element
  int64_t row_panels = 1;
  int64_t column_panels = 1;
  int64_t panels_per_tile = 1;
  int64_t column_tiles = 1;
  int64_t panel_stride = 0;  // bytes between A's panels
  bool direct = false;       // B's panels are made while the first rows are multiplied by them
  // Of this round
  int64_t first_unit = 0;  // (batch, row tile)
  int64_t units = 0;
  char* packed = nullptr;
};

int64_t k_of(const Plan& plan, int64_t block) {
  return std::min(plan.k_block, plan.product.k - block * plan.k_block);
}

// Rows and panels are spread evenly: [0, m) in row_tiles tiles, each tile in panels of nearly the same height.
struct Rows {
  int64_t first;
  int64_t count;
  int64_t first_panel;  // within the batch element
  int64_t panels;
};
Rows rows_of(const Plan& plan, int64_t tile) {
  const int64_t panel = part(plan.row_panels, plan.row_tiles, tile);
  const int64_t next = part(plan.row_panels, plan.row_tiles, tile + 1);
  const int64_t row = part(plan.product.m, plan.row_panels, panel);
  return {row, part(plan.product.m, plan.row_panels, next) - row, panel, next - panel};
}

char* packed_panel(const Plan& plan, int64_t unit_panel, int64_t block) {
  return plan.packed + (unit_panel * plan.k_blocks + block) * plan.panel_stride;
}

// Elements of a panel of that many k.
int64_t units_of(const Plan& plan, int64_t k) {
  return (k + plan.kernels.unit - 1) / plan.kernels.unit;
}

// Panel `index` of this round, every block of k.
void pack_rows(const Plan& plan, int64_t index) {
  const Product& product = plan.product;
    // Units of a round are whole row tiles; panels are numbered through them.
  const int64_t batch = plan.first_unit / plan.row_tiles;
  const int64_t start = rows_of(plan, plan.first_unit % plan.row_tiles).first_panel;
  const int64_t absolute = start + index;
  const int64_t panel = absolute % plan.row_panels;
  const int64_t at_batch = batch + absolute / plan.row_panels;
  const int64_t row = part(product.m, plan.row_panels, panel);
  const int count = static_cast<int>(part(product.m, plan.row_panels, panel + 1) - row);
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

// Where columns of B begin.
const char* columns_of(const Plan& plan, int64_t batch, int64_t column, int64_t block) {
  const Product& product = plan.product;
  const int64_t at = batch * product.b.batch + column * product.b.column + block * plan.k_block * product.b.row;
  return static_cast<const char*>(product.b.data) + at * static_cast<int64_t>(element_size(product.b_dtype));
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
  const auto size = static_cast<int64_t>(element_size(product.b_dtype));
  Ahead ahead;
  ahead.data = plan.packed;
  if (product.pack_b != nullptr || column >= product.n || block >= plan.k_blocks) {
    return ahead;
  }
  const char* const from = columns_of(plan, batch, column, block);
  const int64_t width = std::min<int64_t>(plan.kernels.width, product.n - column);
  if (product.b.row == 1) {  // four columns a call
    ahead.data = from;
    ahead.part = product.b.column * size;
    ahead.step = 64 * size * plan.kernels.unit / plan.size;
    ahead.call = 4 * ahead.part;
    ahead.calls = width / 4;
  } else if (product.b.column == 1) {  // one line of each row
    const int64_t rows_of_call = units_of(plan, k_of(plan, block)) * plan.size / 64 * 4;
    ahead.data = from;
    ahead.part = product.b.row * size;
    ahead.step = 4 * ahead.part;
    ahead.lines = std::max<int64_t>(1, width * size / 64);
    ahead.call = rows_of_call * ahead.part;
    ahead.calls = rows_of_call == 0 ? 0 : ahead.lines * (k_of(plan, block) / rows_of_call);
  }
  return ahead;
}

void pack_columns(const Plan& plan, int64_t batch, int64_t column, int count, int width, int64_t block, void* panel) {
  const Product& product = plan.product;
  if (product.pack_b != nullptr) {
    product.pack_b(product, batch, column, count, width, block * plan.k_block, k_of(plan, block), panel);
  } else {
    pack_operand(plan.kernels, product.b, product.b_dtype, batch, product.b.column, product.b.row, column, count, width, block * plan.k_block, k_of(plan, block), panel);
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
  const int64_t before = plan.first_unit / plan.row_tiles * plan.row_panels + rows_of(plan, plan.first_unit % plan.row_tiles).first_panel;
  tile.unit_panel = tile.batch * plan.row_panels + tile.rows.first_panel - before;
  const int64_t width = plan.kernels.width;
  tile.first_column = part(plan.column_panels, plan.column_tiles, column_tile) * width;
  tile.columns = std::min(plan.product.n, part(plan.column_panels, plan.column_tiles, column_tile + 1) * width) - tile.first_column;
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

// `sums` holds, panel of columns by panel, row by row, what `multiply` adds up.
void run_tile(const Plan& plan, const Tile& tile, const Tile& next, char* panel, char* sums) {
  const Product& product = plan.product;
  const int64_t width = plan.kernels.width;
  for (int64_t block = 0; block < plan.k_blocks; ++block) {
    const int64_t k = k_of(plan, block);
    for (int64_t at = 0; at < tile.columns; at += width) {
      const int64_t column = tile.first_column + at;
      const int count = static_cast<int>(std::min(width, tile.columns - at));
      const int full = count > width / 2 ? 1 : 0;
      const int64_t now = full != 0 ? width : width / 2;
      const bool direct = plan.direct && count == width;
      if (!direct) {
        pack_columns(plan, tile.batch, column, count, static_cast<int>(now), block, panel);
      }
      const Ahead ahead = plan.direct                      ? Ahead{plan.packed}
                          : at + width < tile.columns       ? ahead_of(plan, tile.batch, column + width, block)
                          : block + 1 < plan.k_blocks ? ahead_of(plan, tile.batch, tile.first_column, block + 1)
                                                      : ahead_of(plan, next.batch, next.first_column, 0);
      char* to = sums + at * tile.rows.count * plan.size;
      int64_t row = tile.rows.first;
      for (int64_t i = 0; i < tile.rows.panels; ++i) {
        const int64_t after = part(product.m, plan.row_panels, tile.rows.first_panel + i + 1);
        const int64_t height = after - row;
        const bool ask = i < ahead.calls;
        if (direct && i == 0) {
          plan.kernels.multiply_columns[height](packed_panel(plan, tile.unit_panel, block), columns_of(plan, tile.batch, column, block),
                                                product.b.row * static_cast<int64_t>(sizeof(float)), k, to, block == 0, panel,
                                                following_columns(plan, tile, next, at, block));
          to += height * now * plan.size;
          row = after;
          continue;
        }
        plan.kernels.multiply[height][full](packed_panel(plan, tile.unit_panel + i, block), panel, units_of(plan, k), to, block == 0, ask ? ahead.of_call(i) : plan.packed,
                                            ask ? ahead.part : 0, ask ? ahead.step : 0);
        to += height * now * plan.size;
        row = after;
      }
    }
  }
  const Finish finish = finish_of(product, tile.batch);
  for (int64_t at = 0; at < tile.columns; at += width) {
    const int count = static_cast<int>(std::min(width, tile.columns - at));
    const int64_t now = count > width / 2 ? width : width / 2;
    const char* from = sums + at * tile.rows.count * plan.size;
    plan.kernels.finish(finish, from, now, tile.rows.first, tile.rows.count, tile.first_column + at, count);
  }
}

}  // namespace

void run_tiles(const Product& product, const ProductKernels& kernels) {
  Plan plan(product, kernels);
  plan.size = product.dtype == Dtype::f64 ? 8 : 4;
  const int64_t most = kernels.k_most;
  plan.k_blocks = (product.k + most - 1) / most;
  // Even blocks, in steps of a cache line.
  plan.k_block = plan.k_blocks == 1 ? product.k : ((product.k + plan.k_blocks - 1) / plan.k_blocks + 15) / 16 * 16;
  plan.k_blocks = (product.k + plan.k_block - 1) / plan.k_block;
  plan.direct = product.pack_b == nullptr && product.b.column == 1 && product.b.row >= product.n && product.b_dtype == Dtype::f32 && kernels.multiply_columns[1] != nullptr;
  plan.row_panels = (product.m + kernels.rows - 1) / kernels.rows;
  plan.column_panels = (product.n + kernels.width - 1) / kernels.width;
  const int64_t panels_of_rows = std::max<int64_t>(1, rows_of_tile / kernels.rows);
  plan.row_tiles = (plan.row_panels + panels_of_rows - 1) / panels_of_rows;
  const int64_t height = (product.m + plan.row_panels - 1) / plan.row_panels;
  plan.panel_stride = (height * units_of(plan, plan.k_block) + slack) * plan.size;
  plan.panel_stride = (plan.panel_stride + 63) / 64 * 64;

  const int64_t all_units = product.batch * plan.row_tiles;
  const double work = static_cast<double>(product.batch * product.m) * static_cast<double>(product.n) * static_cast<double>(product.k);
  const int threads = static_cast<int>(std::max<int64_t>(1, std::min<int64_t>(thread_count(), static_cast<int64_t>(work / work_per_thread))));
  // Fewer rows in a tile where there are not enough tiles for all threads.
  while (plan.row_tiles < plan.row_panels && product.batch * plan.row_tiles * plan.column_panels < threads) {
    ++plan.row_tiles;
  }
  const int64_t panels_of_unit = (plan.row_panels + plan.row_tiles - 1) / plan.row_tiles;
  const int64_t unit_bytes = panels_of_unit * plan.k_blocks * plan.panel_stride;
  const int64_t units_of_round = std::clamp<int64_t>(packed_most * plan.size / unit_bytes, 1, std::max<int64_t>(all_units, 1));
  const int64_t rows_most = panels_of_unit * height;

  const int64_t panel_bytes = (kernels.width * units_of(plan, plan.k_block) + slack) * plan.size;
  const int64_t sums_bytes = panels_of_tile * kernels.width * rows_most * plan.size;
  const int64_t own_bytes = (panel_bytes + sums_bytes + 127) / 64 * 64;
  Scratch packed(static_cast<size_t>(units_of_round * unit_bytes));
  Scratch own(static_cast<size_t>(own_bytes * threads));
  plan.packed = packed.as<char>();

  for (int64_t first = 0; first < product.batch * plan.row_tiles; first += units_of_round) {
    plan.first_unit = first;
    plan.units = std::min(units_of_round, product.batch * plan.row_tiles - first);
    const int64_t last = first + plan.units;
    const auto panels_before = [&](int64_t unit) {
      return unit / plan.row_tiles * plan.row_panels + part(plan.row_panels, plan.row_tiles, unit % plan.row_tiles);
    };
    const int64_t panels = panels_before(last) - panels_before(first);
    plan.panels_per_tile = even_parts(plan.units, plan.column_panels, panels_of_tile, threads);
    plan.column_tiles = (plan.column_panels + plan.panels_per_tile - 1) / plan.panels_per_tile;
    const int64_t tiles = plan.units * plan.column_tiles;
    std::atomic<int64_t> next_panel{0};
    std::atomic<int64_t> next_tile{0};
    Barrier barrier;
    parallel(threads, [&](int index, int count) {
      char* const panel = own.as<char>() + index * own_bytes;
      char* const sums = panel + (panel_bytes + 63) / 64 * 64;
      for (int64_t i = next_panel.fetch_add(1); i < panels; i = next_panel.fetch_add(1)) {
        pack_rows(plan, i);
      }
      barrier.wait(count);
      for (int64_t now = next_tile.fetch_add(1); now < tiles; now = next_tile.fetch_add(1)) {
        const Tile tile = tile_of(plan, now);
        const Tile following = tile_of(plan, std::min(now + count, tiles - 1));  // most likely
        run_tile(plan, tile, following, panel, sums);
      }
    });
  }
}

}  // namespace aotwin::runtime::products
