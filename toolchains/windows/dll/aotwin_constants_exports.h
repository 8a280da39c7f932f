// Entry points that replace generated ones: a container's constants, given by name or as a blob.
//
// Torch passes a map of MSVC's C++ library to some of them; each has a twin, named ...Pairs, that
// takes a plain array.
#pragma once

#include "aotwin_border.h"
#include "aotwin_container_exports.h"
#include "aotwin_msvc_map.h"

namespace aotwin {

inline UserTensors tensors_of(const AOTInductorConstantMapEntry* pairs, size_t count) {
  require(pairs != nullptr || count == 0, "the array of names and tensors is null");
  UserTensors result;
  result.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    require(pairs[i].name != nullptr, "a constant's name is null");
    result.emplace(pairs[i].name, pairs[i].handle);
  }
  return result;
}

inline AOTIRuntimeError update(
    AOTInductorModelContainerHandle handle,
    const AOTInductorConstantMapEntry* pairs,
    size_t num_pairs,
    bool use_inactive,
    bool validate_full_update,
    bool user_managed) noexcept {
  return guarded([&] {
    container_of(handle).update(
        tensors_of(pairs, num_pairs), use_inactive, validate_full_update, user_managed);
  });
}

inline AOTIRuntimeError update(
    AOTInductorModelContainerHandle handle,
    AOTInductorConstantMapHandle map,
    bool use_inactive,
    bool validate_full_update,
    bool user_managed,
    const char* pairs_entry_point) noexcept {
  return guarded([&] {
    container_of(handle).update(
        MsvcMapReader(pairs_entry_point).read(map),
        use_inactive,
        validate_full_update,
        user_managed);
  });
}

inline void create_with(
    AOTInductorModelContainerHandle* result,
    size_t num_models,
    const char* device,
    const char* cubin_dir,
    const UserTensors& given) {
  create(result, num_models, device, cubin_dir);
  try {
    container_of(*result).take_external(given);
  } catch (...) {
    delete &container_of(*result);
    *result = nullptr;
    throw;
  }
}

} // namespace aotwin

extern "C" {

// The caller's tensors are used where they lie; what he leaves out, where it lies in the blob.
AOTIRuntimeError AOTWIN_OURS(AOTInductorModelContainerCreateWithExternalConstants)(
    AOTInductorModelContainerHandle* container,
    size_t num_models,
    const char* device,
    const char* cubin_dir,
    const AOTInductorConstantMapEntry* entries,
    size_t num_entries) {
  return aotwin::guarded([&] {
    aotwin::create_with(
        container, num_models, device, cubin_dir, aotwin::tensors_of(entries, num_entries));
  });
}

#if AOTWIN_TORCH_BEFORE(2, 14)
// What later versions generate answers the same: AOTInductor's container has called it, to no effect.
AOTIRuntimeError AOTInductorModelContainerDidCallLoadConstants(
    AOTInductorModelContainerHandle handle,
    bool* did_call_load_constants) {
  return aotwin::guarded([&] {
    aotwin::container_of(handle);
    aotwin::require(did_call_load_constants != nullptr, "there is no place for the answer");
    *did_call_load_constants = true;
  });
}
#endif

// The caller's map would have to be filled with memory of MSVC's allocator, which is not ours to take.
AOTIRuntimeError AOTWIN_OURS(AOTInductorModelContainerExtractConstantsMap)(
    AOTInductorModelContainerHandle,
    AOTInductorConstantMapHandle,
    bool) {
  return aotwin::guarded([] {
    throw std::runtime_error(
        "this DLL cannot fill another C++ library's std::unordered_map: call "
        "AOTInductorModelContainerExtractConstantsMapEntries, which gives the same as plain C");
  });
}

#if AOTWIN_TORCH_BEFORE(2, 13)
AOTIRuntimeError AOTInductorModelContainerExtractConstantsMapEntries(
    AOTInductorModelContainerHandle handle,
    const AOTInductorConstantMapEntry** entries,
    size_t* num_entries,
    bool use_inactive) {
  return aotwin::guarded([&] {
    aotwin::require(
        entries != nullptr && num_entries != nullptr, "there is no place for the entries");
    const auto& extracted = aotwin::container_of(handle).entries_of(use_inactive);
    *entries = extracted.empty() ? nullptr : extracted.data();
    *num_entries = extracted.size();
  });
}
#endif

// An entry point that takes a map, and its twin.
#define AOTWIN_UPDATE(name, user_managed)       \
  AOTIRuntimeError AOTWIN_OURS(name)(           \
      AOTInductorModelContainerHandle handle,   \
      AOTInductorConstantMapHandle map,         \
      bool use_inactive,                        \
      bool validate_full_update) {              \
    return aotwin::update(                      \
        handle,                                 \
        map,                                    \
        use_inactive,                           \
        validate_full_update,                   \
        user_managed,                           \
        #name "Pairs");                         \
  }                                             \
  AOTIRuntimeError AOTWIN_OURS(name##Pairs)(    \
      AOTInductorModelContainerHandle handle,   \
      const AOTInductorConstantMapEntry* pairs, \
      size_t num_pairs,                         \
      bool use_inactive,                        \
      bool validate_full_update) {              \
    return aotwin::update(                      \
        handle,                                 \
        pairs,                                  \
        num_pairs,                              \
        use_inactive,                           \
        validate_full_update,                   \
        user_managed);                          \
  }

AOTWIN_UPDATE(AOTInductorModelContainerUpdateUserManagedConstantBuffer, true)
AOTWIN_UPDATE(AOTInductorModelContainerUpdateConstantBuffer, false)
// The model is on the CPU as well: nothing is special about tensors from there.
AOTWIN_UPDATE(AOTInductorModelContainerUpdateConstantBufferFromCpu, false)

#undef AOTWIN_UPDATE

AOTIRuntimeError AOTWIN_OURS(AOTInductorModelContainerUpdateInactiveConstantBuffer)(
    AOTInductorModelContainerHandle handle,
    AOTInductorConstantMapHandle map) {
  return aotwin::update(
      handle,
      map,
      /* use_inactive = */ true,
      /* validate_full_update = */ true,
      /* user_managed = */ false,
      "AOTInductorModelContainerUpdateInactiveConstantBufferPairs");
}

AOTIRuntimeError AOTWIN_OURS(AOTInductorModelContainerUpdateInactiveConstantBufferPairs)(
    AOTInductorModelContainerHandle handle,
    const AOTInductorConstantMapEntry* pairs,
    size_t num_pairs) {
  return aotwin::update(
      handle,
      pairs,
      num_pairs,
      /* use_inactive = */ true,
      /* validate_full_update = */ true,
      /* user_managed = */ false);
}

AOTIRuntimeError AOTWIN_OURS(AOTInductorModelContainerFreeInactiveConstantBuffer)(
    AOTInductorModelContainerHandle handle) {
  return aotwin::guarded([&] { aotwin::container_of(handle).free_inactive(); });
}

AOTIRuntimeError AOTWIN_OURS(AOTInductorModelContainerSwapConstantBuffer)(
    AOTInductorModelContainerHandle handle) {
  return aotwin::guarded([&] { aotwin::container_of(handle).swap_checked(); });
}

AOTIRuntimeError AOTWIN_OURS(AOTInductorModelUpdateConstantsFromBlob)(
    AOTInductorModelContainerHandle handle,
    const uint8_t* blob) {
  return aotwin::guarded([&] {
    aotwin::require(blob != nullptr, "the pointer to the weights is null");
    aotwin::container_of(handle).update_from_blob(blob);
  });
}

} // extern "C"
