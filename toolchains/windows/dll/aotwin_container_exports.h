// Entry points that replace generated ones: containers made, run and deleted.
// Those for their constants are in aotwin_constants_exports.h.
#pragma once

#include <memory>

#include "aotwin_border.h"
#include "aotwin_container.h"
#include "aotwin_description.h"
#include "aotwin_run_time.h"

namespace aotwin {

inline Container& container_of(void* handle) {
  require(handle != nullptr, "the container's handle is null");
  return *static_cast<Container*>(static_cast<AOTInductorModelContainer*>(handle));
}

// To be called before anything of the model: from then on there may be instructions of its CPU level.
inline void require_cpu() {
  if (!aotwin_cpu_fits()) {
    throw std::runtime_error(
        std::string("this DLL was compiled for CPUs of the level ") + AotwinDescribe()->cpu +
        ", which this machine's CPU does not have");
  }
}

inline void create(
    AOTInductorModelContainerHandle* result,
    size_t num_models,
    const char* device,
    const char* cubin_dir) {
  require(result != nullptr, "there is no place for the container's handle");
  *result = nullptr;
  require_cpu();
  RunTime::require();
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

} // namespace aotwin

extern "C" {

AOTIRuntimeError AOTWIN_OURS(AOTInductorModelContainerCreateWithDevice)(
    AOTInductorModelContainerHandle* container,
    size_t num_models,
    const char* device,
    const char* cubin_dir) {
  return aotwin::guarded([&] { aotwin::create(container, num_models, device, cubin_dir); });
}

AOTIRuntimeError AOTWIN_OURS(AOTInductorModelContainerCreate)(
    AOTInductorModelContainerHandle* container,
    size_t num_models,
    bool is_cpu,
    const char* cubin_dir) {
  return AOTWIN_OURS(AOTInductorModelContainerCreateWithDevice)(
      container, num_models, is_cpu ? "cpu" : "cuda", cubin_dir);
}

AOTIRuntimeError AOTWIN_OURS(AOTInductorModelContainerDelete)(
    AOTInductorModelContainerHandle handle) {
  return aotwin::guarded([&] { delete &aotwin::container_of(handle); });
}

#define AOTWIN_RUN(name, single_threaded)                                     \
  AOTIRuntimeError AOTWIN_OURS(name)(                                         \
      AOTInductorModelContainerHandle handle,                                 \
      AtenTensorHandle* inputs,                                               \
      size_t num_inputs,                                                      \
      AtenTensorHandle* outputs,                                              \
      size_t num_outputs,                                                     \
      AOTInductorStreamHandle stream,                                         \
      AOTIProxyExecutorHandle proxy_executor) {                               \
    return aotwin::run(                                                       \
        handle,                                                               \
        inputs,                                                               \
        num_inputs,                                                           \
        outputs,                                                              \
        num_outputs,                                                          \
        stream,                                                               \
        proxy_executor,                                                       \
        single_threaded);                                                     \
  }

AOTWIN_RUN(AOTInductorModelContainerRun, false)
AOTWIN_RUN(AOTInductorModelContainerRunSingleThreaded, true)

#undef AOTWIN_RUN

AOTIRuntimeError AOTWIN_OURS(AOTInductorModelContainerRunConstantFolding)(
    AOTInductorModelContainerHandle handle,
    bool use_inactive,
    AOTInductorStreamHandle stream,
    AOTIProxyExecutorHandle proxy_executor) {
  return aotwin::guarded([&] {
    const AOTINoGradGuard no_grad;
    aotwin::container_of(handle).fold(
        use_inactive, reinterpret_cast<aotwin::DeviceStreamType>(stream), proxy_executor);
  });
}

} // extern "C"
