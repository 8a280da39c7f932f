// A tile of sums in registers: `Rows` rows of A times `Vectors` registers of columns of B, both from panels. Include after vectors.h.
#pragma once

#include "vectors.h"

namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE {

// 14 x 2 accumulators, two of B and one of A are 31 of AVX-512's 32 registers; 6 x 2 the same of AVX2's 16.
inline constexpr int tile_rows = AOTWIN_LEVEL == 4 ? 14 : 6;

// What is done for an element of A's panel and a register of B's: a product of numbers of the sums' type,
template <class T>
struct OfNumbers {
  typedef T Sum;
  AOTWIN_ALWAYS static Vector<T> add(Vector<T> a, Vector<T> b, Vector<T> sum) {
    return multiply_add(a, b, sum);
  }
};
// of pairs of int16 in 32 bits, which cannot overflow for what were bytes,
struct OfBytes {
  typedef int32_t Sum;
  AOTWIN_ALWAYS static Vector<int32_t> add(Vector<int32_t> a, Vector<int32_t> b, Vector<int32_t> sum) {
#if AOTWIN_LEVEL == 4
    typedef Vector<int16_t> S;
    typedef typename VectorOf<int32_t, 16>::type I;
    I product;
    __asm__("vpmaddwd %2, %1, %0" : "=v"(product) : "v"(reinterpret_cast<S>(a)), "v"(reinterpret_cast<S>(b)));
    return sum + product;
#else
    Vector<int32_t> product;
    __asm__("vpmaddwd %2, %1, %0" : "=x"(product) : "x"(a), "x"(b));
    return sum + product;
#endif
  }
};
#if AOTWIN_LEVEL == 4
// the same in one instruction (AVX512_VNNI),
struct OfBytesFused {
  typedef int32_t Sum;
  AOTWIN_ALWAYS static Vector<int32_t> add(Vector<int32_t> a, Vector<int32_t> b, Vector<int32_t> sum) {
    __asm__("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
  }
};
// and of pairs of bfloat16 (AVX512_BF16). Assembler, since code for one level may only hold such instructions where it asks for them.
struct OfBfloats {
  typedef float Sum;
  AOTWIN_ALWAYS static Vector<float> add(Vector<float> a, Vector<float> b, Vector<float> sum) {
    __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
  }
};
#endif

template <class Op, int Rows, int Vectors>
void multiply(const void* a_panel, const void* b_panel, int64_t k, void* tile, bool first, const char* ahead,
              int64_t ahead_part, int64_t ahead_step) {
  typedef typename Op::Sum C;
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
      for (int j = 0; j < Vectors; ++j) acc[i][j] = Op::add(value, row[j], acc[i][j]);
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
