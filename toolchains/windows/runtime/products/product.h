// out[b] = finish(A[b] B[b]): the one way by which all products with floating point sums are computed, whatever their layout.
#pragma once

#include <cstdint>

#include "../core/dtype.h"
#include "kernels.h"

namespace aotwin::runtime::products {

// Elements of [batch, row, column]; strides in elements, 0 to repeat.
struct Operand {
  const void* data = nullptr;
  int64_t batch = 0;
  int64_t row = 0;
  int64_t column = 0;
};

// Columns of B may lie in blocks of so many, k after k, each block apart from the next: what AVX-512's kernels take for a panel.
inline constexpr int64_t block_columns = 32;

struct Product;
// Lays out rows [row, row + count) of A (or columns of B, up to `width`) for k in [first, first + k) as a panel, see kernels.h.
using PackPanel = void (*)(const Product& product, int64_t batch, int64_t row, int count, int width, int64_t first, int64_t k, void* panel);

struct Product {
  int64_t batch = 1;
  int64_t m = 0;
  int64_t n = 0;
  int64_t k = 0;
  Dtype dtype = Dtype::f32;    // of A: f32, bf16, f16 (sums in float), f64, and i8 or u8 (results in int32)
  Dtype b_dtype = Dtype::f32;  // of B: A's, but i8 goes with each of f32, bf16, f16, u8
  Operand a;                 // [m, k]
  Operand b;                 // [k, n]
  int64_t b_block = 0;       // not 0: elements between blocks of B's columns, which are next to each other within a block
  uint8_t* b_pairs = nullptr;  // not null: a byte for each two of these blocks, 0 at first, where it is kept what is found out about them: strassen.cpp
  Finish finish;
  int64_t out_batch = 0;
  int64_t addend_batch[2] = {0, 0};
  int64_t addend_period = 0;  // not 0: batch elements that many apart have the same addends
  // Where operands are no matrices in memory: who makes their panels. Then a and b mean what these functions take them for.
  PackPanel pack_a = nullptr;
  PackPanel pack_b = nullptr;
  const void* context = nullptr;
  const ProductKernels* kernels = nullptr;  // whose panels pack_a and pack_b make; null: run() chooses
};

// Sums are made in one order, whatever the number of threads. `out` must not overlap A or B, and an addend only if it is `out`
// itself, element by element.
void run(const Product& product);
// What run() would choose. `pairs`: whether k can be cut into pairs.
const ProductKernels& kernels_for(Dtype dtype, Dtype b_dtype, bool pairs);

}  // namespace aotwin::runtime::products
