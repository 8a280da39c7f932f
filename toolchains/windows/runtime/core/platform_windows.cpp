#include <windows.h>

#include <memory>
#include <vector>

#include "platform.h"

namespace aotwin::runtime::platform {

void* map_memory(size_t nbytes) noexcept {
  return VirtualAlloc(nullptr, nbytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

void unmap_memory(void* memory, size_t) noexcept {
  VirtualFree(memory, 0, MEM_RELEASE);
}

void wait_while(const std::atomic<uint32_t>& word, uint32_t expected) noexcept {
  WaitOnAddress(const_cast<std::atomic<uint32_t>*>(&word), &expected, sizeof(expected), INFINITE);
}
void wake_all(const std::atomic<uint32_t>& word) noexcept {
  WakeByAddressAll(const_cast<std::atomic<uint32_t>*>(&word));
}
void wake_one(const std::atomic<uint32_t>& word) noexcept {
  WakeByAddressSingle(const_cast<std::atomic<uint32_t>*>(&word));
}

namespace {
struct Start {
  void (*function)(void*);
  void* context;
};
DWORD WINAPI run_thread(void* argument) {
  const Start start = *static_cast<Start*>(argument);
  delete static_cast<Start*>(argument);
  start.function(start.context);
  return 0;
}
}  // namespace

bool start_thread(void (*function)(void*), void* context) noexcept {
  Start* const start = new Start{function, context};
  const HANDLE thread = CreateThread(nullptr, 0, run_thread, start, 0, nullptr);
  if (thread == nullptr) {
    delete start;
    return false;
  }
  CloseHandle(thread);
  return true;
}

void yield() noexcept {
  SwitchToThread();
}

namespace {
struct Allowed {
  WORD group = 0;
  KAFFINITY mask = ~static_cast<KAFFINITY>(0);
  bool all_groups = true;
};

// A process is bound to one group's mask unless it spans several (then GetProcessAffinityMask answers zeros).
Allowed allowed_processors() {
  Allowed allowed;
  DWORD_PTR process = 0;
  DWORD_PTR system = 0;
  if (GetProcessAffinityMask(GetCurrentProcess(), &process, &system) && process != 0) {
    USHORT count = 1;
    USHORT groups[64] = {};
    count = 64;
    if (GetProcessGroupAffinity(GetCurrentProcess(), &count, groups) && count == 1) {
      allowed.group = groups[0];
      allowed.mask = process;
      allowed.all_groups = false;
    }
  }
  return allowed;
}

int count_bits(KAFFINITY mask) {
  return __builtin_popcountll(mask);
}
}  // namespace

int physical_cores() noexcept {
  try {
    DWORD length = 0;
    GetLogicalProcessorInformationEx(RelationProcessorCore, nullptr, &length);
    std::vector<char> buffer(length);
    const auto first = reinterpret_cast<SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX*>(buffer.data());
    if (length == 0 || !GetLogicalProcessorInformationEx(RelationProcessorCore, first, &length)) {
      return logical_processors();
    }
    const Allowed allowed = allowed_processors();
    int cores = 0;
    for (DWORD at = 0; at < length;) {
      const auto entry = reinterpret_cast<const SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX*>(buffer.data() + at);
      if (entry->Relationship == RelationProcessorCore) {
        const GROUP_AFFINITY& mask = entry->Processor.GroupMask[0];
        cores += allowed.all_groups || (mask.Group == allowed.group && (mask.Mask & allowed.mask) != 0);
      }
      at += entry->Size;
    }
    return cores < 1 ? 1 : cores;
  } catch (...) {
    return 1;
  }
}

int logical_processors() noexcept {
  const Allowed allowed = allowed_processors();
  const int count = allowed.all_groups ? static_cast<int>(GetActiveProcessorCount(ALL_PROCESSOR_GROUPS)) : count_bits(allowed.mask);
  return count < 1 ? 1 : count;
}

int current_processor() noexcept {
  PROCESSOR_NUMBER number;
  GetCurrentProcessorNumberEx(&number);
  return number.Group * 64 + number.Number;
}

void change_processor() noexcept {
  PROCESSOR_NUMBER number;
  GetCurrentProcessorNumberEx(&number);
  GROUP_AFFINITY all = {};
  if (!GetThreadGroupAffinity(GetCurrentThread(), &all) || all.Group != number.Group) {
    return;
  }
  GROUP_AFFINITY others = all;
  others.Mask &= ~(static_cast<KAFFINITY>(1) << number.Number);
  if (others.Mask != 0 && SetThreadGroupAffinity(GetCurrentThread(), &others, nullptr)) {
    SetThreadGroupAffinity(GetCurrentThread(), &all, nullptr);
  }
}

int64_t nanoseconds() noexcept {
  static const int64_t frequency = [] {
    LARGE_INTEGER value;
    QueryPerformanceFrequency(&value);
    return value.QuadPart;
  }();
  LARGE_INTEGER now;
  QueryPerformanceCounter(&now);
  const int64_t seconds = now.QuadPart / frequency;
  return seconds * 1'000'000'000 + (now.QuadPart % frequency) * 1'000'000'000 / frequency;
}

std::string environment(const char* name) {
  // Not getenv: the C run time has a copy of its own, made when it was loaded.
  char buffer[256];
  const DWORD length = GetEnvironmentVariableA(name, buffer, sizeof(buffer));
  return length == 0 || length >= sizeof(buffer) ? std::string() : std::string(buffer, length);
}

void stay_loaded() noexcept {
  HMODULE module = nullptr;
  GetModuleHandleExW(
      GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
      reinterpret_cast<LPCWSTR>(reinterpret_cast<void*>(&stay_loaded)),
      &module);
}

}  // namespace aotwin::runtime::platform
