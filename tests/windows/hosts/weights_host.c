/* A C host program for model DLLs: runs the commands of a script and prints one JSON line for each.
 *
 *     weights_host.exe <torch_cpu.dll> <script>
 *
 * A script is UTF-8, a command a line, its words separated by tabs. Containers and bare models live in
 * numbered slots. Inputs are ones of shape (2, width). */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include "c_api.h"
#include "json.h"
#include "msvc_map.h"
#include "process.h"

enum { SLOTS = 8, WORDS = 8, MOST_CONSTANTS = 64, MOST_OUTPUTS = 8 };

static void* slots[SLOTS];
static HMODULE model_dll;
static char* words[WORDS];
static int num_words;
/* Memory and tensors that the host manages for the model. */
static Tensor managed[MOST_CONSTANTS];

static const char* word(int index) {
  return index < num_words ? words[index] : "";
}

static bool is(int index, const char* text) {
  return strcmp(word(index), text) == 0;
}

static void** slot(void) {
  return &slots[atoi(word(1)) % SLOTS];
}

static void print_error(int32_t error) {
  const char* message = "";
  GetLastError_(&message);
  printf("\"error\": %d, \"message\": ", error);
  json_string(message);
}

static Tensor tensor_of_ones(int64_t width, float* data) {
  const int64_t sizes[] = {2, width}, strides[] = {width, 1};
  for (int64_t i = 0; i < 2 * width; ++i) data[i] = 1.0f;
  Tensor tensor = NULL;
  torch_create_tensor_from_blob(
      data, 2, sizes, strides, 0, torch_dtype_float32(), torch_device_type_cpu(), 0, &tensor);
  return tensor;
}

static void print_tensor(Tensor tensor) {
  int64_t numel = 0;
  void* data = NULL;
  torch_get_numel(tensor, &numel);
  torch_get_data_ptr(tensor, &data);
  for (int64_t i = 0; i < numel; ++i) {
    printf("%s%.9g", i == 0 ? "" : ", ", ((float*)data)[i]);
  }
}

static float input_data[2 * 4096];

/* run <slot> <width> [single|bare|wrong-count] */
static int32_t run(bool print) {
  Tensor inputs[2] = {tensor_of_ones(atoi(word(2)), input_data), NULL};
  Tensor outputs[MOST_OUTPUTS] = {NULL};
  const size_t num_inputs = is(3, "wrong-count") ? 2 : 1;
  size_t num_outputs = 0;
  int32_t error;
  if (is(3, "bare")) {
    ModelGetNumOutputs_(*slot(), &num_outputs);
    error = ModelRun_(*slot(), inputs, outputs);
  } else {
    /* This one is the generated code's own and takes no null. */
    if (*slot() != NULL) ModelContainerGetNumOutputs_(*slot(), &num_outputs);
    error = (is(3, "single") ? ModelContainerRunSingleThreaded_ : ModelContainerRun_)(
        *slot(), inputs, num_inputs, outputs, num_outputs, NULL, NULL);
  }
  if (print) {
    print_error(error);
    printf(", \"inputs_taken\": %s, \"outputs\": [", inputs[0] == NULL ? "true" : "false");
  }
  for (size_t i = 0; i < num_outputs && error == 0; ++i) {
    if (print) {
      printf("%s[", i == 0 ? "" : ", ");
      print_tensor(outputs[i]);
      printf("]");
    }
    torch_delete_tensor_object(outputs[i]);
  }
  if (print) printf("]");
  return error;
}

static void print_constants(void) {
  const Entry* entries = NULL;
  size_t count = 0;
  print_error(ModelContainerExtractConstantsMapEntries_(*slot(), &entries, &count, is(2, "inactive")));
  printf(", \"constants\": {");
  for (size_t i = 0; i < count; ++i) {
    void* data = NULL;
    torch_get_data_ptr(entries[i].handle, &data);
    printf("%s", i == 0 ? "" : ", ");
    json_string(entries[i].name);
    printf(": {\"address\": %llu, \"kind\": \"%s\", \"file\": ", (unsigned long long)(uintptr_t)data,
           memory_kind(data));
    json_wide(strcmp(memory_kind(data), "mapped") == 0 ? backing_file(data) : L"");
    printf("}");
  }
  printf("}");
}

static void print_info(void) {
  Weights weights = {.struct_size = sizeof(weights), .blob_path = ""};
  uint64_t blob_size = 0;
  ModelContainerGetConstantsBlobSize_(*slot(), &blob_size);
  print_error(AotwinWeightsInfo_(*slot(), &weights));
  printf(
      ", \"state\": %u, \"size\": %llu, \"mapped\": %llu, \"copied\": %llu, \"user\": %llu, "
      "\"blob_size\": %llu, \"path\": ",
      weights.state, (unsigned long long)weights.constants_size,
      (unsigned long long)weights.mapped_bytes, (unsigned long long)weights.copied_bytes,
      (unsigned long long)weights.user_managed_bytes, (unsigned long long)blob_size);
  json_string(weights.blob_path);
  printf(", \"sha256\": \"");
  for (int i = 0; i < 32; ++i) printf("%02x", weights.sha256[i]);
  printf("\", \"views\": %llu", (unsigned long long)mapped_views());
}

/* from_blob <slot> <file> view|copy-on-write|bytes|short|null: the view or memory is gone afterwards */
static void from_blob(void) {
  wchar_t* path = to_wide(word(2));
  HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL, OPEN_EXISTING, 0, NULL);
  free(path);
  LARGE_INTEGER size = {0};
  GetFileSizeEx(file, &size);
  const DWORD protection = is(3, "copy-on-write") ? PAGE_WRITECOPY : PAGE_READONLY;
  HANDLE section = CreateFileMappingW(file, NULL, protection, 0, 0, NULL);
  uint8_t* view = MapViewOfFile(
      section, is(3, "copy-on-write") ? FILE_MAP_COPY : FILE_MAP_READ, 0, 0, 0);
  if (is(3, "bytes") || is(3, "short")) {
    const size_t bytes = is(3, "short") ? 4096 : (size_t)size.QuadPart;
    uint8_t* memory = VirtualAlloc(NULL, bytes, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    memcpy(memory, view, bytes);
    print_error(ModelUpdateConstantsFromBlob_(*slot(), memory));
    memset(memory, 0xff, bytes);
    VirtualFree(memory, 0, MEM_RELEASE);
  } else {
    if (is(3, "copy-on-write")) memset(view, 0, 4096);
    print_error(ModelUpdateConstantsFromBlob_(*slot(), is(3, "null") ? NULL : view));
  }
  UnmapViewOfFile(view);
  CloseHandle(section);
  CloseHandle(file);
}

/* Tensors like the container's constants, times a factor; "transposed" ones have other strides. */
static size_t scaled_constants(Entry* result, void* container, float factor, const char* form) {
  const Entry* entries = NULL;
  size_t count = 0;
  ModelContainerExtractConstantsMapEntries_(container, &entries, &count, false);
  for (size_t i = 0; i < count; ++i) {
    int64_t dim = 0, numel = 0, *sizes = NULL, *strides = NULL;
    void* data = NULL;
    torch_get_dim(entries[i].handle, &dim);
    torch_get_numel(entries[i].handle, &numel);
    torch_get_sizes(entries[i].handle, &sizes);
    torch_get_strides(entries[i].handle, &strides);
    torch_get_data_ptr(entries[i].handle, &data);
    int64_t shape[2] = {dim > 0 ? sizes[0] : 1, dim > 1 ? sizes[1] : 1};
    int64_t from[2] = {dim > 0 ? strides[0] : 1, dim > 1 ? strides[1] : 1};
    int64_t to[2] = {from[0], from[1]};
    if (strcmp(form, "transposed") == 0 && dim == 2) {
      to[0] = from[0] == 1 ? shape[1] : 1;
      to[1] = from[0] == 1 ? 1 : shape[0];
    }
    float* copy = malloc((size_t)(numel + 1) * sizeof(float));
    for (int64_t a = 0; a < shape[0]; ++a) {
      for (int64_t b = 0; b < shape[1]; ++b) {
        copy[a * to[0] + b * to[1]] = factor * ((float*)data)[a * from[0] + b * from[1]];
      }
    }
    if (strcmp(form, "shape") == 0) shape[0] -= 1;
    const int32_t dtype =
        strcmp(form, "dtype") == 0 ? torch_dtype_float32() + 1 : torch_dtype_float32();
    char* name = malloc(256);
    snprintf(name, 256, "%s", entries[i].name);
    for (char* c = name; *c != 0; ++c) {
      /* The map is by names of the generated code, the entries by those of the program. */
      if (*c == '.') *c = '_';
    }
    result[i].name = name;
    torch_create_tensor_from_blob(
        copy, dim, shape, to, 0, dtype, torch_device_type_cpu(), 0, &result[i].handle);
    managed[i] = result[i].handle;
  }
  return count;
}

/* update <slot> pairs|map|inactive-map|cpu-map|bare-map|bare-pairs active|inactive copy|user <factor>
 *        [form] [count]; the constants are read from slot 0 */
static void update(void) {
  Entry entries[MOST_CONSTANTS];
  size_t count = scaled_constants(entries, slots[0], (float)atof(word(5)), word(6));
  if (num_words > 7) count = (size_t)atoi(word(7));
  const bool inactive = is(3, "inactive"), user = is(4, "user");
  const bool full = num_words <= 7;
  int32_t error = -1;
  if (is(2, "pairs")) {
    error = (user ? ModelContainerUpdateUserManagedConstantBufferPairs_
                  : ModelContainerUpdateConstantBufferPairs_)(*slot(), entries, count, inactive, full);
  } else if (is(2, "map")) {
    error = (user ? ModelContainerUpdateUserManagedConstantBuffer_
                  : ModelContainerUpdateConstantBuffer_)(
        *slot(), msvc_map(entries, count), inactive, full);
  } else if (is(2, "cpu-map")) {
    error = ModelContainerUpdateConstantBufferFromCpu_(
        *slot(), msvc_map(entries, count), inactive, full);
  } else if (is(2, "inactive-map")) {
    error = ModelContainerUpdateInactiveConstantBuffer_(*slot(), msvc_map(entries, count));
  } else if (is(2, "bare-map")) {
    error = ModelUpdateConstantsMap_(*slot(), msvc_map(entries, count));
  } else if (is(2, "bare-pairs")) {
    error = ModelUpdateConstantsMapV2_(*slot(), entries, (int32_t)count);
  } else {
    error = ModelContainerUpdateConstantBuffer_(
        *slot(), broken_map(entries, count, word(2)), inactive, full);
  }
  print_error(error);
  if (is(4, "copy") && word(2)[0] != 'b') {
    /* What was copied is the host's to free. */
    for (size_t i = 0; i < count; ++i) {
      void* data = NULL;
      torch_get_data_ptr(entries[i].handle, &data);
      torch_delete_tensor_object(entries[i].handle);
      free(data);
    }
  }
}

/* create-external <slot> <factor> [count]; the constants are read from slot 0, and stay the host's */
static void create_external(void) {
  Entry entries[MOST_CONSTANTS];
  size_t count = scaled_constants(entries, slots[0], (float)atof(word(2)), "same");
  if (num_words > 3) count = (size_t)atoi(word(3));
  print_error(
      ModelContainerCreateWithExternalConstants_(slot(), 1, "cpu", NULL, entries, count));
  bool loaded = false;
  if (*slot() != NULL) ModelContainerDidCallLoadConstants_(*slot(), &loaded);
  printf(", \"loaded\": %s", loaded ? "true" : "false");
}

/* loop <slot> <width> <times>: create, run, delete; figures after a tenth and at the end */
static void loop(void) {
  const int times = atoi(word(3));
  int32_t error = 0;
  num_words = 3;
  for (int i = 0; i < times && error == 0; ++i) {
    error = ModelContainerCreateWithDevice_(slot(), 1 + i % 3, "cpu", NULL);
    if (error == 0) error = run(false);
    if (error == 0) error = ModelContainerDelete_(*slot());
    if (i == times / 10 || i == times - 1) {
      printf("\"%s_handle\": %llu, \"%s_private\": %llu, \"%s_views\": %llu, ",
             i == times - 1 ? "last" : "first", (unsigned long long)next_handle(), i == times - 1 ? "last" : "first",
             (unsigned long long)private_bytes(), i == times - 1 ? "last" : "first",
             (unsigned long long)mapped_views());
    }
  }
  print_error(error);
}

/* threads <slot> <width> <threads> <runs>: all at once, first outputs compared with the first run's */
static volatile LONG failures;
static float expected_output;

static DWORD WINAPI run_often(void* runs) {
  for (intptr_t i = 0; i < (intptr_t)runs; ++i) {
    Tensor input = tensor_of_ones(atoi(words[2]), input_data), outputs[MOST_OUTPUTS] = {NULL};
    size_t num_outputs = 0;
    void* data = NULL;
    ModelContainerGetNumOutputs_(*slot(), &num_outputs);
    if (ModelContainerRun_(*slot(), &input, 1, outputs, num_outputs, NULL, NULL) != 0) {
      InterlockedIncrement(&failures);
      continue;
    }
    torch_get_data_ptr(outputs[0], &data);
    if (expected_output == 0) expected_output = *(float*)data;
    if (expected_output != *(float*)data) InterlockedIncrement(&failures);
    for (size_t o = 0; o < num_outputs; ++o) torch_delete_tensor_object(outputs[o]);
  }
  return 0;
}

static void threads(void) {
  HANDLE running[16];
  const int count = atoi(word(3)) < 16 ? atoi(word(3)) : 16;
  failures = 0;
  expected_output = 0;
  run_often((void*)(intptr_t)1);
  for (int i = 0; i < count; ++i) {
    running[i] = CreateThread(NULL, 0, run_often, (void*)(intptr_t)atoi(word(4)), 0, NULL);
  }
  WaitForMultipleObjects((DWORD)count, running, TRUE, INFINITE);
  for (int i = 0; i < count; ++i) CloseHandle(running[i]);
  printf("\"failures\": %ld", failures);
}

/* file open-for-writing|open-for-reading|hold|delete|replace <path> [new name] */
static void file_command(void) {
  wchar_t *path = to_wide(word(2)), *other = to_wide(word(3));
  BOOL done = FALSE;
  if (is(1, "delete")) {
    done = DeleteFileW(path);
  } else if (is(1, "replace")) {
    done = MoveFileExW(other, path, MOVEFILE_REPLACE_EXISTING);
  } else if (is(1, "hold")) {
    /* Nobody else may open it until this process ends. */
    done = CreateFileW(path, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL) != INVALID_HANDLE_VALUE;
  } else {
    HANDLE file = CreateFileW(
        path, is(1, "open-for-writing") ? GENERIC_WRITE : GENERIC_READ,
        FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING, 0, NULL);
    done = file != INVALID_HANDLE_VALUE;
    if (done) CloseHandle(file);
  }
  printf("\"done\": %s, \"windows_error\": %lu", done ? "true" : "false", done ? 0 : GetLastError());
}

static void load(void) {
  wchar_t* path = to_wide(word(1));
  /* A relative path is for the plain search only. */
  model_dll = LoadLibraryExW(path, NULL, is(2, "relative") ? 0 : LOAD_WITH_ALTERED_SEARCH_PATH);
  const DWORD error = GetLastError();
  printf("\"loaded\": %s, \"windows_error\": %lu",
         model_dll != NULL && resolve_model(model_dll) ? "true" : "false",
         model_dll != NULL ? 0 : error);
  free(path);
}

static void execute(void) {
  if (is(0, "load")) {
    load();
  } else if (is(0, "unload")) {
    printf("\"done\": %s", FreeLibrary(model_dll) ? "true" : "false");
  } else if (is(0, "environment")) {
    wchar_t *name = to_wide(word(1)), *value = to_wide(word(2));
    printf("\"done\": %s", SetEnvironmentVariableW(name, num_words > 2 ? value : NULL) ? "true" : "false");
  } else if (is(0, "create")) {
    print_error(ModelContainerCreateWithDevice_(
        slot(), (size_t)atoi(word(2)), num_words > 3 ? word(3) : "cpu", NULL));
    printf(", \"created\": %s", *slot() != NULL ? "true" : "false");
  } else if (is(0, "create-external")) {
    create_external();
  } else if (is(0, "create-bare")) {
    print_error(ModelCreateV2_(slot(), NULL, 0));
  } else if (is(0, "delete")) {
    print_error(ModelContainerDelete_(*slot()));
  } else if (is(0, "delete-bare")) {
    print_error(ModelDelete_(*slot()));
  } else if (is(0, "run")) {
    run(true);
  } else if (is(0, "constants")) {
    print_constants();
  } else if (is(0, "info")) {
    print_info();
  } else if (is(0, "from_blob")) {
    from_blob();
  } else if (is(0, "update")) {
    update();
  } else if (is(0, "extract-map")) {
    print_error(ModelContainerExtractConstantsMap_(*slot(), msvc_map(NULL, 0), false));
  } else if (is(0, "swap")) {
    print_error(ModelContainerSwapConstantBuffer_(*slot()));
  } else if (is(0, "free-inactive")) {
    print_error(ModelContainerFreeInactiveConstantBuffer_(*slot()));
  } else if (is(0, "fold")) {
    print_error(ModelContainerRunConstantFolding_(*slot(), is(2, "inactive"), NULL, NULL));
  } else if (is(0, "loop")) {
    loop();
  } else if (is(0, "threads")) {
    threads();
  } else if (is(0, "file")) {
    file_command();
  } else {
    printf("\"unknown_command\": true");
  }
}

/* A fault ends the host at once, without a debugger that waits for somebody. */
static LONG WINAPI faulted(EXCEPTION_POINTERS* exception) {
  fprintf(stderr, "fault %08lx at %p\n", exception->ExceptionRecord->ExceptionCode,
          exception->ExceptionRecord->ExceptionAddress);
  ExitProcess(99);
}

int wmain(int argc, wchar_t** argv) {
  SetUnhandledExceptionFilter(faulted);
  HMODULE torch = argc == 3 ? LoadLibraryExW(argv[1], NULL, LOAD_WITH_ALTERED_SEARCH_PATH) : NULL;
  if (torch == NULL || !resolve_torch(torch)) {
    fprintf(stderr, "usage: weights_host torch_cpu.dll script (Windows error %lu)\n", GetLastError());
    return 2;
  }
  FILE* script = _wfopen(argv[2], L"rb");
  static char line[70000];
  while (script != NULL && fgets(line, sizeof(line), script) != NULL) {
    line[strcspn(line, "\r\n")] = 0;
    num_words = 0;
    for (char* rest = line; rest != NULL && num_words < WORDS; ++num_words) {
      words[num_words] = rest;
      rest = strchr(rest, '\t');
      if (rest != NULL) *rest++ = 0;
    }
    printf("{\"command\": \"%s\"", words[0]);
    /* The commands print their own fields after this one. */
    printf(", ");
    execute();
    printf("}\n");
    fflush(stdout);
  }
  return script == NULL ? 2 : 0;
}
