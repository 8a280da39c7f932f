// Strassen's algorithm, one step of it: of the eight products of quarters of A and B, seven are computed, of sums of quarters.
//
//   M1 = (A11 + A22) (B11 + B22)   M2 = (A21 + A22) B11   M3 = A11 (B12 - B22)   M4 = A22 (B21 - B11)   M5 = (A11 + A12) B22
//   M6 = (A21 - A11) (B11 + B12)   M7 = (A12 - A22) (B21 + B22)
//   C11 = M1 + M4 - M5 + M7        C12 = M3 + M5          C21 = M2 + M4          C22 = M1 - M2 + M3 + M6
//
// Rows and k are cut in the middle, columns block by block: two that follow each other are the halves. All sums of A's quarters are laid out as
// panels, once, by all threads. Those of B are made while the first rows are multiplied by them, and stay in a near cache for the others: nothing
// that is as large as B is kept.
//
// A result is made of another row's and another column's numbers, too. Where the two rows or columns are of very different size, the larger one's rounding
// would be what is seen of the smaller one: there the eight products are computed. That holds for numbers that are not finite as well.
//
// V. Strassen, Gaussian elimination is not optimal, Numerische Mathematik 13 (1969). Errors: N. J. Higham, Accuracy and Stability of Numerical
// Algorithms, chapter 23.
#include "strassen.h"

#include <algorithm>

#include "../threads/parallel.h"
#include "barrier.h"
#include "blocks.h"
#include "constant_cache.h"
#include "few_rows.h"
#include "rooms.h"
#include "shares.h"
#include "strassen_plan.h"

namespace aotwin::runtime::products {
namespace {

constexpr int64_t least_rows = 32;
constexpr int64_t least_rows_of_halves = 96;  // where tiles are half as wide as blocks: they are lower, too, and sums of weights are used by fewer rows at once
constexpr int64_t least_columns = 192;
constexpr int64_t least_terms = 192;
constexpr int64_t numbers_of_slice = 1 << 20;  // of A,
constexpr int64_t least_slice = 128;           // or as many rows,
constexpr int64_t most_slice = 640;            // at most so many

bool gains(int64_t rows, int64_t results, int64_t terms) {
  const int64_t least = float_kernels().width == block_columns ? least_rows : least_rows_of_halves;
  const bool many = rows >= least && results >= least_columns && terms >= least_terms;
  return many && results % (2 * block_columns) == 0 && terms % 32 == 0;
}

// What is asked for while a block of k is multiplied: the same quarters' next.
class Ahead {
 public:
  Ahead(const StrassenPlan& plan, int64_t pair, int64_t block, int64_t k, int64_t calls) : plan_(plan), pair_(pair), block_(block), bytes_(k * block_columns * 4), at_(bytes_) {
    const int64_t times = std::max<int64_t>(1, k / 16 * 4);  // in a call
    asked_ = whole_lines(parts_of(4 * bytes_, calls * times));
    call_ = asked_ * times;
  }
  int64_t asked() const { return asked_; }
  const char* next() {
    if (at_ >= bytes_ && quarter_ < 4) {
      data_ = reinterpret_cast<const char*>(plan_.b_at(pair_, quarter_, block_));
      at_ = 0;
      ++quarter_;
    }
    const char* const now = data_ + std::min(at_, bytes_);
    at_ += call_;
    return now;
  }

 private:
  const StrassenPlan& plan_;
  int64_t pair_;
  int64_t block_;
  int64_t bytes_;
  int64_t asked_;
  int64_t call_;
  int64_t at_;
  int quarter_ = 0;
  const char* data_ = nullptr;
};

// Some groups of rows by a pair of blocks.
class Pass {
 public:
  Pass(const StrassenPlan& plan, int64_t pair, int64_t next, int64_t of_rows, const StrassenMemory& own)
      : plan_(plan), pair_(pair), next_(next), first_(part(plan.groups, plan.parts, of_rows)), last_(part(plan.groups, plan.parts, of_rows + 1)), own_(own),
        sums_((plan.row_of(last_) - plan.row_of(first_)) * block_columns), finish_(finish_of(plan.product, 0)), apart_(columns_are_apart(plan, pair)) {}

  void run() {
    const int64_t calls = 7 * (last_ - first_) * plan_.halves;
    for (int64_t block = 0; block < plan_.k_blocks; ++block) {
      const bool more = block + 1 < plan_.k_blocks;
      Ahead ahead(plan_, more ? pair_ : next_, more ? block + 1 : 0, plan_.k_of(block), calls);
      for (int number = 0; number < 7; ++number) {
        step(number, block, ahead);
      }
      for (int64_t group = first_; group < last_; ++group) {
        if (is_apart(group)) {
          plain(group, block);
        }
        if (!more) {
          finish(group);
        }
      }
    }
  }

 private:
  bool is_apart(int64_t group) const { return apart_ || plan_.apart[group]; }

  // Of a step, or a quarter of the results: [step][group][half][row][column].
  float* sums_at(int number, int64_t group) const {
    return own_.sums + number * sums_ + (plan_.row_of(group) - plan_.row_of(first_)) * block_columns;
  }

  void step(int number, int64_t block, Ahead& ahead) {
    const Term& term = steps[number].b;
    const float* const b = plan_.b_at(pair_, term.first, block);
    const float* const other = term.second == no_quarter ? nullptr : plan_.b_at(pair_, term.second, block);
    const auto& multiply_both = term.sign > 0 ? plan_.strassen.multiply_sum : plan_.strassen.multiply_difference;
    const int64_t k = plan_.k_of(block);
    bool made = other == nullptr;
    for (int64_t group = first_; group < last_; ++group) {
      if (is_apart(group)) {
        continue;
      }
      const int64_t count = plan_.count_of(group);
      const float* const a = plan_.panel_at(group, block, number);
      float* to = sums_at(number, group);
      for (int64_t at = 0; at < block_columns; at += plan_.kernels.width, to += count * plan_.kernels.width) {
        if (made) {
          plan_.kernels.multiply_block[count](a, (other == nullptr ? b : own_.kept) + at, k, to, block == 0, ahead.next(), ahead.asked(), 0);
        } else {
          multiply_both[count](a, b + at, other + at, k, to, block == 0, ahead.next(), ahead.asked(), own_.kept + at);
        }
      }
      made = true;
    }
  }

  // The eight products, to quarters of the results.
  void plain(int64_t group, int64_t block) {
    const int64_t k = plan_.k_of(block);
    const float* quarters[4];
    for (int i = 0; i < 4; ++i) {
      quarters[i] = plan_.panel_at(group, block, plain_panels[i]);
    }
    if (!plan_.apart[group]) {  // sums lie there
      for (const int quarter : {q12, q21}) {
        float* const panel = own_.panels[quarter - q12];
        pack_quarter(plan_, group, block, quarter, panel);
        quarters[quarter] = panel;
      }
    }
    for (int product = 0; product < 8; ++product) {
      const int a = product % 4;
      const int of_columns = product / 4;
      const int b = a % 2 * 2 + of_columns;
      const int to = a / 2 * 2 + of_columns;
      const int64_t count = plan_.count_of(group);
      for (int64_t at = 0; at < block_columns; at += plan_.kernels.width) {
        plan_.kernels.multiply_block[count](quarters[a], plan_.b_at(pair_, b, block) + at, k, sums_at(to, group) + at * count, block == 0 && a % 2 == 0, nullptr, 0, 0);
      }
    }
  }

  void finish(int64_t group) {
    if (!is_apart(group)) {
      plan_.strassen.combine(sums_at(0, group), sums_, plan_.count_of(group) * block_columns);
    }
    const int64_t width = plan_.kernels.width;
    for (int quarter = 0; quarter < 4; ++quarter) {
      for (int64_t at = 0; at < block_columns; at += width) {
        plan_.kernels.finish(finish_, sums_at(quarter, group) + at * plan_.count_of(group), width, plan_.row_at(group, quarter), plan_.rows_at(group, quarter),
                             (2 * pair_ + quarter % 2) * block_columns + at, static_cast<int>(width));
      }
    }
  }

  const StrassenPlan& plan_;
  int64_t pair_;
  int64_t next_;
  int64_t first_;  // group
  int64_t last_;
  const StrassenMemory& own_;
  int64_t sums_;  // numbers of a step
  Finish finish_;
  bool apart_;
};

void run_rows(const Product& product, const ProductKernels& kernels, int64_t first_row, int64_t end) {
  const int threads = threads_for(product);
  StrassenPlan plan(product, kernels, first_row, end, threads);
  const int64_t pairs = product.n / (2 * block_columns);
  const int64_t kept_bytes = whole_lines(plan.k_block * block_columns * 4);
  const int64_t sums_bytes = whole_lines(7 * parts_of(plan.groups, plan.parts) * parts_of(plan.half_rows, plan.groups) * block_columns * 4);
  const int64_t own_bytes = 2 * plan.panel_stride + kept_bytes + sums_bytes;
  Scratch packed(static_cast<size_t>(plan.groups * plan.k_blocks * 7 * plan.panel_stride));
  Rooms memory(own_bytes, threads);
  Scratch apart(static_cast<size_t>(plan.groups));
  plan.packed = packed.as<char>();
  plan.apart = apart.as<bool>();
  Shares packing(plan.groups);
  Shares shares(plan.parts * pairs);
  Barrier barrier;
  parallel(threads, [&](int index, int count) {
    char* const mine = memory.of<char>(index);
    const auto at = [&](int64_t bytes) { return reinterpret_cast<float*>(mine + bytes); };
    const StrassenMemory own{{at(0), at(plan.panel_stride)}, at(2 * plan.panel_stride), at(2 * plan.panel_stride + kept_bytes)};
    packing.each(index, count, [&](int64_t group) { pack_group(plan, group, own); });
    barrier.wait(count);
    shares.each(index, count, [&](int64_t task) {
      const int64_t pair = task % pairs;
      Pass(plan, pair, std::min(pair + 1, pairs - 1), task / pairs, own).run();
    });
  });
}

}  // namespace

Tensor pairs_of_blocks(const Tensor& weight, int64_t rows, int64_t results) {
  if (!gains(rows, results, weight.numel() / results)) {
    return {};
  }
  return derived_from_constant(weight, kind_pairs, [&] { return zeros({results / (2 * block_columns)}, Dtype::u8); });
}

bool suits_strassen(const Product& product) {
  const bool lies = product.b_pairs != nullptr && product.b_block != 0 && product.b.row == block_columns;
  return lies && gains(product.m, product.n, product.k) && product.dtype == Dtype::f32 && product.batch == 1 &&
         product.pack_b == nullptr && product.finish.column == 1;
}

void run_strassen(const Product& product, const ProductKernels& kernels) {
  const int64_t slices = parts_of(product.m, std::clamp<int64_t>(numbers_of_slice / product.k, least_slice, most_slice));
  for (int64_t i = 0; i < slices; ++i) {
    run_rows(product, kernels, part(product.m, slices, i), part(product.m, slices, i + 1));
  }
}

}  // namespace aotwin::runtime::products
