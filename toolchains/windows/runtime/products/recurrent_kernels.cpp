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

void run(const GateSums& gates, float* cell, float* hidden_state, int64_t count) {
  constexpr int width = lanes<float>;
  const auto gate = [&](int number, int64_t i, auto&& read) __attribute__((always_inline)) {
    return read(gates.of_input + number * gates.input_stride + i) + read(gates.of_hidden + number * gates.hidden_stride + i);
  };
  int64_t i = 0;
  for (; i + width <= count; i += width) {
    Vector<float> c = at(cell + i);
    Vector<float> h;
    step(gate(0, i, at), gate(1, i, at), gate(2, i, at), gate(3, i, at), c, h);
    *reinterpret_cast<Loose*>(cell + i) = c;
    *reinterpret_cast<Loose*>(hidden_state + i) = h;
  }
  if (i == count) {
    return;
  }
  const int rest = static_cast<int>(count - i);
  const auto part = [&](const float* from) __attribute__((always_inline)) { return load_part<float>(from, rest); };
  Vector<float> c = part(cell + i);
  Vector<float> h;
  step(gate(0, i, part), gate(1, i, part), gate(2, i, part), gate(3, i, part), c, h);
  for (int lane = 0; lane < rest; ++lane) {
    cell[i + lane] = c[lane];
    hidden_state[i + lane] = h[lane];
  }
}

}  // namespace

extern const LstmCell lstm_cell;
const LstmCell lstm_cell = run;

}  // namespace aotwin::runtime::products::AOTWIN_LEVEL_NAMESPACE
