// Our own entry points beside AOTInductor's C API.
#pragma once

#include <cstring>

#include "aotwin_container_exports.h"
#include "aotwin_weights.h"

// Tells a DLL over our own run time which copy of it to call, before its first container is created:
// a host that has loaded the library for itself wants no second one. `module`: its HMODULE.
extern "C" int32_t AotwinBindRuntime(void* module) {
  return aotwin::guarded([&] {
    aotwin::require(module != nullptr, "the run time's module is null");
    aotwin::RunTime::bind(static_cast<HMODULE>(module));
  });
}

extern "C" int32_t AotwinWeightsInfo(void* container, AotwinWeights* weights) {
  return aotwin::guarded([&] {
    aotwin::require(weights != nullptr, "there is no place for the answer");
    const uint32_t size = weights->struct_size;
    AotwinWeights answer{};
    // A host of a later version may know more fields than this DLL: those stay as they are.
    const size_t written = size < sizeof(answer) ? size : sizeof(answer);
    aotwin::require(
        written >= 2 * sizeof(uint32_t), "AotwinWeights.struct_size is not set");
    aotwin::container_of(container).describe(answer);
    answer.struct_size = static_cast<uint32_t>(written);
    std::memcpy(weights, &answer, written);
  });
}
