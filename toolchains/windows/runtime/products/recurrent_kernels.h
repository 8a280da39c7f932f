// One step of a recurrent cell, compiled for each CPU level.
#pragma once

#include <cstdint>

namespace aotwin::runtime::products {

// gates: four times `hidden` sums, of the input, forget, cell and output gate in torch's order. Writes the new cell state over the
// old one, and the new hidden state.
using LstmCell = void (*)(const float* gates, float* cell, float* hidden_state, int64_t hidden);

namespace level3 {
extern const LstmCell lstm_cell;
}
namespace level4 {
extern const LstmCell lstm_cell;
}

LstmCell lstm_cell();  // that of this CPU

}  // namespace aotwin::runtime::products
