// Few channels, as of an image's colours: the taps of a line lie one after the other in memory, some dozen numbers, and those of the next place begin a
// step further. Panels of them would be filled in short runs. So a line of results is multiplied from lines of the input as they lie, one line
// of taps after the other; what is beyond the borders is brought together with the rest first.
#include <algorithm>
#include <cstring>

#include "../threads/parallel.h"
#include "geometry.h"
#include "kernels.h"
#include "packing.h"
#include "rooms.h"

namespace aotwin::runtime::products {
namespace {

constexpr int64_t channels_most = 31;
constexpr int64_t terms_most = 256;       // of a result: its weights stay in the nearest cache
constexpr int64_t places_of_task = 112;

struct Plan {
  const Geometry& g;
  const Finish& finish;
  const ProductKernels& kernels;
  const float* input;
  const float* panels;  // [column panels][lines of taps][run][width]
  int64_t run;          // terms of a line of taps
  int64_t terms;
  int64_t parts;        // of a line of results
};

// What `places` results from `first` on read of a line, with zeros where there is nothing.
void bring_line(const Plan& plan, int64_t image, int64_t line, int64_t first, int64_t length, float* to) {
  const Geometry& g = plan.g;
  if (line < 0 || line >= g.in[1]) {
    std::memset(to, 0, static_cast<size_t>(length * g.channels) * sizeof(float));
    return;
  }
  const int64_t begin = std::clamp<int64_t>(-first, 0, length);
  const int64_t end = std::clamp<int64_t>(g.in[2] - first, begin, length);
  const float* const from = plan.input + ((image * g.in[1] + line) * g.in[2] + first + begin) * g.channels;
  std::memset(to, 0, static_cast<size_t>(begin * g.channels) * sizeof(float));
  std::memcpy(to + begin * g.channels, from, static_cast<size_t>((end - begin) * g.channels) * sizeof(float));
  std::memset(to + end * g.channels, 0, static_cast<size_t>((length - end) * g.channels) * sizeof(float));
}

void pack_weights(const Plan& plan, const void* weight, float* panels) {
  const Geometry& g = plan.g;
  const Operand rows{weight, 0, 1, plan.terms};
  for (int64_t column = 0; column < g.out_channels; column += plan.kernels.width) {
    const int count = static_cast<int>(std::min<int64_t>(plan.kernels.width, g.out_channels - column));
    float* const panel = panels + column * plan.terms;
    if (g.by_terms()) {
      plan.kernels.pack_columns(Dtype::f32, panel, static_cast<const float*>(weight) + g.weight_of(column), g.term, count, plan.kernels.width, plan.terms);
    } else {
      pack_operand(plan.kernels, rows, Dtype::f32, 0, rows.column, rows.row, column, count, plan.kernels.width, 0, plan.terms, panel);
    }
  }
}

int64_t places_of(const Plan& plan) {
  return (plan.g.out[2] + plan.parts - 1) / plan.parts;
}
// Places of a line that a task reads.
int64_t length_of(const Plan& plan, int64_t places) {
  return (places - 1) * plan.g.stride[2] + plan.g.kernel[2];
}

// One part of a line of results, of all columns.
void run_task(const Plan& plan, int64_t index, float* lines, float* sums) {
  const Geometry& g = plan.g;
  const int64_t row = index / plan.parts;
  const int64_t first = part(g.out[2], plan.parts, index % plan.parts);
  const int64_t places = part(g.out[2], plan.parts, index % plan.parts + 1) - first;
  const int64_t length = length_of(plan, places);
  for (int64_t line = 0; line < g.kernel[1]; ++line) {
    const Tap& tap = g.taps[static_cast<size_t>(line * g.kernel[2])];
    bring_line(plan, row / g.out[1], row % g.out[1] * g.stride[1] + tap.h, first * g.stride[2] + tap.w, length, lines + line * length * g.channels);
  }
  const int64_t step = g.stride[2] * g.channels;
  const int64_t tiles = (places + plan.kernels.rows - 1) / plan.kernels.rows;
  for (int64_t column = 0; column < g.out_channels; column += plan.kernels.width) {
    const int count = static_cast<int>(std::min<int64_t>(plan.kernels.width, g.out_channels - column));
    for (int64_t tile = 0; tile < tiles; ++tile) {
      const int64_t place = part(places, tiles, tile);
      const int64_t height = part(places, tiles, tile + 1) - place;
      for (int64_t line = 0; line < g.kernel[1]; ++line) {
        const float* const rows = lines + line * length * g.channels + place * step;
        const float* const panel = plan.panels + column * plan.terms + line * plan.run * plan.kernels.width;
        plan.kernels.multiply_rows[height][1](rows, step * static_cast<int64_t>(sizeof(float)), panel, plan.run, sums, line == 0,
                                              reinterpret_cast<const char*>(rows), 0, 0, 0);
      }
      plan.kernels.finish(plan.finish, sums, plan.kernels.width, row * g.out[2] + first + place, height, column, count);
    }
  }
}

}  // namespace

bool suits_lines(const Geometry& g) {
  return g.dtype == Dtype::f32 && g.groups == 1 && g.row_taps && g.kernel[0] == 1 && g.in[0] == 1 && g.out[0] == 1 && g.taps[0].d == 0 && g.kernel[2] > 1 &&
         g.channels <= channels_most && static_cast<int64_t>(g.taps.size()) * g.channels <= terms_most;
}

void convolve_lines(const Geometry& g, const void* input, const void* weight, const Finish& finish) {
  const ProductKernels& kernels = float_kernels();
  Plan plan = {g, finish, kernels, static_cast<const float*>(input), nullptr, g.kernel[2] * g.channels, static_cast<int64_t>(g.taps.size()) * g.channels,
               (g.out[2] + places_of_task - 1) / places_of_task};
  const int64_t columns = (g.out_channels + kernels.width - 1) / kernels.width * kernels.width;
  Scratch panels(static_cast<size_t>(columns * plan.terms + panel_slack) * sizeof(float));
  pack_weights(plan, weight, panels.as<float>());
  plan.panels = panels.as<float>();
  const int64_t lines_size = (g.kernel[1] * length_of(plan, places_of(plan)) * g.channels + 15) / 16 * 16;
  const int64_t work = std::max<int64_t>(1, places_of(plan) * plan.terms * g.out_channels);
  const int64_t tasks = g.batch * g.out[1] * plan.parts;
  const int threads = threads_for_parts(tasks, std::max<int64_t>(1, 65536 / work));
  Rooms rooms((lines_size + kernels.rows * kernels.width) * static_cast<int64_t>(sizeof(float)), threads);
  parallel_parts(0, tasks, threads, [&](int64_t begin, int64_t end, int thread) {
    float* const own = rooms.of<float>(thread);
    for (int64_t index = begin; index < end; ++index) {
      run_task(plan, index, own, own + lines_size);
    }
  });
}

}  // namespace aotwin::runtime::products
