// aotwin.dll: the functions of aotwin.h.
#define AOTWIN_BUILDING_LIBRARY
#include "aotwin.h"

#include <memory>
#include <string>

#include "model.h"

struct aotwin_model {
  std::shared_ptr<aotwin::Model> model;
  aotwin_model_info info;
};

struct aotwin_results {
  // First, so that it goes last: results can be views of the model's weights.
  std::shared_ptr<aotwin::Model> model;
  std::vector<aotwin::Handle> handles;
  // By position: which handle, as a model may return one tensor in several places.
  std::vector<void*> raw;
};

namespace {

using namespace aotwin;

std::shared_ptr<Model> first_that_fits(
    const std::vector<std::wstring>& dlls, const Options& options) {
  for (size_t i = 0;; ++i) {
    try {
      return std::make_shared<Model>(dlls[i], options);
    } catch (const Failure& failure) {
      if (failure.code() != AOTWIN_ERROR_CPU || i + 1 == dlls.size()) {
        throw;
      }
    }
  }
}

void open(const std::wstring& path, const aotwin_open_options* given, aotwin_model** result) {
  const Options options = read_options(given);
  const std::vector<std::wstring> dlls = candidate_dlls(full_path(path));
  if (dlls.empty()) {
    throw Failure(AOTWIN_ERROR_NOT_FOUND, utf8(path) + " holds no DLL for this machine's CPU");
  }
  auto opened = std::make_unique<aotwin_model>();
  opened->model = first_that_fits(dlls, options);
  opened->model->start();
  opened->info = opened->model->info();
  *result = opened.release();
}

void describe(const std::vector<Spec>& specs, uint32_t index, aotwin_tensor_info* place) {
  if (index >= specs.size()) {
    throw Failure(
        AOTWIN_ERROR_ARGUMENT,
        "there is no number " + std::to_string(index) + ": the model has " +
            std::to_string(specs.size()));
  }
  const Spec& spec = specs[index];
  aotwin_tensor_info info{};
  info.kind = spec.described->kind;
  info.name = spec.described->name;
  info.dtype = spec.dtype;
  info.rank = spec.described->rank;
  info.sizes = spec.described->sizes;
  info.symbols = spec.described->symbols;
  answer(place, info);
}

// Deletes a tensor that is in several places once.
std::unique_ptr<aotwin_results> results_of(
    const std::shared_ptr<Model>& model, std::vector<Handle>&& handles) {
  auto results = std::make_unique<aotwin_results>();
  results->model = model;
  results->raw.reserve(handles.size());
  for (Handle& each : handles) {
    const bool known =
        std::find(results->raw.begin(), results->raw.end(), each.get()) != results->raw.end();
    results->raw.push_back(each.get());
    if (known) {
      each.release();
    }
  }
  results->handles = std::move(handles);
  return results;
}

// Nobody but these results has the tensor's memory.
bool is_unshared(const aotwin_results& results, void* tensor) {
  const void* storage = nullptr;
  int64_t references = 0;
  if (!results.model->torch().own || tensor == nullptr ||
      aotwin_tensor_storage(tensor, &storage, &references) != 0) {
    return false;
  }
  int64_t ours = 0;
  for (const Handle& each : results.handles) {
    const void* other = nullptr;
    int64_t ignored = 0;
    if (each.get() != nullptr && aotwin_tensor_storage(each.get(), &other, &ignored) == 0) {
      ours += other == storage;
    }
  }
  return references != 0 && references == ours;
}

} // namespace

extern "C" {

uint32_t aotwin_api_version(void) {
  return AOTWIN_API_VERSION;
}

const char* aotwin_last_message(void) {
  return aotwin::last_message;
}

const char* aotwin_dtype_name(int32_t dtype) {
  const Dtype* found = find_dtype(dtype);
  return found != nullptr ? found->name : nullptr;
}

uint64_t aotwin_dtype_nbytes(int32_t dtype) {
  const Dtype* found = find_dtype(dtype);
  return found != nullptr ? found->nbytes : 0;
}

int32_t aotwin_open(const char* path, const aotwin_open_options* options, aotwin_model** model) {
  return guarded([&] {
    require(model != nullptr, "there is no place for the model: the pointer is null");
    *model = nullptr;
    require(path != nullptr, "the path is null");
    open(wide(path, "the path"), options, model);
  });
}

int32_t aotwin_open_w(const wchar_t* path, const aotwin_open_options* options, aotwin_model** model) {
  return guarded([&] {
    require(model != nullptr, "there is no place for the model: the pointer is null");
    *model = nullptr;
    require(path != nullptr, "the path is null");
    require(path[0] != 0, "the path is empty");
    open(path, options, model);
  });
}

void aotwin_close(aotwin_model* model) {
  guarded([&] { delete model; });
}

int32_t aotwin_describe(const aotwin_model* model, aotwin_model_info* info) {
  return guarded([&] {
    require(model != nullptr, "the model is null");
    answer(info, model->info);
  });
}

int32_t aotwin_input(const aotwin_model* model, uint32_t index, aotwin_tensor_info* info) {
  return guarded([&] {
    require(model != nullptr, "the model is null");
    describe(model->model->inputs(), index, info);
  });
}

int32_t aotwin_output(const aotwin_model* model, uint32_t index, aotwin_tensor_info* info) {
  return guarded([&] {
    require(model != nullptr, "the model is null");
    describe(model->model->outputs(), index, info);
  });
}

int32_t aotwin_run(
    const aotwin_model* model,
    const aotwin_tensor* inputs,
    uint32_t num_inputs,
    const aotwin_tensor* outputs,
    uint32_t num_outputs) {
  return guarded([&] {
    require(model != nullptr, "the model is null");
    const Torch& torch = model->model->torch();
    Symbols symbols;
    model->model->check_inputs(inputs, num_inputs, symbols);
    model->model->check_outputs(outputs, num_outputs, symbols);
    const auto results = results_of(model->model, model->model->run(inputs));
    const NoGrad no_grad(torch);
    for (uint32_t i = 0; i < num_outputs; ++i) {
      if (outputs[i].dtype != AOTWIN_DTYPE_NONE) {
        copy_result(torch, results->raw[i], outputs[i], model->model->outputs()[i].title);
      }
    }
  });
}

int32_t aotwin_run_results(
    const aotwin_model* model,
    const aotwin_tensor* inputs,
    uint32_t num_inputs,
    aotwin_results** results) {
  return guarded([&] {
    require(results != nullptr, "there is no place for the results: the pointer is null");
    *results = nullptr;
    require(model != nullptr, "the model is null");
    Symbols symbols;
    model->model->check_inputs(inputs, num_inputs, symbols);
    *results = results_of(model->model, model->model->run(inputs)).release();
  });
}

int32_t aotwin_results_get(const aotwin_results* results, uint32_t index, aotwin_tensor* tensor) {
  return guarded([&] {
    require(results != nullptr, "the results are null");
    require(tensor != nullptr, "there is no place for the tensor: the pointer is null");
    if (index >= results->raw.size()) {
      throw Failure(
          AOTWIN_ERROR_ARGUMENT,
          "there is no result " + std::to_string(index) + ": there are " +
              std::to_string(results->raw.size()));
    }
    *tensor = view_of(results->model->torch(), results->raw[index]);
  });
}

int32_t aotwin_results_memory(const aotwin_results* results, uint32_t index, int32_t* memory) {
  return guarded([&] {
    require(results != nullptr, "the results are null");
    require(memory != nullptr, "there is no place for the answer: the pointer is null");
    if (index >= results->raw.size()) {
      throw Failure(
          AOTWIN_ERROR_ARGUMENT,
          "there is no result " + std::to_string(index) + ": there are " +
              std::to_string(results->raw.size()));
    }
    *memory = is_unshared(*results, results->raw[index]) ? AOTWIN_MEMORY_OWN : AOTWIN_MEMORY_SHARED;
  });
}

void aotwin_results_free(aotwin_results* results) {
  guarded([&] { delete results; });
}

} // extern "C"
