// The table of winograd_kernels.h for one CPU level. Compiled once for each.
#include "winograd_kernels.h"

#include "vectors.h"

namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE {
namespace {

typedef Vector<float> V;
constexpr int width = lanes<float>;

// The four numbers of a line of places.
AOTWIN_ALWAYS void spread_line(V& a, V& b, V& c, V& d) {
  const V first = a - c;
  const V second = b + c;
  const V third = c - b;
  d = b - d;
  a = first;
  b = second;
  c = third;
}

void table_input(const float* const* places, int64_t channels, float* to, int64_t plane) {
  for (int64_t c = 0; c < channels; c += width) {
    V at[16];
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; ++i) at[i] = load<float>(places[i] + c);
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; ++i) spread_line(at[i], at[4 + i], at[8 + i], at[12 + i]);
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; ++i) spread_line(at[4 * i], at[4 * i + 1], at[4 * i + 2], at[4 * i + 3]);
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; ++i) store<float>(to + i * plane + c, at[i]);
  }
}

void table_weight(const float* taps, int64_t tap, int64_t channels, float* to, int64_t plane) {
  const V half_of_all = spread<float>(0.5F);
  const auto widened = [&](V a, V b, V c, V (&four)[4]) __attribute__((always_inline)) {
    const V sum = (a + c) * half_of_all;
    const V middle = b * half_of_all;
    four[0] = a;
    four[1] = sum + middle;
    four[2] = sum - middle;
    four[3] = c;
  };
  for (int64_t c = 0; c < channels; c += width) {
    V columns[3][4];
#pragma clang loop unroll(full)
    for (int i = 0; i < 3; ++i) {
      widened(load<float>(taps + i * tap + c), load<float>(taps + (3 + i) * tap + c), load<float>(taps + (6 + i) * tap + c), columns[i]);
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; ++i) {
      V four[4];
      widened(columns[0][i], columns[1][i], columns[2][i], four);
#pragma clang loop unroll(full)
      for (int j = 0; j < 4; ++j) store<float>(to + (4 * i + j) * plane + c, four[j]);
    }
  }
}

void table_output(const float* from, int64_t plane, int64_t channels, float* to, int64_t step, int64_t row) {
  for (int64_t c = 0; c < channels; c += width) {
    V upper[4];
    V lower[4];
#pragma clang loop unroll(full)
    for (int j = 0; j < 4; ++j) {
      const float* const column = from + j * plane + c;
      const V a = load<float>(column);
      const V b = load<float>(column + 4 * plane);
      const V d = load<float>(column + 8 * plane);
      const V e = load<float>(column + 12 * plane);
      upper[j] = a + b + d;
      lower[j] = b - d - e;
    }
    store<float>(to + c, upper[0] + upper[1] + upper[2]);
    store<float>(to + step + c, upper[1] - upper[2] - upper[3]);
    store<float>(to + row + c, lower[0] + lower[1] + lower[2]);
    store<float>(to + row + step + c, lower[1] - lower[2] - lower[3]);
  }
}

}  // namespace

constinit const WinogradKernels winograd_kernels = {table_input, table_weight, table_output};

}  // namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE
