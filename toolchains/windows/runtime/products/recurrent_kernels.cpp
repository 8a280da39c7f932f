#include "recurrent_kernels.h"

#include "elementary.h"

namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE {
namespace {

using Loose = VectorOf<float, lanes<float>>::loose;

AOTWIN_ALWAYS Vector<float> at(const float* from) {
  return *reinterpret_cast<const Loose*>(from);
}

// New cell and hidden state of one register's lanes.
AOTWIN_ALWAYS void step(Vector<float> input, Vector<float> forget, Vector<float> candidate, Vector<float> output, Vector<float>& cell,
                        Vector<float>& hidden) {
  cell = multiply_add(sigmoid(forget), cell, sigmoid(input) * tanh(candidate));
  hidden = sigmoid(output) * tanh(cell);
}

void run(const float* gates, float* cell, float* hidden_state, int64_t hidden) {
  constexpr int width = lanes<float>;
  int64_t i = 0;
  for (; i + width <= hidden; i += width) {
    Vector<float> c = at(cell + i);
    Vector<float> h;
    step(at(gates + i), at(gates + hidden + i), at(gates + 2 * hidden + i), at(gates + 3 * hidden + i), c, h);
    *reinterpret_cast<Loose*>(cell + i) = c;
    *reinterpret_cast<Loose*>(hidden_state + i) = h;
  }
  if (i == hidden) {
    return;
  }
  // The rest through a register of zeros.
  Vector<float> parts[4] = {};
  Vector<float> c = {};
  for (int lane = 0; i + lane < hidden; ++lane) {
    for (int gate = 0; gate < 4; ++gate) {
      parts[gate][lane] = gates[gate * hidden + i + lane];
    }
    c[lane] = cell[i + lane];
  }
  Vector<float> h;
  step(parts[0], parts[1], parts[2], parts[3], c, h);
  for (int lane = 0; i + lane < hidden; ++lane) {
    cell[i + lane] = c[lane];
    hidden_state[i + lane] = h[lane];
  }
}

}  // namespace

extern const LstmCell lstm_cell;
const LstmCell lstm_cell = run;

}  // namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE
