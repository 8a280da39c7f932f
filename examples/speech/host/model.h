// The run time's C shims and AOTInductor's C API of a model DLL, found at run time: the program links
// neither. The run time is aotwin's own, which lies beside the models, or torch.
#pragma once

#include <windows.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace speech {

using Clock = std::chrono::steady_clock;

inline double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

inline std::string utf8(const std::wstring& text) {
  const int size = static_cast<int>(text.size());
  std::string result(
      static_cast<size_t>(WideCharToMultiByte(CP_UTF8, 0, text.data(), size, nullptr, 0, nullptr, nullptr)),
      '\0');
  WideCharToMultiByte(
      CP_UTF8, 0, text.data(), size, result.data(), static_cast<int>(result.size()), nullptr, nullptr);
  return result;
}

// A DLL by its full path. What it needs is looked for beside it, in the folders given to
// AddDllDirectory and in System32; never in the current folder or on PATH.
class Library {
 public:
  explicit Library(const std::filesystem::path& path)
      : module_(LoadLibraryExW(
            std::filesystem::absolute(path).c_str(),
            nullptr,
            LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_DEFAULT_DIRS)) {
    if (module_ == nullptr) {
      throw std::runtime_error(
          utf8(path.wstring()) + " cannot be loaded: Windows error " + std::to_string(GetLastError()));
    }
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  ~Library() { FreeLibrary(module_); }

  void* module() const { return module_; }

  template <typename Function>
  Function* function(const char* name) const {
    const FARPROC address = GetProcAddress(module_, name);
    if (address == nullptr) {
      throw std::runtime_error(std::string("a DLL has no ") + name);
    }
    return reinterpret_cast<Function*>(reinterpret_cast<void*>(address));
  }

 private:
  HMODULE module_;
};

using TensorHandle = void*;

// The library of a wheel's own run time: the only one in speech.libs beside the folder of the models,
// or in libs within a model's folder, where each was built by itself. None: the models run over torch.
inline std::optional<std::filesystem::path> own_run_time(const std::filesystem::path& models) {
  std::filesystem::path wheel_libs = std::filesystem::absolute(models).lexically_normal();
  if (!wheel_libs.has_filename()) {
    wheel_libs = wheel_libs.parent_path();
  }
  wheel_libs += L".libs";
  for (const std::filesystem::path& folder : {wheel_libs, models / L"audio_encoder" / L"libs"}) {
    std::error_code missing;
    for (const auto& entry : std::filesystem::directory_iterator(folder, missing)) {
      if (entry.path().filename().wstring().starts_with(L"aotwin-")) {
        return entry.path();
      }
    }
  }
  return std::nullopt;
}

// The shims of the run time (torch/csrc/inductor/aoti_torch/c/shim.h).
class Torch {
  Library library_;

 public:
  explicit Torch(const std::filesystem::path& library)
      : library_(library), own_module(library.filename() == L"torch_cpu.dll" ? nullptr : library_.module()) {}

  // Of aotwin's run time; null where this is torch.
  void* const own_module;

#define SHIM(name, ...) \
  int32_t (*name)(__VA_ARGS__) = library_.function<int32_t(__VA_ARGS__)>("aoti_torch_" #name)
  SHIM(get_data_ptr, TensorHandle, void**);
  SHIM(get_dim, TensorHandle, int64_t*);
  SHIM(get_sizes, TensorHandle, int64_t**);
  SHIM(get_numel, TensorHandle, int64_t*);
  SHIM(get_dtype, TensorHandle, int32_t*);
  SHIM(delete_tensor_object, TensorHandle);
  SHIM(create_tensor_from_blob, void*, int64_t, const int64_t*, const int64_t*, int64_t, int32_t, int32_t,
       int32_t, TensorHandle*);
  SHIM(dtype_float32, void);
  SHIM(dtype_bfloat16, void);
  SHIM(dtype_int64, void);
  SHIM(device_type_cpu, void);
#undef SHIM
};

class Tensor {
 public:
  Tensor(const Torch& torch, TensorHandle handle)
      : handle_(handle, [&torch](TensorHandle each) { torch.delete_tensor_object(each); }) {
    int64_t dim = 0, *sizes = nullptr;
    require(torch.get_dim(handle, &dim) == 0 && torch.get_sizes(handle, &sizes) == 0);
    require(torch.get_numel(handle, &numel) == 0 && torch.get_data_ptr(handle, &data) == 0);
    require(torch.get_dtype(handle, &dtype) == 0);
    shape.assign(sizes, sizes + dim);
  }

  // A view of memory of the caller's: [shape], contiguous.
  static TensorHandle view(const Torch& torch, const void* data, const std::vector<int64_t>& shape, int32_t dtype) {
    std::vector<int64_t> strides(shape.size(), 1);
    for (size_t i = shape.size(); i-- > 1;) {
      strides[i - 1] = strides[i] * shape[i];
    }
    TensorHandle handle = nullptr;
    require(
        torch.create_tensor_from_blob(
            const_cast<void*>(data), static_cast<int64_t>(shape.size()), shape.data(), strides.data(), 0,
            dtype, torch.device_type_cpu(), 0, &handle) == 0);
    return handle;
  }

  std::vector<int64_t> shape;
  int64_t numel = 0;
  int32_t dtype = 0;
  void* data = nullptr;

 private:
  static void require(bool done) {
    if (!done) {
      throw std::runtime_error("torch cannot make or describe a tensor");
    }
  }

  std::shared_ptr<void> handle_;
};

// The first version of AotwinWeights (aotwin_weights.h of the DLL's run-time part).
struct Weights {
  uint32_t struct_size = sizeof(Weights), state = 0;
  uint64_t constants_size = 0, mapped_bytes = 0, copied_bytes = 0, user_managed_bytes = 0;
  uint8_t sha256[32] = {};
  const char* blob_path = nullptr;
};

// A read-only view of a whole file, for a model whose blob is not beside it.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path) {
    const HANDLE file = CreateFileW(
        path.c_str(), GENERIC_READ, FILE_SHARE_READ, nullptr, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
    const HANDLE section =
        file == INVALID_HANDLE_VALUE ? nullptr : CreateFileMappingW(file, nullptr, PAGE_READONLY, 0, 0, nullptr);
    if (section != nullptr) {
      view_ = MapViewOfFile(section, FILE_MAP_READ, 0, 0, 0);
      CloseHandle(section);
    }
    if (file != INVALID_HANDLE_VALUE) {
      CloseHandle(file);
    }
    if (view_ == nullptr) {
      throw std::runtime_error(utf8(path.wstring()) + " cannot be mapped");
    }
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile() { UnmapViewOfFile(view_); }

  const uint8_t* data() const { return static_cast<const uint8_t*>(view_); }

 private:
  void* view_ = nullptr;
};

// One model: <models>/<name>/<name>.dll, whose weights it maps by itself. Where no blob lies beside the
// DLL, `blobs` is the folder from which the weights are copied, as torch's own runner does.
class Model {
 public:
  Model(const Torch& torch, const std::filesystem::path& models, std::string name,
        const std::optional<std::filesystem::path>& blobs)
      : name(std::move(name)),
        path(models / this->name / (this->name + ".dll")),
        torch_(torch),
        start_(Clock::now()),
        library_(path) {
    if (torch.own_module != nullptr) {
      // Each model would load the run time from its own folder: all of them are to call this one.
      require(library_.function<int32_t(void*)>("AotwinBindRuntime")(torch.own_module));
    }
    require(library_.function<int32_t(void**, size_t, const char*, const char*)>(
        "AOTInductorModelContainerCreateWithDevice")(&container_, 1, "cpu", nullptr));
    if (blobs) {
      const std::filesystem::path blob = *blobs / (this->name + "_weights.blob");
      const MappedFile mapped(blob);
      require(library_.function<int32_t(void*, const uint8_t*)>("AOTInductorModelUpdateConstantsFromBlob")(
          container_, mapped.data()));
      weights_path = utf8(blob.wstring());
    }
    load_milliseconds = milliseconds_since(start_);
    require(library_.function<int32_t(void*, Weights*)>("AotwinWeightsInfo")(container_, &weights));
    if (weights.state != 1) {
      throw std::runtime_error(std::string("there are no weights: ") + weights.blob_path + " is missing");
    }
    if (!blobs) {
      weights_path = weights.blob_path;
    }
  }
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;
  ~Model() {
    if (container_ != nullptr) {
      library_.function<int32_t(void*)>("AOTInductorModelContainerDelete")(container_);
    }
  }

  // Takes the inputs; all three models have one output.
  Tensor run(std::vector<TensorHandle> inputs) {
    TensorHandle output = nullptr;
    const auto start = Clock::now();
    require(library_.function<int32_t(void*, TensorHandle*, size_t, TensorHandle*, size_t, void*, void*)>(
        "AOTInductorModelContainerRun")(container_, inputs.data(), inputs.size(), &output, 1, nullptr, nullptr));
    run_milliseconds = milliseconds_since(start);
    return Tensor(torch_, output);
  }

  std::string name;
  std::filesystem::path path;
  std::string weights_path;
  Weights weights;
  double load_milliseconds = 0, run_milliseconds = 0;

 private:
  void require(int32_t error) const {
    if (error == 0) {
      return;
    }
    const char* reason = "";
    library_.function<int32_t(const char**)>("AOTInductorGetLastError")(&reason);
    throw std::runtime_error(name + ": " + reason);
  }

  const Torch& torch_;
  Clock::time_point start_;
  Library library_;
  void* container_ = nullptr;
};

}  // namespace speech
