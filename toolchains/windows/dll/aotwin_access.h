// Reading private members of torch's AOTInductorModelContainer.
//
// Its map of constants is private, and its public ways into it either copy all weights or leak a
// tensor handle each (MaybeOwningAtenTensorHandle's user_managed constructor). C++ lets an explicit
// instantiation name private members ([temp.spec.general]/6), so this is defined behaviour, and a torch
// whose members are others fails to compile rather than to run.
#pragma once

#include <torch/csrc/inductor/aoti_runtime/model_container.h>

namespace aotwin {

// `private_member(Tag(), object)` is declared by the tag and defined by the instantiation below.
template <typename Tag, auto Member>
struct Reveal {
  friend auto& private_member(Tag, typename Tag::Class& object) {
    return object.*Member;
  }
};

using torch::aot_inductor::AOTInductorModelContainer;

#define AOTWIN_REVEAL(tag, member)                                               \
  struct tag {                                                                   \
    using Class = AOTInductorModelContainer;                                     \
    friend auto& private_member(tag, AOTInductorModelContainer&);                \
  };                                                                             \
  template struct Reveal<tag, &AOTInductorModelContainer::member>;

AOTWIN_REVEAL(Models, models_)
AOTWIN_REVEAL(Buffers, buffers_)
AOTWIN_REVEAL(ActiveIndex, active_idx_)
AOTWIN_REVEAL(ExecutionMutex, model_exec_mutex_)
AOTWIN_REVEAL(ModelsMutex, models_mutex_)
AOTWIN_REVEAL(AvailableModels, available_models_)
AOTWIN_REVEAL(PendingModels, pending_models_)

#undef AOTWIN_REVEAL

} // namespace aotwin
