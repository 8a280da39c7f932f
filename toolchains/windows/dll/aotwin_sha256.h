// SHA-256 through Windows' own bcrypt.dll, which uses the processor's SHA instructions. The library is
// loaded when somebody asks for a hash, so that the DLL does not import it.
#pragma once

#include <windows.h>

// Headers of torch 2.14 and later take this macro of Windows' own away, and bcrypt.h needs it.
#pragma push_macro("VOID")
#undef VOID
#define VOID void
#include <bcrypt.h>
#pragma pop_macro("VOID")

#include <array>
#include <stdexcept>
#include <string>

namespace aotwin {

class Sha256 {
 public:
  using Digest = std::array<uint8_t, 32>;

  Sha256() : library_(LoadLibraryExW(L"bcrypt.dll", nullptr, LOAD_LIBRARY_SEARCH_SYSTEM32)) {
    try {
      const auto open = function<decltype(&BCryptOpenAlgorithmProvider)>("BCryptOpenAlgorithmProvider");
      const auto create = function<decltype(&BCryptCreateHash)>("BCryptCreateHash");
      require(open(&algorithm_, BCRYPT_SHA256_ALGORITHM, nullptr, 0));
      require(create(algorithm_, &hash_, nullptr, 0, nullptr, 0, 0));
    } catch (...) {
      release();
      throw;
    }
  }
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  ~Sha256() {
    release();
  }

  void update(const uint8_t* data, ULONG size) {
    const auto call = function<decltype(&BCryptHashData)>("BCryptHashData");
    require(call(hash_, const_cast<uint8_t*>(data), size, 0));
  }

  Digest finish() {
    Digest digest;
    const auto call = function<decltype(&BCryptFinishHash)>("BCryptFinishHash");
    require(call(hash_, digest.data(), static_cast<ULONG>(digest.size()), 0));
    return digest;
  }

 private:
  template <typename Function>
  Function function(const char* name) const {
    void* address =
        library_ == nullptr ? nullptr : reinterpret_cast<void*>(GetProcAddress(library_, name));
    if (address == nullptr) {
      throw std::runtime_error(std::string("cannot hash the weights: bcrypt.dll has no ") + name);
    }
    return reinterpret_cast<Function>(address);
  }

  static void require(NTSTATUS status) {
    if (status < 0) {
      throw std::runtime_error(
          "cannot hash the weights: bcrypt.dll says " +
          std::to_string(static_cast<uint32_t>(status)));
    }
  }

  void release() noexcept {
    if (library_ == nullptr) {
      return;
    }
    const auto destroy = reinterpret_cast<decltype(&BCryptDestroyHash)>(
        reinterpret_cast<void*>(GetProcAddress(library_, "BCryptDestroyHash")));
    const auto close = reinterpret_cast<decltype(&BCryptCloseAlgorithmProvider)>(
        reinterpret_cast<void*>(GetProcAddress(library_, "BCryptCloseAlgorithmProvider")));
    if (hash_ != nullptr && destroy != nullptr) {
      destroy(hash_);
    }
    if (algorithm_ != nullptr && close != nullptr) {
      close(algorithm_, 0);
    }
    FreeLibrary(library_);
  }

  HMODULE library_;
  BCRYPT_ALG_HANDLE algorithm_ = nullptr;
  BCRYPT_HASH_HANDLE hash_ = nullptr;
};

} // namespace aotwin
