// The transforms of Winograd's algorithm for kernels of 3 x 3 and results of 2 x 2, one table per CPU level. Channels are a multiple
// of 16, and next to each other in memory.
#pragma once

#include <cstdint>

namespace aotwin::runtime::products {

struct WinogradKernels {
  // 16 places of a tile, row by row, as 16 rows that are `plane` elements apart.
  void (*input)(const float* const* places, int64_t channels, float* to, int64_t plane);
  // 9 taps, row by row, `tap` elements apart, to 16 rows.
  void (*weight)(const float* taps, int64_t tap, int64_t channels, float* to, int64_t plane);
  // 16 rows to four results: to[0], to[step], and the same `row` further on.
  void (*output)(const float* from, int64_t plane, int64_t channels, float* to, int64_t step, int64_t row);
};

namespace level3 {
extern const WinogradKernels winograd_kernels;
}
namespace level4 {
extern const WinogradKernels winograd_kernels;
}
const WinogradKernels& winograd_kernels();

}  // namespace aotwin::runtime::products
