// Entry points for containers that replace generated ones.
#pragma once

#include <memory>

#include "aotwin_border.h"
#include "aotwin_container.h"
#include "aotwin_msvc_map.h"

namespace aotwin {

inline Container& container_of(void* handle) {
  require(handle != nullptr, "the container's handle is null");
  return *static_cast<Container*>(static_cast<AOTInductorModelContainer*>(handle));
}

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

inline void create(
    AOTInductorModelContainerHandle* result,
    size_t num_models,
    const char* device,
    const char* cubin_dir) {
  require(result != nullptr, "there is no place for the container's handle");
  *result = nullptr;
  require(num_models > 0, "num_models is 0: a container needs at least one runner");
  require(device != nullptr, "the device is null: this model runs on \"cpu\"");
  const std::string name = device;
  if (name != "cpu" && name != "cpu:0") {
    throw std::runtime_error("the device is \"" + name + "\": this model runs on \"cpu\" only");
  }
  std::optional<std::string> cubins;
  if (cubin_dir != nullptr) {
    cubins.emplace(cubin_dir);
  }
  auto container = std::make_unique<Container>(num_models, name, std::move(cubins));
  *result = reinterpret_cast<AOTInductorModelContainerHandle>(
      static_cast<AOTInductorModelContainer*>(container.release()));
}

inline AOTIRuntimeError run(
    AOTInductorModelContainerHandle handle,
    AtenTensorHandle* inputs,
    size_t num_inputs,
    AtenTensorHandle* outputs,
    size_t num_outputs,
    AOTInductorStreamHandle stream,
    AOTIProxyExecutorHandle proxy_executor,
    bool single_threaded) noexcept {
  const AOTIRuntimeError error = guarded([&] {
    Container& container = container_of(handle);
    require_count(num_inputs, container.num_inputs(), "inputs");
    require_count(num_outputs, container.num_outputs(), "outputs");
    require(inputs != nullptr || num_inputs == 0, "the array of inputs is null");
    require(outputs != nullptr || num_outputs == 0, "the array of outputs is null");
    const AOTINoGradGuard no_grad;
    container.run_checked(
        inputs,
        outputs,
        reinterpret_cast<DeviceStreamType>(stream),
        proxy_executor,
        single_threaded);
  });
  if (error != AOTI_RUNTIME_SUCCESS) {
    delete_inputs(inputs, num_inputs);
  }
  return error;
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

AOTIRuntimeError AOTInductorModelContainerCreateWithDevice(
    AOTInductorModelContainerHandle* container_handle,
    size_t num_models,
    const char* device_str,
    const char* cubin_dir) {
  return aotwin::guarded(
      [&] { aotwin::create(container_handle, num_models, device_str, cubin_dir); });
}

AOTIRuntimeError AOTInductorModelContainerCreate(
    AOTInductorModelContainerHandle* container_handle,
    size_t num_models,
    bool is_cpu,
    const char* cubin_dir) {
  return AOTInductorModelContainerCreateWithDevice(
      container_handle, num_models, is_cpu ? "cpu" : "cuda", cubin_dir);
}

AOTIRuntimeError AOTInductorModelContainerDelete(
    AOTInductorModelContainerHandle container_handle) {
  return aotwin::guarded([&] { delete &aotwin::container_of(container_handle); });
}

AOTIRuntimeError AOTInductorModelContainerRun(
    AOTInductorModelContainerHandle container_handle,
    AtenTensorHandle* input_handles,
    size_t num_inputs,
    AtenTensorHandle* output_handles,
    size_t num_outputs,
    AOTInductorStreamHandle stream_handle,
    AOTIProxyExecutorHandle proxy_executor_handle) {
  return aotwin::run(
      container_handle,
      input_handles,
      num_inputs,
      output_handles,
      num_outputs,
      stream_handle,
      proxy_executor_handle,
      /* single_threaded = */ false);
}

AOTIRuntimeError AOTInductorModelContainerRunSingleThreaded(
    AOTInductorModelContainerHandle container_handle,
    AtenTensorHandle* input_handles,
    size_t num_inputs,
    AtenTensorHandle* output_handles,
    size_t num_outputs,
    AOTInductorStreamHandle stream_handle,
    AOTIProxyExecutorHandle proxy_executor_handle) {
  return aotwin::run(
      container_handle,
      input_handles,
      num_inputs,
      output_handles,
      num_outputs,
      stream_handle,
      proxy_executor_handle,
      /* single_threaded = */ true);
}

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

AOTIRuntimeError AOTInductorModelContainerRunConstantFolding(
    AOTInductorModelContainerHandle container_handle,
    bool use_inactive,
    AOTInductorStreamHandle stream_handle,
    AOTIProxyExecutorHandle proxy_executor_handle) {
  return aotwin::guarded([&] {
    const AOTINoGradGuard no_grad;
    aotwin::container_of(container_handle)
        .fold(
            use_inactive,
            reinterpret_cast<aotwin::DeviceStreamType>(stream_handle),
            proxy_executor_handle);
  });
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
