// Reading private members of torch's AOTInductorModelContainer.
//
// Its map of constants is private, and its public ways into it either copy all weights or leak a
// tensor handle each (MaybeOwningAtenTensorHandle's user_managed constructor). C++ lets an explicit
// instantiation name private members ([temp.spec.general]/6), so this is defined behaviour, and a torch
// whose members are others fails to compile rather than to run.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <torch/csrc/inductor/aoti_runtime/model_container.h>

#include "aotwin_torch_version.h"

namespace aotwin {

// `private_member(Tag(), object)` is declared by the tag and defined by the instantiation below.
template <typename Tag, auto Member>
struct Reveal {
  friend auto& private_member(Tag, typename Tag::Class& object) {
    return object.*Member;
  }
};

using torch::aot_inductor::AOTInductorModel;
using torch::aot_inductor::AOTInductorModelContainer;
using torch::aot_inductor::ConstantHandle;
using torch::aot_inductor::ConstantMap;
using torch::aot_inductor::ConstantState;

#define AOTWIN_REVEAL(tag, member)                                               \
  struct tag {                                                                   \
    using Class = AOTInductorModelContainer;                                     \
    friend auto& private_member(tag, AOTInductorModelContainer&);                \
  };                                                                             \
  template struct Reveal<tag, &AOTInductorModelContainer::member>;

AOTWIN_REVEAL(Models, models_)
AOTWIN_REVEAL(ExecutionMutex, model_exec_mutex_)
AOTWIN_REVEAL(ModelsMutex, models_mutex_)
AOTWIN_REVEAL(AvailableModels, available_models_)
AOTWIN_REVEAL(PendingModels, pending_models_)

// One of a container's two sets of constants, as AOTInductor keeps it.
struct BufferView {
  ConstantMap& map;
  std::vector<ConstantHandle>& array;
  ConstantState& fold_state;
};

#if AOTWIN_TORCH_BEFORE(2, 13)

AOTWIN_REVEAL(UsesSecond, use_secondary_)
AOTWIN_REVEAL(FirstMap, constants_map_)
AOTWIN_REVEAL(SecondMap, constants_map_secondary_)
AOTWIN_REVEAL(FirstArray, constants_array_)
AOTWIN_REVEAL(SecondArray, constants_array_secondary_)
AOTWIN_REVEAL(FirstState, constant_folded_)
AOTWIN_REVEAL(SecondState, constant_folded_secondary_)

inline size_t active_index_of(AOTInductorModelContainer& container) {
  return private_member(UsesSecond(), container) ? 1 : 0;
}

inline BufferView buffer_of(AOTInductorModelContainer& container, size_t index) {
  if (index == 0) {
    return {
        *private_member(FirstMap(), container),
        *private_member(FirstArray(), container),
        private_member(FirstState(), container)};
  }
  // These versions make the second set when it is first filled, but read it before, too.
  auto& map = private_member(SecondMap(), container);
  auto& array = private_member(SecondArray(), container);
  if (map == nullptr) {
    map = std::make_shared<ConstantMap>();
  }
  if (array == nullptr) {
    array = std::make_shared<std::vector<ConstantHandle>>(
        private_member(Models(), container)[0]->num_constants());
  }
  return {*map, *array, private_member(SecondState(), container)};
}

#else

AOTWIN_REVEAL(Buffers, buffers_)
AOTWIN_REVEAL(ActiveIndex, active_idx_)

inline size_t active_index_of(AOTInductorModelContainer& container) {
  return static_cast<size_t>(private_member(ActiveIndex(), container));
}

inline BufferView buffer_of(AOTInductorModelContainer& container, size_t index) {
  auto& buffer = private_member(Buffers(), container)[index];
  return {*buffer.map, *buffer.array, buffer.fold_state};
}

#endif

#undef AOTWIN_REVEAL

// torch's number of the device that a constant is for. A model of torch 2.10 has one device only.
inline int32_t device_of_constant(const AOTInductorModel& model, int64_t at) {
#if AOTWIN_TORCH_BEFORE(2, 11)
  (void)model;
  (void)at;
  return aoti_torch_device_type_cpu();
#else
  return model.constant_device_type(at);
#endif
}

} // namespace aotwin
