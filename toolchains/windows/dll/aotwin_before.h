// First part of a model DLL's translation unit: this header, the generated wrapper, then
// aotwin_after.h.
//
// The generated entry points that we replace are renamed here, so that aotwin_after.h can define
// them under their own names. Which names a DLL exports is said to the linker by a .def file.
#pragma once

// Macros with arguments stand only where a name is followed by "(": as it is in declarations, in
// definitions and in calls. Ours are defined as AOTWIN_OURS(name)(...), with nothing but ")" behind
// the name, and so keep it.
#define AOTWIN_OURS(name) (name)

#define AOTInductorModelContainerCreate(...) aotwin_generated_ContainerCreate(__VA_ARGS__)
#define AOTInductorModelContainerCreateWithDevice(...) \
  aotwin_generated_ContainerCreateWithDevice(__VA_ARGS__)
#define AOTInductorModelContainerCreateWithExternalConstants(...) \
  aotwin_generated_ContainerCreateWithExternalConstants(__VA_ARGS__)
#define AOTInductorModelContainerDelete(...) aotwin_generated_ContainerDelete(__VA_ARGS__)
#define AOTInductorModelContainerRun(...) aotwin_generated_ContainerRun(__VA_ARGS__)
#define AOTInductorModelContainerRunSingleThreaded(...) \
  aotwin_generated_ContainerRunSingleThreaded(__VA_ARGS__)
#define AOTInductorModelContainerExtractConstantsMap(...) \
  aotwin_generated_ContainerExtractConstantsMap(__VA_ARGS__)
#define AOTInductorModelContainerUpdateUserManagedConstantBuffer(...) \
  aotwin_generated_ContainerUpdateUserManagedConstantBuffer(__VA_ARGS__)
#define AOTInductorModelContainerUpdateUserManagedConstantBufferPairs(...) \
  aotwin_generated_ContainerUpdateUserManagedConstantBufferPairs(__VA_ARGS__)
#define AOTInductorModelContainerUpdateConstantBuffer(...) \
  aotwin_generated_ContainerUpdateConstantBuffer(__VA_ARGS__)
#define AOTInductorModelContainerUpdateConstantBufferPairs(...) \
  aotwin_generated_ContainerUpdateConstantBufferPairs(__VA_ARGS__)
#define AOTInductorModelContainerUpdateConstantBufferFromCpu(...) \
  aotwin_generated_ContainerUpdateConstantBufferFromCpu(__VA_ARGS__)
#define AOTInductorModelContainerUpdateConstantBufferFromCpuPairs(...) \
  aotwin_generated_ContainerUpdateConstantBufferFromCpuPairs(__VA_ARGS__)
#define AOTInductorModelContainerUpdateInactiveConstantBuffer(...) \
  aotwin_generated_ContainerUpdateInactiveConstantBuffer(__VA_ARGS__)
#define AOTInductorModelContainerUpdateInactiveConstantBufferPairs(...) \
  aotwin_generated_ContainerUpdateInactiveConstantBufferPairs(__VA_ARGS__)
#define AOTInductorModelContainerFreeInactiveConstantBuffer(...) \
  aotwin_generated_ContainerFreeInactiveConstantBuffer(__VA_ARGS__)
#define AOTInductorModelContainerRunConstantFolding(...) \
  aotwin_generated_ContainerRunConstantFolding(__VA_ARGS__)
#define AOTInductorModelContainerSwapConstantBuffer(...) \
  aotwin_generated_ContainerSwapConstantBuffer(__VA_ARGS__)
#define AOTInductorModelUpdateConstantsFromBlob(...) \
  aotwin_generated_UpdateConstantsFromBlob(__VA_ARGS__)
#define AOTInductorModelCreate(...) aotwin_generated_Create(__VA_ARGS__)
#define AOTInductorModelCreateV2(...) aotwin_generated_CreateV2(__VA_ARGS__)
#define AOTInductorModelRun(...) aotwin_generated_Run(__VA_ARGS__)
#define AOTInductorModelDelete(...) aotwin_generated_Delete(__VA_ARGS__)
#define AOTInductorModelUpdateConstantsMap(...) aotwin_generated_UpdateConstantsMap(__VA_ARGS__)
#define AOTInductorModelUpdateConstantsMapV2(...) aotwin_generated_UpdateConstantsMapV2(__VA_ARGS__)
// Not an entry point, but a function of the run time that throws: see aotwin_check.h.
#define aoti_torch_check(...) aotwin_generated_check(__VA_ARGS__)

// interface.h makes every declaration a dllexport when it sees _WIN32, the renamed ones too. It
// includes nothing but utils.h, so with that read before, hiding _WIN32 changes only AOTI_API.
#include <torch/csrc/inductor/aoti_runtime/utils.h>
#pragma push_macro("_WIN32")
#undef _WIN32
#include <torch/csrc/inductor/aoti_runtime/interface.h>
#pragma pop_macro("_WIN32")
