#include "product.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "../core/tensor.h"
#include "../threads/parallel.h"
#include "block_rows.h"
#include "few_rows.h"
#include "lying_rows.h"
#include "own_panels.h"
#include "strassen.h"
#include "tiles.h"

namespace aotwin::runtime::products {
namespace {

// Results as rows: what lies by columns is the transposed product, with A and B in each other's place.
Product transposed(const Product& product) {
  Product other = product;
  std::swap(other.m, other.n);
  other.a = {product.b.data, product.b.batch, product.b.column, product.b.row};
  other.b = {product.a.data, product.a.batch, product.a.column, product.a.row};
  std::swap(other.pack_a, other.pack_b);
  std::swap(other.dtype, other.b_dtype);
  std::swap(other.finish.row, other.finish.column);
  for (Addend& addend : other.finish.addends) {
    std::swap(addend.row, addend.column);
  }
  return other;
}

// No terms: sums of zero.
void run_empty(const Product& product, const ProductKernels& kernels) {
  alignas(64) static constexpr double zeros[512] = {};
  for (int64_t batch = 0; batch < product.batch; ++batch) {
    const Finish finish = finish_of(product, batch);
    for (int64_t column = 0; column < product.n; column += 512) {
      kernels.finish(finish, zeros, 0, 0, product.m, column, static_cast<int>(std::min<int64_t>(512, product.n - column)));
    }
  }
}

}  // namespace

Finish finish_of(const Product& product, int64_t batch) {
  Finish finish = product.finish;
  finish.out = static_cast<char*>(finish.out) + batch * product.out_batch * static_cast<int64_t>(element_size(finish.dtype));
  const int64_t of_addend = product.addend_period != 0 ? batch % product.addend_period : batch;
  for (int i = 0; i < 2; ++i) {
    Addend& addend = finish.addends[i];
    if (addend.data != nullptr) {
      addend.data = static_cast<const char*>(addend.data) + of_addend * product.addend_batch[i] * static_cast<int64_t>(element_size(addend.dtype));
    }
  }
  return finish;
}

const ProductKernels& kernels_for(Dtype dtype, Dtype b_dtype, bool pairs) {
  if (dtype == Dtype::f64) {
    return double_kernels();
  }
  if (dtype == Dtype::i8 || dtype == Dtype::u8) {
    return byte_kernels();
  }
  const ProductKernels* const bfloats = bfloat_kernels();
  return pairs && bfloats != nullptr && dtype == Dtype::bf16 && b_dtype == Dtype::bf16 ? *bfloats : float_kernels();
}

void run(const Product& given) {
  if (given.batch == 0 || given.m == 0 || given.n == 0) {
    return;
  }
  const ProductKernels& kernels = given.kernels != nullptr ? *given.kernels : kernels_for(given.dtype, given.b_dtype, true);
  if (given.k == 0) {
    run_empty(given, kernels);
    return;
  }
  const bool plain = given.pack_a == nullptr && given.pack_b == nullptr;
  // Few columns are few rows of the transposed product; else what makes rows of results contiguous.
  const bool by_columns = given.finish.column != 1 && given.finish.row == 1;
  bool swap = by_columns && given.b_block == 0;
  if (plain && given.b_block == 0 && given.n != given.m) {
    const bool few_columns = given.n <= few_rows_most && given.n < given.m;
    const bool few_rows = given.m <= few_rows_most && given.m < given.n;
    swap = few_columns || (!few_rows && by_columns);
  }
  const Product product = swap && plain ? transposed(given) : given;
  // bfloat16 by pairs has no kernels for a few rows: those of float do, as the time is that of reading.
  const bool bytes = given.dtype == Dtype::i8 || given.dtype == Dtype::u8;
  const bool few = product.b_block == 0 && product.m <= lying_rows_most && product.n >= product.m && product.finish.column == 1;
  const bool lying = few && can_lie(product.b.row, product.b.column, product, kernels);
  // Numbers that are widened first are widened best in registers.
  const bool wide = product.dtype == Dtype::f32 || product.dtype == Dtype::f64;
  const bool by_dots = product.b_block == 0 && (!lying || product.m <= (wide ? dot_rows_most : pair_rows_most));
  if (plain && !bytes && by_dots && run_few_rows(product, given.dtype == Dtype::f64 ? double_kernels() : float_kernels(), kernels)) {
    return;
  }
  if (plain && !bytes && lying) {
    run_lying_rows(transposed(product), kernels);
    return;
  }
  if (suits_strassen(product)) {
    run_strassen(product, kernels);
    return;
  }
  if (plain && suits_block_rows(product, kernels)) {
    run_block_rows(product, kernels);
    return;
  }
  if (plain && !bytes && suits_own_panels(product, kernels)) {
    run_own_panels(product, kernels);
    return;
  }
  run_tiles(product, kernels);
}

}  // namespace aotwin::runtime::products
