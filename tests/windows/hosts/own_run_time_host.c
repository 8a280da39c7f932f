/* A C host that opens a model DLL by itself: neither aotwin.dll nor torch is loaded before.
 *
 *     own_run_time_host.exe MODEL.dll LIBRARY-NAME [WIDTH]
 *
 * Prints whether the library of that name is there before and after a container was created, then
 * what the model gives for ones of shape (2, WIDTH), or why it does not. Fields are separated by tabs. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>
#include <windows.h>

typedef void* Handle;

static void* function(HMODULE module, const char* name) {
  void* found = (void*)GetProcAddress(module, name);
  if (found == NULL) {
    fprintf(stderr, "there is no %s\n", name);
    exit(3);
  }
  return found;
}

static int failed(HMODULE model, const char* doing, int32_t code) {
  const char* reason = "";
  ((int32_t(*)(const char**))function(model, "AOTInductorGetLastError"))(&reason);
  printf("%s\t%d\t%s\n", doing, (int)code, reason);
  return 0;
}

static int run(HMODULE model, HMODULE library, Handle container, int64_t width) {
  const int64_t sizes[] = {2, width}, strides[] = {width, 1};
  float* ones = calloc((size_t)(2 * width), sizeof(float));
  for (int64_t i = 0; i < 2 * width; ++i) {
    ones[i] = 1.0f;
  }
  Handle input = NULL, output = NULL;
  int32_t(*dtype)(void) = (int32_t(*)(void))function(library, "aoti_torch_dtype_float32");
  int32_t(*from_blob)(
      void*, int64_t, const int64_t*, const int64_t*, int64_t, int32_t, int32_t, int32_t, Handle*) =
      function(library, "aoti_torch_create_tensor_from_blob");
  from_blob(ones, 2, sizes, strides, 0, dtype(), 0, 0, &input);
  int32_t(*run_model)(Handle, Handle*, size_t, Handle*, size_t, void*, void*) =
      function(model, "AOTInductorModelContainerRun");
  const int32_t code = run_model(container, &input, 1, &output, 1, NULL, NULL);
  if (code != 0) {
    return failed(model, "run", code);
  }
  void* data = NULL;
  int64_t numel = 0;
  ((int32_t(*)(Handle, void**))function(library, "aoti_torch_get_data_ptr"))(output, &data);
  ((int32_t(*)(Handle, int64_t*))function(library, "aoti_torch_get_numel"))(output, &numel);
  printf("result\t");
  for (int64_t i = 0; i < numel; ++i) {
    printf(" %.9g", (double)((float*)data)[i]);
  }
  puts("");
  ((int32_t(*)(Handle))function(library, "aoti_torch_delete_tensor_object"))(output);
  ((int32_t(*)(Handle))function(model, "AOTInductorModelContainerDelete"))(container);
  return 0;
}

int wmain(int count, wchar_t** words) {
  if (count < 3) {
    return 2;
  }
  HMODULE model = LoadLibraryExW(words[1], NULL, LOAD_WITH_ALTERED_SEARCH_PATH);
  if (model == NULL) {
    printf("load\t%lu\t\n", GetLastError());
    return 0;
  }
  printf("before\t%d\t\n", GetModuleHandleW(words[2]) != NULL);
  Handle container = NULL;
  int32_t(*create)(Handle*, size_t, const char*, const char*) =
      function(model, "AOTInductorModelContainerCreateWithDevice");
  const int32_t code = create(&container, 1, "cpu", NULL);
  HMODULE library = GetModuleHandleW(words[2]);
  printf("after\t%d\t\n", library != NULL);
  if (code != 0) {
    return failed(model, "create", code);
  }
  return run(model, library, container, count > 3 ? _wtoi64(words[3]) : 1);
}
