// Microsoft's OpenMP run time (vcomp140.dll), as far as oneDNN's DLL calls it. dnnl.dll imports these names from a DLL of ours,
// vcomp_shim.c, whose functions jump through a table that this library fills: so there is one pool of threads, and Microsoft's is not
// loaded.
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// In the order of the shim's exports.
struct aotwin_vcomp_table {
  uint64_t size;  // of this struct, for a shim of another version to see
  void (*fork)(int parallel, int count, void* function, ...);
  void (*for_static_simple_init_i8)(
      int64_t first, int64_t last, int64_t step, int increment, int64_t* begin, int64_t* end);
  void (*for_static_end)(void);
  void (*barrier)(void);
  void (*set_num_threads)(int threads);
  int (*get_thread_num)(void);
  int (*get_max_threads)(void);
  int (*get_num_threads)(void);
  int (*in_parallel)(void);
};

const struct aotwin_vcomp_table* aotwin_vcomp_functions(void);

#ifdef __cplusplus
}
#endif
