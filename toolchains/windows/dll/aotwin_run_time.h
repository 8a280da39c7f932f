// The run time that this DLL calls: found and bound before the first container, where it is our own.
#pragma once

#include <windows.h>

#include <mutex>
#include <stdexcept>
#include <string>

#include "aotwin_binding.h"
#include "aotwin_paths.h"
#include "aotwin_text.h"

namespace aotwin {

class RunTime {
 public:
  // Over torch nothing is to be done. Otherwise the library is loaded from where the DLL was built to
  // find it, unless its host has bound another one before.
  static void require() {
    if (aotwin_binding.count == 0) {
      return;
    }
    const std::lock_guard lock(mutex());
    if (bound() == nullptr) {
      bind_locked(load());
    }
  }

  // Whose functions are called from now on: the host's own copy of the library.
  static void bind(HMODULE module) {
    if (aotwin_binding.count == 0) {
      throw std::runtime_error("this DLL runs over torch, and cannot be bound to another run time");
    }
    const std::lock_guard lock(mutex());
    if (bound() != nullptr && bound() != module) {
      throw std::runtime_error(
          "this DLL is bound to another copy of its run time already, " + utf8(path_of(bound())) +
          ": open it with that one");
    }
    if (bound() == nullptr) {
      bind_locked(module);
    }
  }

 private:
  static std::mutex& mutex() {
    static std::mutex instance;
    return instance;
  }
  static HMODULE& bound() {
    static HMODULE instance = nullptr;
    return instance;
  }

  static std::wstring path_of(HMODULE module) {
    std::wstring path(longest_path, L'\0');
    path.resize(GetModuleFileNameW(module, path.data(), static_cast<DWORD>(path.size())));
    return path;
  }

  static HMODULE load() {
    const std::wstring path =
        beside(this_module(), reinterpret_cast<const wchar_t*>(aotwin_binding.library));
    // What the library needs lies beside it. It stays loaded: models' code points into it.
    const HMODULE module = LoadLibraryExW(
        path.size() < MAX_PATH ? path.c_str() : verbatim(path).c_str(),
        nullptr,
        LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_SYSTEM32);
    if (module == nullptr) {
      throw std::runtime_error(
          "this model runs over aotwin's own run time, which cannot be loaded from " + utf8(path) +
          ": " + windows_error(GetLastError()) +
          ". It comes with the model's package: keep its folder beside the model, or open the model "
          "with the loader of its package or with aotwin.dll");
    }
    return module;
  }

  // All slots are filled, or none: a half-bound DLL would run into a function that fails.
  static void bind_locked(HMODULE module) {
    std::string missing;
    for (uint32_t i = 0; i < aotwin_binding.count; ++i) {
      if (GetProcAddress(module, aotwin_binding.names[i]) == nullptr) {
        missing += (missing.empty() ? "" : ", ") + std::string(aotwin_binding.names[i]);
      }
    }
    if (!missing.empty()) {
      throw std::runtime_error(
          utf8(path_of(module)) + " is not the run time that this model was built with: it has no " +
          missing);
    }
    for (uint32_t i = 0; i < aotwin_binding.count; ++i) {
      aotwin_binding.slots[i] =
          reinterpret_cast<void*>(GetProcAddress(module, aotwin_binding.names[i]));
    }
    bound() = module;
  }
};

} // namespace aotwin
