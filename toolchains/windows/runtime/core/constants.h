// Constants: memory of the caller whose contents do not change while tensors over it live (weights in a mapped blob).
#pragma once

#include <cstdint>

#include "shim.h"

namespace aotwin::runtime {

// Called once for each constant whose last tensor went away, with the range of keys that it had: [first, last).
// For what was derived from constants and kept by key (packed weights). Register at load, from any thread; no unregistering.
using ConstantReleased = void (*)(uint64_t first, uint64_t last);
void on_constant_released(ConstantReleased function);

}  // namespace aotwin::runtime

// Says that the storage of a tensor made by aoti_torch_create_tensor_from_blob or _v2 is a constant. To be called by whoever
// made it, before the tensor is handed on: the part of the model's DLL that maps its weights. Views of the tensor, and handles that
// share it, then answer Tensor::constant_key(). Never for constants that the model writes.
extern "C" AOTITorchError aotwin_mark_constant(AtenTensorHandle tensor);
