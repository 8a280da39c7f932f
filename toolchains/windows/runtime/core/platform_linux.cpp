#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <fstream>
#include <set>

#include "platform.h"

namespace aotwin::runtime::platform {

void* map_memory(size_t nbytes) noexcept {
  void* const memory = mmap(nullptr, nbytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

void unmap_memory(void* memory, size_t nbytes) noexcept {
  munmap(memory, nbytes);
}

namespace {
void futex(const std::atomic<uint32_t>& word, int operation, uint32_t value) noexcept {
  syscall(SYS_futex, reinterpret_cast<const uint32_t*>(&word), operation | FUTEX_PRIVATE_FLAG, value, nullptr, nullptr, 0);
}
}  // namespace

void wait_while(const std::atomic<uint32_t>& word, uint32_t expected) noexcept {
  futex(word, FUTEX_WAIT, expected);
}
void wake_all(const std::atomic<uint32_t>& word) noexcept {
  futex(word, FUTEX_WAKE, INT_MAX);
}
void wake_one(const std::atomic<uint32_t>& word) noexcept {
  futex(word, FUTEX_WAKE, 1);
}

namespace {
struct Start {
  void (*function)(void*);
  void* context;
};
void* run_thread(void* argument) {
  const Start start = *static_cast<Start*>(argument);
  delete static_cast<Start*>(argument);
  start.function(start.context);
  return nullptr;
}
}  // namespace

bool start_thread(void (*function)(void*), void* context) noexcept {
  Start* const start = new Start{function, context};
  pthread_t thread;
  if (pthread_create(&thread, nullptr, run_thread, start) != 0) {
    delete start;
    return false;
  }
  pthread_detach(thread);
  return true;
}

void yield() noexcept {
  sched_yield();
}

int logical_processors() noexcept {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) {
    return 1;
  }
  const int count = CPU_COUNT(&set);
  return count < 1 ? 1 : count;
}

int physical_cores() noexcept {
  try {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) != 0) {
      return 1;
    }
    std::set<std::string> cores;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &set)) {
        std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list");
        std::string siblings;
        if (std::getline(file, siblings)) {
          cores.insert(siblings);
        }
      }
    }
    return cores.empty() ? logical_processors() : static_cast<int>(cores.size());
  } catch (...) {
    return 1;
  }
}

int current_processor() noexcept {
  return sched_getcpu();
}

void change_processor() noexcept {
  cpu_set_t all;
  const int here = sched_getcpu();
  if (here < 0 || sched_getaffinity(0, sizeof(all), &all) != 0 || CPU_COUNT(&all) < 2) {
    return;
  }
  cpu_set_t others = all;
  CPU_CLR(here, &others);
  sched_setaffinity(0, sizeof(others), &others);
  sched_setaffinity(0, sizeof(all), &all);
}

int64_t nanoseconds() noexcept {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

std::string environment(const char* name) {
  const char* const value = getenv(name);
  return value != nullptr ? value : "";
}

void stay_loaded() noexcept {}

}  // namespace aotwin::runtime::platform
