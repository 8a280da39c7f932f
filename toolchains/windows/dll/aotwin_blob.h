// The blob beside the DLL: opened, checked against what the DLL was linked with, mapped read-only.
#pragma once

#include <windows.h>

#include <psapi.h>

#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>

#include "aotwin_pairing.h"
#include "aotwin_paths.h"
#include "aotwin_sha256.h"
#include "aotwin_text.h"

namespace aotwin {

class FileHandle {
 public:
  explicit FileHandle(HANDLE handle) : handle_(handle) {}
  FileHandle(const FileHandle&) = delete;
  FileHandle& operator=(const FileHandle&) = delete;
  ~FileHandle() {
    if (handle_ != nullptr && handle_ != INVALID_HANDLE_VALUE) {
      CloseHandle(handle_);
    }
  }
  HANDLE get() const {
    return handle_;
  }

 private:
  HANDLE handle_;
};

// Read at an offset. A failing disk or network is an error here; through the mapping it would be a
// structured exception in the middle of somebody's code.
inline void read_at(HANDLE file, uint64_t offset, void* data, DWORD size, const std::string& path) {
  OVERLAPPED position{};
  position.Offset = static_cast<DWORD>(offset);
  position.OffsetHigh = static_cast<DWORD>(offset >> 32);
  DWORD done = 0;
  if (!ReadFile(file, data, size, &done, &position)) {
    throw std::runtime_error(
        "cannot read the weights file " + path + ": " + windows_error(GetLastError()));
  }
  if (done != size) {
    throw std::runtime_error("cannot read the weights file " + path + ": it ends too early");
  }
}

inline void check_size(HANDLE file, const std::string& path) {
  LARGE_INTEGER size{};
  if (!GetFileSizeEx(file, &size)) {
    throw std::runtime_error(
        "cannot tell the size of the weights file " + path + ": " +
        windows_error(GetLastError()));
  }
  const uint64_t expected = aotwin_pairing.constants_size + AOTWIN_TRAILER_SIZE;
  const uint64_t found = static_cast<uint64_t>(size.QuadPart);
  if (found != expected) {
    throw std::runtime_error(
        "the weights file " + path + " is not the one this model was built with: expected " +
        std::to_string(expected) + " bytes, found " + std::to_string(found));
  }
}

// Compares a trailer with what the DLL was linked with; "" where they agree.
inline std::string trailer_mismatch(const AotwinTrailer& trailer) {
  if (std::memcmp(trailer.magic, AOTWIN_TRAILER_MAGIC, sizeof(trailer.magic)) != 0) {
    return std::string("expected the trailer's mark " AOTWIN_TRAILER_MAGIC ", found bytes ") +
        hex(reinterpret_cast<const uint8_t*>(trailer.magic), sizeof(trailer.magic));
  }
  if (trailer.version != AOTWIN_TRAILER_VERSION) {
    return "expected trailer version " + std::to_string(AOTWIN_TRAILER_VERSION) + ", found " +
        std::to_string(trailer.version);
  }
  if (trailer.constants_size != aotwin_pairing.constants_size) {
    return "expected " + std::to_string(aotwin_pairing.constants_size) +
        " bytes of constants, found " + std::to_string(trailer.constants_size);
  }
  if (std::memcmp(trailer.sha256, aotwin_pairing.sha256, sizeof(trailer.sha256)) != 0) {
    return "expected sha256 " + hex(aotwin_pairing.sha256, sizeof(aotwin_pairing.sha256)) +
        ", found " + hex(trailer.sha256, sizeof(trailer.sha256));
  }
  return {};
}

inline void check_trailer(HANDLE file, const std::string& path) {
  AotwinTrailer trailer;
  static_assert(sizeof(trailer) == AOTWIN_TRAILER_SIZE);
  read_at(file, aotwin_pairing.constants_size, &trailer, sizeof(trailer), path);
  const std::string mismatch = trailer_mismatch(trailer);
  if (!mismatch.empty()) {
    throw std::runtime_error(
        "the weights file " + path + " is not the one this model was built with: " + mismatch);
  }
}

// AOTWIN_VERIFY_WEIGHTS=full: every byte is hashed. A value that is not known is an error, as its
// user believes that something is being verified.
inline bool full_verification_wanted() {
  const std::wstring value = environment(L"AOTWIN_VERIFY_WEIGHTS");
  if (value.empty() || value == L"trailer") {
    return false;
  }
  if (value == L"full") {
    return true;
  }
  throw std::runtime_error(
      "AOTWIN_VERIFY_WEIGHTS is \"" + utf8(value) + "\": it can be \"full\", \"trailer\" or unset");
}

inline void check_digest(HANDLE file, const std::string& path) {
  constexpr DWORD step = 1 << 20;
  const auto buffer = std::make_unique<uint8_t[]>(step);
  Sha256 sha256;
  for (uint64_t offset = 0; offset < aotwin_pairing.constants_size; offset += step) {
    const uint64_t left = aotwin_pairing.constants_size - offset;
    const DWORD size = left < step ? static_cast<DWORD>(left) : step;
    read_at(file, offset, buffer.get(), size, path);
    sha256.update(buffer.get(), size);
  }
  const Sha256::Digest found = sha256.finish();
  if (std::memcmp(found.data(), aotwin_pairing.sha256, found.size()) != 0) {
    throw std::runtime_error(
        "the weights file " + path + " is damaged: expected sha256 " +
        hex(aotwin_pairing.sha256, sizeof(aotwin_pairing.sha256)) + " of its constants, found " +
        hex(found.data(), found.size()));
  }
}

// What Windows calls the file behind a mapped address ("\Device\HarddiskVolume3\..."), or "".
inline std::wstring mapped_file(const void* address) {
  std::wstring name(MAX_PATH, L'\0');
  for (;;) {
    const DWORD length = K32GetMappedFileNameW(
        GetCurrentProcess(),
        const_cast<void*>(address),
        name.data(),
        static_cast<DWORD>(name.size()));
    // A name that fills the buffer may have been cut, whatever GetLastError says of it.
    if (length != 0 && length + 1 < name.size()) {
      name.resize(length);
      return name;
    }
    if (name.size() > 2 * longest_path) {
      return {};
    }
    if (length == 0 && GetLastError() != ERROR_INSUFFICIENT_BUFFER) {
      return {};
    }
    name.resize(2 * name.size());
  }
}

// A read-only view of the whole blob. The file stays open for as long, so that nobody writes to it
// under a running model; others can read it, and delete or rename it where the file system lets them.
class MappedBlob {
 public:
  // nullptr where there is no such file.
  static std::unique_ptr<MappedBlob> open(const std::wstring& file_path) {
    const std::string path = utf8(file_path);
    auto file = std::make_unique<FileHandle>(CreateFileW(
        verbatim(file_path).c_str(),
        GENERIC_READ,
        FILE_SHARE_READ | FILE_SHARE_DELETE,
        nullptr,
        OPEN_EXISTING,
        FILE_ATTRIBUTE_NORMAL,
        nullptr));
    if (file->get() == INVALID_HANDLE_VALUE) {
      const DWORD error = GetLastError();
      if (error == ERROR_FILE_NOT_FOUND || error == ERROR_PATH_NOT_FOUND) {
        return nullptr;
      }
      throw std::runtime_error(
          "cannot open the weights file " + path + ": " + windows_error(error));
    }
    check_size(file->get(), path);
    check_trailer(file->get(), path);
    if (full_verification_wanted()) {
      check_digest(file->get(), path);
    }
    return std::unique_ptr<MappedBlob>(new MappedBlob(std::move(file), path));
  }

  MappedBlob(const MappedBlob&) = delete;
  MappedBlob& operator=(const MappedBlob&) = delete;
  ~MappedBlob() {
    UnmapViewOfFile(view_);
  }

  const uint8_t* data() const {
    return static_cast<const uint8_t*>(view_);
  }

  // True where `pointer` is the start of a read-only view of this very file, so that the bytes
  // behind it are known without being looked at. Says false where Windows cannot tell.
  bool is_viewed_at(const void* pointer) const {
    if (pointer == view_) {
      return true;
    }
    MEMORY_BASIC_INFORMATION region{};
    if (VirtualQuery(pointer, &region, sizeof(region)) == 0 || region.Type != MEM_MAPPED ||
        region.State != MEM_COMMIT || region.AllocationBase != pointer) {
      return false;
    }
    // In a copy-on-write view the host may have bytes of its own.
    if (region.AllocationProtect != PAGE_READONLY && region.AllocationProtect != PAGE_READWRITE) {
      return false;
    }
    // Long enough for all constants: then the view starts at the file's offset 0, as any other
    // possible start is at least 64 KiB further on.
    const uint64_t constants_size = aotwin_pairing.constants_size;
    if (region.RegionSize < constants_size) {
      return false;
    }
    if (region.RegionSize >= constants_size + AOTWIN_TRAILER_SIZE) {
      AotwinTrailer trailer;
      std::memcpy(&trailer, static_cast<const uint8_t*>(pointer) + constants_size, sizeof(trailer));
      if (!trailer_mismatch(trailer).empty()) {
        return false;
      }
    }
    const std::wstring ours = mapped_file(view_);
    return !ours.empty() && ours == mapped_file(pointer);
  }

 private:
  MappedBlob(std::unique_ptr<FileHandle> file, const std::string& path) : file_(std::move(file)) {
    // The view keeps the section alive, its handle is not needed any longer.
    const FileHandle section(
        CreateFileMappingW(file_->get(), nullptr, PAGE_READONLY, 0, 0, nullptr));
    if (section.get() != nullptr) {
      view_ = MapViewOfFile(section.get(), FILE_MAP_READ, 0, 0, 0);
    }
    if (view_ == nullptr) {
      throw std::runtime_error(
          "cannot map the weights file " + path + ": " + windows_error(GetLastError()));
    }
    if (environment(L"AOTWIN_PREFETCH") == L"1") {
      prefetch();
    }
  }

  // A hint to Windows (8 and later): whether it is there or fails makes no difference to results.
  void prefetch() const {
    struct Range {
      void* address;
      SIZE_T size;
    };
    using Prefetch = BOOL(WINAPI*)(HANDLE, ULONG_PTR, Range*, ULONG);
    const HMODULE kernel32 = GetModuleHandleW(L"kernel32.dll");
    const auto call = kernel32 == nullptr
        ? nullptr
        : reinterpret_cast<Prefetch>(
              reinterpret_cast<void*>(GetProcAddress(kernel32, "PrefetchVirtualMemory")));
    if (call != nullptr) {
      Range range{view_, static_cast<SIZE_T>(aotwin_pairing.constants_size)};
      call(GetCurrentProcess(), 1, &range, 0);
    }
  }

  std::unique_ptr<FileHandle> file_;
  void* view_ = nullptr;
};

} // namespace aotwin
