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

} // namespace aotwin

extern "C" {

// The caller's map would have to be filled with memory of MSVC's allocator, which is not ours to take.
AOTIRuntimeError AOTInductorModelContainerExtractConstantsMap(
    AOTInductorModelContainerHandle,
    AOTInductorConstantMapHandle,
    bool) {
  return aotwin::guarded([] {
    throw std::runtime_error(
        "this DLL cannot fill another C++ library's std::unordered_map: call "
        "AOTInductorModelContainerExtractConstantsMapEntries, which gives the same as plain C");
  });
}

AOTIRuntimeError AOTInductorModelContainerUpdateUserManagedConstantBuffer(
    AOTInductorModelContainerHandle container_handle,
    AOTInductorConstantMapHandle constant_map_handle,
    bool use_inactive,
    bool validate_full_update) {
  return aotwin::update(
      container_handle,
      constant_map_handle,
      use_inactive,
      validate_full_update,
      /* user_managed = */ true,
      "AOTInductorModelContainerUpdateUserManagedConstantBufferPairs");
}

AOTIRuntimeError AOTInductorModelContainerUpdateUserManagedConstantBufferPairs(
    AOTInductorModelContainerHandle container_handle,
    const AOTInductorConstantMapEntry* pairs,
    size_t num_pairs,
    bool use_inactive,
    bool validate_full_update) {
  return aotwin::update(
      container_handle,
      pairs,
      num_pairs,
      use_inactive,
      validate_full_update,
      /* user_managed = */ true);
}

AOTIRuntimeError AOTInductorModelContainerUpdateConstantBuffer(
    AOTInductorModelContainerHandle container_handle,
    AOTInductorConstantMapHandle constant_map_handle,
    bool use_inactive,
    bool validate_full_update) {
  return aotwin::update(
      container_handle,
      constant_map_handle,
      use_inactive,
      validate_full_update,
      /* user_managed = */ false,
      "AOTInductorModelContainerUpdateConstantBufferPairs");
}

AOTIRuntimeError AOTInductorModelContainerUpdateConstantBufferPairs(
    AOTInductorModelContainerHandle container_handle,
    const AOTInductorConstantMapEntry* pairs,
    size_t num_pairs,
    bool use_inactive,
    bool validate_full_update) {
  return aotwin::update(
      container_handle,
      pairs,
      num_pairs,
      use_inactive,
      validate_full_update,
      /* user_managed = */ false);
}

// The model is on the CPU as well: nothing is special about tensors from there.
AOTIRuntimeError AOTInductorModelContainerUpdateConstantBufferFromCpu(
    AOTInductorModelContainerHandle container_handle,
    AOTInductorConstantMapHandle constant_map_handle,
    bool use_inactive,
    bool validate_full_update) {
  return aotwin::update(
      container_handle,
      constant_map_handle,
      use_inactive,
      validate_full_update,
      /* user_managed = */ false,
      "AOTInductorModelContainerUpdateConstantBufferFromCpuPairs");
}

AOTIRuntimeError AOTInductorModelContainerUpdateConstantBufferFromCpuPairs(
    AOTInductorModelContainerHandle container_handle,
    const AOTInductorConstantMapEntry* pairs,
    size_t num_pairs,
    bool use_inactive,
    bool validate_full_update) {
  return AOTInductorModelContainerUpdateConstantBufferPairs(
      container_handle, pairs, num_pairs, use_inactive, validate_full_update);
}

AOTIRuntimeError AOTInductorModelContainerUpdateInactiveConstantBuffer(
    AOTInductorModelContainerHandle container_handle,
    AOTInductorConstantMapHandle constant_map_handle) {
  return aotwin::update(
      container_handle,
      constant_map_handle,
      /* use_inactive = */ true,
      /* validate_full_update = */ true,
      /* user_managed = */ false,
      "AOTInductorModelContainerUpdateInactiveConstantBufferPairs");
}

AOTIRuntimeError AOTInductorModelContainerUpdateInactiveConstantBufferPairs(
    AOTInductorModelContainerHandle container_handle,
    const AOTInductorConstantMapEntry* pairs,
    size_t num_pairs) {
  return AOTInductorModelContainerUpdateConstantBufferPairs(
      container_handle,
      pairs,
      num_pairs,
      /* use_inactive = */ true,
      /* validate_full_update = */ true);
}

AOTIRuntimeError AOTInductorModelContainerFreeInactiveConstantBuffer(
    AOTInductorModelContainerHandle container_handle) {
  return aotwin::guarded([&] { aotwin::container_of(container_handle).free_inactive(); });
}

AOTIRuntimeError AOTInductorModelContainerSwapConstantBuffer(
    AOTInductorModelContainerHandle container_handle) {
  return aotwin::guarded([&] { aotwin::container_of(container_handle).swap_checked(); });
}

AOTIRuntimeError AOTInductorModelUpdateConstantsFromBlob(
    AOTInductorModelContainerHandle container_handle,
    const uint8_t* weight_blob_ptr) {
  return aotwin::guarded([&] {
    aotwin::require(weight_blob_ptr != nullptr, "the pointer to the weights is null");
    aotwin::container_of(container_handle).update_from_blob(weight_blob_ptr);
  });
}

} // extern "C"
