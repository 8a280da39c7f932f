/* Open and run models built by aotwin, from any program on Windows. C11 and C++17.
 *
 *     aotwin_model* model;
 *     if (aotwin_open("C:\\models\\classifier", NULL, &model) != AOTWIN_OK) {
 *       fputs(aotwin_last_message(), stderr);
 *     }
 *
 * Every function returns AOTWIN_OK (0) or another value of aotwin_status; the reason, in a sentence,
 * is in aotwin_last_message of the same thread. No function lets an exception out. Memory behind
 * pointers that a function gives belongs to the library, memory that is handed in to the caller.
 *
 * Threads: several may call functions with the same model at the same time, but for aotwin_close.
 * Up to `num_runners` calls run together, further ones wait.
 *
 * A model over aotwin's own run time needs this library alone. For one over torch, torch's DLLs are
 * taken from the folder that the host names, or from the program's own folder; never from the current
 * folder or PATH. Once loaded they stay until the process ends.
 */
#ifndef AOTWIN_H
#define AOTWIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef AOTWIN_BUILDING_LIBRARY
#define AOTWIN_API __declspec(dllexport)
#else
#define AOTWIN_API __declspec(dllimport)
#endif

/* Version of this interface. Functions and fields are added under the same number; a library with
 * another number is refused by the C++ layer, and should be by C programs. */
#define AOTWIN_API_VERSION 1

#ifdef __cplusplus
extern "C" {
#endif

/* What a function returns. New values may be added. */
typedef enum aotwin_status {
  AOTWIN_OK = 0,
  /* A pointer is null, a count or a field does not fit: the program is wrong. */
  AOTWIN_ERROR_ARGUMENT = 1,
  /* There is no such folder or file. */
  AOTWIN_ERROR_NOT_FOUND = 2,
  /* torch's DLLs are missing, cannot be loaded, or are of another version. */
  AOTWIN_ERROR_TORCH = 3,
  /* This machine's CPU lacks instructions that the model was compiled for. */
  AOTWIN_ERROR_CPU = 4,
  /* The DLL cannot be loaded, or is no model of this aotwin. */
  AOTWIN_ERROR_MODEL = 5,
  /* The weights file is missing, damaged, or belongs to another build. */
  AOTWIN_ERROR_WEIGHTS = 6,
  /* The model needs something that only torch's own runner has. */
  AOTWIN_ERROR_UNSUPPORTED = 7,
  /* A tensor's element type is not the model's. */
  AOTWIN_ERROR_DTYPE = 8,
  /* A tensor has another number of dimensions. */
  AOTWIN_ERROR_RANK = 9,
  /* A tensor has another size in some dimension. */
  AOTWIN_ERROR_SIZE = 10,
  /* A tensor's buffer is too small for its sizes and strides, or its strides are negative. */
  AOTWIN_ERROR_BUFFER = 11,
  /* The model ran and failed. */
  AOTWIN_ERROR_RUN = 12,
  AOTWIN_ERROR_MEMORY = 13,
  AOTWIN_ERROR_INTERNAL = 14
} aotwin_status;

/* Element types. Complex ones are pairs of real and imaginary part. */
typedef enum aotwin_dtype {
  /* Not known, or none of those below. */
  AOTWIN_DTYPE_NONE = 0,
  AOTWIN_FLOAT32 = 1,
  AOTWIN_FLOAT64 = 2,
  AOTWIN_FLOAT16 = 3,
  AOTWIN_BFLOAT16 = 4,
  AOTWIN_INT8 = 5,
  AOTWIN_INT16 = 6,
  AOTWIN_INT32 = 7,
  AOTWIN_INT64 = 8,
  AOTWIN_UINT8 = 9,
  AOTWIN_UINT16 = 10,
  AOTWIN_UINT32 = 11,
  AOTWIN_UINT64 = 12,
  AOTWIN_BOOL = 13,
  AOTWIN_COMPLEX32 = 14,
  AOTWIN_COMPLEX64 = 15,
  AOTWIN_COMPLEX128 = 16,
  AOTWIN_FLOAT8_E4M3FN = 17,
  AOTWIN_FLOAT8_E5M2 = 18,
  AOTWIN_FLOAT8_E4M3FNUZ = 19,
  AOTWIN_FLOAT8_E5M2FNUZ = 20
} aotwin_dtype;

/* A tensor in the caller's memory, or a result's in the library's. */
typedef struct aotwin_tensor {
  /* The first element. An input is not changed, unless the model writes its argument. */
  void* data;
  /* Bytes behind `data` that may be accessed. */
  uint64_t nbytes;
  /* A value of aotwin_dtype. */
  int32_t dtype;
  /* Number of dimensions, 0 for a single number. */
  int32_t rank;
  /* `rank` sizes in elements; may be NULL with rank 0. */
  const int64_t* sizes;
  /* `rank` strides in elements, none negative; NULL: the last dimension is the fastest, no gaps. */
  const int64_t* strides;
} aotwin_tensor;

/* Values of aotwin_tensor_info.kind. */
typedef enum aotwin_kind {
  AOTWIN_TENSOR = 0,
  /* The exported module always gave one value here: the model gives a single number, or nothing
   * (dtype AOTWIN_DTYPE_NONE, data NULL) in place of None. Results only. */
  AOTWIN_CONSTANT = 1,
  /* A computed number (rank 0). Results only. */
  AOTWIN_NUMBER = 2
} aotwin_kind;

/* An input or output as far as it is known before a run. */
typedef struct aotwin_tensor_info {
  /* In: sizeof(aotwin_tensor_info) of the caller. */
  uint32_t struct_size;
  /* A value of aotwin_kind. */
  int32_t kind;
  /* UTF-8. */
  const char* name;
  /* A value of aotwin_dtype; AOTWIN_DTYPE_NONE where the type is not known. */
  int32_t dtype;
  /* -1 where the number of dimensions is not known. */
  int32_t rank;
  /* `rank` sizes; -1 where a size may differ from call to call. */
  const int64_t* sizes;
  /* `rank` names of sizes that may differ, NULL where a size is fixed: sizes of one name are equal
   * within a call. */
  const char* const* symbols;
} aotwin_tensor_info;

/* What was opened, and how long that took. */
typedef struct aotwin_model_info {
  /* In: sizeof(aotwin_model_info) of the caller. */
  uint32_t struct_size;
  uint32_t num_inputs;
  uint32_t num_outputs;
  uint32_t num_runners;
  /* Full paths, UTF-8. */
  const char* dll_path;
  const char* weights_path;
  const char* torch_path;
  /* Of torch: "2.13.0". */
  const char* torch_version;
  /* CPU level of the chosen DLL: "x86-64-v3". */
  const char* cpu;
  /* Bytes of the weights; of those, how many are used where the file is mapped, and how many were
   * copied because the model writes them. */
  uint64_t weights_nbytes;
  uint64_t mapped_nbytes;
  uint64_t copied_nbytes;
  /* Milliseconds: torch's DLLs (0 where they were loaded before), the model's DLL, its weights. */
  double torch_ms;
  double dll_ms;
  double weights_ms;
  /* Whose functions the model calls: "own" (this library's) or "torch". With "own", torch_path is
   * this library's and torch_version that of the headers that the model was compiled with. */
  const char* run_time;
} aotwin_model_info;

/* For aotwin_open. Fill with zeros, then set what is wanted. */
typedef struct aotwin_open_options {
  /* sizeof(aotwin_open_options) of the caller. */
  uint32_t struct_size;
  /* How many calls may run at the same time; 0 is 1. Each has its own scratch memory, the weights
   * are shared. */
  uint32_t num_runners;
  /* The folder of torch_cpu.dll, in one of the two spellings or not at all: then the program's own
   * folder, or whatever torch_cpu.dll the process has loaded already. */
  const char* torch_directory;
  const wchar_t* torch_directory_w;
  /* Threads of a call; 0: OMP_NUM_THREADS, or else the physical cores. For models over torch the
   * environment decides alone. */
  uint32_t num_threads;
} aotwin_open_options;

typedef struct aotwin_model aotwin_model;
typedef struct aotwin_results aotwin_results;

/* AOTWIN_API_VERSION of the library that is loaded. */
AOTWIN_API uint32_t aotwin_api_version(void);

/* Why the last function that failed on this thread failed; UTF-8, "" where none has. Valid until the
 * next call on this thread. */
AOTWIN_API const char* aotwin_last_message(void);

/* "float32" for AOTWIN_FLOAT32; NULL for what is no element type. */
AOTWIN_API const char* aotwin_dtype_name(int32_t dtype);
/* Bytes of an element; 0 for what is no element type. */
AOTWIN_API uint64_t aotwin_dtype_nbytes(int32_t dtype);

/* Open a model: a folder as aotwin built it (the DLL that fits this CPU is chosen), or one of its
 * DLLs. Folder and torch_directory are full paths or relative to the current folder, of any length.
 * `options` may be NULL. On failure *model is NULL. */
AOTWIN_API int32_t
aotwin_open(const char* path, const aotwin_open_options* options, aotwin_model** model);
AOTWIN_API int32_t
aotwin_open_w(const wchar_t* path, const aotwin_open_options* options, aotwin_model** model);

/* Close a model; NULL is fine. No call may be using it any longer. Results that are still there
 * stay valid. */
AOTWIN_API void aotwin_close(aotwin_model* model);

/* Descriptions. What they point to is valid until the model is closed. */
AOTWIN_API int32_t aotwin_describe(const aotwin_model* model, aotwin_model_info* info);
AOTWIN_API int32_t
aotwin_input(const aotwin_model* model, uint32_t index, aotwin_tensor_info* info);
AOTWIN_API int32_t
aotwin_output(const aotwin_model* model, uint32_t index, aotwin_tensor_info* info);

/* Run the model into the caller's buffers.
 *
 * Inputs whose strides are not those that the code was compiled for are copied first. Each output
 * must have the result's dtype, rank and sizes; its strides are free. An output with dtype
 * AOTWIN_DTYPE_NONE is not wanted and stays as it is. Buffers must not overlap. What can be checked
 * is checked before the model runs. */
AOTWIN_API int32_t aotwin_run(
    const aotwin_model* model,
    const aotwin_tensor* inputs,
    uint32_t num_inputs,
    const aotwin_tensor* outputs,
    uint32_t num_outputs);

/* Run the model into memory of the library's: for results whose sizes are not known before, and to
 * save the copy. On failure *results is NULL. */
AOTWIN_API int32_t aotwin_run_results(
    const aotwin_model* model,
    const aotwin_tensor* inputs,
    uint32_t num_inputs,
    aotwin_results** results);

/* One of the results; for reading only, valid until they are freed. Results can be views of each
 * other, of inputs or of weights. */
AOTWIN_API int32_t
aotwin_results_get(const aotwin_results* results, uint32_t index, aotwin_tensor* tensor);

/* Values for aotwin_results_memory. */
typedef enum aotwin_memory {
  /* The results' alone: it may be written, and is valid until they are freed. */
  AOTWIN_MEMORY_OWN = 0,
  /* An input's, a weight's or a buffer's as well: it must not be written, and changes with theirs. */
  AOTWIN_MEMORY_SHARED = 2
} aotwin_memory;

/* Whose memory one of the results lies in: a value of aotwin_memory. */
AOTWIN_API int32_t
aotwin_results_memory(const aotwin_results* results, uint32_t index, int32_t* memory);

/* Free results; NULL is fine. */
AOTWIN_API void aotwin_results_free(aotwin_results* results);

#ifdef __cplusplus
}
#endif

#endif
