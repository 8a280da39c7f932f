// What generated code does with OpenMP, as functions that a test calls by name: compiled by zig with -fopenmp, and linked with the run
// time only.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <thread>
#include <vector>

extern "C" {
int omp_get_thread_num(void);
int omp_get_num_threads(void);
int omp_get_max_threads(void);
int omp_in_parallel(void);
void aoti_torch_check(bool, const char*, const char*, uint32_t, const char*);

#ifdef _WIN32
#define PUBLIC __declspec(dllexport)
#else
#define PUBLIC __attribute__((visibility("default")))
#endif

// The number of threads of a region.
PUBLIC int team_size() {
  std::atomic<int> size{0};
#pragma omp parallel
  { size = omp_get_num_threads(); }
  return size;
}

PUBLIC int team_size_of(int wanted) {
  std::atomic<int> size{0};
#pragma omp parallel num_threads(wanted)
  { size = omp_get_num_threads(); }
  return size;
}

// Counts how often each of `count` iterations of a loop is run; `schedule` as numbered here.
PUBLIC void count_iterations(int schedule, int64_t first, int64_t count, int64_t step, int64_t chunk, int32_t* counts) {
  const int64_t last = first + count * step;
#define AOTWIN_LOOP(...)                                               \
  _Pragma("omp parallel") {                                            \
    _Pragma(__VA_ARGS__) for (int64_t i = first; i < last; i += step) { \
      __atomic_fetch_add(&counts[(i - first) / step], 1, __ATOMIC_RELAXED); \
    }                                                                  \
  }
  switch (schedule) {
    case 0:
      AOTWIN_LOOP("omp for");
      break;
    case 1:
      AOTWIN_LOOP("omp for schedule(static, chunk)");
      break;
    case 2:
      AOTWIN_LOOP("omp for schedule(dynamic, chunk)");
      break;
    case 3:
      AOTWIN_LOOP("omp for schedule(guided, chunk)");
      break;
    case 4:
      // Several loops that do not wait for each other.
#pragma omp parallel
      {
        for (int repeat = 0; repeat < 9; ++repeat) {
#pragma omp for schedule(dynamic, 1) nowait
          for (int64_t i = first; i < last; i += step) {
            __atomic_fetch_add(&counts[(i - first) / step], 1, __ATOMIC_RELAXED);
          }
        }
      }
      break;
    case 5:
#pragma omp parallel for collapse(2)
      for (int32_t i = 0; i < static_cast<int32_t>(count); ++i) {
        for (int32_t j = 0; j < 3; ++j) {
          __atomic_fetch_add(&counts[i], 1, __ATOMIC_RELAXED);
        }
      }
      break;
    case 6:  // backwards, unsigned
#pragma omp parallel for schedule(dynamic, 3)
      for (uint32_t i = static_cast<uint32_t>(count); i > 0; i -= 1) {
        __atomic_fetch_add(&counts[i - 1], 1, __ATOMIC_RELAXED);
      }
      break;
  }
}

PUBLIC double sum(const double* values, int64_t count) {
  double result = 0;
#pragma omp parallel for reduction(+ : result)
  for (int64_t i = 0; i < count; ++i) {
    result += values[i];
  }
  return result;
}

// Each of three phases needs all of the one before; singles and criticals in between. 0 when all is as it must be.
PUBLIC int phases(int count) {
  std::vector<int> values(static_cast<size_t>(count), 0);
  int singles = 0;
  int guarded = 0;
  std::atomic<int> wrong{0};
#pragma omp parallel
  {
    for (int phase = 0; phase < 50; ++phase) {
#pragma omp for
      for (int i = 0; i < count; ++i) {
        values[static_cast<size_t>(i)] += 1;
      }
      if (values[static_cast<size_t>((omp_get_thread_num() * 7919 + phase) % count)] != phase + 1) {
        ++wrong;
      }
#pragma omp barrier
#pragma omp single
      ++singles;
#pragma omp critical
      ++guarded;
    }
  }
  return wrong + (singles != 50) + (guarded % 50 != 0);
}

// More captured variables than registers and small buffers take.
PUBLIC int64_t many_variables(int64_t start) {
  int64_t a = start, b = a + 1, c = a + 2, d = a + 3, e = a + 4, f = a + 5, g = a + 6, h = a + 7, k = a + 8, l = a + 9, m = a + 10,
          n = a + 11;
  int64_t* p[12] = {&a, &b, &c, &d, &e, &f, &g, &h, &k, &l, &m, &n};
  std::atomic<int64_t> result{0};
#pragma omp parallel
  {
#pragma omp single
    result = a + b + c + d + e + f + g + h + k + l + m + n + *p[3];
  }
  return result;
}

// An index check that fails inside of a parallel loop.
PUBLIC void failing_region(int64_t count, int64_t bad) {
#pragma omp parallel
  {
#pragma omp for
    for (int64_t i = 0; i < count; ++i) {
      aoti_torch_check(i != bad, "failing_region", "openmp_program.cpp", 1, "index out of bounds");
    }
#pragma omp for
    for (int64_t i = 0; i < count; ++i) {
      aoti_torch_check(i >= 0, "failing_region", "openmp_program.cpp", 1, "never");
    }
  }
}

// The same check outside of one: 1 when it comes as an exception of the standard library, 2 when as another.
PUBLIC int failing_check() {
  try {
    aoti_torch_check(false, "failing_check", "openmp_program.cpp", 1, "outside of a region");
  } catch (const std::exception&) {
    return 1;
  } catch (...) {
    return 2;
  }
  return 0;
}

// `hosts` threads that each run regions: the most threads that were ever in regions at the same time, and wrong sums.
PUBLIC int hosts_at_once(int hosts, int rounds, int* most) {
  std::atomic<int> now{0};
  std::atomic<int> peak{0};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int host = 0; host < hosts; ++host) {
    threads.emplace_back([&] {
      for (int round = 0; round < rounds; ++round) {
        std::atomic<int64_t> total{0};
#pragma omp parallel
        {
          const int here = ++now;
          int before = peak;
          while (before < here && !peak.compare_exchange_weak(before, here)) {
          }
#pragma omp for
          for (int64_t i = 0; i < 1000; ++i) {
            total += i;
          }
          --now;
        }
        wrong += total != 499500;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  *most = peak;
  return wrong;
}

PUBLIC int nested() {
  std::atomic<int> inner{0};
#pragma omp parallel
  {
#pragma omp parallel
    { inner += omp_get_num_threads(); }
  }
  return inner;
}

// Nanoseconds of an empty region, the least and the middle of `rounds`.
PUBLIC void time_region(int rounds, double* least, double* median) {
  std::vector<double> times;
  for (int i = 0; i < rounds; ++i) {
    const auto start = std::chrono::steady_clock::now();
#pragma omp parallel
    { asm volatile("" ::: "memory"); }
    times.push_back(std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count());
  }
  std::vector<double> sorted = times;
  for (size_t i = 0; i < sorted.size(); ++i) {
    for (size_t j = i; j > 0 && sorted[j] < sorted[j - 1]; --j) {
      std::swap(sorted[j], sorted[j - 1]);
    }
  }
  *least = sorted.front();
  *median = sorted[sorted.size() / 2];
}
}
