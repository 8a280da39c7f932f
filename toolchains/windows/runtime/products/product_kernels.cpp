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
  } else {
    f(static_cast<const half*>(pointer));
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
template <class C>
void table_dot(Dtype dtype, const void* a, int64_t a_stride, int m, const void* b, int64_t b_stride, int64_t n, int64_t k, void* out, int64_t out_stride) {
  with_pointer<C>(dtype, b, [&](const auto* rows) { dot(static_cast<const C*>(a), a_stride, m, rows, b_stride, n, k, static_cast<C*>(out), out_stride); });
}
template <class C>
void table_axpy(Dtype dtype, const void* a, int64_t a_stride, int m, const void* b, int64_t b_stride, int64_t n, int64_t k, void* out, int64_t out_stride) {
  with_pointer<C>(dtype, b, [&](const auto* rows) { axpy(static_cast<const C*>(a), a_stride, m, rows, b_stride, n, k, static_cast<C*>(out), out_stride); });
}

template <class C, int Rows>
constexpr void fill_multiply(ProductKernels& table) {
  if constexpr (Rows >= 1) {
    table.multiply[Rows][0] = multiply<C, Rows, 1>;
    table.multiply[Rows][1] = multiply<C, Rows, 2>;
    fill_multiply<C, Rows - 1>(table);
  }
}

template <class C>
constexpr ProductKernels make_table() {
  ProductKernels table = {};
  table.rows = tile_rows;
  table.width = 2 * lanes<C>;
  fill_multiply<C, tile_rows>(table);
  table.pack_lanes = table_pack_lanes<C>;
  table.pack_columns = table_pack_columns<C>;
  table.pack_any = table_pack_any<C>;
  table.dot = table_dot<C>;
  table.axpy = table_axpy<C>;
  table.finish = finish<C>;
  return table;
}

}  // namespace

constinit const ProductKernels float_kernels = make_table<float>();
constinit const ProductKernels double_kernels = make_table<double>();

}  // namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE
