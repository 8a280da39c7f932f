#include "blocks.h"

#include "../threads/parallel.h"

namespace aotwin::runtime::products {
namespace {

constexpr int64_t work_per_thread = 1 << 16;  // products

}  // namespace

Blocks::Blocks(const Product& of, const ProductKernels& with)
    : product(of), kernels(with), size(of.dtype == Dtype::f64 ? 8 : 4), a_size(static_cast<int64_t>(element_size(of.dtype))),
      b_size(static_cast<int64_t>(element_size(of.b_dtype))), k_blocks(parts_of(of.k, with.k_most)), k_block(of.k), panels(parts_of(of.n, with.width)),
      ready(of.b_block != 0 && with.width == block_columns) {
  cut_rows(parts_of(of.m, with.rows));
  if (k_blocks > 1) {
    // In steps of a cache line.
    k_block = parts_of(parts_of(of.k, k_blocks), 16) * 16;
    k_blocks = parts_of(of.k, k_block);
  }
}

void Blocks::cut_rows(int64_t into) {
  groups = into;
  height = into == 0 ? 0 : product.m / into;
  higher = into == 0 ? 0 : product.m % into;
}

RowGroup rows_of(const Blocks& blocks, int64_t batch, int64_t group, int64_t block) {
  const Product& product = blocks.product;
  const int64_t row = row_of(blocks, group);
  return {static_cast<const char*>(product.a.data) + (batch * product.a.batch + row * product.a.row + block * blocks.k_block) * blocks.a_size, product.a.row * blocks.a_size,
          row_of(blocks, group + 1) - row};
}

const char* columns_of(const Blocks& blocks, int64_t batch, int64_t column, int64_t block) {
  const Product& product = blocks.product;
  const int64_t first = product.b_block != 0 ? column / block_columns * product.b_block + column % block_columns : column * product.b.column;
  const int64_t at = batch * product.b.batch + first + block * blocks.k_block * product.b.row;
  return static_cast<const char*>(product.b.data) + at * blocks.b_size;
}

void pack_panel(const Blocks& blocks, int64_t batch, int64_t panel, int64_t block, char* to) {
  const Product& product = blocks.product;
  if (product.b_block != 0) {
    blocks.kernels.pack_columns(product.b_dtype, to, columns_of(blocks, batch, panel * blocks.kernels.width, block), product.b.row,
                                static_cast<int>(lanes_of(blocks, panel)), static_cast<int>(width_of(blocks, panel)), k_of(blocks, block));
    return;
  }
  pack_operand(blocks.kernels, product.b, product.b_dtype, batch, product.b.column, product.b.row, panel * blocks.kernels.width,
               static_cast<int>(lanes_of(blocks, panel)), static_cast<int>(width_of(blocks, panel)), block * blocks.k_block, k_of(blocks, block), to);
}

void ask_for_results(const Finish& finish, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  const auto ask = [&](const void* data, int64_t stride, Dtype dtype) {
    const auto size = static_cast<int64_t>(element_size(dtype));
    const char* at = static_cast<const char*>(data) + (row * stride + column) * size;
    for (int64_t i = 0; i < rows; ++i, at += stride * size) {
      for (int64_t byte = 0; byte < columns * size; byte += 64) {
        __builtin_prefetch(at + byte, 0, 3);
      }
    }
  };
  // Behind an activation of many operations stores keep nobody waiting.
  if (finish.column == 1 && (finish.activation == Activation::none || finish.activation == Activation::relu)) {
    ask(finish.out, finish.row, finish.dtype);
  }
  const Addend& other = finish.addends[1];
  if (other.data != nullptr && other.column == 1 && other.row != 0 && other.data != finish.out) {
    ask(other.data, other.row, other.dtype);
  }
}

int threads_for(const Product& product) {
  const double work = static_cast<double>(product.batch * product.m) * static_cast<double>(product.n) * static_cast<double>(product.k);
  return static_cast<int>(std::max<int64_t>(1, std::min<int64_t>(thread_count(), static_cast<int64_t>(work / work_per_thread))));
}

}  // namespace aotwin::runtime::products
