// The source of random numbers: MT19937, drawn from as torch's CPU generator draws, so that the same seed gives the same numbers.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>

#include "arguments.h"

namespace aotwin::runtime {

class Generator {
 public:
  explicit Generator(uint64_t seed) {
    this->seed(seed);
  }
  void seed(uint64_t value);

  uint32_t random32();
  uint64_t random64();
  // 24 and 53 random bits, in [0, 1)
  float uniform_float() {
    return static_cast<float>(random32() & 0xFFFFFF) * 0x1p-24f;
  }
  double uniform_double() {
    return static_cast<double>(random64() & 0x1FFFFFFFFFFFFF) * 0x1p-53;
  }
  // In pairs; the second of a pair is kept for the next call.
  double normal();

  // Held while one operator draws.
  std::mutex& mutex() {
    return mutex_;
  }

 private:
  static constexpr int words = 624;
  void refill();

  uint32_t state_[words];
  int used_ = words;
  std::optional<double> kept_normal_;
  std::mutex mutex_;
};

// The process's own. Seeded with torch's default number, not with the time: a model that draws gives the same results in each
// process, until aotwin_seed_random says otherwise.
Generator& default_generator();
// The default for a null argument; others cannot be made here.
Generator& generator_of(AtenGeneratorHandle* argument);

}  // namespace aotwin::runtime

// Starts the default generator anew. Safe from any thread.
extern "C" AOTITorchError aotwin_seed_random(uint64_t seed);
