// Each task has a few panels of columns of B to itself, which stay in the second cache of its thread, and takes some hundred rows of A past them.
// Panels are made when the first rows need them, and used for all others. Rows are multiplied as they lie: nothing is laid out that is as large
// as A, and threads share nothing that they write.
#include "own_panels.h"

#include <algorithm>

#include "../core/tensor.h"
#include "../threads/parallel.h"
#include "blocks.h"
#include "few_rows.h"
#include "lying_rows.h"
#include "rooms.h"
#include "shares.h"

namespace aotwin::runtime::products {
namespace {

constexpr int64_t bytes_of_panels = 800 << 10;  // of a task: they stay in the second cache
constexpr int64_t panels_most = 8;
constexpr int64_t rows_of_tile = 56;  // rows that pass by a panel while it is in the nearest cache
constexpr int64_t rows_of_task = 2048;
constexpr int64_t least_rows_of_task = 360;
constexpr int64_t few_columns_most = 128;

struct Plan : Blocks {
  using Blocks::Blocks;
  int64_t units = 1;  // of panels
  int64_t groups_of_tile = 1;
  int64_t row_parts = 1;
  int64_t panel_stride = 0;
};

struct Task {
  int64_t batch;
  int64_t first_panel;
  int64_t panels;
  int64_t first_group;
  int64_t groups;
};
// Those that follow each other have the same rows.
Task task_of(const Plan& plan, int64_t index) {
  const int64_t unit = index % plan.units;
  const int64_t rest = index / plan.units;
  const int64_t panel = part(plan.panels, plan.units, unit);
  const int64_t group = part(plan.groups, plan.row_parts, rest % plan.row_parts);
  return {rest / plan.row_parts, panel, part(plan.panels, plan.units, unit + 1) - panel, group,
          part(plan.groups, plan.row_parts, rest % plan.row_parts + 1) - group};
}

// Memory that is needed next, for asking it ahead: sixteen rows of it at a time, `calls` calls of a kernel.
struct Ahead {
  const char* data = nullptr;
  int64_t row = 0;
  int64_t step = 0;
  int64_t call = 0;  // bytes from one call to the next
  int64_t calls = 0;
};
Ahead ahead_of_panel(const Plan& plan, int64_t batch, int64_t panel, int64_t block) {
  const Product& product = plan.product;
  const char* const data = columns_of(plan, batch, panel * plan.kernels.width, block);
  if (product.b_block != 0) {  // sixteen lines after sixteen
    const int64_t call = k_of(plan, block) / 16 * 1024;
    return {data, 64, 1024, call, call == 0 ? 0 : k_of(plan, block) * product.b.row * plan.size / call};
  }
  const int64_t row = product.b.column * plan.b_size;
  return {data, row, 64, 16 * row, (lanes_of(plan, panel) + 15) / 16};
}

// One thread's memory.
struct Own {
  char* panels;
  char* sums;
};

class Pass {
 public:
  Pass(const Plan& plan, const Task& task, const Task& next, const Own& own) : plan_(plan), task_(task), next_(next), own_(own), finish_(finish_of(plan.product, task.batch)) {}

  void run() {
    for (int64_t first = 0; first < task_.groups; first += plan_.groups_of_tile) {
      groups_ = std::min(plan_.groups_of_tile, task_.groups - first);
      first_group_ = task_.first_group + first;
      for (int64_t block = 0; block < plan_.k_blocks; ++block) {
        char* sums = own_.sums;
        for (int64_t i = 0; i < task_.panels; ++i) {
          if (first == 0 && !plan_.ready) {
            pack_panel(plan_, task_.batch, task_.first_panel + i, block, panel_at(i, block));
          }
          sums = multiply_panel(i, block, first == 0, sums);
        }
      }
    }
  }

 private:
  char* panel_at(int64_t index, int64_t block) const {
    return own_.panels + (index * plan_.k_blocks + block) * plan_.panel_stride;
  }

  // What is packed after a panel, in this task.
  Ahead following_panel(int64_t index, int64_t block) const {
    if (index + 1 < task_.panels) {
      return ahead_of_panel(plan_, task_.batch, task_.first_panel + index + 1, block);
    }
    if (block + 1 < plan_.k_blocks) {
      return ahead_of_panel(plan_, task_.batch, task_.first_panel, block + 1);
    }
    return {};
  }
  // The same group of the next tile; for the last tile, the next task's first panel.
  Ahead following_rows(int64_t index, int64_t group, int64_t block) const {
    const int64_t later = first_group_ + group + plan_.groups_of_tile;
    if (later < task_.first_group + task_.groups) {
      const RowGroup rows = rows_of(plan_, task_.batch, later, block);
      return {rows.data, rows.stride, 64, 0, index == 0 ? 1 : 0};
    }
    if (group == 0 && index == 0 && block + 1 == plan_.k_blocks) {
      return ahead_of_panel(plan_, next_.batch, next_.first_panel, 0);
    }
    return {};
  }

  char* multiply_panel(int64_t index, int64_t block, bool packed_now, char* sums) {
    const int64_t number = task_.first_panel + index;
    const int64_t width = width_of(plan_, number);
    const char* const panel = plan_.ready ? columns_of(plan_, task_.batch, number * plan_.kernels.width, block) : panel_at(index, block);
    const int64_t k = units_of(plan_, k_of(plan_, block));
    const Ahead following = packed_now ? following_panel(index, block) : Ahead{};
    const char* const nothing = own_.panels;
    for (int64_t group = 0; group < groups_; ++group) {
      const RowGroup rows = rows_of(plan_, task_.batch, first_group_ + group, block);
      const Ahead ahead = packed_now ? following : following_rows(index, group, block);
      const int64_t call = packed_now ? group : 0;
      const bool ask = call < ahead.calls;
      const int64_t row = row_of(plan_, first_group_ + group);
      const bool last = block + 1 == plan_.k_blocks;
      if (last && plan_.product.b_block != 0) {
        ask_for_results(finish_, row, rows.count, number * plan_.kernels.width, lanes_of(plan_, number));
      }
      plan_.kernels.multiply_rows[rows.count][width == plan_.kernels.width ? 1 : 0](
          rows.data, rows.stride, panel, k, sums, block == 0, ask ? ahead.data + call * ahead.call : nothing, ask ? ahead.row : 0, ask ? 4 * ahead.row : 0,
          ask ? ahead.step : 0);
      if (last) {
        plan_.kernels.finish(finish_, sums, width, row, rows.count, number * plan_.kernels.width,
                             static_cast<int>(lanes_of(plan_, number)));
      }
      sums += rows.count * width * plan_.size;
    }
    return sums;
  }

  const Plan& plan_;
  const Task& task_;
  const Task& next_;
  const Own& own_;
  Finish finish_;
  int64_t first_group_ = 0;  // of this tile
  int64_t groups_ = 0;
};

}  // namespace

bool suits_own_panels(const Product& product, const ProductKernels& kernels) {
  const auto element = static_cast<int64_t>(element_size(product.dtype));
  const int64_t size = product.dtype == Dtype::f64 ? 8 : 4;
  // Rows that share a place in the nearest cache put each other out.
  const bool apart = product.a.row * element % 4096 != 0;
  // Few columns that need no panels: tiles are as fast by rows that they take as they lie, and have more tasks.
  const bool fits = product.b_block != 0 ? product.n > few_columns_most || product.a.row * element % 2048 == 0
                                         : can_lie(product.b.row, product.b.column, product, kernels);
  return product.m >= own_panels_least && product.finish.column == 1 && can_lie(product.a.column, product.a.row, product, kernels) &&
         fits && element * kernels.unit == size && apart;
}

void run_own_panels(const Product& product, const ProductKernels& kernels) {
  Plan plan(product, kernels);
  plan.groups_of_tile = rows_of_tile / kernels.rows;
  plan.panel_stride = panel_bytes(plan, kernels.width);

  const int threads = threads_for(product);
  const int64_t most = std::clamp<int64_t>(bytes_of_panels / (plan.k_blocks * plan.panel_stride), 1, panels_most);
  plan.row_parts = (product.m + rows_of_task - 1) / rows_of_task;
  // Enough tasks that a thread which other work delays gets fewer of them.
  while (threads > 1 && plan.row_parts < product.m / least_rows_of_task && product.batch * plan.row_parts * ((plan.panels + most - 1) / most) < 4 * threads) {
    ++plan.row_parts;
  }
  while (plan.row_parts < plan.groups && product.batch * plan.row_parts * plan.panels < threads) {
    ++plan.row_parts;
  }
  const int64_t panels_of_task = even_parts(product.batch * plan.row_parts, plan.panels, most, threads);
  plan.units = (plan.panels + panels_of_task - 1) / panels_of_task;
  const int64_t tasks = product.batch * plan.row_parts * plan.units;

  const int64_t panels_bytes = panels_of_task * plan.k_blocks * plan.panel_stride;
  const int64_t own_bytes = panels_bytes + whole_lines(plan.groups_of_tile * kernels.rows * panels_of_task * kernels.width * plan.size);
  Rooms memory(own_bytes, threads);

  Shares shares(tasks);
  parallel(threads, [&](int index, int count) {
    char* const mine = memory.of<char>(index);
    const Own own{mine, mine + panels_bytes};
    shares.each(index, count, [&](int64_t now) {
      const Task task = task_of(plan, now);
      const Task next = task_of(plan, std::min(now + 1, tasks - 1));  // most likely
      Pass(plan, task, next, own).run();
    });
  });
}

}  // namespace aotwin::runtime::products
