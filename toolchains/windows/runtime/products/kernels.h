// The inner loops of products, as tables of functions: one table per type of sums and CPU level.
//
// A product is cut into panels. A panel of A holds up to `rows` of its rows, one of B `width` (or half as many) of its columns, both
// laid out k after k and converted to the type of the sums: panel[k * width + lane]. `multiply` makes a tile of sums from two panels.
#pragma once

#include <cstdint>

#include "../core/dtype.h"

namespace aotwin::runtime::products {

inline constexpr int most_rows = 14;
inline constexpr int blocks_at_once = 4;

enum class Activation : int32_t { none, relu, sigmoid, tanh, silu, gelu, gelu_tanh, hardswish, hardsigmoid, leaky_relu, clamp };

// How an addend (or factor) of the shape [M, N] lies; a stride of 0 repeats it.
struct Addend {
  const void* data = nullptr;
  int64_t row = 0;
  int64_t column = 0;
  Dtype dtype = Dtype::f32;
  double scale = 1;
  bool multiply = false;
};

// From sums to results: activation(alpha * sum + scale0 * addend0 (+ or *) scale1 * addend1), rounded once.
struct Finish {
  void* out = nullptr;
  int64_t row = 0;
  int64_t column = 1;
  Dtype dtype = Dtype::f32;
  double alpha = 1;
  Addend addends[2];
  Activation activation = Activation::none;
  double first = 0;  // the activation's scalars
  double second = 0;
};

struct ProductKernels {
  int rows;
  int width;
  int unit;        // elements of k in one of a panel's: 2 where pairs are multiplied at once; then all k below counts elements, and an odd
                   // last one has a zero beside it
  int64_t k_most;  // of a panel: such that one of B stays in the nearest cache
  // Here k counts the panel's elements. tile[row * panel_width + column], panel_width being width / 2 for multiply[..][0] and width for multiply[..][1]. Adds to the tile
  // unless `first`. Meanwhile asks for memory that is needed soon: for each cache line's worth of k, the four lines ahead + i * ahead_part,
  // and then ahead_step further.
  using Multiply = void (*)(const void* a, const void* b, int64_t k, void* tile, bool first, const char* ahead, int64_t ahead_part, int64_t ahead_step);
  Multiply multiply[most_rows + 1][2];
  // The same, but of rows of A as they lie: in the panels' elements, k after k, `stride` bytes apart. Asks for sixteen lines each time: the
  // four, and those `ahead_more` bytes further, three times.
  using MultiplyRows = void (*)(const void* rows, int64_t stride, const void* b, int64_t k, void* tile, bool first, const char* ahead, int64_t ahead_part,
                                int64_t ahead_more, int64_t ahead_step);
  MultiplyRows multiply_rows[most_rows + 1][2];
  // The first for half of a block's columns or for all of them, whichever are `width`, as they lie: see block_columns. Asks, four times for each
  // cache line's worth of k, for ahead_part bytes, from `ahead` on. Only for float32; else null.
  Multiply multiply_block[most_rows + 1];
  // The second for all of a block's columns. Asks for what lies some pages behind those it reads. Null where there are too few registers.
  MultiplyRows multiply_rows_block[most_rows + 1];
  // The same by blocks_at_once blocks, `block` elements apart; sums of one after those of another. Null where there are too few registers.
  using MultiplyBlocks = void (*)(const void* rows, int64_t stride, const void* b, int64_t block, int64_t k, void* tile, bool first);
  MultiplyBlocks multiply_rows_blocks[most_rows + 1];
  // The same of `width` columns of B as they lie, next to each other, `stride` bytes between two k; writes their panel besides. `next`: where
  // the columns that follow begin. Only for float32 in sums of float; else null.
  using MultiplyColumns = void (*)(const void* a, const void* columns, int64_t stride, int64_t k, void* tile, bool first, void* panel, const char* next);
  MultiplyColumns multiply_columns[most_rows + 1];

  // Panels from memory of the given dtype, missing lanes (from `count` to `width`) as zeros.
  // k after k contiguous in memory, one pointer per lane. May write up to 16 elements past the end of the panel.
  void (*pack_lanes)(Dtype dtype, void* panel, const void* const* lanes, int count, int width, int64_t k);
  // Lanes next to each other in memory.
  void (*pack_columns)(Dtype dtype, void* panel, const void* from, int64_t k_stride, int count, int width, int64_t k);
  // Neither.
  void (*pack_any)(Dtype dtype, void* panel, const void* from, int64_t lane_stride, int64_t k_stride, int count, int width, int64_t k);

  // Few rows of A, which lie in the type of the sums. out[i * out_stride + j] = sum over k of a[i * a_stride + k] * b[..].
  // dot: rows of B are contiguous over k; axpy: over the columns j (b_stride is then that between two k), adding to out.
  void (*dot)(Dtype dtype, const void* a, int64_t a_stride, int m, const void* b, int64_t b_stride, int64_t n, int64_t k, void* out, int64_t out_stride);
  // dot for rows of B that are in a near cache: nothing is asked for. Only of float; else null.
  decltype(dot) dot_near;
  void (*axpy)(Dtype dtype, const void* a, int64_t a_stride, int m, const void* b, int64_t b_stride, int64_t n, int64_t k, void* out, int64_t out_stride);

  // The sums of `rows` rows from `row` on, of each `count` (at most 512) from `column` on. Those of a row follow each other; `stride` is
  // that of rows.
  void (*finish)(const Finish& finish, const void* sums, int64_t stride, int64_t row, int64_t rows, int64_t column, int count);
};

namespace level3 {
extern const ProductKernels float_kernels;
extern const ProductKernels double_kernels;
extern const ProductKernels byte_kernels;
}  // namespace level3
namespace level4 {
extern const ProductKernels float_kernels;
extern const ProductKernels double_kernels;
extern const ProductKernels byte_kernels;
extern const ProductKernels fused_byte_kernels;
extern const ProductKernels bfloat_kernels;
}  // namespace level4

// Those of this CPU.
const ProductKernels& float_kernels();   // from float32, float16, bfloat16, int8; sums and results in float, rounded
const ProductKernels& double_kernels();  // from float64
const ProductKernels& byte_kernels();    // from int8 and uint8, sums and results in int32; no dot, no axpy
// From bfloat16 by pairs: no axpy, and dot for rows of A in bfloat16. Null where the CPU has no such instructions.
const ProductKernels* bfloat_kernels();

}  // namespace aotwin::runtime::products
