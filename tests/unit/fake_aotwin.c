/* A library with the C API of aotwin.h, for the Python that calls it: runs on the build machine.
 *
 * What its models do stands in the file `fake.txt` of their folder, a line for each output:
 *
 *     copy N        input N, in memory of the results' own
 *     transposed N  the same, its last two dimensions swapped by strides
 *     input N       input N itself
 *     weights       eight float32 that belong to the model
 *     rows N        the first size of input N, a number
 *     nothing       no tensor
 *     same N        output N once more
 *     bare DTYPE    no elements: [0, 3]
 *     fail CODE     the run fails
 *     meet          the run waits until a second one is there; then as `weights`
 *
 * Its first line is the number of inputs.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#define LIMIT 16

typedef struct {
  void* data;
  uint64_t nbytes;
  int32_t dtype, rank;
  const int64_t *sizes, *strides;
} tensor;

typedef struct {
  uint32_t struct_size, num_runners;
  const char* torch_directory;
  const wchar_t* torch_directory_w;
  uint32_t num_threads;
} open_options;

typedef struct {
  uint32_t struct_size, num_inputs, num_outputs, num_runners;
  const char* dll_path;
} model_info;

typedef struct {
  char path[4096];
  char verbs[LIMIT][16];
  int numbers[LIMIT];
  uint32_t inputs, outputs;
  float weights[8];
} model;

typedef struct {
  tensor tensors[LIMIT];
  int64_t sizes[LIMIT][64], strides[LIMIT][64];
  int32_t memory[LIMIT];
  void* owned[LIMIT];
  uint32_t count;
} results;

static __thread char message[256];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;
static int inside;

/* What tests ask for. */
int32_t fake_models, fake_results;
open_options fake_options;
tensor fake_inputs[LIMIT];
int64_t fake_strides[LIMIT][64];

static int32_t fail(int32_t code, const char* text) {
  snprintf(message, sizeof(message), "%s", text);
  return code;
}

uint32_t aotwin_api_version(void) {
  return API_VERSION;
}

const char* aotwin_last_message(void) {
  return message;
}

int32_t aotwin_open_w(const wchar_t* path, const open_options* options, model** place) {
  *place = NULL;
  memset(&fake_options, 0, sizeof(fake_options));
  memcpy(&fake_options, options, options->struct_size);
  model* opened = calloc(1, sizeof(model));
  char file[8192];
  snprintf(opened->path, sizeof(opened->path), "%ls", path);
  snprintf(file, sizeof(file), "%s/fake.txt", opened->path);
  FILE* lines = fopen(file, "r");
  if (lines == NULL) {
    free(opened);
    return fail(2, "there is no fake.txt");
  }
  char verb[16];
  int number;
  if (fscanf(lines, "%d", &number) == 1) {
    opened->inputs = (uint32_t)number;
  }
  while (opened->outputs < LIMIT && fscanf(lines, "%15s %d", verb, &number) == 2) {
    memcpy(opened->verbs[opened->outputs], verb, sizeof(verb));
    opened->numbers[opened->outputs++] = number;
  }
  fclose(lines);
  for (int i = 0; i < 8; ++i) {
    opened->weights[i] = (float)i;
  }
  strncat(opened->path, "/model.dll", 16);
  __atomic_add_fetch(&fake_models, 1, __ATOMIC_SEQ_CST);
  *place = opened;
  return 0;
}

void aotwin_close(model* opened) {
  __atomic_sub_fetch(&fake_models, 1, __ATOMIC_SEQ_CST);
  free(opened);
}

int32_t aotwin_describe(const model* opened, model_info* place) {
  model_info info = {place->struct_size, opened->inputs, opened->outputs, 1, opened->path};
  memcpy(place, &info, place->struct_size);
  return 0;
}

static void dense(int64_t* strides, const int64_t* sizes, int32_t rank) {
  int64_t step = 1;
  for (int32_t i = rank; i-- > 0;) {
    strides[i] = step;
    step *= sizes[i];
  }
}

static void meet(void) {
  struct timespec end;
  clock_gettime(CLOCK_REALTIME, &end);
  end.tv_sec += 20;
  pthread_mutex_lock(&lock);
  ++inside;
  pthread_cond_broadcast(&arrived);
  while (inside < 2 && pthread_cond_timedwait(&arrived, &lock, &end) == 0) {
  }
  pthread_mutex_unlock(&lock);
}

/* One result, copied element by element, so that inputs may have any strides. */
static void copy(results* all, uint32_t at, const tensor* input, const int64_t* given, int swap) {
  const int32_t rank = input->rank;
  int64_t count = 1;
  for (int32_t i = 0; i < rank; ++i) {
    count *= input->sizes[i];
  }
  int64_t item = 0, extent = 1;
  for (int32_t i = 0; i < rank; ++i) {
    extent += (input->sizes[i] - 1) * given[i];
  }
  item = count > 0 ? (int64_t)input->nbytes / extent : 1;
  char* to = all->owned[at] = malloc((size_t)(count * item) + 1);
  int64_t index[64] = {0};
  for (int64_t n = 0; n < count; ++n) {
    int64_t from = 0;
    for (int32_t i = 0; i < rank; ++i) {
      from += index[i] * given[i];
    }
    memcpy(to + n * item, (char*)input->data + from * item, (size_t)item);
    for (int32_t i = rank; i-- > 0 && ++index[i] == input->sizes[i];) {
      index[i] = 0;
    }
  }
  memcpy(all->sizes[at], input->sizes, sizeof(int64_t) * (size_t)rank);
  dense(all->strides[at], input->sizes, rank);
  if (swap) {
    int64_t size = all->sizes[at][rank - 1], stride = all->strides[at][rank - 1];
    all->sizes[at][rank - 1] = all->sizes[at][rank - 2];
    all->strides[at][rank - 1] = all->strides[at][rank - 2];
    all->sizes[at][rank - 2] = size;
    all->strides[at][rank - 2] = stride;
  }
  tensor made = {to, (uint64_t)(count * item), input->dtype, rank, all->sizes[at], all->strides[at]};
  all->tensors[at] = made;
}

int32_t aotwin_run_results(model* opened, const tensor* inputs, uint32_t count, results** place) {
  *place = NULL;
  for (uint32_t i = 0; i < count; ++i) {
    fake_inputs[i] = inputs[i];
    if (inputs[i].strides != NULL) {
      memcpy(fake_strides[i], inputs[i].strides, sizeof(int64_t) * (size_t)inputs[i].rank);
    }
  }
  for (uint32_t i = 0; i < opened->outputs; ++i) {
    if (strcmp(opened->verbs[i], "fail") == 0) {
      return fail(opened->numbers[i], "the library says why");
    }
  }
  results* all = calloc(1, sizeof(results));
  all->count = opened->outputs;
  for (uint32_t i = 0; i < opened->outputs; ++i) {
    const char* verb = opened->verbs[i];
    const int number = opened->numbers[i];
    const tensor* input = &inputs[number < (int)count ? number : 0];
    int64_t* sizes = all->sizes[i];
    int64_t given[64];
    if (strcmp(verb, "meet") == 0) {
      meet();
    }
    if (strcmp(verb, "copy") == 0 || strcmp(verb, "transposed") == 0) {
      if (input->strides != NULL) {
        memcpy(given, input->strides, sizeof(int64_t) * (size_t)input->rank);
      } else {
        dense(given, input->sizes, input->rank);
      }
      copy(all, i, input, given, verb[0] == 't');
    } else if (strcmp(verb, "input") == 0) {
      all->tensors[i] = *input;
      memcpy(sizes, input->sizes, sizeof(int64_t) * (size_t)input->rank);
      dense(all->strides[i], sizes, input->rank);
      all->tensors[i].sizes = sizes;
      all->tensors[i].strides = all->strides[i];
      all->memory[i] = 1;
    } else if (strcmp(verb, "weights") == 0 || strcmp(verb, "meet") == 0) {
      sizes[0] = 8;
      all->strides[i][0] = 1;
      tensor made = {opened->weights, 32, 1, 1, sizes, all->strides[i]};
      all->tensors[i] = made;
      all->memory[i] = 2;
    } else if (strcmp(verb, "rows") == 0) {
      int64_t* owned = all->owned[i] = malloc(sizeof(int64_t));
      *owned = input->sizes[0];
      tensor made = {owned, 8, 8, 0, NULL, NULL};
      all->tensors[i] = made;
    } else if (strcmp(verb, "same") == 0) {
      all->tensors[i] = all->tensors[number];
      all->memory[i] = all->memory[number];
    } else if (strcmp(verb, "bare") == 0) {
      sizes[1] = 3;
      all->strides[i][0] = 3;
      all->strides[i][1] = 1;
      tensor made = {NULL, 0, number, 2, sizes, all->strides[i]};
      all->tensors[i] = made;
    }
  }
  __atomic_add_fetch(&fake_results, 1, __ATOMIC_SEQ_CST);
  *place = all;
  return 0;
}

int32_t aotwin_results_get(const results* all, uint32_t index, tensor* place) {
  *place = all->tensors[index];
  return 0;
}

#ifndef WITHOUT_MEMORY
int32_t aotwin_results_memory(const results* all, uint32_t index, int32_t* place) {
  *place = all->memory[index];
  return 0;
}
#endif

void aotwin_results_free(results* all) {
  __atomic_sub_fetch(&fake_results, 1, __ATOMIC_SEQ_CST);
  for (uint32_t i = 0; i < all->count; ++i) {
    free(all->owned[i]);
  }
  free(all);
}
