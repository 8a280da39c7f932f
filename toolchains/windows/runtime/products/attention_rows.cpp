#include <algorithm>
#include <cmath>

#include "../threads/parallel.h"
#include "attention_problem.h"
#include "rooms.h"

namespace aotwin::runtime::products {

template <class C>
void attend_by_rows(const AttentionProblem& p, const ProductKernels& products, const AttentionKernels& kernels) {
  const int64_t key_heads = p.heads / p.heads_of_key;
  const int64_t rows = p.heads_of_key * p.queries;
  const int64_t grain = std::max<int64_t>(1, 16384 / std::max<int64_t>(1, p.keys * p.size));
  const int64_t padded = (p.keys + 15) / 16 * 16 + 16;
  const int threads = threads_for_parts(p.batch * key_heads, grain);
  Rooms rooms((rows * (p.size + p.size + padded) + padded) * static_cast<int64_t>(sizeof(C)) + 64, threads);
  parallel_parts(0, p.batch * key_heads, threads, [&](int64_t begin, int64_t end, int thread) {
    C* const queries = rooms.of<C>(thread);
    C* const sums = queries + rows * p.size;
    C* const scores = sums + rows * p.size;
    C* const mask = scores + rows * padded;
    for (int64_t index = begin; index < end; ++index) {
      const int64_t batch = index / key_heads;
      const int64_t key_head = index % key_heads;
      for (int64_t row = 0; row < rows; ++row) {
        const char* const from = row_of(p.query, batch, key_head * p.heads_of_key + row / p.queries, row % p.queries);
        products.pack_any(p.query.dtype(), queries + row * p.size, from, 0, 1, 1, 1, p.size);
      }
      const char* const keys = row_of(p.key, batch, key_head, 0);
      products.dot(p.key.dtype(), queries, p.size, static_cast<int>(rows), keys, p.key.stride(2), p.keys, p.size, scores, padded);
      std::fill_n(sums, rows * p.size, C(0));
      double totals[most_rows_of_head * most_heads_of_key];
      for (int64_t row = 0; row < rows; ++row) {
        const int64_t head = key_head * p.heads_of_key + row / p.queries;
        const int64_t query = row % p.queries;
        const int64_t seen = p.causal ? std::min(p.keys, query + 1) : p.keys;
        C* const mine = scores + row * padded;
        const bool masked = p.mask.defined();
        if (masked) {
          products.pack_any(p.mask.dtype(), mask, row_of(p.mask, batch, head, query), 0, p.mask.stride(3), 1, 1, seen);
        }
        double largest = 0;
        totals[row] = kernels.weigh_row(mine, seen, p.scale, masked ? mask : nullptr, &largest);
        std::fill(mine + seen, mine + p.keys, C(0));
        const int64_t at = batch * p.log_sum.stride(0) + head * p.log_sum.stride(1) + query * p.log_sum.stride(2);
        p.log_sum.as<C>()[at] = static_cast<C>(totals[row] == 0 ? 0 : largest + std::log(totals[row]));
      }
      products.axpy(p.value.dtype(), scores, padded, static_cast<int>(rows), row_of(p.value, batch, key_head, 0), p.value.stride(2), p.size, p.keys, sums, p.size);
      for (int64_t row = 0; row < rows; ++row) {
        Finish finish;
        finish.out = const_cast<char*>(row_of(p.out, batch, key_head * p.heads_of_key + row / p.queries, row % p.queries));
        finish.column = p.out.stride(3);
        finish.dtype = p.out.dtype();
        finish.alpha = totals[row] == 0 ? 0 : 1 / totals[row];
        for (int64_t column = 0; column < p.size; column += 512) {
          products.finish(finish, sums + row * p.size + column, 0, 0, 1, column, static_cast<int>(std::min<int64_t>(512, p.size - column)));
        }
      }
    }
  });
}

template void attend_by_rows<float>(const AttentionProblem& p, const ProductKernels& products, const AttentionKernels& kernels);
template void attend_by_rows<double>(const AttentionProblem& p, const ProductKernels& products, const AttentionKernels& kernels);

}  // namespace aotwin::runtime::products
