#include "blocks.h"

#include "../threads/parallel.h"

namespace aotwin::runtime::products {
namespace {

constexpr int64_t work_per_thread = 1 << 16;  // products

int64_t parts_of(int64_t whole, int64_t part) {
  return (whole + part - 1) / part;
}

}  // namespace

Blocks::Blocks(const Product& of, const ProductKernels& with)
    : product(of), kernels(with), size(of.dtype == Dtype::f64 ? 8 : 4), k_blocks(parts_of(of.k, with.k_most)), k_block(of.k), groups(parts_of(of.m, with.rows)),
      panels(parts_of(of.n, with.width)) {
  if (k_blocks > 1) {
    // In steps of a cache line.
    k_block = parts_of(parts_of(of.k, k_blocks), 16) * 16;
    k_blocks = parts_of(of.k, k_block);
  }
}

RowGroup rows_of(const Blocks& blocks, int64_t batch, int64_t group, int64_t block) {
  const Product& product = blocks.product;
  const auto element = static_cast<int64_t>(element_size(product.dtype));
  const int64_t row = part(product.m, blocks.groups, group);
  return {static_cast<const char*>(product.a.data) + (batch * product.a.batch + row * product.a.row + block * blocks.k_block) * element, product.a.row * element,
          part(product.m, blocks.groups, group + 1) - row};
}

void pack_panel(const Blocks& blocks, int64_t batch, int64_t panel, int64_t block, char* to) {
  const Product& product = blocks.product;
  pack_operand(blocks.kernels, product.b, product.b_dtype, batch, product.b.column, product.b.row, panel * blocks.kernels.width,
               static_cast<int>(lanes_of(blocks, panel)), static_cast<int>(width_of(blocks, panel)), block * blocks.k_block, k_of(blocks, block), to);
}

int threads_for(const Product& product) {
  const double work = static_cast<double>(product.batch * product.m) * static_cast<double>(product.n) * static_cast<double>(product.k);
  return static_cast<int>(std::max<int64_t>(1, std::min<int64_t>(thread_count(), static_cast<int64_t>(work / work_per_thread))));
}

}  // namespace aotwin::runtime::products
