/* The DLL that stands in for vcomp140.dll: the nine functions that dnnl.dll imports, each a jump through a table.
 *
 * It is a DLL apart from aotwin.dll because dnnl.dll's import table has room for a name of twelve characters, and aotwin.dll's own
 * name carries a hash. It is loaded by full path before dnnl.dll (whose import of "VCOMP140.DLL" has been rewritten to this DLL's file
 * name), bound by aotwin_bind_vcomp(aotwin_vcomp_functions()), and only then dnnl.dll is loaded.
 *
 * A jump, not a call: arguments, however many, stay where they are. Compiled for Windows only, with -nostdlib -shared and no entry point:
 * it needs nothing.
 */
#include "vcomp.h"

static struct aotwin_vcomp_table table;

/* 0, or 1 when the table is one of another version. */
__declspec(dllexport) int aotwin_bind_vcomp(const struct aotwin_vcomp_table* functions) {
  if (functions == 0 || functions->size < sizeof(table)) {
    return 1;
  }
  table.size = functions->size;
  table.fork = functions->fork;
  table.for_static_simple_init_i8 = functions->for_static_simple_init_i8;
  table.for_static_end = functions->for_static_end;
  table.barrier = functions->barrier;
  table.set_num_threads = functions->set_num_threads;
  table.get_thread_num = functions->get_thread_num;
  table.get_max_threads = functions->get_max_threads;
  table.get_num_threads = functions->get_num_threads;
  table.in_parallel = functions->in_parallel;
  return 0;
}

#define AOTWIN_JUMP(name, member)                                      \
  __declspec(dllexport) __attribute__((naked)) void name(void) {       \
    __asm__("jmpq *%c0+table(%%rip)"                                   \
            :                                                          \
            : "i"(__builtin_offsetof(struct aotwin_vcomp_table, member))); \
  }

AOTWIN_JUMP(_vcomp_fork, fork)
AOTWIN_JUMP(_vcomp_for_static_simple_init_i8, for_static_simple_init_i8)
AOTWIN_JUMP(_vcomp_for_static_end, for_static_end)
AOTWIN_JUMP(_vcomp_barrier, barrier)
AOTWIN_JUMP(_vcomp_set_num_threads, set_num_threads)
AOTWIN_JUMP(omp_get_thread_num, get_thread_num)
AOTWIN_JUMP(omp_get_max_threads, get_max_threads)
AOTWIN_JUMP(omp_get_num_threads, get_num_threads)
AOTWIN_JUMP(omp_in_parallel, in_parallel)
