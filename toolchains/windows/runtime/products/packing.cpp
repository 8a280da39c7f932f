#include "packing.h"

namespace aotwin::runtime::products {

void pack_operand(const ProductKernels& kernels, const Operand& operand, Dtype dtype, int64_t batch, int64_t lane_stride, int64_t k_stride, int64_t first_lane,
                  int count, int width, int64_t first_k, int64_t k, void* panel) {
  const auto size = static_cast<int64_t>(element_size(dtype));
  const char* const from = static_cast<const char*>(operand.data) + (batch * operand.batch + first_lane * lane_stride + first_k * k_stride) * size;
  if (k_stride == 1) {
    const void* lane[32];
    for (int i = 0; i < count; ++i) {
      lane[i] = from + i * lane_stride * size;
    }
    kernels.pack_lanes(dtype, panel, lane, count, width, k);
  } else if (lane_stride == 1) {
    kernels.pack_columns(dtype, panel, from, k_stride, count, width, k);
  } else {
    kernels.pack_any(dtype, panel, from, lane_stride, k_stride, count, width, k);
  }
}

int64_t even_parts(int64_t units, int64_t count, int64_t most, int64_t threads) {
  int64_t best = 1;
  int64_t best_cost = INT64_MAX;
  for (int64_t now = std::min(most, count); now >= 1; --now) {
    const int64_t tasks = units * ((count + now - 1) / now);
    // In quarters: a task of its own costs about that much more for the other operand's passing through the cache again.
    const int64_t cost = (tasks + threads - 1) / threads * (4 * now + 1);
    if (cost < best_cost) {
      best = now;
      best_cost = cost;
    }
  }
  return best;
}

}  // namespace aotwin::runtime::products
