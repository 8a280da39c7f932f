/* The C APIs that the host calls, resolved at run time: torch's shims and one model DLL's exports. */
#ifndef C_API_H
#define C_API_H

#include <stdbool.h>
#include <stdint.h>
#include <windows.h>

typedef void* Tensor;

typedef struct Entry {
  const char* name;
  Tensor handle;
} Entry;

/* The first version of AotwinWeights, spelled out: a host need not have our header. */
typedef struct Weights {
  uint32_t struct_size, state;
  uint64_t constants_size, mapped_bytes, copied_bytes, user_managed_bytes;
  uint8_t sha256[32];
  const char* blob_path;
} Weights;

/* X(return type, name without prefix, arguments) */
#define TORCH_FUNCTIONS(X)                                                                      \
  X(int, get_data_ptr, (Tensor, void**))                                                        \
  X(int, get_storage_size, (Tensor, int64_t*))                                                  \
  X(int, get_dim, (Tensor, int64_t*))                                                           \
  X(int, get_numel, (Tensor, int64_t*))                                                         \
  X(int, get_sizes, (Tensor, int64_t**))                                                        \
  X(int, get_strides, (Tensor, int64_t**))                                                      \
  X(int, get_dtype, (Tensor, int32_t*))                                                         \
  X(int, delete_tensor_object, (Tensor))                                                        \
  X(int, create_tensor_from_blob,                                                               \
    (void*, int64_t, const int64_t*, const int64_t*, int64_t, int32_t, int32_t, int32_t, Tensor*)) \
  X(int32_t, dtype_float32, (void))                                                             \
  X(int32_t, device_type_cpu, (void))

#define MODEL_FUNCTIONS(X)                                                                     \
  X(GetLastError, (const char**))                                                              \
  X(ModelContainerCreateWithDevice, (void**, size_t, const char*, const char*))                \
  X(ModelContainerCreate, (void**, size_t, bool, const char*))                                 \
  X(ModelContainerCreateWithExternalConstants,                                                 \
    (void**, size_t, const char*, const char*, const Entry*, size_t))                          \
  X(ModelContainerDidCallLoadConstants, (void*, bool*))                                        \
  X(ModelContainerDelete, (void*))                                                             \
  X(ModelContainerRun, (void*, Tensor*, size_t, Tensor*, size_t, void*, void*))                \
  X(ModelContainerRunSingleThreaded, (void*, Tensor*, size_t, Tensor*, size_t, void*, void*))  \
  X(ModelContainerGetNumOutputs, (void*, size_t*))                                             \
  X(ModelContainerGetConstantsBlobSize, (void*, uint64_t*))                                    \
  X(ModelContainerExtractConstantsMap, (void*, void*, bool))                                   \
  X(ModelContainerExtractConstantsMapEntries, (void*, const Entry**, size_t*, bool))           \
  X(ModelContainerUpdateConstantBuffer, (void*, void*, bool, bool))                            \
  X(ModelContainerUpdateConstantBufferPairs, (void*, const Entry*, size_t, bool, bool))        \
  X(ModelContainerUpdateUserManagedConstantBuffer, (void*, void*, bool, bool))                 \
  X(ModelContainerUpdateUserManagedConstantBufferPairs,                                        \
    (void*, const Entry*, size_t, bool, bool))                                                 \
  X(ModelContainerUpdateConstantBufferFromCpu, (void*, void*, bool, bool))                     \
  X(ModelContainerUpdateInactiveConstantBuffer, (void*, void*))                                \
  X(ModelContainerFreeInactiveConstantBuffer, (void*))                                         \
  X(ModelContainerRunConstantFolding, (void*, bool, void*, void*))                             \
  X(ModelContainerSwapConstantBuffer, (void*))                                                 \
  X(ModelUpdateConstantsFromBlob, (void*, const uint8_t*))                                     \
  X(ModelCreate, (void**, void*))                                                              \
  X(ModelCreateV2, (void**, const Entry*, size_t))                                             \
  X(ModelRun, (void*, Tensor*, Tensor*))                                                       \
  X(ModelGetNumOutputs, (void*, size_t*))                                                      \
  X(ModelDelete, (void*))                                                                      \
  X(ModelUpdateConstantsMap, (void*, void*))                                                   \
  X(ModelUpdateConstantsMapV2, (void*, const Entry*, int32_t))

#define DECLARE_TORCH(type, name, arguments) static type(*torch_##name) arguments;
TORCH_FUNCTIONS(DECLARE_TORCH)
#undef DECLARE_TORCH

#define DECLARE_MODEL(name, arguments) static int32_t(*name##_) arguments;
MODEL_FUNCTIONS(DECLARE_MODEL)
#undef DECLARE_MODEL
static int32_t (*AotwinWeightsInfo_)(void*, Weights*);

static bool resolve_torch(HMODULE torch) {
#define RESOLVE_TORCH(type, name, arguments) \
  torch_##name = (type(*) arguments)(void*)GetProcAddress(torch, "aoti_torch_" #name); \
  if (torch_##name == NULL) return false;
  TORCH_FUNCTIONS(RESOLVE_TORCH)
#undef RESOLVE_TORCH
  return true;
}

static bool resolve_model(HMODULE model) {
#define RESOLVE_MODEL(name, arguments) \
  name##_ = (int32_t(*) arguments)(void*)GetProcAddress(model, "AOTInductor" #name); \
  if (name##_ == NULL) return false;
  MODEL_FUNCTIONS(RESOLVE_MODEL)
#undef RESOLVE_MODEL
  AotwinWeightsInfo_ = (int32_t(*)(void*, Weights*))(void*)GetProcAddress(model, "AotwinWeightsInfo");
  return AotwinWeightsInfo_ != NULL;
}

#endif
