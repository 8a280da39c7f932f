/* A C host program that loads one model and tells how long that took, as one JSON object.
 *
 *     load_host.exe <torch_cpu.dll> <model.dll> <width> [<blob>]
 *
 * Without a blob the DLL finds its weights itself. With one, the host maps it, hands it over through
 * AOTInductorModelUpdateConstantsFromBlob and unmaps it, as torch's own Windows loader does; the DLL
 * must then lie in a folder without its weights. The input is a tensor of ones of shape (2, width). */
#include <stdio.h>
#include <stdlib.h>

#include "c_api.h"
#include "process.h"

enum { MOST_OUTPUTS = 8, MOST_WIDTH = 1 << 16 };

static double now(void) {
  LARGE_INTEGER count, frequency;
  QueryPerformanceCounter(&count);
  QueryPerformanceFrequency(&frequency);
  return (double)count.QuadPart / (double)frequency.QuadPart;
}

static void fail(const char* what) {
  const char* message = "";
  if (GetLastError_ != NULL) GetLastError_(&message);
  fprintf(stderr, "%s failed: %s (Windows error %lu)\n", what, message, GetLastError());
  exit(1);
}

static void hand_over(void* container, const wchar_t* path) {
  HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
  HANDLE section = CreateFileMappingW(file, NULL, PAGE_READONLY, 0, 0, NULL);
  const uint8_t* view = MapViewOfFile(section, FILE_MAP_READ, 0, 0, 0);
  if (view == NULL) fail("mapping the weights");
  if (ModelUpdateConstantsFromBlob_(container, view) != 0) fail("handing over the weights");
  UnmapViewOfFile(view);
  CloseHandle(section);
  CloseHandle(file);
}

/* Returns the seconds of one run, and the first output's first element. */
static double run(void* container, int64_t width, double* first) {
  static float data[2 * MOST_WIDTH];
  for (int64_t i = 0; i < 2 * width; ++i) data[i] = 1.0f;
  const int64_t sizes[] = {2, width}, strides[] = {width, 1};
  Tensor input = NULL, outputs[MOST_OUTPUTS] = {NULL};
  size_t num_outputs = 0;
  void* values = NULL;
  torch_create_tensor_from_blob(
      data, 2, sizes, strides, 0, torch_dtype_float32(), torch_device_type_cpu(), 0, &input);
  ModelContainerGetNumOutputs_(container, &num_outputs);
  const double start = now();
  if (ModelContainerRun_(container, &input, 1, outputs, num_outputs, NULL, NULL) != 0) fail("a run");
  const double seconds = now() - start;
  torch_get_data_ptr(outputs[0], &values);
  *first = *(const float*)values;
  for (size_t i = 0; i < num_outputs; ++i) torch_delete_tensor_object(outputs[i]);
  return seconds;
}

int wmain(int argc, wchar_t** argv) {
  if (argc != 4 && argc != 5) fail("reading the command line");
  const int64_t width = _wtoi64(argv[3]);
  if (width < 1 || width > MOST_WIDTH) fail("reading the width");
  HMODULE torch = LoadLibraryExW(argv[1], NULL, LOAD_WITH_ALTERED_SEARCH_PATH);
  if (torch == NULL || !resolve_torch(torch)) fail("loading torch_cpu.dll");
  double start = now();
  HMODULE model = LoadLibraryExW(argv[2], NULL, LOAD_WITH_ALTERED_SEARCH_PATH);
  if (model == NULL || !resolve_model(model)) fail("loading the model");
  const double library = now() - start;
  const uint64_t private_before = private_bytes();
  void* container = NULL;
  start = now();
  if (ModelContainerCreateWithDevice_(&container, 1, "cpu", NULL) != 0) fail("creating a container");
  if (argc == 5) hand_over(container, argv[4]);
  const double ready = now() - start;
  const uint64_t private_after = private_bytes();
  double first = 0;
  const double first_run = run(container, width, &first);
  const double second_run = run(container, width, &first);
  printf(
      "{\"library\": %.9f, \"ready\": %.9f, \"first_run\": %.9f, \"second_run\": %.9f, "
      "\"private_before\": %llu, \"private_after\": %llu, \"output\": %.9g}\n",
      library, ready, first_run, second_run, (unsigned long long)private_before,
      (unsigned long long)private_after, first);
  return 0;
}
