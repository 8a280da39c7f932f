#include "strassen_kernels.h"

#include "tile.h"

namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE {
namespace {

typedef Vector<float> V;
constexpr int width = lanes<float>;

template <int Rows, bool Sum>
void multiply_two(const void* a_panel, const float* b, const float* other, int64_t k, float* tile, bool first, const char* ahead, int64_t ahead_part, float* kept) {
  const float* __restrict a = static_cast<const float*>(a_panel);
  V acc[Rows][2];
#pragma clang loop unroll(full)
  for (int i = 0; i < Rows; ++i) acc[i][0] = acc[i][1] = V{};
  const auto one = [&]() __attribute__((always_inline)) {
    const V low = Sum ? load<float>(b) + load<float>(other) : load<float>(b) - load<float>(other);
    const V high = Sum ? load<float>(b + width) + load<float>(other + width) : load<float>(b + width) - load<float>(other + width);
    store<float>(kept, low);
    store<float>(kept + width, high);
    add_pair(acc, a, low, high);
    a += Rows;
    b += block_line;
    other += block_line;
    kept += block_line;
  };
  int64_t left = k;
  for (; left >= 16; left -= 16) {
    for (int part = 0; part < 4; ++part) {
      for (const char* const end = ahead + ahead_part; ahead != end; ahead += 64) __builtin_prefetch(ahead, 0, 2);
#pragma clang loop unroll(full)
      for (int i = 0; i < 4; ++i) one();
    }
  }
  for (; left > 0; --left) one();
  store_tile<float>(acc, tile, first);
}

// C11 = M1 + M4 - M5 + M7, C12 = M3 + M5, C21 = M2 + M4, C22 = M1 - M2 + M3 + M6.
void combine(float* products, int64_t stride, int64_t count) {
  for (int64_t i = 0; i < count; i += width) {
    V m[7];
#pragma clang loop unroll(full)
    for (int j = 0; j < 7; ++j) m[j] = load<float>(products + j * stride + i);
    store<float>(products + i, (m[0] + m[6]) + (m[3] - m[4]));
    store<float>(products + stride + i, m[2] + m[4]);
    store<float>(products + 2 * stride + i, m[1] + m[3]);
    store<float>(products + 3 * stride + i, (m[0] + m[5]) + (m[2] - m[1]));
  }
}

void add(float* to, const float* a, const float* b, float sign, int64_t count) {
  const V factor = spread<float>(sign);
  for (int64_t i = 0; i < count; i += width) store<float>(to + i, multiply_add(load<float>(b + i), factor, load<float>(a + i)));
}

// Lanes [0, 16) of each k, `step` numbers apart, of which the last may lie behind the panel.
template <int Registers>
AOTWIN_ALWAYS void squares(const float* from, int64_t step, int64_t k, float* sums, bool first) {
  V all[2][Registers] = {};
  const auto one = [&](V(&to)[Registers]) __attribute__((always_inline)) {
#pragma clang loop unroll(full)
    for (int i = 0; i < Registers; ++i) {
      const V x = load<float>(from + i * width);
      to[i] = multiply_add(x, x, to[i]);
    }
    from += step;
  };
  for (; k >= 2; k -= 2) {
    one(all[0]);
    one(all[1]);
  }
  if (k != 0) one(all[0]);
#pragma clang loop unroll(full)
  for (int i = 0; i < Registers; ++i) {
    const V sum = all[0][i] + all[1][i];
    store<float>(sums + i * width, first ? sum : sum + load<float>(sums + i * width));
  }
}

void add_squares(const float* panel, int count, int64_t k, float* sums) {
  squares<16 / width>(panel, count, k, sums, false);
}

void squares_of_block(const float* block, int64_t k, float* sums) {
  squares<block_line / width>(block, block_line, k, sums, true);
}

template <int Rows>
constexpr void fill(StrassenKernels& table) {
  if constexpr (Rows >= 1) {
    table.multiply_sum[Rows] = multiply_two<Rows, true>;
    table.multiply_difference[Rows] = multiply_two<Rows, false>;
    fill<Rows - 1>(table);
  }
}

constexpr StrassenKernels make_table() {
  StrassenKernels table = {};
  fill<tile_rows>(table);
  table.combine = combine;
  table.add = add;
  table.add_squares = add_squares;
  table.squares_of_block = squares_of_block;
  return table;
}

}  // namespace

constinit const StrassenKernels strassen_kernels = make_table();

}  // namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE
