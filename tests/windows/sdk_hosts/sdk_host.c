/* A C program that uses the SDK as a user's would, and tries to use it wrongly.
 *
 *   open MODEL TORCH [utf8]          open and close; TORCH "-" names no folder
 *   describe MODEL TORCH             inputs and outputs
 *   errors MODEL TORCH               wrong calls, then a right one
 *   results MODEL TORCH              results that outlive their model
 *   strides MODEL TORCH              tensors with gaps and of other orders
 *   loop MODEL TORCH COUNT           open, run, close; what is left in the process
 *
 * Prints lines of fields separated by tabs. MODEL is the model of test_sdk.py: x [n, 8] float32, half
 * [n, 8] bfloat16, image [1, 3, 4, 4] float32 in channels-last order, at [2] int64. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include "aotwin.h"
#include "process.h"

enum { BATCH = 3, INPUTS = 4, OUTPUTS = 9 };

typedef struct Call {
  float x[BATCH * 8];
  uint16_t half[BATCH * 8];
  float image[48];
  int64_t at[2];
  int64_t x_sizes[2], half_sizes[2], image_sizes[4], at_sizes[1];
  aotwin_tensor inputs[INPUTS];
  float y[BATCH * 4], again[BATCH * 4], calls[3];
  int64_t y_sizes[2], again_sizes[2], calls_sizes[1];
  aotwin_tensor outputs[OUTPUTS];
} Call;

static aotwin_tensor tensor(void* data, size_t nbytes, int32_t dtype, int32_t rank, int64_t* sizes) {
  const aotwin_tensor result = {data, nbytes, dtype, rank, sizes, NULL};
  return result;
}

/* A right call: x is 0, 1/8, 2/8, ...; image 0, 1, 2, ... */
static void prepare(Call* call) {
  memset(call, 0, sizeof(*call));
  for (int i = 0; i < BATCH * 8; ++i) {
    call->x[i] = (float)i / 8.0f;
    call->half[i] = 0x3f80; /* 1 */
  }
  for (int i = 0; i < 48; ++i) {
    call->image[i] = (float)i;
  }
  call->at[0] = 2;
  const int64_t image_sizes[4] = {1, 3, 4, 4};
  memcpy(call->image_sizes, image_sizes, sizeof(image_sizes));
  call->x_sizes[0] = call->half_sizes[0] = call->y_sizes[0] = call->again_sizes[0] = BATCH;
  call->x_sizes[1] = call->half_sizes[1] = 8;
  call->y_sizes[1] = call->again_sizes[1] = 4;
  call->at_sizes[0] = 2;
  call->calls_sizes[0] = 3;
  call->inputs[0] = tensor(call->x, sizeof(call->x), AOTWIN_FLOAT32, 2, call->x_sizes);
  call->inputs[1] = tensor(call->half, sizeof(call->half), AOTWIN_BFLOAT16, 2, call->half_sizes);
  call->inputs[2] = tensor(call->image, sizeof(call->image), AOTWIN_FLOAT32, 4, call->image_sizes);
  call->inputs[3] = tensor(call->at, sizeof(call->at), AOTWIN_INT64, 1, call->at_sizes);
  /* Others stay AOTWIN_DTYPE_NONE: not wanted. */
  call->outputs[0] = tensor(call->y, sizeof(call->y), AOTWIN_FLOAT32, 2, call->y_sizes);
  call->outputs[1] = tensor(call->again, sizeof(call->again), AOTWIN_FLOAT32, 2, call->again_sizes);
  call->outputs[8] = tensor(call->calls, sizeof(call->calls), AOTWIN_FLOAT32, 1, call->calls_sizes);
}

static void report(const char* name, int32_t code) {
  printf("%s\t%d\t%s\n", name, (int)code, code == AOTWIN_OK ? "" : aotwin_last_message());
}

static int32_t open_model(const wchar_t* path, const wchar_t* torch, aotwin_model** model) {
  aotwin_open_options options = {.struct_size = sizeof(options)};
  options.torch_directory_w = wcscmp(torch, L"-") == 0 ? NULL : torch;
  return aotwin_open_w(path, &options, model);
}

static int32_t open_utf8(const wchar_t* path, const wchar_t* torch, aotwin_model** model) {
  static char path_utf8[100000], torch_utf8[100000];
  WideCharToMultiByte(CP_UTF8, 0, path, -1, path_utf8, sizeof(path_utf8), NULL, NULL);
  WideCharToMultiByte(CP_UTF8, 0, torch, -1, torch_utf8, sizeof(torch_utf8), NULL, NULL);
  aotwin_open_options options = {.struct_size = sizeof(options), .torch_directory = torch_utf8};
  return aotwin_open(path_utf8, &options, model);
}

static void print_info(const char* role, int32_t code, const aotwin_tensor_info* info) {
  const char* dtype = code == AOTWIN_OK ? aotwin_dtype_name(info->dtype) : "error";
  printf("%s\t%s\t%d\t%s\t", role, info->name, (int)info->kind, dtype ? dtype : "none");
  for (int32_t i = 0; i < info->rank; ++i) {
    if (info->sizes[i] >= 0) {
      printf(" %lld", (long long)info->sizes[i]);
    } else {
      printf(" %s", info->symbols[i]);
    }
  }
  puts("");
}

static void describe(const aotwin_model* model) {
  aotwin_model_info info = {.struct_size = sizeof(info)};
  report("describe", aotwin_describe(model, &info));
  printf("model\t%s\t%s\t%s\t%s\n", info.dll_path, info.weights_path, info.torch_version, info.cpu);
  printf(
      "weights\t%llu\t%llu\t%llu\n",
      (unsigned long long)info.weights_nbytes,
      (unsigned long long)info.mapped_nbytes,
      (unsigned long long)info.copied_nbytes);
  for (uint32_t i = 0; i < info.num_inputs; ++i) {
    aotwin_tensor_info tensor_info = {.struct_size = sizeof(tensor_info)};
    const int32_t code = aotwin_input(model, i, &tensor_info);
    print_info("input", code, &tensor_info);
  }
  for (uint32_t i = 0; i < info.num_outputs; ++i) {
    aotwin_tensor_info tensor_info = {.struct_size = sizeof(tensor_info)};
    const int32_t code = aotwin_output(model, i, &tensor_info);
    print_info("output", code, &tensor_info);
  }
}

static int32_t run(const aotwin_model* model, const Call* call) {
  return aotwin_run(model, call->inputs, INPUTS, call->outputs, OUTPUTS);
}

/* One right call with one thing wrong. */
#define WRONG(name, change)        \
  do {                             \
    prepare(&call);                \
    change;                        \
    report(name, run(model, &call)); \
  } while (0)

static void wrong_tensors(const aotwin_model* model) {
  static Call call;
  static const int64_t backwards[2] = {-8, 1}, distant[2] = {INT64_MAX / 2, 1};
  WRONG("input dtype", call.inputs[0].dtype = AOTWIN_FLOAT64);
  WRONG("input dtype unknown", call.inputs[0].dtype = 99);
  WRONG("input dtype none", call.inputs[0].dtype = AOTWIN_DTYPE_NONE);
  WRONG("input rank", call.inputs[0].rank = 1);
  WRONG("input rank negative", call.inputs[0].rank = -1);
  WRONG("input size", call.image_sizes[1] = 4);
  WRONG("input size negative", call.x_sizes[0] = -3);
  WRONG("input sizes disagree", call.half_sizes[0] = 2);
  WRONG("input size huge", (call.x_sizes[0] = call.half_sizes[0] = INT64_MAX));
  WRONG("input data null", call.inputs[0].data = NULL);
  WRONG("input sizes null", call.inputs[0].sizes = NULL);
  WRONG("input buffer short", call.inputs[0].nbytes -= 1);
  WRONG("input stride negative", call.inputs[0].strides = backwards);
  WRONG("input stride far", call.inputs[0].strides = distant);
  WRONG("output dtype", call.outputs[0].dtype = AOTWIN_INT32);
  WRONG("output rank", call.outputs[0].rank = 1);
  WRONG("output size", call.y_sizes[1] = 3);
  WRONG("output sizes disagree", (call.y_sizes[0] = 2, call.again_sizes[0] = 2));
  WRONG("output data null", call.outputs[0].data = NULL);
  WRONG("output buffer short", call.outputs[0].nbytes = 4);
  WRONG("output of None", call.outputs[5] = call.outputs[8]);
}

static void wrong_calls(const aotwin_model* model) {
  static Call call;
  aotwin_tensor_info info = {.struct_size = sizeof(info)};
  aotwin_tensor_info no_size = {0};
  aotwin_results* results = NULL;
  aotwin_tensor result;
  prepare(&call);
  report("model null", aotwin_run(NULL, call.inputs, INPUTS, call.outputs, OUTPUTS));
  report("inputs null", aotwin_run(model, NULL, INPUTS, call.outputs, OUTPUTS));
  report("outputs null", aotwin_run(model, call.inputs, INPUTS, NULL, OUTPUTS));
  report("inputs missing", aotwin_run(model, call.inputs, INPUTS - 1, call.outputs, OUTPUTS));
  report("outputs missing", aotwin_run(model, call.inputs, INPUTS, call.outputs, 1));
  report("results null", aotwin_run_results(model, call.inputs, INPUTS, NULL));
  report("results of null", aotwin_run_results(NULL, call.inputs, INPUTS, &results));
  report("get of null", aotwin_results_get(NULL, 0, &result));
  report("input of null", aotwin_input(NULL, 0, &info));
  report("input 4", aotwin_input(model, 4, &info));
  report("output 9", aotwin_output(model, 9, &info));
  report("info null", aotwin_input(model, 0, NULL));
  report("info without size", aotwin_input(model, 0, &no_size));
  report("describe null", aotwin_describe(model, NULL));
  aotwin_close(NULL);
  aotwin_results_free(NULL);
}

static void wrong_opens(const wchar_t* path, const wchar_t* torch) {
  aotwin_model* model = NULL;
  aotwin_open_options options = {.struct_size = sizeof(options)};
  report("open null", aotwin_open_w(NULL, NULL, &model));
  report("open utf8 null", aotwin_open(NULL, NULL, &model));
  report("open nowhere", aotwin_open_w(path, NULL, NULL));
  report("open empty", aotwin_open("", NULL, &model));
  report("open no utf8", aotwin_open("\xff\xfe", NULL, &model));
  report("open missing", aotwin_open("Z:\\there is no such folder", NULL, &model));
  report("open empty folder", aotwin_open("C:\\windows\\temp", NULL, &model));
  options.struct_size = 0;
  report("options without size", aotwin_open_w(path, &options, &model));
  options.struct_size = sizeof(options);
  options.torch_directory = "Z:\\";
  options.torch_directory_w = torch;
  report("two torch folders", aotwin_open_w(path, &options, &model));
  options.torch_directory_w = NULL;
  report("another torch", aotwin_open_w(path, &options, &model));
  options.torch_directory = NULL;
  options.num_runners = 100000;
  report("too many runners", aotwin_open_w(path, &options, &model));
  printf("model after errors\t%d\t\n", model == NULL ? 0 : 1);
}

static int errors(const aotwin_model* model, const wchar_t* path, const wchar_t* torch) {
  static Call call;
  wrong_tensors(model);
  wrong_calls(model);
  wrong_opens(path, torch);
  for (int i = 0; i < 2; ++i) {
    prepare(&call);
    report("right", run(model, &call));
    printf("calls\t%g\t\n", (double)call.calls[0]);
  }
  return 0;
}

static void print_floats(const char* name, const float* values, int count) {
  printf("%s\t", name);
  for (int i = 0; i < count; ++i) {
    printf(" %.9g", (double)values[i]);
  }
  puts("");
}

static int strides(const aotwin_model* model) {
  static Call call;
  float columns[8 * BATCH], spread[BATCH * 8], channels_last[48];
  const int64_t column_strides[2] = {1, BATCH}, spread_strides[2] = {8, 2};
  const int64_t last_strides[4] = {48, 1, 12, 3};
  float pooled[12];
  int64_t pooled_sizes[4] = {1, 3, 2, 2};

  prepare(&call);
  report("dense", run(model, &call));
  print_floats("y", call.y, BATCH * 4);
  print_floats("again", call.again, BATCH * 4);

  /* The same x, columns first; y into every second element. */
  for (int row = 0; row < BATCH; ++row) {
    for (int column = 0; column < 8; ++column) {
      columns[column * BATCH + row] = call.x[row * 8 + column];
    }
  }
  for (int i = 0; i < BATCH * 8; ++i) {
    spread[i] = -1.0f;
  }
  call.inputs[0].data = columns;
  call.inputs[0].strides = column_strides;
  call.outputs[0].data = spread;
  call.outputs[0].nbytes = sizeof(spread);
  call.outputs[0].strides = spread_strides;
  report("strided", run(model, &call));
  print_floats("spread", spread, BATCH * 8);

  /* The image row by row, and as the code wants it. */
  prepare(&call);
  call.outputs[3] = tensor(pooled, sizeof(pooled), AOTWIN_FLOAT32, 4, pooled_sizes);
  report("rows", run(model, &call));
  print_floats("pooled", pooled, 12);
  for (int c = 0; c < 3; ++c) {
    for (int at = 0; at < 16; ++at) {
      channels_last[at * 3 + c] = call.image[c * 16 + at];
    }
  }
  call.inputs[2].data = channels_last;
  call.inputs[2].strides = last_strides;
  report("channels last", run(model, &call));
  print_floats("pooled", pooled, 12);
  return 0;
}

static int results(aotwin_model* model) {
  static Call call;
  aotwin_results* held = NULL;
  aotwin_tensor result;
  prepare(&call);
  report("run", aotwin_run_results(model, call.inputs, INPUTS, &held));
  /* Results outlive the model. */
  aotwin_close(model);
  for (uint32_t i = 0; aotwin_results_get(held, i, &result) == AOTWIN_OK; ++i) {
    const char* dtype = aotwin_dtype_name(result.dtype);
    printf("result\t%s\t%d\t%llu\n", dtype ? dtype : "none", (int)result.rank, (unsigned long long)result.nbytes);
    if (i == 0) {
      print_floats("y", result.data, BATCH * 4);
    }
  }
  report("behind the last", aotwin_results_get(held, 9, &result));
  aotwin_results_free(held);
  return 0;
}

static int loop(const wchar_t* path, const wchar_t* torch, int count) {
  static Call call;
  uint64_t memory = 0, views = 0, handle = 0;
  int32_t code = AOTWIN_OK;
  prepare(&call);
  for (int i = 0; i < count && code == AOTWIN_OK; ++i) {
    aotwin_model* model = NULL;
    code = open_model(path, torch, &model);
    if (code == AOTWIN_OK) {
      code = run(model, &call);
      aotwin_close(model);
    }
    if (i == count / 10) {
      memory = private_bytes();
      views = mapped_views();
      handle = next_handle();
    }
  }
  report("loop", code);
  printf("calls\t%g\t\n", (double)call.calls[0]);
  printf("memory\t%lld\t\n", (long long)(private_bytes() - memory));
  printf("views\t%lld\t\n", (long long)(mapped_views() - views));
  printf("handles\t%lld\t\n", (long long)(next_handle() - handle));
  return 0;
}

int wmain(int argc, wchar_t** argv) {
  aotwin_model* model = NULL;
  if (argc < 4) {
    return 2;
  }
  const wchar_t* const command = argv[1];
  if (wcscmp(command, L"loop") == 0) {
    return loop(argv[2], argv[3], _wtoi(argv[4]));
  }
  const bool as_utf8 = argc > 4 && wcscmp(argv[4], L"utf8") == 0;
  report("open", as_utf8 ? open_utf8(argv[2], argv[3], &model) : open_model(argv[2], argv[3], &model));
  if (model == NULL) {
    return 0;
  }
  int code = 0;
  if (wcscmp(command, L"describe") == 0) {
    describe(model);
  } else if (wcscmp(command, L"errors") == 0) {
    code = errors(model, argv[2], argv[3]);
  } else if (wcscmp(command, L"strides") == 0) {
    code = strides(model);
  } else if (wcscmp(command, L"results") == 0) {
    return results(model);
  }
  aotwin_close(model);
  return code;
}
