// What the run time asks of the operating system. The only place that knows Windows from Linux: platform_windows.cpp and
// platform_linux.cpp have the same functions; the latter exists so that everything can be tried beside eager torch.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace aotwin::runtime::platform {

// Committed, zeroed memory, aligned to a page at least. Null when there is none.
void* map_memory(size_t nbytes) noexcept;
void unmap_memory(void* memory, size_t nbytes) noexcept;

// Sleeps while *word == expected; may return early. Woken by wake_all.
void wait_while(const std::atomic<uint32_t>& word, uint32_t expected) noexcept;
void wake_all(const std::atomic<uint32_t>& word) noexcept;
void wake_one(const std::atomic<uint32_t>& word) noexcept;

// A thread that nobody joins. False when the system refuses.
bool start_thread(void (*function)(void*), void* context) noexcept;
void yield() noexcept;

// Physical cores of which this process may use at least one logical processor; at least 1.
int physical_cores() noexcept;
// Logical processors that this process may use.
int logical_processors() noexcept;

// The logical processor that the calling thread runs on right now.
int current_processor() noexcept;
// Moves the calling thread to another one that it may use, if there is one. It is not bound there.
void change_processor() noexcept;

int64_t nanoseconds() noexcept;

// Empty when it is not set.
std::string environment(const char* name);

// This DLL stays loaded until the process ends: its threads run code of it.
void stay_loaded() noexcept;

}  // namespace aotwin::runtime::platform
