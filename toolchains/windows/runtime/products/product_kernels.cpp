// The tables of kernels.h for one CPU level. Compiled once for each.
#include "finish.h"
#include "kernels.h"
#include "pack.h"
#include "rows.h"
#include "tile.h"
#include "vectors.h"

namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE {
namespace {

// f(pointer of the dtype's type): the dtypes that have sums of C.
template <class C, class F>
AOTWIN_ALWAYS void with_pointer(Dtype dtype, const void* pointer, F&& f) {
  if constexpr (sizeof(C) == 8) {
    f(static_cast<const double*>(pointer));
  } else if (dtype == Dtype::f32) {
    f(static_cast<const float*>(pointer));
  } else if (dtype == Dtype::bf16) {
    f(static_cast<const bfloat*>(pointer));
  } else if (dtype == Dtype::i8) {
    f(static_cast<const int8_t*>(pointer));
  } else {
    f(static_cast<const half*>(pointer));
  }
}
template <class F>
AOTWIN_ALWAYS void with_pairs(Dtype dtype, const void* pointer, F&& f) {
  if (dtype == Dtype::bf16) {
    f(static_cast<const bfloat*>(pointer));
  } else if (dtype == Dtype::i8) {
    f(static_cast<const int8_t*>(pointer));
  } else {
    f(static_cast<const uint8_t*>(pointer));
  }
}

template <class C>
void table_pack_lanes(Dtype dtype, void* panel, const void* const* lane, int count, int width, int64_t k) {
  with_pointer<C>(dtype, nullptr, [&]<class S>(const S*) { pack_lanes(static_cast<C*>(panel), reinterpret_cast<const S* const*>(lane), count, width, k); });
}
template <class C>
void table_pack_columns(Dtype dtype, void* panel, const void* from, int64_t k_stride, int count, int width, int64_t k) {
  with_pointer<C>(dtype, from, [&](const auto* source) { pack_columns(static_cast<C*>(panel), source, k_stride, count, width, k); });
}
template <class C>
void table_pack_any(Dtype dtype, void* panel, const void* from, int64_t lane_stride, int64_t k_stride, int count, int width, int64_t k) {
  with_pointer<C>(dtype, from, [&](const auto* source) { pack_any(static_cast<C*>(panel), source, lane_stride, k_stride, count, width, k); });
}
template <class C, bool Far>
void table_dot(Dtype dtype, const void* a, int64_t a_stride, int m, const void* b, int64_t b_stride, int64_t n, int64_t k, void* out, int64_t out_stride) {
  with_pointer<C>(dtype, b, [&](const auto* rows) { dot<C, typename std::remove_cvref_t<decltype(*rows)>, Far>(static_cast<const C*>(a), a_stride, m, rows, b_stride, n, k, static_cast<C*>(out), out_stride); });
}
template <class C>
void table_axpy(Dtype dtype, const void* a, int64_t a_stride, int m, const void* b, int64_t b_stride, int64_t n, int64_t k, void* out, int64_t out_stride) {
  with_pointer<C>(dtype, b, [&](const auto* rows) { axpy(static_cast<const C*>(a), a_stride, m, rows, b_stride, n, k, static_cast<C*>(out), out_stride); });
}

void pairs_pack_lanes(Dtype dtype, void* panel, const void* const* lane, int count, int width, int64_t k) {
  with_pairs(dtype, nullptr, [&]<class S>(const S*) { pack_pair_lanes(static_cast<uint32_t*>(panel), reinterpret_cast<const S* const*>(lane), count, width, k); });
}
void pairs_pack_columns(Dtype dtype, void* panel, const void* from, int64_t k_stride, int count, int width, int64_t k) {
  with_pairs(dtype, from, [&](const auto* source) { pack_pair_columns(static_cast<uint32_t*>(panel), source, k_stride, count, width, k); });
}
void pairs_pack_any(Dtype dtype, void* panel, const void* from, int64_t lane_stride, int64_t k_stride, int count, int width, int64_t k) {
  with_pairs(dtype, from, [&](const auto* source) { pack_pair_any(static_cast<uint32_t*>(panel), source, lane_stride, k_stride, count, width, k); });
}
void finish_integers(const Finish& finish, const void* sums, int64_t stride, int64_t row, int64_t rows, int64_t column, int count) {
  const int32_t* from = static_cast<const int32_t*>(sums);
  int32_t* to = static_cast<int32_t*>(finish.out) + row * finish.row + column * finish.column;
  for (int64_t r = 0; r < rows; ++r, from += stride, to += finish.row) {
    for (int i = 0; i < count; ++i) to[i * finish.column] = from[i];
  }
}

#if AOTWIN_LEVEL == 4
void pairs_dot(Dtype, const void* a, int64_t a_stride, int m, const void* b, int64_t b_stride, int64_t n, int64_t k, void* out, int64_t out_stride) {
  pair_dot(static_cast<const bfloat*>(a), a_stride, m, static_cast<const bfloat*>(b), b_stride, n, k, static_cast<float*>(out), out_stride);
}
#endif

template <class Op, int Rows>
constexpr void fill_multiply(ProductKernels& table) {
  if constexpr (Rows >= 1) {
    table.multiply[Rows][0] = multiply<Op, Rows, 1>;
    table.multiply[Rows][1] = multiply<Op, Rows, 2>;
    table.multiply_rows[Rows][0] = multiply_rows<Op, Rows, 1>;
    table.multiply_rows[Rows][1] = multiply_rows<Op, Rows, 2>;
    fill_multiply<Op, Rows - 1>(table);
  }
}

template <int Rows>
constexpr void fill_columns(ProductKernels& table) {
  if constexpr (Rows >= 1) {
    table.multiply_columns[Rows] = multiply_columns<Rows>;
    table.multiply_block[Rows] = multiply<OfNumbers<float>, Rows, 2, Lines::block>;
    constexpr int registers = block_line / lanes<float>;
    if constexpr (Rows * registers * blocks_at_once <= 2 * tile_rows) table.multiply_rows_blocks[Rows] = multiply_rows_blocks<Rows>;
    if constexpr (Rows * registers <= 2 * tile_rows) table.multiply_rows_block[Rows] = multiply_rows<OfNumbers<float>, Rows, registers, true>;
    fill_columns<Rows - 1>(table);
  }
}

template <class C>
constexpr ProductKernels make_table() {
  ProductKernels table = {};
  table.rows = tile_rows;
  table.width = 2 * lanes<C>;
  table.unit = 1;
  table.k_most = 192;
  fill_multiply<OfNumbers<C>, tile_rows>(table);
  if constexpr (sizeof(C) == 4) fill_columns<tile_rows>(table);
  table.pack_lanes = table_pack_lanes<C>;
  table.pack_columns = table_pack_columns<C>;
  table.pack_any = table_pack_any<C>;
  table.dot = table_dot<C, true>;
  if constexpr (sizeof(C) == 4) table.dot_near = table_dot<C, false>;
  table.axpy = table_axpy<C>;
  table.finish = finish<C>;
  return table;
}

template <class Op>
constexpr ProductKernels make_pairs() {
  ProductKernels table = {};
  table.rows = tile_rows;
  table.width = 2 * lanes<float>;
  table.unit = 2;
  table.k_most = 512;
  fill_multiply<Op, tile_rows>(table);
  table.pack_lanes = pairs_pack_lanes;
  table.pack_columns = pairs_pack_columns;
  table.pack_any = pairs_pack_any;
  table.finish = static_cast<typename Op::Sum>(0.5F) != 0 ? finish<float> : finish_integers;
#if AOTWIN_LEVEL == 4
  if constexpr (__is_same(Op, OfBfloats)) table.dot = pairs_dot;
#endif
  return table;
}

}  // namespace

constinit const ProductKernels float_kernels = make_table<float>();
constinit const ProductKernels double_kernels = make_table<double>();
constinit const ProductKernels byte_kernels = make_pairs<OfBytes>();
#if AOTWIN_LEVEL == 4
constinit const ProductKernels fused_byte_kernels = make_pairs<OfBytesFused>();
constinit const ProductKernels bfloat_kernels = make_pairs<OfBfloats>();
#endif

}  // namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE
