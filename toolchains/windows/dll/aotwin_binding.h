/* How a DLL calls its run time.
 *
 * Over torch, the DLL imports torch_cpu.dll and libiomp5md.dll, and the table is empty
 * (aotwin_binding_torch.c). Over the run time of our own it imports neither: each function that the
 * generated code calls is a jump through a slot, and the slots are filled when the first container is
 * created (aotwin_run_time.h). So the DLL finds its run time as it finds its weights, by a path from
 * its own folder, and no name is ever looked up along PATH or among what the process has loaded.
 *
 * The generated `aotwin_binding.c` reads, with the names of the build in place of <...>:
 *
 *     #include "aotwin_binding.h"
 *
 *     static const char* const names[] = {"<name>", ..., 0};
 *     void* aotwin_slots[] = {AOTWIN_UNBOUND, ..., AOTWIN_NOTHING, ..., 0};
 *     static const uint16_t library[] = {<UTF-16 code units>, 0};
 *     const AotwinBinding aotwin_binding = {
 *         .count = <number of names>,
 *         .names = names,
 *         .slots = aotwin_slots,
 *         .library = library,
 *     };
 *     AOTWIN_STUB(<name>, 0)
 *     ...
 */
#ifndef AOTWIN_BINDING_H
#define AOTWIN_BINDING_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct AotwinBinding {
  /* Functions of our own run time that are called; 0 over torch. */
  uint32_t count;
  const char* const* names;
  void** slots;
  /* UTF-16, null-terminated: the run time's DLL from this DLL's folder, `libs\aotwin-1a2b3c4d.dll`. */
  const uint16_t* library;
} AotwinBinding;

extern const AotwinBinding aotwin_binding;

/* What torch does not have; over torch, functions that do nothing.
 *
 * Says that a tensor's memory never changes, so that what is derived from it may be kept. */
int32_t aotwin_mark_constant(void* tensor);
/* Leaves the parallel region that the calling thread is in, and keeps why; returns outside of one. */
void aotwin_abandon_region(const char* message);
/* A check that failed in a parallel loop, where no error can be returned; or null. Forgets it. */
const char* aotwin_take_failure(void);
/* Why the last function that failed on this thread failed; or null. */
const char* aotwin_failure_reason(void);

#ifdef __cplusplus
}
#endif

/* A call before the first container: answers as a shim that failed. */
static inline int32_t aotwin_unbound_(void) {
  return 1;
}
#define AOTWIN_UNBOUND ((void*)aotwin_unbound_)

/* Likewise of the four above: nothing to tell. */
static inline void* aotwin_nothing_(void) {
  return 0;
}
#define AOTWIN_NOTHING ((void*)aotwin_nothing_)

#define AOTWIN_STUB(name, index)                   \
  __asm__(                                         \
      ".text\n"                                    \
      ".globl " #name "\n"                         \
      ".p2align 4\n" #name ":\n"                   \
      "jmpq *aotwin_slots+8*" #index "(%rip)\n");

#endif
