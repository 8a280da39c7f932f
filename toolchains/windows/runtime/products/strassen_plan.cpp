#include "strassen_plan.h"

#include <atomic>

#include "../core/tensor.h"
#include "blocks.h"

namespace aotwin::runtime::products {
namespace {

// Terms that are added up in registers. The error is that of plain sums of 192 of them times the root of this over 48: 192 would need fewer
// instructions, but have twice the error.
constexpr int64_t terms_of_block = 96;
constexpr int64_t rows_of_part = 320;  // at most, or so: A's panels are read for each pair of blocks
constexpr float most_apart = 16;       // sums of the squares of two rows, or columns,
constexpr float most_squares = 1e30F;  // of which none may be so large that sums could overflow

// Groups of a part, of which some parts may have one more: where tiles are low, those that are not full cost more than that.
constexpr int64_t groups_of_uneven = 4;

// Of a region's time: each part of the rows has sums of B made anew; with fewer parts than threads, A's panels are read by several.
constexpr double sums_of_part = 0.09;
constexpr double shared_panels = 0.03;

// How many parts the groups of rows are cut into, such that threads end at the same time: all of one size, or of so many groups at least.
int64_t best_parts(int64_t groups, int64_t pairs, int64_t threads, int64_t wanted, int64_t uneven) {
  int64_t best = 1;
  double best_cost = 0;
  for (int64_t parts = 1; parts <= groups; ++parts) {
    if (groups % parts != 0 && groups < uneven * parts) {
      continue;
    }
    const auto tasks = static_cast<double>(parts * pairs);
    const double time = static_cast<double>(parts_of(parts * pairs, threads)) / tasks;
    const double cost = time * (1 + sums_of_part * static_cast<double>(parts) / static_cast<double>(groups) + (parts < wanted ? shared_panels : 0));
    if (parts == 1 || cost < best_cost) {
      best = parts;
      best_cost = cost;
    }
  }
  return best;
}

bool are_apart(const float* squares, const float* others, int64_t count) {
  bool apart = false;
  for (int64_t i = 0; i < count; ++i) {
    apart = apart || !(squares[i] <= most_apart * others[i] && others[i] <= most_apart * squares[i] && squares[i] <= most_squares);
  }
  return apart;
}

}  // namespace

StrassenPlan::StrassenPlan(const Product& of, const ProductKernels& with, int64_t first, int64_t last, int threads)
    : product(of), kernels(with), strassen(strassen_kernels()), halves(block_columns / with.width), first_row(first), end(last) {
  half_rows = parts_of(last - first, 2);
  groups = parts_of(half_rows, with.rows);
  const int64_t uneven = halves > 1 ? groups_of_uneven : groups + 1;  // more than there are: never
  if (groups < 2 * uneven) {
    groups = parts_of(groups, 2) * 2;
  }
  height = half_rows / groups;
  higher = half_rows % groups;
  parts = best_parts(groups, of.n / (2 * block_columns), threads, std::max<int64_t>(threads, (last - first) / rows_of_part), uneven);
  half_k = of.k / 2;
  k_block = parts_of(parts_of(half_k, parts_of(half_k, terms_of_block)), 16) * 16;
  k_blocks = parts_of(half_k, k_block);
  panel_stride = whole_lines((parts_of(half_rows, groups) * k_block + panel_slack) * 4);
}

void pack_quarter(const StrassenPlan& plan, int64_t group, int64_t block, int quarter, float* to) {
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

void pack_group(const StrassenPlan& plan, int64_t group, const StrassenMemory& own) {
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
      if (term.second != no_quarter) {
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

bool columns_are_apart(const StrassenPlan& plan, int64_t pair) {
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

}  // namespace aotwin::runtime::products
