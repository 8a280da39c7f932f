// From sums to results: scale, addends, activation, rounding. Include after vectors.h.
#pragma once

#include "elementary.h"
#include "kernels.h"
#include "vectors.h"

namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE {

inline constexpr int finish_most = 512;

template <class C, class S>
AOTWIN_ALWAYS void apply_addend(C* row, const S* from, int64_t column, C scale, bool factor, int count) {
  constexpr int width = lanes<C>;
  int j = 0;
  if (column == 1) {
    for (; j + width <= count; j += width) {
      const auto value = load<C>(from + j) * spread<C>(scale);
      store<C>(row + j, factor ? load<C>(row + j) * value : load<C>(row + j) + value);
    }
  }
  for (; j < count; ++j) {
    const C value = widen(from[j * column]) * scale;
    row[j] = factor ? row[j] * value : row[j] + value;
  }
}

template <Activation kind, int N>
AOTWIN_ALWAYS void activate(Vector<float> (&x)[N], float first, float second) {
  if constexpr (kind == Activation::sigmoid) {
    sigmoid(x);
  } else if constexpr (kind == Activation::silu) {
    silu(x);
  } else if constexpr (kind == Activation::gelu) {
    gelu(x);
  } else if constexpr (kind == Activation::gelu_tanh) {
    gelu_tanh(x);
  } else {
#pragma clang loop unroll(full)
    for (int i = 0; i < N; ++i) {
      if constexpr (kind == Activation::relu) {
        x[i] = x[i] < 0 ? Vector<float>{} : x[i];
      } else if constexpr (kind == Activation::tanh) {
        x[i] = tanh(x[i]);
      } else if constexpr (kind == Activation::hardswish) {
        x[i] = x[i] * clamp(x[i] + 3.0F, 0.0F, 6.0F) / 6.0F;
      } else if constexpr (kind == Activation::hardsigmoid) {
        x[i] = clamp(x[i] + 3.0F, 0.0F, 6.0F) / 6.0F;
      } else if constexpr (kind == Activation::leaky_relu) {
        x[i] = x[i] > 0 ? x[i] : x[i] * first;
      } else if constexpr (kind == Activation::clamp) {
        x[i] = clamp(x[i], first, second);
      }
    }
  }
}

// f.operator()<kind>()
template <class F>
AOTWIN_ALWAYS void with_activation(Activation activation, F&& f) {
  switch (activation) {
#define AOTWIN_CASE(kind) \
  case Activation::kind:  \
    return f.template operator()<Activation::kind>();
    AOTWIN_CASE(none)
    AOTWIN_CASE(relu)
    AOTWIN_CASE(sigmoid)
    AOTWIN_CASE(tanh)
    AOTWIN_CASE(silu)
    AOTWIN_CASE(gelu)
    AOTWIN_CASE(gelu_tanh)
    AOTWIN_CASE(hardswish)
    AOTWIN_CASE(hardsigmoid)
    AOTWIN_CASE(leaky_relu)
    AOTWIN_CASE(clamp)
#undef AOTWIN_CASE
  }
}

inline double activate_one(Activation activation, double x, double first, double second) {
  const double limited = x + 3 < 0 ? 0 : x + 3 > 6 ? 6 : x + 3;
  switch (activation) {
    case Activation::relu:
      return x < 0 ? 0 : x;
    case Activation::sigmoid:
      return 1 / (1 + __builtin_exp(-x));
    case Activation::tanh:
      return __builtin_tanh(x);
    case Activation::silu:
      return x / (1 + __builtin_exp(-x));
    case Activation::gelu:
      return x * 0.5 * (1 + __builtin_erf(x * 0.70710678118654752440));
    case Activation::gelu_tanh:
      return 0.5 * x * (1 + __builtin_tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
    case Activation::hardswish:
      return x * limited / 6;
    case Activation::hardsigmoid:
      return limited / 6;
    case Activation::leaky_relu:
      return x > 0 ? x : x * first;
    case Activation::clamp:
      return x < first ? first : x > second ? second : x;
    default:
      return x;
  }
}

AOTWIN_ALWAYS void activate_row(const Finish& finish, float* row, int count) {
  // Rows are padded to whole registers.
  with_activation(finish.activation, [&]<Activation kind>() __attribute__((always_inline)) {
    for (int j = 0; j < count; j += lanes<float>) {
      Vector<float> x[1] = {load<float>(row + j)};
      activate<kind>(x, static_cast<float>(finish.first), static_cast<float>(finish.second));
      store<float>(row + j, x[0]);
    }
  });
}
AOTWIN_ALWAYS void activate_row(const Finish& finish, double* row, int count) {
  for (int j = 0; j < count; ++j) row[j] = activate_one(finish.activation, row[j], finish.first, finish.second);
}

template <class C, class S, class T>
AOTWIN_ALWAYS void put(T* to, int64_t column, const S* row, int count) {
  constexpr int width = lanes<C>;
  int j = 0;
  if (column == 1) {
    for (; j + width <= count; j += width) store<C>(to + j, load<C>(row + j));
  }
  for (; j < count; ++j) narrow(to + j * column, widen(row[j]));
}

template <class C>
void finish_row(const Finish& finish, const C* sums, int64_t row_index, int64_t column_index, int count) {
  constexpr int width = lanes<C>;
  alignas(64) C row[finish_most + lanes<C>];
  const auto alpha = static_cast<C>(finish.alpha);
  int filled = 0;
  for (; filled + width <= count; filled += width) store<C>(row + filled, load<C>(sums + filled) * spread<C>(alpha));
  for (; filled < count; ++filled) row[filled] = sums[filled] * alpha;
  for (const Addend& addend : finish.addends) {
    if (addend.data == nullptr) {
      continue;
    }
    const int64_t at = row_index * addend.row + column_index * addend.column;
    const auto scale = static_cast<C>(addend.scale);
    if constexpr (sizeof(C) == 8) {
      apply_addend<C>(row, static_cast<const double*>(addend.data) + at, addend.column, scale, addend.multiply, count);
    } else if (addend.dtype == Dtype::f32) {
      apply_addend<C>(row, static_cast<const float*>(addend.data) + at, addend.column, scale, addend.multiply, count);
    } else if (addend.dtype == Dtype::bf16) {
      apply_addend<C>(row, static_cast<const bfloat*>(addend.data) + at, addend.column, scale, addend.multiply, count);
    } else {
      apply_addend<C>(row, static_cast<const half*>(addend.data) + at, addend.column, scale, addend.multiply, count);
    }
  }
  if (finish.activation != Activation::none) {
    for (int j = count; j % width != 0; ++j) row[j] = 0;
    activate_row(finish, row, count);
  }
  const int64_t to = row_index * finish.row + column_index * finish.column;
  if constexpr (sizeof(C) == 8) {
    put<C>(static_cast<double*>(finish.out) + to, finish.column, row, count);
  } else if (finish.dtype == Dtype::f32) {
    put<C>(static_cast<float*>(finish.out) + to, finish.column, row, count);
  } else if (finish.dtype == Dtype::bf16) {
    put<C>(static_cast<bfloat*>(finish.out) + to, finish.column, row, count);
  } else {
    put<C>(static_cast<half*>(finish.out) + to, finish.column, row, count);
  }
}

// Up to `count` numbers of an addend as the sums' type.
template <class C>
AOTWIN_ALWAYS void widen_addend(const Addend& addend, int64_t first, int64_t stride, int count, C* to) {
  const auto copy = [&](const auto* from) __attribute__((always_inline)) {
    for (int i = 0; i < count; ++i) to[i] = widen(from[(first + i) * stride]);
  };
  if constexpr (sizeof(C) == 8) {
    copy(static_cast<const double*>(addend.data));
  } else if (addend.dtype == Dtype::f32) {
    copy(static_cast<const float*>(addend.data));
  } else if (addend.dtype == Dtype::bf16) {
    copy(static_cast<const bfloat*>(addend.data));
  } else {
    copy(static_cast<const half*>(addend.data));
  }
}

// The usual case: at most a bias, one number for each column or each row, and results next to each other.
template <class C, class T>
AOTWIN_ALWAYS void finish_plain(const C* sums, int64_t stride, int64_t rows, int count, const C* of_columns, const C* of_rows, T* to, int64_t to_stride) {
  typedef Vector<C> V;
  constexpr int width = lanes<C>;
  const int whole = count / width * width;
  for (int64_t i = 0; i < rows; ++i, sums += stride, to += to_stride) {
    int j = 0;
    if (of_columns != nullptr) {
      for (; j < whole; j += width) store<C>(to + j, load<C>(sums + j) + load<C>(of_columns + j));
      for (; j < count; ++j) narrow(to + j, sums[j] + of_columns[j]);
    } else {
      const C of_row = of_rows != nullptr ? of_rows[i] : 0;
      const V all = spread<C>(of_row);
      for (; j < whole; j += width) store<C>(to + j, load<C>(sums + j) + all);
      for (; j < count; ++j) narrow(to + j, sums[j] + of_row);
    }
  }
}

// The usual case in float: results next to each other, such a bias, besides another addend (or factor) of their shape, and an activation.
template <Activation kind>
void finish_fused(const float* sums, int64_t stride, int64_t rows, int count, const float* of_columns, const float* of_rows, const Addend& other, const float* from,
                  float* to, int64_t to_stride, float first, float second) {
  typedef Vector<float> V;
  constexpr int width = lanes<float>;
  const V scale = spread<float>(static_cast<float>(other.scale));
  // So many registers from row i and column j on.
  const auto finish_registers = [&]<int Rows, int Columns>(int64_t i, int j) __attribute__((always_inline)) {
    V x[Rows * Columns];
#pragma clang loop unroll(full)
    for (int r = 0; r < Rows * Columns; ++r) {
      const int64_t row = i + r / Columns;
      const int column = j + r % Columns * width;
      x[r] = load<float>(sums + row * stride + column) + (of_columns != nullptr ? load<float>(of_columns + column) : spread<float>(of_rows != nullptr ? of_rows[row] : 0));
      if (from != nullptr) {
        const V value = load<float>(from + row * other.row + column) * scale;
        x[r] = other.multiply ? x[r] * value : x[r] + value;
      }
    }
    activate<kind>(x, first, second);
#pragma clang loop unroll(full)
    for (int r = 0; r < Rows * Columns; ++r) store<float>(to + (i + r / Columns) * to_stride + j + r % Columns * width, x[r]);
  };
  int64_t i = 0;
  if (count == 2 * width) {  // a tile of products
    for (; i + 2 <= rows; i += 2) finish_registers.template operator()<2, 2>(i, 0);
  }
  for (; i < rows; ++i) {
    int j = 0;
    for (; j + 4 * width <= count; j += 4 * width) finish_registers.template operator()<1, 4>(i, j);
    for (; j + width <= count; j += width) finish_registers.template operator()<1, 1>(i, j);
    if (j < count) {
      const int left = count - j;
      V x[1] = {load_part<float>(sums + i * stride + j, left) +
                (of_columns != nullptr ? load_part<float>(of_columns + j, left) : spread<float>(of_rows != nullptr ? of_rows[i] : 0))};
      if (from != nullptr) {
        const V value = load_part<float>(from + i * other.row + j, left) * scale;
        x[0] = other.multiply ? x[0] * value : x[0] + value;
      }
      activate<kind>(x, first, second);
      for (int l = 0; l < left; ++l) to[i * to_stride + j + l] = x[0][l];
    }
  }
}

AOTWIN_ALWAYS void finish_fused(const Finish& finish, const float* sums, int64_t stride, int64_t row, int64_t rows, int64_t column, int count,
                                const float* of_columns, const float* of_rows) {
  const Addend& other = finish.addends[1];
  const float* const from = other.data == nullptr ? nullptr : static_cast<const float*>(other.data) + row * other.row + column;
  float* const to = static_cast<float*>(finish.out) + row * finish.row + column;
  with_activation(finish.activation, [&]<Activation kind>() __attribute__((always_inline)) {
    finish_fused<kind>(sums, stride, rows, count, of_columns, of_rows, other, from, to, finish.row, static_cast<float>(finish.first), static_cast<float>(finish.second));
  });
}

// The same with results of 16 bits, and another addend of these: as floats between, some rows at a time.
template <class T>
AOTWIN_ALWAYS void finish_narrow(const Finish& finish, const float* sums, int64_t stride, int64_t row, int64_t rows, int64_t column, int count,
                                 const float* of_columns, const float* of_rows) {
  alignas(64) float numbers[finish_most];
  const Addend& other = finish.addends[1];
  Finish wide = finish;
  wide.out = numbers;
  wide.row = count;
  if (other.data != nullptr) {
    wide.addends[1] = {numbers, count, 1, Dtype::f32, other.scale, other.multiply};
  }
  const int64_t most = finish_most / count;
  for (int64_t first = 0; first < rows; first += most) {
    const int64_t now = rows - first < most ? rows - first : most;
    for (int64_t i = 0; other.data != nullptr && i < now; ++i) {
      put<float>(numbers + i * count, 1, static_cast<const T*>(other.data) + (row + first + i) * other.row + column, count);
    }
    finish_fused(wide, sums + first * stride, stride, 0, now, 0, count, of_columns, of_rows == nullptr ? nullptr : of_rows + first);
    for (int64_t i = 0; i < now; ++i) {
      put<float>(static_cast<T*>(finish.out) + (row + first + i) * finish.row + column, 1, numbers + i * count, count);
    }
  }
}

// Whether the forms above will do.
template <class C>
AOTWIN_ALWAYS bool is_usual(const Finish& finish) {
  const Addend& bias = finish.addends[0];
  const Addend& other = finish.addends[1];
  const bool one_bias = bias.data == nullptr || (bias.scale == 1 && !bias.multiply && (bias.column == 0 || bias.row == 0));
  if (finish.column != 1 || finish.alpha != 1 || !one_bias) {
    return false;
  }
  const bool plain = other.data == nullptr && finish.activation == Activation::none;
  return plain || (sizeof(C) == 4 && (other.data == nullptr || (other.dtype == finish.dtype && other.column == 1)));
}

template <class C>
void finish(const Finish& finish, const void* sums, int64_t stride, int64_t row, int64_t rows, int64_t column, int count) {
  const C* const from = static_cast<const C*>(sums);
  const Addend& bias = finish.addends[0];
  if (!is_usual<C>(finish)) {
    for (int64_t i = 0; i < rows; ++i) {
      finish_row<C>(finish, from + i * stride, row + i, column, count);
    }
    return;
  }
  C numbers[finish_most];
  const C* by_column = nullptr;
  if (bias.data != nullptr && bias.row == 0) {
    if (sizeof(C) == 4 && bias.dtype == Dtype::f32 && bias.column == 1) {
      by_column = static_cast<const C*>(bias.data) + column;
    } else {
      widen_addend<C>(bias, column, bias.column, count, numbers);
      by_column = numbers;
    }
  }
  const bool of_rows = bias.data != nullptr && by_column == nullptr;
  for (int64_t first = 0; first < rows; first += finish_most) {
    const int64_t now = rows - first < finish_most ? rows - first : finish_most;
    if (of_rows) {
      widen_addend<C>(bias, row + first, bias.row, static_cast<int>(now), numbers);
    }
    const C* const by_row = of_rows ? numbers : nullptr;
    const C* const sums_now = from + first * stride;
    const auto put_rows = [&](auto* out) __attribute__((always_inline)) {
      finish_plain<C>(sums_now, stride, now, count, by_column, by_row, out + (row + first) * finish.row + column, finish.row);
    };
    if constexpr (sizeof(C) == 8) {
      put_rows(static_cast<double*>(finish.out));
    } else if (finish.dtype == Dtype::f32) {
      finish_fused(finish, sums_now, stride, row + first, now, column, count, by_column, by_row);
    } else if (finish.addends[1].data != nullptr || finish.activation != Activation::none) {
      if (finish.dtype == Dtype::bf16) {
        finish_narrow<bfloat>(finish, sums_now, stride, row + first, now, column, count, by_column, by_row);
      } else {
        finish_narrow<half>(finish, sums_now, stride, row + first, now, column, count, by_column, by_row);
      }
    } else if (finish.dtype == Dtype::bf16) {
      put_rows(static_cast<bfloat*>(finish.out));
    } else {
      put_rows(static_cast<half*>(finish.out));
    }
  }
}

}  // namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE
