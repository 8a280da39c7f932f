/* Opens a model, says what it takes and gives, and runs it once on ones.
 *
 *     example_c C:\models\classifier C:\path\to\torch\lib
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aotwin.h"

enum { LONGEST_RANK = 64 };

/* Memory for one tensor. A size that differs from call to call is taken as 1. */
typedef struct Buffer {
  int64_t sizes[LONGEST_RANK];
  aotwin_tensor tensor;
} Buffer;

static int allocate(Buffer* buffer, const aotwin_tensor_info* info) {
  uint64_t count = 1;
  if (info->rank > LONGEST_RANK || info->dtype == AOTWIN_DTYPE_NONE) {
    return 0;
  }
  for (int32_t i = 0; i < info->rank; ++i) {
    buffer->sizes[i] = info->sizes[i] >= 0 ? info->sizes[i] : 1;
    count *= (uint64_t)buffer->sizes[i];
  }
  memset(&buffer->tensor, 0, sizeof(buffer->tensor));
  buffer->tensor.dtype = info->dtype;
  buffer->tensor.rank = info->rank;
  buffer->tensor.sizes = buffer->sizes;
  buffer->tensor.nbytes = count * aotwin_dtype_nbytes(info->dtype);
  buffer->tensor.data = calloc(1, buffer->tensor.nbytes > 0 ? (size_t)buffer->tensor.nbytes : 1);
  for (uint64_t i = 0; info->dtype == AOTWIN_FLOAT32 && buffer->tensor.data && i < count; ++i) {
    ((float*)buffer->tensor.data)[i] = 1.0f;
  }
  return buffer->tensor.data != NULL;
}

static int failed(const char* doing) {
  fprintf(stderr, "%s: %s\n", doing, aotwin_last_message());
  return 1;
}

static void print_info(const char* role, const aotwin_tensor_info* info) {
  const char* dtype = aotwin_dtype_name(info->dtype);
  printf("%s %s: %s [", role, info->name, dtype ? dtype : "?");
  for (int32_t i = 0; i < info->rank; ++i) {
    printf(info->sizes[i] < 0 ? "%sany" : "%s%lld", i ? ", " : "", (long long)info->sizes[i]);
  }
  puts("]");
}

static int run(const aotwin_model* model, Buffer* inputs, uint32_t num_inputs) {
  aotwin_tensor* tensors = calloc(num_inputs + 1, sizeof(aotwin_tensor));
  aotwin_results* results = NULL;
  int32_t code = AOTWIN_ERROR_MEMORY;
  if (tensors != NULL) {
    for (uint32_t i = 0; i < num_inputs; ++i) {
      tensors[i] = inputs[i].tensor;
    }
    code = aotwin_run_results(model, tensors, num_inputs, &results);
  }
  free(tensors);
  if (code != AOTWIN_OK) {
    return failed("run");
  }
  aotwin_tensor result;
  for (uint32_t i = 0; aotwin_results_get(results, i, &result) == AOTWIN_OK; ++i) {
    const char* dtype = aotwin_dtype_name(result.dtype);
    printf("result %u: %s, %llu bytes", i, dtype ? dtype : "none", (unsigned long long)result.nbytes);
    if (result.dtype == AOTWIN_FLOAT32 && result.nbytes > 0) {
      printf(", the first element is %g", *(const float*)result.data);
    }
    puts("");
  }
  aotwin_results_free(results);
  return 0;
}

static int describe_and_run(const aotwin_model* model) {
  aotwin_model_info info = {.struct_size = sizeof(info)};
  if (aotwin_describe(model, &info) != AOTWIN_OK) {
    return failed("describe");
  }
  if (strcmp(info.run_time, "torch") == 0) {
    printf("%s, over torch %s\n", info.dll_path, info.torch_version);
  } else {
    printf("%s, without torch\n", info.dll_path);
  }
  Buffer* inputs = calloc(info.num_inputs + 1, sizeof(Buffer));
  int code = inputs == NULL;
  for (uint32_t i = 0; code == 0 && i < info.num_inputs; ++i) {
    aotwin_tensor_info input = {.struct_size = sizeof(input)};
    code = aotwin_input(model, i, &input) != AOTWIN_OK;
    if (code == 0) {
      print_info("input", &input);
      code = !allocate(&inputs[i], &input);
    }
  }
  for (uint32_t i = 0; code == 0 && i < info.num_outputs; ++i) {
    aotwin_tensor_info output = {.struct_size = sizeof(output)};
    code = aotwin_output(model, i, &output) != AOTWIN_OK;
    if (code == 0) {
      print_info("output", &output);
    }
  }
  if (code == 0) {
    code = run(model, inputs, info.num_inputs);
  }
  for (uint32_t i = 0; inputs != NULL && i < info.num_inputs; ++i) {
    free(inputs[i].tensor.data);
  }
  free(inputs);
  return code;
}

int wmain(int argc, wchar_t** argv) {
  if (argc < 2) {
    fputs("usage: example_c MODEL_FOLDER [TORCH_FOLDER]\n", stderr);
    return 2;
  }
  aotwin_open_options options = {.struct_size = sizeof(options)};
  /* NULL: torch's DLLs lie beside this program. */
  options.torch_directory_w = argc > 2 ? argv[2] : NULL;
  aotwin_model* model = NULL;
  if (aotwin_open_w(argv[1], &options, &model) != AOTWIN_OK) {
    return failed("open");
  }
  const int code = describe_and_run(model);
  aotwin_close(model);
  return code;
}
