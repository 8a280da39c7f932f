// Products with few rows of A: the time is that of reading B once, as it lies. Include after vectors.h.
#pragma once

#include "pack.h"
#include "tile.h"
#include "vectors.h"

namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE {

// Rows of A by rows of B in registers at a time.
inline constexpr int dot_m = AOTWIN_LEVEL == 4 ? 5 : 4;
inline constexpr int dot_n = AOTWIN_LEVEL == 4 ? 4 : 2;
inline constexpr int dot_apart_m = 3;         // rows of A up to which those of B are far from each other,
inline constexpr int64_t dot_apart_n = 64;    // where they are so many
// Products that a lane adds one after the other: each rounds by the size of the sum so far, so that of long rows short sums are added up.
inline constexpr int64_t chain_most = 128;

// Sums of M x N pairs of rows. `Unroll` chains for each pair hide the latency where there are few pairs. B's rows are `apart` rows from each other, as are
// their results. `Far`: B lies in memory, and what lies `next` rows behind each of them is asked for.
template <class C, class S, int M, int N, int Unroll, bool Far>
AOTWIN_ALWAYS void dot_block(const C* a, int64_t a_stride, const S* b, int64_t row_stride, int64_t apart, int64_t next, int64_t k, C* out, int64_t out_stride) {
  typedef Vector<C> V;
  constexpr int width = lanes<C>;
  constexpr int per_line = width * sizeof(S) >= 64 ? 1 : 64 / (width * sizeof(S));
  constexpr int step = width * Unroll;
  const int64_t b_stride = row_stride * apart;
  V total[M][N] = {};
  V acc[M][N][Unroll];
#pragma clang loop unroll(full)
  for (int i = 0; i < M * N * Unroll; ++i) acc[i / (N * Unroll)][i / Unroll % N][i % Unroll] = V{};
  int64_t at = 0;
  while (at + step <= k) {
    const int64_t stop = k - at > chain_most * step ? at + chain_most * step : k;
    for (; at + step <= stop; at += step) {
#pragma clang loop unroll(full)
      for (int u = 0; u < Unroll; ++u) {
        V row[N];
#pragma clang loop unroll(full)
        for (int j = 0; j < N; ++j) row[j] = load<C>(b + j * b_stride + at + u * width);
        if (Far && u % per_line == 0) {
          // Into the second cache: the nearest holds these rows and A.
#pragma clang loop unroll(full)
          for (int j = 0; j < N; ++j) __builtin_prefetch(b + j * b_stride + next * row_stride + at + u * width, 0, 2);
        }
#pragma clang loop unroll(full)
        for (int i = 0; i < M; ++i) {
          const V value = load<C>(a + i * a_stride + at + u * width);
#pragma clang loop unroll(full)
          for (int j = 0; j < N; ++j) acc[i][j][u] = multiply_add(value, row[j], acc[i][j][u]);
        }
      }
    }
    if (stop == k) break;
#pragma clang loop unroll(full)
    for (int i = 0; i < M * N * Unroll; ++i) {
      V& sum = acc[i / (N * Unroll)][i / Unroll % N][i % Unroll];
      total[i / (N * Unroll)][i / Unroll % N] += sum;
      sum = V{};
    }
  }
  for (; at + width <= k; at += width) {
#pragma clang loop unroll(full)
    for (int i = 0; i < M; ++i) {
      const V value = load<C>(a + i * a_stride + at);
#pragma clang loop unroll(full)
      for (int j = 0; j < N; ++j) acc[i][j][0] = multiply_add(value, load<C>(b + j * b_stride + at), acc[i][j][0]);
    }
  }
  C rest[2][M][N] = {};
  for (int half = 0; half < 2; ++half) {
    const int64_t stop = half == 0 ? at + (k - at) / 2 : k;
    for (; at < stop; ++at) {
      for (int i = 0; i < M; ++i) {
        for (int j = 0; j < N; ++j) rest[half][i][j] += a[i * a_stride + at] * widen(b[j * b_stride + at]);
      }
    }
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < M; ++i) {
    V sums[N];
    C found[N];
#pragma clang loop unroll(full)
    for (int j = 0; j < N; ++j) {
      sums[j] = total[i][j] + acc[i][j][0];
#pragma clang loop unroll(full)
      for (int u = 1; u < Unroll; ++u) sums[j] += acc[i][j][u];
    }
    sums_of<C>(sums, found);
#pragma clang loop unroll(full)
    for (int j = 0; j < N; ++j) out[i * out_stride + j * apart] = found[j] + (rest[0][i][j] + rest[1][i][j]);
  }
}

template <class C, class S, int M, bool Far>
AOTWIN_ALWAYS void dot_rows(const C* a, int64_t a_stride, const S* b, int64_t b_stride, int64_t n, int64_t k, C* out, int64_t out_stride) {
  // Rows of A share each piece of B that is in a register, and rows of B those of A: with one of each, every product would load both.
  constexpr int N = dot_n;
  constexpr int unroll = M == 1 ? 4 : M == 2 ? 2 : 1;
  int64_t j = 0;
  if (Far && M <= dot_apart_m && n >= dot_apart_n) {
    // Memory that is read in several places at once is read faster.
    const int64_t apart = n / N;
    for (; j < apart; ++j) dot_block<C, S, M, N, unroll, Far>(a, a_stride, b + j * b_stride, b_stride, apart, 1, k, out + j, out_stride);
    j = N * apart;
  }
  for (; j + N <= n; j += N) dot_block<C, S, M, N, unroll, Far>(a, a_stride, b + j * b_stride, b_stride, 1, N, k, out + j, out_stride);
  for (; j < n; ++j) dot_block<C, S, M, 1, unroll, Far>(a, a_stride, b + j * b_stride, b_stride, 1, 1, k, out + j, out_stride);
}

template <class C, class S, bool Far>
void dot(const C* a, int64_t a_stride, int m, const S* b, int64_t b_stride, int64_t n, int64_t k, C* out, int64_t out_stride) {
  // Rows of B in groups, so that a group stays in the first cache while rows of A pass.
  const int64_t group = m <= dot_m ? n : dot_n;
  for (int64_t first = 0; first < n; first += group) {
    const int64_t now = n - first < group ? n - first : group;
    const S* const rows = b + first * b_stride;
    int i = 0;
    while (i < m) {
      const C* const from = a + i * a_stride;
      C* const to = out + i * out_stride + first;
      // 6 is 3 + 3, not 5 + 1
      const int left = m - i;
      const int take = left <= dot_m ? left : left < 2 * dot_m ? (left + 1) / 2 : dot_m;
      switch (take) {
        case 1:
          dot_rows<C, S, 1, Far>(from, a_stride, rows, b_stride, now, k, to, out_stride);
          break;
        case 2:
          dot_rows<C, S, 2, Far>(from, a_stride, rows, b_stride, now, k, to, out_stride);
          break;
        case 3:
          dot_rows<C, S, 3, Far>(from, a_stride, rows, b_stride, now, k, to, out_stride);
          break;
        case 4:
          dot_rows<C, S, 4, Far>(from, a_stride, rows, b_stride, now, k, to, out_stride);
          break;
        default:
          dot_rows<C, S, dot_m, Far>(from, a_stride, rows, b_stride, now, k, to, out_stride);
          break;
      }
      i += take;
    }
  }
}

#if AOTWIN_LEVEL == 4
// The sum over each of sixteen registers: two become one, four times.
AOTWIN_ALWAYS Vector<float> sums_of_sixteen(const Vector<float> (&r)[16]) {
  typedef Vector<float> V;
  V half[8];
  V quarter[4];
#pragma clang loop unroll(full)
  for (int i = 0; i < 8; ++i) {
    half[i] = __builtin_shufflevector(r[i], r[i + 8], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
              __builtin_shufflevector(r[i], r[i + 8], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 4; ++i) {
    quarter[i] = __builtin_shufflevector(half[i], half[i + 4], 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27) +
                 __builtin_shufflevector(half[i], half[i + 4], 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
  }
  const auto in_quarters = [](V a, V b) __attribute__((always_inline)) {
    return __builtin_shufflevector(a, b, 0, 2, 16, 18, 4, 6, 20, 22, 8, 10, 24, 26, 12, 14, 28, 30) +
           __builtin_shufflevector(a, b, 1, 3, 17, 19, 5, 7, 21, 23, 9, 11, 25, 27, 13, 15, 29, 31);
  };
  return in_quarters(in_quarters(quarter[0], quarter[1]), in_quarters(quarter[2], quarter[3]));
}

// The same of rows of bfloat16, by pairs of numbers, which the CPU multiplies and adds at once.
inline constexpr int pair_dot_m = 8;   // rows of A, at most, by one pass over those of B
inline constexpr int pair_apart_m = 4;  // as dot_apart_m

template <int M, int N>
AOTWIN_ALWAYS void pair_dot_block(const bfloat* a, int64_t a_stride, const bfloat* b, int64_t row_stride, int64_t apart, int64_t next, int64_t k, float* out, int64_t out_stride) {
  typedef Vector<float> V;
  constexpr int step = 2 * lanes<float>;
  const int64_t b_stride = row_stride * apart;
  V acc[M][N] = {};
  const auto one = [&](int64_t at, const auto& get) __attribute__((always_inline)) {
    V row[N];
#pragma clang loop unroll(full)
    for (int j = 0; j < N; ++j) row[j] = get(b + j * b_stride + at);
#pragma clang loop unroll(full)
    for (int i = 0; i < M; ++i) {
      const V value = get(a + i * a_stride + at);
#pragma clang loop unroll(full)
      for (int j = 0; j < N; ++j) acc[i][j] = OfBfloats::add(value, row[j], acc[i][j]);
    }
  };
  int64_t at = 0;
  for (; at + step <= k; at += step) {
#pragma clang loop unroll(full)
    for (int j = 0; j < N; ++j) __builtin_prefetch(b + j * b_stride + next * row_stride + at, 0, 2);
    one(at, [](const bfloat* from) __attribute__((always_inline)) { return load_pairs(from); });
  }
  if (at < k) {
    const auto some = static_cast<__mmask32>((1U << (k - at)) - 1);
    one(at, [&](const bfloat* from) __attribute__((always_inline)) { return reinterpret_cast<V>(_mm512_maskz_loadu_epi16(some, from)); });
  }
#pragma clang loop unroll(full)
  for (int first = 0; first < M * N; first += 16) {
    V sixteen[16];
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; ++i) sixteen[i] = first + i < M * N ? acc[(first + i) / N][(first + i) % N] : V{};
    float found[16];
    store<float>(found, sums_of_sixteen(sixteen));
#pragma clang loop unroll(full)
    for (int i = first; i < M * N && i < first + 16; ++i) out[i / N * out_stride + i % N * apart] = found[i - first];
  }
}

template <int M>
AOTWIN_ALWAYS void pair_dot_rows(const bfloat* a, int64_t a_stride, const bfloat* b, int64_t b_stride, int64_t n, int64_t k, float* out, int64_t out_stride) {
  constexpr int N = M <= 6 ? 4 : 3;  // with one of each 29 registers, or 28
  int64_t j = 0;
  if (M <= pair_apart_m && n >= dot_apart_n) {
    const int64_t apart = n / N;
    for (; j < apart; ++j) pair_dot_block<M, N>(a, a_stride, b + j * b_stride, b_stride, apart, 1, k, out + j, out_stride);
    j = N * apart;
  }
  for (; j + N <= n; j += N) pair_dot_block<M, N>(a, a_stride, b + j * b_stride, b_stride, 1, N, k, out + j, out_stride);
  for (; j < n; ++j) pair_dot_block<M, 1>(a, a_stride, b + j * b_stride, b_stride, 1, 1, k, out + j, out_stride);
}

inline void pair_dot(const bfloat* a, int64_t a_stride, int m, const bfloat* b, int64_t b_stride, int64_t n, int64_t k, float* out, int64_t out_stride) {
  // More: parts of four or so, whose sums by four rows of B are one register's. All by the same four, while the next are asked for bit by bit.
  const int parts = m <= pair_dot_m ? 1 : (m + 2) / 4;
  const int64_t group = parts == 1 ? n : 4;
  for (int64_t first = 0; first < n; first += group) {
    const int64_t now = n - first < group ? n - first : group;
    const bfloat* const rows = b + first * b_stride;
    for (int part = 0; part < parts; ++part) {
      const int row = m * part / parts;
      const bfloat* const from = a + row * a_stride;
      float* const to = out + row * out_stride + first;
      const auto take = [&]<int M>() __attribute__((always_inline)) { pair_dot_rows<M>(from, a_stride, rows, b_stride, now, k, to, out_stride); };
      switch (m * (part + 1) / parts - row) {
        case 1: take.template operator()<1>(); break;
        case 2: take.template operator()<2>(); break;
        case 3: take.template operator()<3>(); break;
        case 4: take.template operator()<4>(); break;
        case 5: take.template operator()<5>(); break;
        case 6: take.template operator()<6>(); break;
        case 7: take.template operator()<7>(); break;
        default: take.template operator()<pair_dot_m>(); break;
      }
    }
  }
}
#endif

// out[i][j] += for `Rows` rows of A and `Deep` of B: B's are read side by side, out stays in the first cache.
template <class C, class S, int Rows, int Deep>
AOTWIN_ALWAYS void axpy_rows(const C* a, int64_t a_stride, const S* b, int64_t b_stride, int64_t n, C* out, int64_t out_stride) {
  typedef Vector<C> V;
  constexpr int width = lanes<C>;
  V factor[Rows][Deep];
#pragma clang loop unroll(full)
  for (int i = 0; i < Rows * Deep; ++i) factor[i / Deep][i % Deep] = spread<C>(a[i / Deep * a_stride + i % Deep]);
  int64_t j = 0;
  for (; j + width <= n; j += width) {
    V even[Rows];
    V odd[Rows];
    // One row waits for memory, and has the time to add to the result what was added up by itself, which rounds less.
    constexpr bool apart = Rows == 1 && Deep > 1;
#pragma clang loop unroll(full)
    for (int i = 0; i < Rows; ++i) {
      even[i] = apart ? V{} : load<C>(out + i * out_stride + j);
      odd[i] = V{};
    }
#pragma clang loop unroll(full)
    for (int d = 0; d < Deep; ++d) {
      const V value = load<C>(b + d * b_stride + j);
#pragma clang loop unroll(full)
      for (int i = 0; i < Rows; ++i) {
        if (d % 2 == 0) {
          even[i] = multiply_add(factor[i][d], value, even[i]);
        } else {
          odd[i] = multiply_add(factor[i][d], value, odd[i]);
        }
      }
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < Rows; ++i) {
      const V sum = even[i] + odd[i];
      store<C>(out + i * out_stride + j, apart ? load<C>(out + i * out_stride + j) + sum : sum);
    }
  }
  for (; j < n; ++j) {
    for (int i = 0; i < Rows; ++i) {
      C sum = out[i * out_stride + j];
      for (int d = 0; d < Deep; ++d) sum += a[i * a_stride + d] * widen(b[d * b_stride + j]);
      out[i * out_stride + j] = sum;
    }
  }
}

template <class C, class S, int Deep>
AOTWIN_ALWAYS void axpy_deep(const C* a, int64_t a_stride, int m, const S* b, int64_t b_stride, int64_t n, C* out, int64_t out_stride) {
  // Rows that share what is loaded of B, as many as their factors have registers.
  constexpr int most = Deep == 1 ? 1 : AOTWIN_LEVEL == 4 ? 20 / Deep : 8 / Deep;
  int i = 0;
  if constexpr (most > 1) {
    for (; i + most <= m; i += most) axpy_rows<C, S, most, Deep>(a + i * a_stride, a_stride, b, b_stride, n, out + i * out_stride, out_stride);
  }
  for (; i < m; ++i) axpy_rows<C, S, 1, Deep>(a + i * a_stride, a_stride, b, b_stride, n, out + i * out_stride, out_stride);
}

template <class C, class S>
void axpy(const C* a, int64_t a_stride, int m, const S* b, int64_t b_stride, int64_t n, int64_t k, C* out, int64_t out_stride) {
  const int deep = m >= 2 ? 4 : 8;
  int64_t at = 0;
  for (; at + deep <= k; at += deep) {
    if (deep == 8) {
      axpy_deep<C, S, 8>(a + at, a_stride, m, b + at * b_stride, b_stride, n, out, out_stride);
    } else {
      axpy_deep<C, S, 4>(a + at, a_stride, m, b + at * b_stride, b_stride, n, out, out_stride);
    }
  }
  for (; at < k; ++at) axpy_deep<C, S, 1>(a + at, a_stride, m, b + at * b_stride, b_stride, n, out, out_stride);
}

}  // namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE
