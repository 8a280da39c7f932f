// torch_cpu.dll: found where it is safe, loaded once, and its C shims.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "dtypes.h"
#include "library.h"
#include "status.h"

namespace aotwin {

using TensorHandle = void*;

// What is called of torch/csrc/inductor/aoti_torch/c/shim.h: X(name without prefix, arguments).
#define AOTWIN_TORCH_FUNCTIONS(X)                                                              \
  X(get_data_ptr, (TensorHandle, void**))                                                      \
  X(get_dim, (TensorHandle, int64_t*))                                                         \
  X(get_sizes, (TensorHandle, int64_t**))                                                      \
  X(get_strides, (TensorHandle, int64_t**))                                                    \
  X(get_dtype, (TensorHandle, int32_t*))                                                       \
  X(is_defined, (TensorHandle, bool*))                                                         \
  X(delete_tensor_object, (TensorHandle))                                                      \
  X(copy_, (TensorHandle, TensorHandle, int32_t))                                              \
  X(empty_strided,                                                                             \
    (int64_t, const int64_t*, const int64_t*, int32_t, int32_t, int32_t, TensorHandle*))       \
  X(create_tensor_from_blob,                                                                   \
    (void*,                                                                                    \
     int64_t,                                                                                  \
     const int64_t*,                                                                           \
     const int64_t*,                                                                           \
     int64_t,                                                                                  \
     int32_t,                                                                                  \
     int32_t,                                                                                  \
     int32_t,                                                                                  \
     TensorHandle*))

struct Torch {
#define AOTWIN_DECLARE(name, arguments) int32_t(*name) arguments = nullptr;
  AOTWIN_TORCH_FUNCTIONS(AOTWIN_DECLARE)
#undef AOTWIN_DECLARE
  bool (*grad_mode_is_enabled)() = nullptr;
  void (*grad_mode_set_enabled)(bool) = nullptr;
  // Why the last shim of this thread failed; null in a torch that does not tell.
  const char* (*reason)() = nullptr;

  std::wstring path;
  std::string path_utf8;
  // "2.13.0"
  std::string version;
  int32_t cpu = 0;
  // Whether it is not torch at all but our own run time, which has the same functions.
  bool own = false;
  // torch's number of each of our dtypes, by position in `dtypes`.
  int32_t dtype_numbers[std::size(dtypes)] = {};

  int32_t dtype_number(int32_t dtype) const {
    return dtype_numbers[dtype - 1];
  }
  aotwin_dtype dtype_of_number(int32_t number) const {
    for (size_t i = 0; i < std::size(dtypes); ++i) {
      if (dtype_numbers[i] == number) {
        return dtypes[i].value;
      }
    }
    return AOTWIN_DTYPE_NONE;
  }
  void check(int32_t code, const std::string& doing) const {
    if (code != 0) {
      const char* why = reason != nullptr ? reason() : nullptr;
      throw Failure(
          AOTWIN_ERROR_RUN, doing + " failed: " + (why != nullptr ? why : "torch gives no reason"));
    }
  }
};

// "major.minor.patch" of TORCH_ABI_VERSION (torch/headeronly/version.h).
inline std::string version_text(uint64_t abi) {
  return std::to_string(abi >> 56) + "." + std::to_string((abi >> 48) & 0xff) + "." +
      std::to_string((abi >> 40) & 0xff);
}

inline std::unique_ptr<Torch> resolve_torch(HMODULE module) {
  auto torch = std::make_unique<Torch>();
  torch->path = module_path(module);
  torch->path_utf8 = utf8(torch->path);
  const auto find = [&](const std::string& name) {
    void* const address = reinterpret_cast<void*>(GetProcAddress(module, name.c_str()));
    if (address == nullptr) {
      throw Failure(
          AOTWIN_ERROR_TORCH,
          torch->path_utf8 + " is no torch that aotwin can use: it has no " + name);
    }
    return address;
  };
#define AOTWIN_RESOLVE(name, arguments) \
  torch->name = reinterpret_cast<int32_t(*) arguments>(find("aoti_torch_" #name));
  AOTWIN_TORCH_FUNCTIONS(AOTWIN_RESOLVE)
#undef AOTWIN_RESOLVE
  torch->grad_mode_is_enabled = reinterpret_cast<bool (*)()>(find("aoti_torch_grad_mode_is_enabled"));
  torch->grad_mode_set_enabled =
      reinterpret_cast<void (*)(bool)>(find("aoti_torch_grad_mode_set_enabled"));
  torch->reason = reinterpret_cast<const char* (*)()>(reinterpret_cast<void*>(
      GetProcAddress(module, "torch_exception_get_what_without_backtrace")));
  torch->version = version_text(reinterpret_cast<uint64_t (*)()>(find("aoti_torch_abi_version"))());
  torch->cpu = reinterpret_cast<int32_t (*)()>(find("aoti_torch_device_type_cpu"))();
  for (size_t i = 0; i < std::size(dtypes); ++i) {
    torch->dtype_numbers[i] = reinterpret_cast<int32_t (*)()>(
        find(std::string("aoti_torch_dtype_") + dtypes[i].name))();
  }
  return torch;
}

inline std::wstring program_folder() {
  const std::wstring program = full_path(module_path(nullptr));
  return program.substr(0, program.find_last_of(L"\\/") + 1);
}

// Which of the DLLs that torch needs (the last one: torch 2.14 and later) are in none of the searched folders: ", " between them.
inline std::string missing_for_torch(const std::wstring& folder) {
  wchar_t system[MAX_PATH];
  system[GetSystemDirectoryW(system, MAX_PATH)] = 0;
  std::string missing;
  for (const wchar_t* name :
       {L"c10.dll", L"libiomp5md.dll", L"uv.dll", L"msvcp140.dll", L"vcruntime140.dll",
        L"vcruntime140_1.dll", L"vcruntime140_threads.dll"}) {
    if (!is_file(joined(folder, name)) && !is_file(joined(program_folder(), name)) &&
        !is_file(joined(system, name))) {
      missing += (missing.empty() ? "" : ", ") + utf8(name);
    }
  }
  return missing;
}

inline bool same_file(const std::wstring& one, const std::wstring& other) {
  BY_HANDLE_FILE_INFORMATION found[2] = {};
  const std::wstring* const paths[2] = {&one, &other};
  for (int i = 0; i < 2; ++i) {
    const HANDLE file = CreateFileW(
        verbatim(full_path(*paths[i])).c_str(),
        0,
        FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
        nullptr,
        OPEN_EXISTING,
        0,
        nullptr);
    if (file == INVALID_HANDLE_VALUE) {
      return false;
    }
    const bool told = GetFileInformationByHandle(file, &found[i]) != 0;
    CloseHandle(file);
    if (!told) {
      return false;
    }
  }
  return found[0].dwVolumeSerialNumber == found[1].dwVolumeSerialNumber &&
      found[0].nFileIndexHigh == found[1].nFileIndexHigh &&
      found[0].nFileIndexLow == found[1].nFileIndexLow;
}

inline HMODULE load_torch_cpu(const std::wstring& folder, bool named) {
  const std::wstring dll = joined(folder, L"torch_cpu.dll");
  if (!is_file(dll)) {
    throw Failure(
        AOTWIN_ERROR_TORCH,
        "there is no torch_cpu.dll in " + utf8(folder) +
            (named ? ", the folder that was named for torch's DLLs"
                   : ", the program's folder, and no other folder was named for torch's DLLs"));
  }
  DWORD error = 0;
  Library library = load_library(
      dll,
      LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_APPLICATION_DIR |
          LOAD_LIBRARY_SEARCH_SYSTEM32,
      error);
  if (library.get() == nullptr) {
    const std::string missing = missing_for_torch(folder);
    throw Failure(
        AOTWIN_ERROR_TORCH,
        utf8(dll) + " cannot be loaded: " + windows_error(error) +
            (missing.empty() ? ""
                             : ". Not found beside it, beside the program or in Windows' system "
                               "folder: " +
                     missing));
  }
  // Threads of its OpenMP may run in it at any time: it stays.
  return library.release();
}

struct LoadedTorch {
  const Torch& torch;
  // 0 where it was loaded before.
  double milliseconds;
};

// `folder`: full, or "" for the program's own. A process has one torch: a second one from another
// folder is an error.
inline LoadedTorch load_torch(const std::wstring& folder) {
  static std::mutex mutex;
  static Torch* torch = nullptr;
  const std::lock_guard lock(mutex);
  double milliseconds = 0;
  if (torch == nullptr) {
    const auto start = std::chrono::steady_clock::now();
    HMODULE module = GetModuleHandleW(L"torch_cpu.dll");
    if (module == nullptr) {
      module = load_torch_cpu(folder.empty() ? program_folder() : folder, !folder.empty());
      milliseconds =
          std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    }
    torch = resolve_torch(module).release();
  }
  if (!folder.empty() && !same_file(torch->path, joined(folder, L"torch_cpu.dll"))) {
    throw Failure(
        AOTWIN_ERROR_TORCH,
        "torch's DLLs were to come from " + utf8(folder) + ", but this process has loaded " +
            torch->path_utf8 + " already");
  }
  return {*torch, milliseconds};
}

} // namespace aotwin
