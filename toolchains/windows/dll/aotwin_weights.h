/* Where a container's weights are: the one entry point of a model DLL besides AOTInductor's C API.
 * Plain C, for host programs and tests. */
#ifndef AOTWIN_WEIGHTS_H
#define AOTWIN_WEIGHTS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Values of AotwinWeights.state. */
enum {
  /* Constants are missing: no blob was found, and none has been given yet. A run fails. */
  AOTWIN_WEIGHTS_WAITING = 0,
  /* All constants are there. */
  AOTWIN_WEIGHTS_READY = 1
};

typedef struct AotwinWeights {
  /* In: sizeof(AotwinWeights) of the caller. Out: bytes that were written, never more than that. */
  uint32_t struct_size;
  uint32_t state;
  /* Bytes of all constants in the blob, padding included, trailer excluded. */
  uint64_t constants_size;
  /* Bytes of active constants that lie in the mapped blob. */
  uint64_t mapped_bytes;
  /* Bytes of active constants in memory of the container's own. */
  uint64_t copied_bytes;
  /* Bytes of active constants in tensors that the host manages. */
  uint64_t user_managed_bytes;
  /* sha256 of the constants that the DLL was linked with. */
  uint8_t sha256[32];
  /* The blob's path, found or looked for, UTF-8. Lives as long as the container. */
  const char* blob_path;
} AotwinWeights;

/* `container`: an AOTInductorModelContainerHandle. Returns 0, or 1 with the reason in
 * AOTInductorGetLastError. */
int32_t AotwinWeightsInfo(void* container, AotwinWeights* weights);

#ifdef __cplusplus
}
#endif

#endif
