// The steps of an LSTM layer, which depend on each other.
#pragma once

#include "../core/tensor.h"

namespace aotwin::runtime::products {

struct LstmSteps {
  Tensor gates;          // [steps * batch, 4 * hidden], float: what comes from the input, and the biases
  Tensor hidden_weight;  // [4 * hidden, hidden], float32, bfloat16 or float16, contiguous
  Tensor output;         // [steps, batch, hidden], float
  Tensor hidden;         // [batch, hidden], float: before the first step
  Tensor cell;           // the same; written
  bool reverse = false;
};

// Fills `output`; a step's hidden state is its part of it.
void run_lstm_steps(const LstmSteps& layer);

}  // namespace aotwin::runtime::products
