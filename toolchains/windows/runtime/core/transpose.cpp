#include "transpose.h"

#include <cstring>
#include <utility>

#include "dtype.h"
#include "error.h"

namespace aotwin::runtime {
namespace {

template <class T, int n>
using Row = T __attribute__((vector_size(n * sizeof(T))));

// Elements of a and b by turns: the first half of that sequence, or the second.
template <int offset, class V, size_t... i>
V interleave(V a, V b, std::index_sequence<i...>) {
  constexpr int n = sizeof...(i);
  return __builtin_shufflevector(a, b, (static_cast<int>(i) % 2 * n + offset + static_cast<int>(i) / 2)...);
}

// n x n elements in registers. Interleaving row i with row i + n/2, log2(n) times, transposes.
template <class T, int n>
void transpose_block(char* to, int64_t to_stride, const char* from, int64_t from_stride) {
  using V = Row<T, n>;
  constexpr auto indices = std::make_index_sequence<n>{};
  V rows[n];
  for (int i = 0; i < n; ++i) {
    std::memcpy(&rows[i], from + i * from_stride, sizeof(V));
  }
#pragma clang loop unroll(full)
  for (int step = 1; step < n; step *= 2) {
    V next[n];
#pragma clang loop unroll(full)
    for (int i = 0; i < n / 2; ++i) {
      next[2 * i] = interleave<0>(rows[i], rows[i + n / 2], indices);
      next[2 * i + 1] = interleave<n / 2>(rows[i], rows[i + n / 2], indices);
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < n; ++i) {
      rows[i] = next[i];
    }
  }
  for (int i = 0; i < n; ++i) {
    std::memcpy(to + i * to_stride, &rows[i], sizeof(V));
  }
}

template <class T, int columns>
void transpose_few(char* to, int64_t to_stride, const char* from, int64_t from_stride, int64_t rows) {
  for (int64_t row = 0; row < rows; ++row) {
#pragma clang loop unroll(full)
    for (int column = 0; column < columns; ++column) {
      std::memcpy(
          to + row * to_stride + column * static_cast<int64_t>(sizeof(T)),
          from + row * static_cast<int64_t>(sizeof(T)) + column * from_stride,
          sizeof(T));
    }
  }
}

template <class T>
void transpose_rest(
    char* to, int64_t to_stride, const char* from, int64_t from_stride, int64_t rows, int64_t columns) {
  switch (columns) {
    case 1:
      return transpose_few<T, 1>(to, to_stride, from, from_stride, rows);
    case 2:
      return transpose_few<T, 2>(to, to_stride, from, from_stride, rows);
    case 3:
      return transpose_few<T, 3>(to, to_stride, from, from_stride, rows);
    case 4:
      return transpose_few<T, 4>(to, to_stride, from, from_stride, rows);
    default:
      break;
  }
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t column = 0; column < columns; ++column) {
      std::memcpy(
          to + row * to_stride + column * static_cast<int64_t>(sizeof(T)),
          from + row * static_cast<int64_t>(sizeof(T)) + column * from_stride,
          sizeof(T));
    }
  }
}

template <class T, int n>
void transpose(char* to, int64_t to_stride, const char* from, int64_t from_stride, int64_t rows, int64_t columns) {
  constexpr int64_t item = sizeof(T);
  const int64_t whole_rows = rows / n * n;
  const int64_t whole_columns = columns / n * n;
  for (int64_t row = 0; row < whole_rows; row += n) {
    for (int64_t column = 0; column < whole_columns; column += n) {
      transpose_block<T, n>(
          to + row * to_stride + column * item, to_stride, from + row * item + column * from_stride, from_stride);
    }
  }
  transpose_rest<T>(
      to + whole_columns * item, to_stride, from + whole_columns * from_stride, from_stride, whole_rows, columns - whole_columns);
  transpose_rest<T>(
      to + whole_rows * to_stride, to_stride, from + whole_rows * item, from_stride, rows - whole_rows, columns);
}

}  // namespace

TransposeTile transpose_tile(size_t item) {
  switch (item) {
    case 1:
      return transpose<uint8_t, 16>;
    case 2:
      return transpose<uint16_t, 8>;
    case 4:
      return transpose<uint32_t, 8>;
    case 8:
      return transpose<uint64_t, 4>;
    case 16:
      return transpose_rest<Bytes16>;
    default:
      fail("no element has ", item, " bytes");
  }
}

}  // namespace aotwin::runtime
