// Few sequences at a time: each step reads all weights, and waits for the step before. So all steps are one parallel region, where each thread
// has hidden values of its own, whose weights stay in its own cache, and threads meet once a step. Many sequences are ordinary products.
#include "recurrent.h"

#include <algorithm>

#include "../threads/parallel.h"
#include "barrier.h"
#include "few_rows.h"
#include "matmul.h"
#include "packing.h"
#include "recurrent_kernels.h"

namespace aotwin::runtime::products {
namespace {

constexpr int64_t values_of_block = 16;        // a cache line of states, which one thread writes
constexpr int64_t work_per_thread = 1 << 14;   // products in a step that are worth meeting another thread

struct Steps {
  explicit Steps(const LstmSteps& of)
      : layer(of), batch(of.hidden.size(0)), hidden(of.hidden.size(1)), count(of.output.size(0)), cell(lstm_cell()) {}

  int64_t place(int64_t step) const {
    return layer.reverse ? count - 1 - step : step;
  }
  const float* before(int64_t step) const {
    return step == 0 ? layer.hidden.as<float>() : layer.output.as<float>() + place(step - 1) * batch * hidden;
  }

  const LstmSteps& layer;
  int64_t batch;
  int64_t hidden;
  int64_t count;
  LstmCell cell;
};

// Hidden values [first, first + count) of one step.
void run_block(const Steps& steps, int64_t step, int64_t first, int64_t count) {
  const int64_t hidden = steps.hidden;
  const Tensor& weight = steps.layer.hidden_weight;
  const auto row_bytes = hidden * static_cast<int64_t>(element_size(weight.dtype()));
  alignas(64) float sums[few_rows_most * 4 * values_of_block];
  constexpr int64_t row_of_sums = 4 * values_of_block;
  for (int64_t gate = 0; gate < 4; ++gate) {
    float_kernels().dot_near(weight.dtype(), steps.before(step), hidden, static_cast<int>(steps.batch), weight.as<char>() + (gate * hidden + first) * row_bytes, hidden,
                        count, hidden, sums + gate * values_of_block, row_of_sums);
  }
  const int64_t place = steps.place(step);
  for (int64_t row = 0; row < steps.batch; ++row) {
    const GateSums gates = {steps.layer.gates.as<float>() + (place * steps.batch + row) * 4 * hidden + first, hidden, sums + row * row_of_sums, values_of_block};
    steps.cell(gates, steps.layer.cell.as<float>() + row * hidden + first, steps.layer.output.as<float>() + (place * steps.batch + row) * hidden + first, count);
  }
}

void run_few(const Steps& steps) {
  const int64_t blocks = (steps.hidden + values_of_block - 1) / values_of_block;
  const int64_t work = 4 * steps.hidden * steps.hidden * steps.batch;
  const auto wanted = static_cast<int>(std::clamp<int64_t>(work / work_per_thread, 1, std::min<int64_t>(thread_count(), blocks)));
  Barrier barrier;
  parallel(wanted, [&](int index, int threads) {
    const int64_t first = part(blocks, threads, index);
    const int64_t own = part(blocks, threads, index + 1) - first;
    for (int64_t step = 0; step < steps.count; ++step) {
      for (int64_t i = 0; i < own; ++i) {
        // There and back: where a cache cannot hold all of a thread's weights, a step begins with those that it still has.
        const int64_t at = (first + (step % 2 == 0 ? i : own - 1 - i)) * values_of_block;
        run_block(steps, step, at, std::min(values_of_block, steps.hidden - at));
      }
      barrier.wait(threads, step + 1);
    }
  });
}

void run_many(const Steps& steps) {
  const LstmSteps& layer = steps.layer;
  const int64_t batch = steps.batch;
  const int64_t hidden = steps.hidden;
  const Tensor rows = to_dtype(layer.hidden_weight, Dtype::f32);
  const Tensor weight = view(rows, {hidden, 4 * hidden}, {1, hidden}, rows.storage_offset());
  Tensor before = layer.hidden;
  const Tensor sums = empty({batch, 4 * hidden}, Dtype::f32);
  for (int64_t step = 0; step < steps.count; ++step) {
    const int64_t place = steps.place(step);
    multiply_tensors("mkldnn_rnn_layer", sums, before, weight, nullptr, 0, 1);
    const Tensor now = view(layer.output, {batch, hidden}, {hidden, 1}, place * batch * hidden);
    parallel_for(0, batch, 4096 / (hidden + 1) + 1, [&](int64_t first, int64_t last) {
      for (int64_t row = first; row < last; ++row) {
        const GateSums gates = {layer.gates.as<float>() + (place * batch + row) * 4 * hidden, hidden, sums.as<float>() + row * 4 * hidden, hidden};
        steps.cell(gates, layer.cell.as<float>() + row * hidden, now.as<float>() + row * hidden, hidden);
      }
    });
    before = now;
  }
}

}  // namespace

LstmCell lstm_cell() {
  return &float_kernels() == &level4::float_kernels ? level4::lstm_cell : level3::lstm_cell;
}

void run_lstm_steps(const LstmSteps& layer) {
  const Steps steps(layer);
  if (steps.batch == 0 || steps.hidden == 0) {
    return;
  }
  if (steps.batch <= few_rows_most) {
    run_few(steps);
  } else {
    run_many(steps);
  }
}

}  // namespace aotwin::runtime::products
