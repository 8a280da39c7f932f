// How the orders of work cut a product up: k into even blocks, A's rows into groups, B's columns into panels (kernels.h).
#pragma once

#include "packing.h"

namespace aotwin::runtime::products {

struct Blocks {
  Blocks(const Product& of, const ProductKernels& with);
  void cut_rows(int64_t into);  // so many groups
  const Product& product;
  const ProductKernels& kernels;
  int64_t size;  // bytes of an element of the sums
  int64_t a_size;
  int64_t b_size;
  int64_t k_blocks;
  int64_t k_block;  // all but the last
  int64_t groups;   // of rows, of nearly the same height
  int64_t height;   // of a group; the first `higher` of them have one row more
  int64_t higher;
  int64_t panels;   // of columns
  bool ready;       // B lies as panels
};

inline int64_t k_of(const Blocks& blocks, int64_t block) {
  return std::min(blocks.k_block, blocks.product.k - block * blocks.k_block);
}
// Elements of a lane of a panel of that many k.
inline int64_t units_of(const Blocks& blocks, int64_t k) {
  return (k + blocks.kernels.unit - 1) / blocks.kernels.unit;
}
inline int64_t lanes_of(const Blocks& blocks, int64_t panel) {
  return std::min<int64_t>(blocks.kernels.width, blocks.product.n - panel * blocks.kernels.width);
}
// A whole panel, or half of one.
inline int64_t width_of(const Blocks& blocks, int64_t panel) {
  return lanes_of(blocks, panel) > blocks.kernels.width / 2 ? blocks.kernels.width : blocks.kernels.width / 2;
}
// Bytes of a panel of one block of k, `lanes` wide, in whole cache lines.
inline int64_t panel_bytes(const Blocks& blocks, int64_t lanes) {
  return whole_lines((lanes * units_of(blocks, blocks.k_block) + panel_slack) * blocks.size);
}

// Where a group of rows begins.
inline int64_t row_of(const Blocks& blocks, int64_t group) {
  return blocks.height * group + std::min(group, blocks.higher);
}

// Rows of A as they lie, one block of k.
struct RowGroup {
  const char* data;
  int64_t stride;  // bytes
  int64_t count;
};
RowGroup rows_of(const Blocks& blocks, int64_t batch, int64_t group, int64_t block);

// Where columns of B begin, one block of k.
const char* columns_of(const Blocks& blocks, int64_t batch, int64_t column, int64_t block);

// Lays out a panel of B, one block of k.
void pack_panel(const Blocks& blocks, int64_t batch, int64_t panel, int64_t block, char* to);

// Asks for where results go, and for what is added to them: their lines are apart, and nobody else asks in time.
void ask_for_results(const Finish& finish, int64_t row, int64_t rows, int64_t column, int64_t columns);

// Threads that a product is worth.
int threads_for(const Product& product);

}  // namespace aotwin::runtime::products
