// One step of a recurrent cell, compiled for each CPU level.
#pragma once

#include <cstdint>

namespace aotwin::runtime::products {

// Sums of the four gates of `count` hidden values, in torch's order: input, forget, cell, output. Those that come from the layer's input
// lie `input_stride` apart, those from the hidden state `hidden_stride`.
struct GateSums {
  const float* of_input;
  int64_t input_stride;
  const float* of_hidden;
  int64_t hidden_stride;
};

// Writes the new cell state over the old one, and the new hidden state.
using LstmCell = void (*)(const GateSums& gates, float* cell, float* hidden_state, int64_t count);

namespace level3 {
extern const LstmCell lstm_cell;
}
namespace level4 {
extern const LstmCell lstm_cell;
}

LstmCell lstm_cell();  // that of this CPU

}  // namespace aotwin::runtime::products
