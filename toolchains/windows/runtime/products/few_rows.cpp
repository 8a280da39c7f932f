#include "few_rows.h"

#include <algorithm>
#include <cstring>

#include "../core/tensor.h"
#include "../threads/parallel.h"

namespace aotwin::runtime::products {
namespace {

// Rows up to which sums in the first cache beat panels, for B that lies by columns.
constexpr int64_t axpy_rows_most = 12;
// By numbers, where tiles multiply pairs at once: for B that lies by rows, which takes pairs as they lie, and by columns.
constexpr int64_t number_dots_most = 2;
constexpr int64_t number_rows_most = 3;
constexpr int64_t sums_bytes = 1 << 14;  // per thread, on its stack; twice, for sums of parts of k
constexpr int64_t terms_most = 256;      // of axpy, which rounds once for a few of them: long sums are made of short ones
constexpr int64_t work_per_thread = 1 << 15;  // products that are worth waking a thread for

template <class C>
void add(char* sums, const char* parts, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    reinterpret_cast<C*>(sums)[i] += reinterpret_cast<const C*>(parts)[i];
  }
}

// A as rows of the type of the sums, B from its first column on; behind `sums` there is room for as many.
void add_rows(const Product& product, const ProductKernels& kernels, const char* a, int64_t row_stride, const char* b, int64_t count, char* sums) {
  const bool wide = product.dtype == Dtype::f64;
  const int64_t size = wide ? 8 : 4;
  const int64_t b_stride = product.b.row * static_cast<int64_t>(element_size(product.b_dtype));
  for (int64_t at = 0; at < product.k; at += terms_most) {
    char* const to = at == 0 ? sums : sums + sums_bytes;
    std::memset(to, 0, static_cast<size_t>(product.m * count * size));
    kernels.axpy(product.b_dtype, a + at * size, row_stride, static_cast<int>(product.m), b + at * b_stride, product.b.row, count,
                 std::min(terms_most, product.k - at), to, count);
    if (at != 0) {
      wide ? add<double>(sums, to, product.m * count) : add<float>(sums, to, product.m * count);
    }
  }
}

}  // namespace

bool run_few_rows(const Product& product, const ProductKernels& numbers, const ProductKernels& tiles) {
  const int64_t m = product.m;
  const int64_t k = product.k;
  const bool dot = product.b.row == 1 || product.k == 1;
  const bool axpy = !dot && (product.b.column == 1 || product.n == 1);
  // Up to some rows reading takes the time, and numbers do; then pairs of those that follow each other.
  const bool pairs = tiles.unit > 1 && m > (dot ? number_dots_most : number_rows_most);
  if (pairs && (!dot || tiles.dot == nullptr || product.a.column != 1 || product.b.row != 1)) {
    return false;
  }
  if (m > (pairs ? pair_rows_most : dot ? few_rows_most : axpy ? axpy_rows_most : 0)) {
    return false;
  }
  const ProductKernels& kernels = pairs ? tiles : numbers;
  // A in the type of the sums, or as pairs, rows contiguous.
  const bool wide = product.dtype == Dtype::f64;
  const int64_t sum_size = wide ? 8 : 4;
  const auto source_size = static_cast<int64_t>(element_size(product.dtype));
  const auto b_size = static_cast<int64_t>(element_size(product.b_dtype));
  const bool direct = product.a.column == 1 && (wide || product.dtype == Dtype::f32 || pairs);
  Scratch scratch(direct ? 64 : static_cast<size_t>(product.batch * m * k * sum_size));
  const char* rows = static_cast<const char*>(product.a.data);
  int64_t row_stride = product.a.row;
  int64_t batch_stride = product.a.batch;
  if (!direct) {
    row_stride = k;
    batch_stride = m * k;
    for (int64_t batch = 0; batch < product.batch; ++batch) {
      for (int64_t row = 0; row < m; ++row) {
        const char* const from = rows + (batch * product.a.batch + row * product.a.row) * source_size;
        // One row is a panel of one lane.
        char* const to = scratch.as<char>() + (batch * m + row) * k * sum_size;
        if (product.a.column == 1 && k >= 16) {
          kernels.pack_columns(product.dtype, to, from, 0, static_cast<int>(k), static_cast<int>(k), 1);
        } else {
          kernels.pack_any(product.dtype, to, from, 0, product.a.column, 1, 1, k);
        }
      }
    }
    rows = scratch.as<char>();
  }

  const int64_t sums_most = sums_bytes / sum_size;
  // Parts of the columns that start on a multiple of 16, so that threads do not share cache lines of the results.
  const int64_t blocks = (product.n + 15) / 16;
  const int64_t block_work = 16 * k * std::max<int64_t>(1, m / 2);
  const int64_t grain = std::max<int64_t>(1, work_per_thread / block_work);
  parallel_for(0, product.batch * blocks, grain, [&](int64_t first, int64_t last) {
    alignas(64) char sums[2 * sums_bytes];
    while (first < last) {
      const int64_t batch = first / blocks;
      const int64_t end = std::min(last, (batch + 1) * blocks);
      int64_t column = first % blocks * 16;
      const int64_t stop = std::min(product.n, (end - batch * blocks) * 16);
      const Finish finish = finish_of(product, batch);
      const int64_t most = (axpy ? sums_most / m : std::min<int64_t>(512, sums_most / m)) / 16 * 16;
      while (column < stop) {
        const int64_t count = std::min(most, stop - column);
        const char* const a = rows + batch * batch_stride * (direct ? source_size : sum_size);
        const char* const b = static_cast<const char*>(product.b.data) + (batch * product.b.batch + column * product.b.column) * b_size;
        if (dot) {
          kernels.dot(product.b_dtype, a, row_stride, static_cast<int>(m), b, product.b.column, count, k, sums, count);
        } else {
          add_rows(product, kernels, a, row_stride, b, count, sums);
        }
        for (int64_t at = 0; at < count; at += 512) {
          kernels.finish(finish, sums + at * sum_size, count, 0, m, column + at, static_cast<int>(std::min<int64_t>(512, count - at)));
        }
        column += count;
      }
      first = end;
    }
  });
  return true;
}

}  // namespace aotwin::runtime::products
