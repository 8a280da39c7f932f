// A tile of sums in registers: `Rows` rows of A times `Vectors` registers of columns of B, both from panels. Include after vectors.h.
#pragma once

#include "vectors.h"

namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE {

// 14 x 2 accumulators, two of B and one of A are 31 of AVX-512's 32 registers; 6 x 2 the same of AVX2's 16.
inline constexpr int tile_rows = AOTWIN_LEVEL == 4 ? 14 : 6;

template <class C, int Rows, int Vectors>
void multiply(const void* a_panel, const void* b_panel, int64_t k, void* tile, bool first, const char* ahead,
              int64_t ahead_part, int64_t ahead_step) {
  typedef Vector<C> V;
  constexpr int width = lanes<C>;
  constexpr int step = 64 / sizeof(C);  // of k: a cache line of each row that is asked for ahead
  const C* __restrict a = static_cast<const C*>(a_panel);
  const C* __restrict b = static_cast<const C*>(b_panel);
  C* __restrict sums = static_cast<C*>(tile);
  V acc[Rows][Vectors];
#pragma clang loop unroll(full)
  for (int i = 0; i < Rows; ++i) {
#pragma clang loop unroll(full)
    for (int j = 0; j < Vectors; ++j) acc[i][j] = V{};
  }
  const auto one = [&]() __attribute__((always_inline)) {
    V row[Vectors];
#pragma clang loop unroll(full)
    for (int j = 0; j < Vectors; ++j) row[j] = load<C>(b + j * width);
#pragma clang loop unroll(full)
    for (int i = 0; i < Rows; ++i) {
      const V value = spread<C>(a[i]);
#pragma clang loop unroll(full)
      for (int j = 0; j < Vectors; ++j) acc[i][j] = multiply_add(value, row[j], acc[i][j]);
    }
    a += Rows;
    b += Vectors * width;
  };
  int64_t left = k;
  for (; left >= step; left -= step) {
    for (int part = 0; part < 4; ++part) {
      __builtin_prefetch(ahead + part * ahead_part, 0, 2);
#pragma clang loop unroll(full)
      for (int i = 0; i < step / 4; ++i) one();
    }
    ahead += ahead_step;
  }
  for (; left > 0; --left) one();
#pragma clang loop unroll(full)
  for (int i = 0; i < Rows; ++i) {
#pragma clang loop unroll(full)
    for (int j = 0; j < Vectors; ++j) {
      C* const at = sums + (i * Vectors + j) * width;
      store<C>(at, first ? acc[i][j] : acc[i][j] + load<C>(at));
    }
  }
}

}  // namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE
