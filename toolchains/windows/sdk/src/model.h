// An opened model: its DLL, its container, and runs.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "aotwin_weights.h"
#include "model_files.h"
#include "options.h"
#include "own_run_time.h"
#include "tensors.h"

namespace aotwin {

// Functions of AOTInductor's C API (torch/csrc/inductor/aoti_runtime/interface.h) and ours.
struct ModelFunctions {
  int32_t (*last_error)(const char**) = nullptr;
  int32_t (*create)(void**, size_t, const char*, const char*) = nullptr;
  int32_t (*remove)(void*) = nullptr;
  int32_t (*run)(void*, TensorHandle*, size_t, TensorHandle*, size_t, void*, void*) = nullptr;
  int32_t (*num_inputs)(void*, size_t*) = nullptr;
  int32_t (*num_outputs)(void*, size_t*) = nullptr;
  int32_t (*weights_info)(void*, AotwinWeights*) = nullptr;
  const AotwinDescription* (*describe)() = nullptr;
  // Of a DLL over our own run time.
  int32_t (*bind)(void*) = nullptr;
};

inline double milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

class Model {
 public:
  Model(const std::wstring& dll, const Options& options)
      : path_(utf8(dll)), num_runners_(options.num_runners), num_threads_(options.num_threads) {
    const auto start = std::chrono::steady_clock::now();
    load(dll, options.torch_directory);
    read_description();
    take_run_time(options.torch_directory);
    dll_ms_ = milliseconds_since(start) - torch_ms_;
  }
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;
  ~Model() {
    if (container_ != nullptr) {
      functions_.remove(container_);
    }
    if (torch_ != nullptr && torch_->own) {
      aotwin_memory_trim();
    }
  }

  // Apart from the constructor, so that a DLL for another CPU level is given up before it runs.
  void start() {
    const auto start = std::chrono::steady_clock::now();
    if (functions_.create(&container_, num_runners_, "cpu", nullptr) != 0) {
      container_ = nullptr;
      throw Failure(AOTWIN_ERROR_WEIGHTS, path_ + ": " + last_error());
    }
    weights_.struct_size = sizeof(weights_);
    if (functions_.weights_info(container_, &weights_) != 0) {
      throw Failure(AOTWIN_ERROR_MODEL, path_ + ": " + last_error());
    }
    weights_path_ = weights_.blob_path;
    if (weights_.state != AOTWIN_WEIGHTS_READY) {
      throw Failure(AOTWIN_ERROR_WEIGHTS, "there is no weights file " + weights_path_);
    }
    check_counts();
    weights_ms_ = milliseconds_since(start);
  }

  const std::vector<Spec>& inputs() const {
    return inputs_;
  }
  const std::vector<Spec>& outputs() const {
    return outputs_;
  }
  const Torch& torch() const {
    return *torch_;
  }

  aotwin_model_info info() const {
    aotwin_model_info info{};
    info.num_inputs = description_->num_inputs;
    info.num_outputs = description_->num_outputs;
    info.num_runners = num_runners_;
    info.dll_path = path_.c_str();
    info.weights_path = weights_path_.c_str();
    info.torch_path = torch_->path_utf8.c_str();
    info.torch_version = torch_->version.c_str();
    info.cpu = description_->cpu;
    info.weights_nbytes = weights_.constants_size;
    info.mapped_nbytes = weights_.mapped_bytes;
    info.copied_nbytes = weights_.copied_bytes;
    info.torch_ms = torch_ms_;
    info.dll_ms = dll_ms_;
    info.weights_ms = weights_ms_;
    info.run_time = torch_->own ? "own" : "torch";
    return info;
  }

  void check_inputs(const aotwin_tensor* tensors, uint32_t count, Symbols& symbols) const {
    if (count != inputs_.size()) {
      throw Failure(
          AOTWIN_ERROR_ARGUMENT,
          "the model takes " + std::to_string(inputs_.size()) + " inputs, got " +
              std::to_string(count));
    }
    require(tensors != nullptr || count == 0, "the array of inputs is null");
    for (uint32_t i = 0; i < count; ++i) {
      const Dtype& dtype = check_against(tensors[i], inputs_[i], symbols);
      layout_of(tensors[i], dtype, inputs_[i].title);
    }
  }

  // `tensors`: checked.
  std::vector<Handle> run(const aotwin_tensor* tensors) const {
    const NoGrad no_grad(*torch_);
    const ThreadLimit threads(torch_->own ? num_threads_ : 0);
    std::vector<Handle> owned;
    owned.reserve(inputs_.size());
    for (size_t i = 0; i < inputs_.size(); ++i) {
      owned.push_back(input_handle(*torch_, tensors[i], inputs_[i]));
    }
    return run_handles(owned);
  }

  // Outputs as far as they can be checked before the run, which may change the model's buffers.
  void check_outputs(const aotwin_tensor* tensors, uint32_t count, Symbols& symbols) const {
    if (count != outputs_.size()) {
      throw Failure(
          AOTWIN_ERROR_ARGUMENT,
          "the model gives " + std::to_string(outputs_.size()) + " outputs, got buffers for " +
              std::to_string(count));
    }
    require(tensors != nullptr || count == 0, "the array of outputs is null");
    for (uint32_t i = 0; i < count; ++i) {
      if (tensors[i].dtype != AOTWIN_DTYPE_NONE) {
        const Dtype& dtype = check_against(tensors[i], outputs_[i], symbols);
        layout_of(tensors[i], dtype, outputs_[i].title);
      }
    }
  }

 private:
  void load(const std::wstring& dll, const std::wstring& torch_directory) {
    // Its initializers, which run while it is loaded, may have instructions of the lowest level.
    if (cpu_level() < lowest_level) {
      throw Failure(
          AOTWIN_ERROR_CPU,
          path_ + " was compiled for CPUs of the level x86-64-v" + std::to_string(lowest_level) +
              " or higher, which this machine's CPU does not have");
    }
    DWORD error = 0;
    // A model over our own run time imports Windows' own DLLs alone.
    library_ = load_library(dll, LOAD_LIBRARY_SEARCH_SYSTEM32, error);
    if (library_.get() == nullptr && error == ERROR_MOD_NOT_FOUND) {
      // What others import besides is loaded then: torch_cpu.dll, libiomp5md.dll.
      take_torch(torch_directory);
      library_ = load_library(dll, LOAD_LIBRARY_SEARCH_SYSTEM32, error);
    }
    if (library_.get() == nullptr) {
      throw Failure(AOTWIN_ERROR_MODEL, path_ + " cannot be loaded: " + windows_error(error));
    }
    const auto find = [&](auto& function, const char* name) {
      function = library_.find<std::remove_pointer_t<std::remove_reference_t<decltype(function)>>>(name);
      if (function == nullptr) {
        throw Failure(
            AOTWIN_ERROR_MODEL,
            path_ + " is no model for this version of aotwin's SDK: it has no " + name);
      }
    };
    find(functions_.describe, "AotwinDescribe");
    find(functions_.weights_info, "AotwinWeightsInfo");
    find(functions_.last_error, "AOTInductorGetLastError");
    find(functions_.create, "AOTInductorModelContainerCreateWithDevice");
    find(functions_.remove, "AOTInductorModelContainerDelete");
    find(functions_.run, "AOTInductorModelContainerRun");
    find(functions_.num_inputs, "AOTInductorModelContainerGetNumInputs");
    find(functions_.num_outputs, "AOTInductorModelContainerGetNumOutputs");
    find(functions_.bind, "AotwinBindRuntime");
  }

  void take_torch(const std::wstring& torch_directory) {
    const LoadedTorch torch = load_torch(torch_directory);
    torch_ = &torch.torch;
    torch_ms_ = torch.milliseconds;
  }

  // What the model's functions are called with: our own run time, which is this library, or torch.
  void take_run_time(const std::wstring& torch_directory) {
    if (std::string_view(description_->run_time) == "own") {
      torch_ = &own_run_time();
      if (functions_.bind(own_module()) != 0) {
        throw Failure(AOTWIN_ERROR_MODEL, path_ + ": " + last_error());
      }
      return;
    }
    if (torch_ == nullptr) {
      take_torch(torch_directory);
    }
    if (torch_->version != description_->torch_version && !runs_with(torch_->version)) {
      const std::string others = description_->runs_with;
      throw Failure(
          AOTWIN_ERROR_TORCH,
          path_ + " was compiled for torch " + description_->torch_version +
              (others.empty() ? "" : " (and runs in " + others + ")") + ", " + torch_->path_utf8 +
              " is torch " + torch_->version);
    }
  }

  bool runs_with(const std::string& version) const {
    const std::string versions = std::string(" ") + description_->runs_with + " ";
    return versions.find(" " + version + " ") != std::string::npos;
  }

  void read_description() {
    description_ = functions_.describe();
    if (description_->version != AOTWIN_DESCRIPTION_VERSION ||
        description_->struct_size < sizeof(AotwinDescription)) {
      throw Failure(
          AOTWIN_ERROR_MODEL,
          path_ + " describes itself in version " + std::to_string(description_->version) +
              ", this aotwin.dll reads " + std::to_string(AOTWIN_DESCRIPTION_VERSION) +
              ": use the SDK that belongs to the model");
    }
    const int needed = level_of(description_->cpu);
    if (needed == 0 || needed > cpu_level()) {
      throw Failure(
          AOTWIN_ERROR_CPU,
          path_ + " was compiled for CPUs of the level " + description_->cpu +
              ", which this machine's CPU does not have");
    }
    if (description_->fallback_operators[0] != 0) {
      throw Failure(
          AOTWIN_ERROR_UNSUPPORTED,
          path_ + " uses operators that only torch's own C++ or Python runner can call (" +
              description_->fallback_operators +
              "): load it with torch's AOTIModelContainerRunnerCpu, or from Python");
    }
    inputs_ = specs("input", description_->inputs, description_->num_inputs);
    outputs_ = specs("output", description_->outputs, description_->num_outputs);
  }

  static std::vector<Spec> specs(
      const char* role, const AotwinTensorDescription* described, uint32_t count) {
    std::vector<Spec> result;
    for (uint32_t i = 0; i < count; ++i) {
      const std::string title = role + std::string(" ") + std::to_string(i) + " '" + described[i].name + "'";
      result.push_back({&described[i], dtype_named(described[i].dtype), title});
    }
    return result;
  }

  void check_counts() const {
    size_t found[2] = {};
    functions_.num_inputs(container_, &found[0]);
    functions_.num_outputs(container_, &found[1]);
    if (found[0] != inputs_.size() || found[1] != outputs_.size()) {
      throw Failure(
          AOTWIN_ERROR_MODEL,
          path_ + " describes " + std::to_string(inputs_.size()) + " inputs and " +
              std::to_string(outputs_.size()) + " outputs, but has " + std::to_string(found[0]) +
              " and " + std::to_string(found[1]));
    }
  }

  std::vector<Handle> run_handles(std::vector<Handle>& owned) const {
    std::vector<TensorHandle> inputs;
    for (Handle& each : owned) {
      // The DLL takes inputs over, also where the run fails, and nulls what it took.
      inputs.push_back(each.release());
    }
    std::vector<TensorHandle> raw(outputs_.size(), nullptr);
    const int32_t code = functions_.run(
        container_, inputs.data(), inputs.size(), raw.data(), raw.size(), nullptr, nullptr);
    for (size_t i = 0; i < inputs.size(); ++i) {
      owned[i] = Handle(*torch_, inputs[i]);
    }
    std::vector<Handle> results;
    results.reserve(raw.size());
    if (code != 0) {
      throw Failure(AOTWIN_ERROR_RUN, path_ + ": " + last_error());
    }
    for (const TensorHandle each : raw) {
      results.emplace_back(*torch_, each);
    }
    return results;
  }

  std::string last_error() const {
    const char* message = nullptr;
    functions_.last_error(&message);
    std::string text = message != nullptr && message[0] != 0 ? message : "no reason is given";
    const char* reason =
        torch_ != nullptr && !torch_->own && torch_->reason != nullptr ? torch_->reason() : nullptr;
    if (reason != nullptr && reason[0] != 0 && text.find("API call failed") != std::string::npos) {
      text += std::string(" (torch: ") + reason + ")";
    }
    return text;
  }

  // Set when the model is loaded.
  const Torch* torch_ = nullptr;
  std::string path_;
  std::string weights_path_;
  uint32_t num_runners_;
  int num_threads_;
  double torch_ms_ = 0;
  Library library_;
  ModelFunctions functions_;
  const AotwinDescription* description_ = nullptr;
  std::vector<Spec> inputs_;
  std::vector<Spec> outputs_;
  AotwinWeights weights_{};
  void* container_ = nullptr;
  double dll_ms_ = 0;
  double weights_ms_ = 0;
};

} // namespace aotwin
