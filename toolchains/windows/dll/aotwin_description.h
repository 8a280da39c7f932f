/* What a model DLL says of itself: written by the link stage as a C source of its own, and read
 * through the DLL's entry point AotwinDescribe by hosts that have no other way to know.
 *
 * Strings are UTF-8. Everything lives in the DLL's image, as long as the DLL is loaded.
 */
#ifndef AOTWIN_DESCRIPTION_H
#define AOTWIN_DESCRIPTION_H

#include <stdint.h>

/* Raised when a field changes its meaning; new fields at the end raise struct_size alone. */
#define AOTWIN_DESCRIPTION_VERSION 1

#ifdef __cplusplus
extern "C" {
#endif

/* Values of AotwinTensorDescription.kind. */
enum {
  AOTWIN_KIND_TENSOR = 0,
  /* A result that the exported module always gave as one value: the DLL gives a tensor without
   * dimensions, or no tensor for None. */
  AOTWIN_KIND_CONSTANT = 1,
  /* A computed Python number: the DLL gives a tensor without dimensions. */
  AOTWIN_KIND_NUMBER = 2
};

typedef struct AotwinTensorDescription {
  const char* name;
  /* torch's short name ("float32"), "" where it is not known. */
  const char* dtype;
  int32_t kind;
  /* Number of dimensions, -1 where it is not known. */
  int32_t rank;
  /* `rank` sizes in elements, -1 where one is free. */
  const int64_t* sizes;
  /* `rank` names, NULL where the size is fixed. Sizes of one name are equal in a call. */
  const char* const* symbols;
  /* `rank` dimensions from the slowest to the fastest in memory, or NULL for 0, 1, 2, ... */
  const int32_t* dim_order;
} AotwinTensorDescription;

typedef struct AotwinDescription {
  /* sizeof(AotwinDescription) of the DLL. */
  uint32_t struct_size;
  uint32_t version;
  /* CPU level that the code was compiled for: "x86-64-v3". */
  const char* cpu;
  /* torch that the DLL was linked with: "2.13.0". */
  const char* torch_version;
  /* Operators without a C shim, separated by ", ": a host needs torch's proxy executor for them.
   * "" where there are none. */
  const char* fallback_operators;
  uint32_t num_inputs;
  uint32_t num_outputs;
  const AotwinTensorDescription* inputs;
  const AotwinTensorDescription* outputs;
  /* "torch", or "own" for a DLL over aotwin's run time. */
  const char* run_time;
  /* Versions of torch that a DLL over torch runs in, separated by single blanks: "2.13.0 2.14.1".
   * `torch_version` need not be among them. */
  const char* runs_with;
} AotwinDescription;

const AotwinDescription* AotwinDescribe(void);

/* Within the DLL: whether this CPU has the level. Compiled for the lowest one, as the link is. */
int aotwin_cpu_fits(void);

#ifdef __cplusplus
}
#endif

#endif
