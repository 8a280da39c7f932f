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
#include <atomic>

#include "../core/tensor.h"
#include "../threads/parallel.h"
#include "barrier.h"
#include "blocks.h"
#include "constant_cache.h"
#include "few_rows.h"
#include "shares.h"
#include "strassen_kernels.h"

namespace aotwin::runtime::products {
namespace {

constexpr int64_t least_rows = 40;
constexpr int64_t least_columns = 256;
constexpr int64_t least_terms = 192;
// Terms that are added up in registers. Errors are those of plain sums of 192 times the square root of this over 48: twice as many terms need fewer
// instructions, but have twice the error.
constexpr int64_t terms_of_block = 96;
constexpr float most_apart = 16;              // sums of the squares of two rows, or columns,
constexpr float most_squares = 1e30F;         // of which none may be so large that sums could overflow
constexpr int64_t rows_of_part = 320;         // at most, or so: A's panels are read for each pair of blocks
constexpr int64_t numbers_of_slice = 1 << 20;  // of A
constexpr int64_t least_slice = 128;

int64_t parts_of(int64_t whole, int64_t part) {
  return (whole + part - 1) / part;
}

// first + sign * second, of quarters; or the first alone.
enum Quarter { q11, q12, q21, q22, none = -1 };
struct Term {
  Quarter first;
  Quarter second;
  float sign;
};
struct Step {
  Term a;
  Term b;
};
constexpr Step steps[7] = {
    {{q11, q22, 1}, {q11, q22, 1}},  {{q21, q22, 1}, {q11, none, 1}},  {{q11, none, 1}, {q12, q22, -1}}, {{q22, none, 1}, {q21, q11, -1}},
    {{q11, q12, 1}, {q22, none, 1}}, {{q21, q11, -1}, {q11, q12, 1}}, {{q12, q22, -1}, {q21, q22, 1}},
};
// Which of a group's panels are quarters of A. A12 and A21 are none of the steps', and are there only where the group's rows are apart.
constexpr int plain_panels[4] = {2, 4, 5, 3};

// Some rows of a product. Neither its halves nor its groups depend on the number of threads.
struct Plan {
  Plan(const Product& of, const ProductKernels& with, int64_t first, int64_t last, int64_t most_parts)
      : product(of), kernels(with), strassen(level4::strassen_kernels), first_row(first), end(last) {
    half_rows = parts_of(last - first, 2);
    groups = parts_of(half_rows, 2 * with.rows) * 2;
    height = half_rows / groups;
    higher = half_rows % groups;
    for (parts = std::clamp<int64_t>(most_parts, 1, groups / 2); groups % parts != 0;) {  // sums of B are worth making for two groups
      --parts;
    }
    half_k = of.k / 2;
    k_block = parts_of(parts_of(half_k, parts_of(half_k, terms_of_block)), 16) * 16;
    k_blocks = parts_of(half_k, k_block);
    panel_stride = whole_lines((parts_of(half_rows, groups) * k_block + panel_slack) * 4);
  }

  int64_t row_of(int64_t group) const { return height * group + std::min(group, higher); }  // of a half
  int64_t count_of(int64_t group) const { return row_of(group + 1) - row_of(group); }
  // Rows of A, of which the last group of the lower half may have one less.
  int64_t row_at(int64_t group, int quarter) const { return first_row + quarter / 2 * half_rows + row_of(group); }
  int64_t rows_at(int64_t group, int quarter) const { return std::min(count_of(group), end - row_at(group, quarter)); }
  int64_t k_of(int64_t block) const { return std::min(k_block, half_k - block * k_block); }
  float* panel_at(int64_t group, int64_t block, int number) const {
    return reinterpret_cast<float*>(packed + ((group * k_blocks + block) * 7 + number) * panel_stride);
  }
  const float* b_at(int64_t pair, int quarter, int64_t block) const {
    const int64_t k = (quarter == q21 || quarter == q22 ? half_k : 0) + block * k_block;
    return static_cast<const float*>(product.b.data) + (2 * pair + quarter % 2) * product.b_block + k * block_columns;
  }

  const Product& product;
  const ProductKernels& kernels;
  const StrassenKernels& strassen;
  int64_t first_row;
  int64_t end;
  int64_t half_rows;
  int64_t groups;  // of a half's rows
  int64_t height;  // of a group; the first `higher` of them have one row more
  int64_t higher;
  int64_t parts;   // of the groups
  int64_t half_k;
  int64_t k_blocks;
  int64_t k_block;
  int64_t panel_stride;
  char* packed = nullptr;
  bool* apart = nullptr;  // [groups]
};

bool are_apart(const float* squares, const float* others, int64_t count) {
  bool apart = false;
  for (int64_t i = 0; i < count; ++i) {
    apart = apart || !(squares[i] <= most_apart * others[i] && others[i] <= most_apart * squares[i] && squares[i] <= most_squares);
  }
  return apart;
}

// One thread's memory.
struct Own {
  float* panels[2];  // of A
  float* kept;       // sums of two quarters of B
  float* sums;
};

void pack_quarter(const Plan& plan, int64_t group, int64_t block, int quarter, float* to) {
  const Product& product = plan.product;
  const int64_t row = plan.row_at(group, quarter);
  const auto there = static_cast<int>(plan.rows_at(group, quarter));
  const auto count = static_cast<int>(plan.count_of(group));
  const int64_t first = quarter % 2 * plan.half_k + block * plan.k_block;
  if (product.pack_a != nullptr) {
    product.pack_a(product, 0, row, there, count, first, plan.k_of(block), to);
  } else {
    pack_operand(plan.kernels, product.a, Dtype::f32, 0, product.a.row, product.a.column, row, there, count, first, plan.k_of(block), to);
  }
}

void pack_group(const Plan& plan, int64_t group, const Own& own) {
  const int64_t count = plan.count_of(group);
  float squares[2][16] = {};
  for (int64_t block = 0; block < plan.k_blocks; ++block) {
    const int64_t k = plan.k_of(block);
    float* const quarters[4] = {plan.panel_at(group, block, plain_panels[q11]), own.panels[0], own.panels[1], plan.panel_at(group, block, plain_panels[q22])};
    for (int quarter = 0; quarter < 4; ++quarter) {
      pack_quarter(plan, group, block, quarter, quarters[quarter]);
      plan.strassen.add_squares(quarters[quarter], static_cast<int>(count), k, squares[quarter / 2]);
    }
    for (int number = 0; number < 7; ++number) {
      const Term& term = steps[number].a;
      if (term.second != none) {
        plan.strassen.add(plan.panel_at(group, block, number), quarters[term.first], quarters[term.second], term.sign, count * k);
      }
    }
  }
  if (plan.rows_at(group, q21) < count) {  // the last row has no partner
    squares[1][count - 1] = squares[0][count - 1];
  }
  plan.apart[group] = are_apart(squares[0], squares[1], count);
  for (int64_t block = 0; plan.apart[group] && block < plan.k_blocks; ++block) {
    for (const int quarter : {q12, q21}) {
      pack_quarter(plan, group, block, quarter, plan.panel_at(group, block, plain_panels[quarter]));
    }
  }
}

// Whether the columns of a pair of blocks are apart, which is looked at once.
bool columns_are_apart(const Plan& plan, int64_t pair) {
  enum : uint8_t { unknown, alike, different };
  const std::atomic_ref<uint8_t> known(plan.product.b_pairs[pair]);
  uint8_t found = known.load(std::memory_order_relaxed);
  if (found == unknown) {
    float squares[2][block_columns];
    for (int i = 0; i < 2; ++i) {
      plan.strassen.squares_of_block(plan.b_at(pair, i, 0), plan.product.k, squares[i]);
    }
    found = are_apart(squares[0], squares[1], block_columns) ? different : alike;
    known.store(found, std::memory_order_relaxed);
  }
  return found == different;
}

// What is asked for while a block of k is multiplied: the same quarters' next.
class Ahead {
 public:
  Ahead(const Plan& plan, int64_t pair, int64_t block, int64_t k, int64_t calls) : plan_(plan), pair_(pair), block_(block), bytes_(k * block_columns * 4), at_(bytes_) {
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
  const Plan& plan_;
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
  Pass(const Plan& plan, int64_t pair, int64_t next, int64_t of_rows, const Own& own)
      : plan_(plan), pair_(pair), next_(next), first_(part(plan.groups, plan.parts, of_rows)), last_(part(plan.groups, plan.parts, of_rows + 1)), own_(own),
        finish_(finish_of(plan.product, 0)), apart_(columns_are_apart(plan, pair)) {}

  void run() {
    const int64_t calls = 7 * (last_ - first_);
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

  // Of a step, or a quarter of the results: [group][step][row][column].
  float* sums_at(int number, int64_t group) const {
    return own_.sums + ((plan_.row_of(group) - plan_.row_of(first_)) * 7 + plan_.count_of(group) * number) * block_columns;
  }

  void step(int number, int64_t block, Ahead& ahead) {
    const Term& term = steps[number].b;
    const float* const b = plan_.b_at(pair_, term.first, block);
    const float* const other = term.second == none ? nullptr : plan_.b_at(pair_, term.second, block);
    const auto& multiply_both = term.sign > 0 ? plan_.strassen.multiply_sum : plan_.strassen.multiply_difference;
    const int64_t k = plan_.k_of(block);
    bool made = other == nullptr;
    for (int64_t group = first_; group < last_; ++group) {
      if (is_apart(group)) {
        continue;
      }
      const int64_t count = plan_.count_of(group);
      const float* const a = plan_.panel_at(group, block, number);
      float* const to = sums_at(number, group);
      if (made) {
        plan_.kernels.multiply_block[count](a, other == nullptr ? b : own_.kept, k, to, block == 0, ahead.next(), ahead.asked(), 0);
      } else {
        multiply_both[count](a, b, other, k, to, block == 0, ahead.next(), ahead.asked(), own_.kept);
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
      plan_.kernels.multiply_block[plan_.count_of(group)](quarters[a], plan_.b_at(pair_, b, block), k, sums_at(to, group), block == 0 && a % 2 == 0, nullptr, 0, 0);
    }
  }

  void finish(int64_t group) {
    if (!is_apart(group)) {
      plan_.strassen.combine(sums_at(0, group), plan_.count_of(group) * block_columns);
    }
    for (int quarter = 0; quarter < 4; ++quarter) {
      plan_.kernels.finish(finish_, sums_at(quarter, group), block_columns, plan_.row_at(group, quarter), plan_.rows_at(group, quarter),
                           (2 * pair_ + quarter % 2) * block_columns, block_columns);
    }
  }

  const Plan& plan_;
  int64_t pair_;
  int64_t next_;
  int64_t first_;  // group
  int64_t last_;
  const Own& own_;
  Finish finish_;
  bool apart_;
};

void run_rows(const Product& product, const ProductKernels& kernels, int64_t first_row, int64_t end) {
  const int threads = threads_for(product);
  Plan plan(product, kernels, first_row, end, std::max<int64_t>(threads, (end - first_row) / rows_of_part));
  const int64_t pairs = product.n / (2 * block_columns);
  const int64_t kept_bytes = whole_lines(plan.k_block * block_columns * 4);
  const int64_t own_bytes = 2 * plan.panel_stride + kept_bytes + whole_lines(7 * parts_of(plan.groups, plan.parts) * parts_of(plan.half_rows, plan.groups) * block_columns * 4);
  Scratch packed(static_cast<size_t>(plan.groups * plan.k_blocks * 7 * plan.panel_stride));
  Scratch memory(static_cast<size_t>(own_bytes * threads));
  Scratch apart(static_cast<size_t>(plan.groups));
  plan.packed = packed.as<char>();
  plan.apart = apart.as<bool>();
  Shares packing(plan.groups);
  Shares shares(plan.parts * pairs);
  Barrier barrier;
  parallel(threads, [&](int index, int count) {
    char* const mine = memory.as<char>() + index * own_bytes;
    const auto at = [&](int64_t bytes) { return reinterpret_cast<float*>(mine + bytes); };
    const Own own{{at(0), at(plan.panel_stride)}, at(2 * plan.panel_stride), at(2 * plan.panel_stride + kept_bytes)};
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
  if (rows < least_rows || float_kernels().width != block_columns) {
    return {};
  }
  return derived_from_constant(weight, kind_pairs, [&] { return zeros({results / (2 * block_columns)}, Dtype::u8); });
}

bool suits_strassen(const Product& product, const ProductKernels& kernels) {
  return product.b_block != 0 && product.b_pairs != nullptr && product.dtype == Dtype::f32 && product.batch == 1 && product.pack_b == nullptr && product.b.row == block_columns && product.finish.column == 1 &&
         product.m >= least_rows && product.n >= least_columns && product.n % (2 * block_columns) == 0 && product.k >= least_terms && product.k % 32 == 0 &&
         kernels.width == block_columns;
}

void run_strassen(const Product& product, const ProductKernels& kernels) {
  const int64_t slices = parts_of(product.m, std::clamp<int64_t>(numbers_of_slice / product.k, least_slice, 2 * rows_of_part));
  for (int64_t i = 0; i < slices; ++i) {
    run_rows(product, kernels, part(product.m, slices, i), part(product.m, slices, i + 1));
  }
}

}  // namespace aotwin::runtime::products
