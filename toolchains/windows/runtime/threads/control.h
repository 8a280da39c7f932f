// How hosts control the pool of threads.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

// Threads of a region, for the whole process: 0 is the default (OMP_NUM_THREADS, else the physical cores that the process may
// use). Returns what was set before (0: default). May be called at any time; takes effect with the next region.
int aotwin_set_num_threads(int threads);
// The same for regions that the calling thread starts, before the process's number; 0: none. Returns what was set before: to be
// set around a call of a model that was opened with a number of its own.
int aotwin_limit_threads(int threads);
// What a region that the calling thread starts now would have at most.
int aotwin_get_num_threads(void);
// How long idle threads look for work before they sleep. 100 is the default.
void aotwin_set_spin(int microseconds);

// Runs after generated code has returned: a check that failed inside of its parallel loops (index out of bounds) can only be told
// there, or by the next aoti_torch_* function that the same thread calls. Null, or the message, valid until the thread's next error;
// the failure is forgotten then. Call it before a run too, so that nothing old is told.
const char* aotwin_take_failure(void);

#ifdef __cplusplus
}
#endif
