// A thin C++17 layer over aotwin.h: handles that free themselves, errors as exceptions. All of it is
// compiled by the host's own compiler; what crosses into aotwin.dll is plain C.
//
//     aotwin::model model(L"C:\\models\\classifier");
//     std::vector<float> x(2 * 64), y(2 * 4);
//     model.run({aotwin::tensor(x, {2, 64})}, {aotwin::tensor(y, {2, 4})});
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "aotwin.h"

namespace aotwin {

// A function of aotwin.h failed; what() is its reason in UTF-8.
class error : public std::runtime_error {
 public:
  error(std::int32_t code, const std::string& message)
      : std::runtime_error(message), code_(code) {}

  // A value of aotwin_status.
  std::int32_t code() const noexcept {
    return code_;
  }

 private:
  std::int32_t code_;
};

inline void check(std::int32_t code) {
  if (code != AOTWIN_OK) {
    throw error(code, aotwin_last_message());
  }
}

// aotwin_dtype of a C++ type.
template <typename T>
constexpr std::int32_t dtype_of() {
  if constexpr (std::is_same_v<T, bool>) {
    return AOTWIN_BOOL;
  } else if constexpr (std::is_same_v<T, float>) {
    return AOTWIN_FLOAT32;
  } else if constexpr (std::is_same_v<T, double>) {
    return AOTWIN_FLOAT64;
  } else {
    static_assert(std::is_integral_v<T>, "say the dtype: there is no C++ type for it");
    constexpr std::int32_t of_signed[] = {AOTWIN_INT8, AOTWIN_INT16, AOTWIN_INT32, AOTWIN_INT64};
    constexpr std::int32_t of_unsigned[] = {
        AOTWIN_UINT8, AOTWIN_UINT16, AOTWIN_UINT32, AOTWIN_UINT64};
    constexpr int power = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
    return std::is_signed_v<T> ? of_signed[power] : of_unsigned[power];
  }
}

// A tensor over somebody's memory: it owns its sizes and strides, not its elements.
class tensor {
 public:
  // Over any memory; strides in elements, none for row-major without gaps.
  tensor(
      void* data,
      std::uint64_t nbytes,
      std::int32_t dtype,
      std::vector<std::int64_t> sizes,
      std::vector<std::int64_t> strides = {})
      : data_(data),
        nbytes_(nbytes),
        dtype_(dtype),
        sizes_(std::move(sizes)),
        strides_(std::move(strides)) {
    if (!strides_.empty() && strides_.size() != sizes_.size()) {
      throw error(AOTWIN_ERROR_ARGUMENT, "a tensor has another number of strides than of sizes");
    }
  }

  // Over the elements of a std::vector, std::array, std::string_view, ... that outlives it. Elements of
  // constant containers are inputs only.
  template <
      typename Container,
      typename Element = std::remove_cv_t<
          std::remove_pointer_t<decltype(std::data(std::declval<Container&>()))>>>
  tensor(
      Container& elements,
      std::vector<std::int64_t> sizes,
      std::vector<std::int64_t> strides = {})
      : tensor(
            const_cast<Element*>(std::data(elements)),
            std::size(elements) * sizeof(Element),
            dtype_of<Element>(),
            std::move(sizes),
            std::move(strides)) {}

  // An output that is not wanted.
  static tensor none() {
    return tensor(nullptr, 0, AOTWIN_DTYPE_NONE, {});
  }

  // Valid while this object lives and is not assigned to.
  aotwin_tensor view() const noexcept {
    const std::int64_t* strides = strides_.empty() ? nullptr : strides_.data();
    const auto rank = static_cast<std::int32_t>(sizes_.size());
    return {data_, nbytes_, dtype_, rank, sizes_.data(), strides};
  }

 private:
  void* data_;
  std::uint64_t nbytes_;
  std::int32_t dtype_;
  std::vector<std::int64_t> sizes_;
  std::vector<std::int64_t> strides_;
};

// One result: elements in the library's memory, for reading, as long as `results` lives.
class result {
 public:
  explicit result(const aotwin_tensor& raw) : raw_(raw) {}

  std::int32_t dtype() const noexcept {
    return raw_.dtype;
  }
  std::vector<std::int64_t> sizes() const {
    return {raw_.sizes, raw_.sizes + raw_.rank};
  }
  std::vector<std::int64_t> strides() const {
    return {raw_.strides, raw_.strides + raw_.rank};
  }
  std::int64_t numel() const noexcept {
    std::int64_t count = 1;
    for (std::int32_t i = 0; i < raw_.rank; ++i) {
      count *= raw_.sizes[i];
    }
    return count;
  }
  const void* data() const noexcept {
    return raw_.data;
  }
  // The elements, where T is the result's type; row-major without gaps only if strides() says so.
  template <typename T>
  const T* data_as() const {
    if (dtype_of<T>() != raw_.dtype) {
      const char* name = aotwin_dtype_name(raw_.dtype);
      throw error(
          AOTWIN_ERROR_DTYPE,
          std::string("the result's elements are ") + (name != nullptr ? name : "of no known type"));
    }
    return static_cast<const T*>(raw_.data);
  }
  const aotwin_tensor& raw() const noexcept {
    return raw_;
  }

 private:
  aotwin_tensor raw_;
};

// What a run gave, in memory of the library's.
class results {
 public:
  results(aotwin_results* handle, std::uint32_t count) : handle_(handle), count_(count) {}

  std::uint32_t size() const noexcept {
    return count_;
  }
  result operator[](std::uint32_t index) const {
    aotwin_tensor raw{};
    check(aotwin_results_get(handle_.get(), index, &raw));
    return result(raw);
  }

 private:
  struct deleter {
    void operator()(aotwin_results* handle) const noexcept {
      aotwin_results_free(handle);
    }
  };
  std::unique_ptr<aotwin_results, deleter> handle_;
  std::uint32_t count_;
};

// An opened model. Movable; its run functions may be called from several threads at once.
class model {
 public:
  // `path`: a model folder or one of its DLLs. `torch_directory`: the folder of torch_cpu.dll; empty for
  // the program's own.
  explicit model(
      const std::filesystem::path& path,
      const std::filesystem::path& torch_directory = {},
      std::uint32_t num_runners = 1) {
    if (aotwin_api_version() != AOTWIN_API_VERSION) {
      throw error(AOTWIN_ERROR_INTERNAL, "aotwin.dll does not belong to the aotwin.h of this program");
    }
    aotwin_open_options options{};
    options.struct_size = sizeof(options);
    options.num_runners = num_runners;
    options.torch_directory_w = torch_directory.empty() ? nullptr : torch_directory.c_str();
    aotwin_model* handle = nullptr;
    check(aotwin_open_w(path.c_str(), &options, &handle));
    handle_.reset(handle);
  }

  aotwin_model_info info() const {
    aotwin_model_info answer{};
    answer.struct_size = sizeof(answer);
    check(aotwin_describe(handle_.get(), &answer));
    return answer;
  }
  std::vector<aotwin_tensor_info> inputs() const {
    return tensors(aotwin_input, info().num_inputs);
  }
  std::vector<aotwin_tensor_info> outputs() const {
    return tensors(aotwin_output, info().num_outputs);
  }

  // Into the caller's buffers.
  void run(const std::vector<tensor>& inputs, const std::vector<tensor>& outputs) const {
    const auto in = views(inputs);
    const auto out = views(outputs);
    check(aotwin_run(
        handle_.get(),
        in.data(),
        static_cast<std::uint32_t>(in.size()),
        out.data(),
        static_cast<std::uint32_t>(out.size())));
  }

  // Into memory of the library's.
  results run(const std::vector<tensor>& inputs) const {
    const auto in = views(inputs);
    aotwin_results* handle = nullptr;
    check(aotwin_run_results(
        handle_.get(), in.data(), static_cast<std::uint32_t>(in.size()), &handle));
    return results(handle, info().num_outputs);
  }

  aotwin_model* get() const noexcept {
    return handle_.get();
  }

 private:
  struct deleter {
    void operator()(aotwin_model* handle) const noexcept {
      aotwin_close(handle);
    }
  };

  static std::vector<aotwin_tensor> views(const std::vector<tensor>& tensors) {
    std::vector<aotwin_tensor> result;
    result.reserve(tensors.size());
    for (const tensor& each : tensors) {
      result.push_back(each.view());
    }
    return result;
  }

  template <typename Function>
  std::vector<aotwin_tensor_info> tensors(Function&& describe, std::uint32_t count) const {
    std::vector<aotwin_tensor_info> result(count);
    for (std::uint32_t index = 0; index < count; ++index) {
      result[index].struct_size = sizeof(aotwin_tensor_info);
      check(describe(handle_.get(), index, &result[index]));
    }
    return result;
  }

  std::unique_ptr<aotwin_model, deleter> handle_;
};

} // namespace aotwin
