// B is read once, from its first byte to its last, and multiplied where it lies: block after block, block of k after block of k, by all rows of A.
// These are laid out as panels, once, by all threads, where they are more than one tile's; those of one tile stay where they are. Where there are
// rows enough, each thread has some of its own, which no other thread's cache sees, and B is read once for each part of the rows.
#include "block_rows.h"

#include <algorithm>

#include "../core/tensor.h"
#include "../threads/parallel.h"
#include "barrier.h"
#include "blocks.h"
#include "few_rows.h"
#include "own_panels.h"
#include "rooms.h"
#include "shares.h"

namespace aotwin::runtime::products {
namespace {

constexpr int64_t bytes_of_rows = 1 << 20;  // of A, or of a part's: they stay in the second cache
constexpr int64_t few_terms = 96;           // of many rows
constexpr int64_t rows_of_part = 56;        // at least: reading B must not take longer than multiplying by it

int64_t parts_of_rows(const Product& product) {
  return std::clamp<int64_t>(product.m / rows_of_part, 1, threads_for(product));
}

struct Plan : Blocks {
  using Blocks::Blocks;
  int64_t parts = 1;         // of the rows
  int64_t panel_stride = 0;  // bytes between A's panels
  char* packed = nullptr;

  char* panel_at(int64_t batch, int64_t group, int64_t block) const {
    return packed + ((batch * groups + group) * k_blocks + block) * panel_stride;
  }
};

void pack_rows(const Plan& plan, int64_t batch, int64_t group) {
  const int64_t row = row_of(plan, group);
  const int count = static_cast<int>(row_of(plan, group + 1) - row);
  for (int64_t block = 0; block < plan.k_blocks; ++block) {
    pack_operand(plan.kernels, plan.product.a, plan.product.dtype, batch, plan.product.a.row, plan.product.a.column, row, count, count, block * plan.k_block,
                 k_of(plan, block), plan.panel_at(batch, group, block));
  }
}

// A part of a batch element's rows by one block of B, rows as panels. `sums` holds those of a panel after those of another.
void multiply_panels(const Plan& plan, int64_t batch, int64_t of_rows, int64_t column, char* sums) {
  const int64_t first_group = part(plan.groups, plan.parts, of_rows);
  const int64_t last_group = part(plan.groups, plan.parts, of_rows + 1);
  const Finish finish = finish_of(plan.product, batch);
  const int64_t width = plan.kernels.width;
  for (int64_t block = 0; block < plan.k_blocks; ++block) {
    const int64_t k = k_of(plan, block);
    const bool last = block + 1 == plan.k_blocks;
    // What is needed next lies behind this, and is asked for in as many parts as there are calls.
    const int64_t needed = k * block_columns * plan.size;
    const int64_t times = std::max<int64_t>(1, k / 16 * 4);  // in a call
    const int64_t asked = whole_lines(needed / ((last_group - first_group) * (block_columns / width) * times));
    const char* ahead = columns_of(plan, batch, column, block) + needed;
    char* to = sums;
    for (int64_t group = first_group; group < last_group; ++group) {
      const int64_t row = row_of(plan, group);
      const int64_t count = row_of(plan, group + 1) - row;
      for (int64_t at = 0; at < block_columns; at += width, to += count * width * plan.size, ahead += times * asked) {
        if (last) {
          ask_for_results(finish, row, count, column + at, width);
        }
        plan.kernels.multiply_block[count](plan.panel_at(batch, group, block), columns_of(plan, batch, column + at, block), k, to, block == 0, ahead, asked, 0);
        if (last) {
          plan.kernels.finish(finish, to, width, row, count, column + at, static_cast<int>(width));
        }
      }
    }
  }
}

// The same by rows as they lie, which are one tile's.
void multiply_rows(const Plan& plan, int64_t batch, int64_t column, char* sums) {
  for (int64_t block = 0; block < plan.k_blocks; ++block) {
    const RowGroup rows = rows_of(plan, batch, 0, block);
    const char* const columns = columns_of(plan, batch, column, block);
    plan.kernels.multiply_rows_block[rows.count](rows.data, rows.stride, columns, k_of(plan, block), sums, block == 0, columns, 0, 0, 0);
  }
  plan.kernels.finish(finish_of(plan.product, batch), sums, block_columns, 0, plan.product.m, column, block_columns);
}

// The same by blocks [first, last): several at once where they are as many.
void multiply_rows(const Plan& plan, int64_t batch, int64_t first, int64_t last, char* sums) {
  const Product& product = plan.product;
  const auto multiply = plan.kernels.multiply_rows_blocks[product.m];
  if (multiply == nullptr || last - first < blocks_at_once) {
    for (int64_t at = first; at < last; ++at) {
      multiply_rows(plan, batch, at * block_columns, sums);
    }
    return;
  }
  for (int64_t block = 0; block < plan.k_blocks; ++block) {
    const RowGroup rows = rows_of(plan, batch, 0, block);
    multiply(rows.data, rows.stride, columns_of(plan, batch, first * block_columns, block), product.b_block, k_of(plan, block), sums, block == 0);
  }
  const Finish finish = finish_of(product, batch);
  for (int64_t at = first; at < last; ++at, sums += product.m * block_columns * plan.size) {
    plan.kernels.finish(finish, sums, block_columns, 0, product.m, at * block_columns, block_columns);
  }
}

}  // namespace

bool suits_block_rows(const Product& product, const ProductKernels& kernels) {
  // With few terms the time is that of results, which one block has a little of in each row: panels of a task's own write them side by side.
  const bool many = product.m >= own_panels_least;
  const bool mostly_results = product.k <= few_terms && many;
  const int64_t most = bytes_of_rows * (many ? 1 : parts_of_rows(product));
  return product.b_block != 0 && !mostly_results && kernels.multiply_block[1] != nullptr && product.dtype == Dtype::f32 && product.a.column == 1 &&
         product.finish.column == 1 && product.batch * product.m * product.k * 4 <= most;
}

void run_block_rows(const Product& product, const ProductKernels& kernels) {
  Plan plan(product, kernels);
  const int64_t blocks = product.n / block_columns;
  const int threads = threads_for(product);
  plan.parts = parts_of_rows(product);
  plan.cut_rows((plan.groups + plan.parts - 1) / plan.parts * plan.parts);  // no part has more than another
  const int64_t groups = plan.groups == 1 && kernels.multiply_rows_block[product.m] != nullptr ? 0 : product.batch * plan.groups;
  const int64_t units = product.batch * plan.parts;
  const int64_t together = groups == 0 && kernels.multiply_rows_blocks[product.m] != nullptr ? blocks_at_once : 1;
  const int64_t runs = (blocks + together - 1) / together;  // of blocks, each of which is a task by one unit's rows: who is delayed gets fewer
  plan.panel_stride = panel_bytes(plan, (product.m + plan.groups - 1) / plan.groups);
  const int64_t sums_bytes = product.m * together * block_columns * plan.size;
  Scratch packed(static_cast<size_t>(groups * plan.k_blocks * plan.panel_stride));
  Rooms sums(sums_bytes, threads);
  plan.packed = packed.as<char>();
  Shares packing(groups);
  Shares shares(units * runs);
  Barrier barrier;
  parallel(threads, [&](int index, int count) {
    packing.each(index, count, [&](int64_t group) { pack_rows(plan, group / plan.groups, group % plan.groups); });
    if (groups != 0) {
      barrier.wait(count);
    }
    char* const own = sums.of<char>(index);
    shares.each(index, count, [&](int64_t task) {
      const int64_t unit = task / runs;
      const int64_t first = task % runs * together;
      if (groups == 0) {
        multiply_rows(plan, unit, first, std::min(blocks, first + together), own);
      } else {
        multiply_panels(plan, unit / plan.parts, unit % plan.parts, first * block_columns, own);
      }
    });
  });
}

}  // namespace aotwin::runtime::products
