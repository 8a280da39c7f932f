// A tile of sums in registers: `Rows` rows of A times `Vectors` registers of columns of B, both from panels. Include after vectors.h.
#pragma once

#include "kernels.h"
#include "vectors.h"

namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE {

// 14 x 2 accumulators, two of B and one of A are 31 of AVX-512's 32 registers; 6 x 2 the same of AVX2's 16.
inline constexpr int tile_rows = AOTWIN_LEVEL == 4 ? 14 : 6;
inline constexpr int block_line = 32;              // block_columns
inline constexpr int64_t bytes_behind = 16 << 10;  // how far behind what is read is asked for
inline constexpr int64_t bytes_behind_each = 4 << 10;  // the same where several blocks are read at once

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

// 0, 1, ... up to a number, as arguments of a template.
template <int... Number>
struct Numbers {};
template <class, int... Number>
using NumbersOf = Numbers<Number...>;
template <int Count>
using NumbersTo = __make_integer_seq<NumbersOf, int, Count>;

// Sums to memory, added to what is there unless they are the first.
template <class C, int Rows, int Vectors>
AOTWIN_ALWAYS void store_tile(const Vector<C> (&acc)[Rows][Vectors], C* sums, bool first) {
#pragma clang loop unroll(full)
  for (int i = 0; i < Rows; ++i) {
#pragma clang loop unroll(full)
    for (int j = 0; j < Vectors; ++j) {
      C* const at = sums + (i * Vectors + j) * lanes<C>;
      store<C>(at, first ? acc[i][j] : acc[i][j] + load<C>(at));
    }
  }
}

// How B lies: as a panel, or as `Vectors` registers of each line of a block.
enum class Lines { panel, block };
template <class Op, int Rows, int Vectors, Lines How = Lines::panel>
void multiply(const void* a_panel, const void* b_panel, int64_t k, void* tile, bool first, const char* ahead,
              int64_t ahead_part, int64_t ahead_step) {
  typedef typename Op::Sum C;
  typedef Vector<C> V;
  constexpr int width = lanes<C>;
  constexpr int step = 64 / sizeof(C);  // of k: a cache line of each row that is asked for ahead
  constexpr int line = How == Lines::panel ? Vectors * width : block_line;
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
    b += line;
  };
  int64_t left = k;
  for (; left >= step; left -= step) {
    for (int part = 0; part < 4; ++part) {
      if constexpr (How == Lines::panel) {
        __builtin_prefetch(ahead + part * ahead_part, 0, 2);
      } else {
        for (const char* const end = ahead + ahead_part; ahead != end; ahead += 64) __builtin_prefetch(ahead, 0, 2);
      }
#pragma clang loop unroll(full)
      for (int i = 0; i < step / 4; ++i) one();
    }
    if constexpr (How == Lines::panel) ahead += ahead_step;
  }
  for (; left > 0; --left) one();
  store_tile<C>(acc, sums, first);
}

// The number at from + Times * stride + Offset bytes by two registers of B. In one piece: where a compiler may choose, it spreads several numbers
// before their turn, for which there are no registers left, and works out addresses that the instruction could have.
#if AOTWIN_LEVEL == 4
#define AOTWIN_REGISTER "v"
#else
#define AOTWIN_REGISTER "x"
#endif
#define AOTWIN_ADD_ROW(type, place)                                                                                                  \
  __asm__ volatile("vbroadcasts" type " " place ", %[number]\n\tvfmadd231p" type " %[left], %[number], %[low]\n\tvfmadd231p" type    \
                   " %[right], %[number], %[high]"                                                                                   \
                   : [low] "+" AOTWIN_REGISTER(low), [high] "+" AOTWIN_REGISTER(high), [number] "=&" AOTWIN_REGISTER(number)         \
                   : [left] AOTWIN_REGISTER(left), [right] AOTWIN_REGISTER(right), [from] "r"(from), [stride] "r"(stride), [at] "i"(Offset))
#if AOTWIN_LEVEL == 4
// By one register: it is spread by the multiplication.
#define AOTWIN_ADD_ONE(type, place, times) \
  __asm__ volatile("vfmadd231p" type " " place "%{" times "%}, %[left], %[sum]" : [sum] "+v"(sum) : [left] "v"(left), [from] "r"(from), [stride] "r"(stride), [at] "i"(Offset))
template <class C, int Times, int Offset>
AOTWIN_ALWAYS void add_row(Vector<C>& sum, Vector<C> left, const char* from, int64_t stride) {
  if constexpr (sizeof(C) == 4) {
    if constexpr (Times == 0) AOTWIN_ADD_ONE("s", "%c[at](%[from])", "1to16");
    if constexpr (Times == 1) AOTWIN_ADD_ONE("s", "%c[at](%[from],%[stride])", "1to16");
    if constexpr (Times == 2) AOTWIN_ADD_ONE("s", "%c[at](%[from],%[stride],2)", "1to16");
  } else {
    if constexpr (Times == 0) AOTWIN_ADD_ONE("d", "%c[at](%[from])", "1to8");
    if constexpr (Times == 1) AOTWIN_ADD_ONE("d", "%c[at](%[from],%[stride])", "1to8");
    if constexpr (Times == 2) AOTWIN_ADD_ONE("d", "%c[at](%[from],%[stride],2)", "1to8");
  }
}
#undef AOTWIN_ADD_ONE
#endif
template <class C, int Times, int Offset>
AOTWIN_ALWAYS void add_row(Vector<C>& low, Vector<C>& high, Vector<C> left, Vector<C> right, const char* from, int64_t stride) {
  Vector<C> number;
  if constexpr (sizeof(C) == 4) {
    if constexpr (Times == 0) AOTWIN_ADD_ROW("s", "%c[at](%[from])");
    if constexpr (Times == 1) AOTWIN_ADD_ROW("s", "%c[at](%[from],%[stride])");
    if constexpr (Times == 2) AOTWIN_ADD_ROW("s", "%c[at](%[from],%[stride],2)");
  } else {
    if constexpr (Times == 0) AOTWIN_ADD_ROW("d", "%c[at](%[from])");
    if constexpr (Times == 1) AOTWIN_ADD_ROW("d", "%c[at](%[from],%[stride])");
    if constexpr (Times == 2) AOTWIN_ADD_ROW("d", "%c[at](%[from],%[stride],2)");
  }
}
#undef AOTWIN_ADD_ROW
#undef AOTWIN_REGISTER

// Rows of A as they lie in memory. `Behind`: asks for what lies behind the panel, not for what it is given.
template <class Op, int Rows, int Vectors, bool Behind = false>
void multiply_rows(const void* rows, int64_t stride, const void* b_panel, int64_t k, void* tile, bool first, const char* ahead, int64_t ahead_part,
                   int64_t ahead_more, int64_t ahead_step) {
  typedef typename Op::Sum C;
  typedef Vector<C> V;
  typedef C Loose __attribute__((aligned(1), may_alias));
  constexpr int width = lanes<C>;
  constexpr int size = sizeof(C);
  constexpr int step = 64 / size;
  // Three rows a pointer: what an address can say.
  constexpr int pointers = (Rows + 2) / 3;
  const char* a[pointers];
#pragma clang loop unroll(full)
  for (int i = 0; i < pointers; ++i) a[i] = static_cast<const char*>(rows) + 3 * i * stride;
  const C* __restrict b = static_cast<const C*>(b_panel);
  V acc[Rows][Vectors];
#pragma clang loop unroll(full)
  for (int i = 0; i < Rows; ++i) {
#pragma clang loop unroll(full)
    for (int j = 0; j < Vectors; ++j) acc[i][j] = V{};
  }
  const auto one = [&]<int At>() __attribute__((always_inline)) {
    if constexpr (Behind) {
#pragma clang loop unroll(full)
      for (int j = 0; j < Vectors; ++j) __builtin_prefetch(reinterpret_cast<const char*>(b + (At * Vectors + j) * width) + bytes_behind, 0, 2);
    }
    V column[Vectors];
#pragma clang loop unroll(full)
    for (int j = 0; j < Vectors; ++j) column[j] = load<C>(b + (At * Vectors + j) * width);
    const auto row = [&]<int Row>() __attribute__((always_inline)) {
      if constexpr (Vectors == 2 && __is_same(Op, OfNumbers<C>)) {
        add_row<C, Row % 3, At * size>(acc[Row][0], acc[Row][1], column[0], column[1], a[Row / 3], stride);
#if AOTWIN_LEVEL == 4
      } else if constexpr (__is_same(Op, OfNumbers<C>)) {
        add_row<C, Row % 3, At * size>(acc[Row][0], column[0], a[Row / 3], stride);
#endif
      } else {
        const V value = spread<C>(*reinterpret_cast<const Loose*>(a[Row / 3] + Row % 3 * stride + At * size));
#pragma clang loop unroll(full)
        for (int j = 0; j < Vectors; ++j) acc[Row][j] = Op::add(value, column[j], acc[Row][j]);
      }
    };
    [&]<int... Row>(Numbers<Row...>) __attribute__((always_inline)) { (row.template operator()<Row>(), ...); }(NumbersTo<Rows>{});
  };
  const auto go_on = [&](int64_t count) __attribute__((always_inline)) {
#pragma clang loop unroll(full)
    for (int i = 0; i < pointers; ++i) a[i] += count * size;
    b += count * Vectors * width;
  };
  int64_t left = k;
  for (; left >= step; left -= step) {
    const char* line = ahead;
    for (int part = 0; part < 4; ++part) {
      if constexpr (!Behind) {
#pragma clang loop unroll(full)
        for (int i = 0; i < 4; ++i) __builtin_prefetch(line + i * ahead_more, 0, 2);
        line += ahead_part;
      }
      one.template operator()<0>();
      one.template operator()<1>();
      if constexpr (step == 16) {
        one.template operator()<2>();
        one.template operator()<3>();
      }
      go_on(step / 4);
    }
    ahead += ahead_step;
  }
  for (; left > 0; --left) {
    one.template operator()<0>();
    go_on(1);
  }
  store_tile<C>(acc, static_cast<C*>(tile), first);
}

// Rows of A as they lie in memory by several blocks, `block` elements apart: memory that is read in several places at once is read faster.
// tile[block][row][column].
template <int Rows>
void multiply_rows_blocks(const void* rows, int64_t stride, const void* first_block, int64_t block, int64_t k, void* tile, bool first) {
  typedef Vector<float> V;
  constexpr int width = lanes<float>;
  constexpr int registers = block_line / width;
  const char* __restrict a = static_cast<const char*>(rows);
  const float* __restrict b = static_cast<const float*>(first_block);
  V acc[blocks_at_once][Rows][registers];
#pragma clang loop unroll(full)
  for (int i = 0; i < blocks_at_once * Rows * registers; ++i) acc[i / (Rows * registers)][i / registers % Rows][i % registers] = V{};
  const auto one = [&](int64_t at) __attribute__((always_inline)) {
    V value[Rows];
#pragma clang loop unroll(full)
    for (int i = 0; i < Rows; ++i) value[i] = spread<float>(reinterpret_cast<const float*>(a + i * stride)[at]);
#pragma clang loop unroll(full)
    for (int j = 0; j < blocks_at_once; ++j) {
#pragma clang loop unroll(full)
      for (int l = 0; l < registers; ++l) {
        const float* const from = b + j * block + at * block_line + l * width;
        if (l * width % 16 == 0) __builtin_prefetch(reinterpret_cast<const char*>(from) + bytes_behind_each, 0, 2);
        const V line = load<float>(from);
#pragma clang loop unroll(full)
        for (int i = 0; i < Rows; ++i) acc[j][i][l] = multiply_add(value[i], line, acc[j][i][l]);
      }
    }
  };
  int64_t at = 0;
  for (; at + 4 <= k; at += 4) {
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; ++i) one(at + i);
  }
  for (; at < k; ++at) one(at);
  float* const sums = static_cast<float*>(tile);
#pragma clang loop unroll(full)
  for (int j = 0; j < blocks_at_once; ++j) store_tile<float>(acc[j], sums + j * Rows * block_line, first);
}

// Numbers of a panel of A, for one k, by two registers of B.
template <int Rows>
AOTWIN_ALWAYS void add_pair(Vector<float> (&acc)[Rows][2], const float* a, Vector<float> low, Vector<float> high) {
#pragma clang loop unroll(full)
  for (int i = 0; i < Rows; ++i) {
    const Vector<float> value = spread<float>(a[i]);
    acc[i][0] = multiply_add(value, low, acc[i][0]);
    acc[i][1] = multiply_add(value, high, acc[i][1]);
  }
}

// Columns of B as they lie in memory: each pair of registers is used, and kept in `panel` for the panels of A that follow.
template <int Rows>
void multiply_columns(const void* a_panel, const void* columns, int64_t stride, int64_t k, void* tile, bool first, void* panel, const char* next) {
  typedef Vector<float> V;
  constexpr int width = lanes<float>;
  // Rows of B are pages apart: nobody but us asks for them in time. That is while the panel before is multiplied by all rows of A, and for the
  // second cache, since rows that are pages apart share few places of the nearest.
  const float* __restrict a = static_cast<const float*>(a_panel);
  const char* __restrict b = static_cast<const char*>(columns);
  float* __restrict to = static_cast<float*>(panel);
  V acc[Rows][2];
#pragma clang loop unroll(full)
  for (int i = 0; i < Rows; ++i) acc[i][0] = acc[i][1] = V{};
  for (int64_t at = 0; at < k; ++at) {
    __builtin_prefetch(next, 0, 2);
    if constexpr (AOTWIN_LEVEL == 4) __builtin_prefetch(next + 64, 0, 2);
    next += stride;
    const V low = load<float>(reinterpret_cast<const float*>(b));
    const V high = load<float>(reinterpret_cast<const float*>(b) + width);
    store<float>(to, low);
    store<float>(to + width, high);
    add_pair(acc, a, low, high);
    a += Rows;
    b += stride;
    to += 2 * width;
  }
  store_tile<float>(acc, static_cast<float*>(tile), first);
}

}  // namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE
