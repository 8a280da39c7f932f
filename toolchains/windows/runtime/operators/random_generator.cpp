#include "random_generator.h"

#include <cmath>
#include <numbers>

namespace aotwin::runtime {

namespace {

constexpr uint64_t default_seed = 67280421310721;

}  // namespace

void Generator::seed(uint64_t value) {
  state_[0] = static_cast<uint32_t>(value);
  for (uint32_t i = 1; i < words; ++i) {
    state_[i] = 1812433253u * (state_[i - 1] ^ (state_[i - 1] >> 30)) + i;
  }
  used_ = words;
  kept_normal_.reset();
}

void Generator::refill() {
  constexpr int shift = 397;
  const auto mixed = [](uint32_t high, uint32_t low) {
    const uint32_t joined = (high & 0x80000000u) | (low & 0x7FFFFFFFu);
    return (joined >> 1) ^ ((low & 1) != 0 ? 0x9908B0DFu : 0);
  };
  for (int i = 0; i < words; ++i) {
    state_[i] = state_[(i + shift) % words] ^ mixed(state_[i], state_[(i + 1) % words]);
  }
  used_ = 0;
}

uint32_t Generator::random32() {
  if (used_ == words) {
    refill();
  }
  uint32_t value = state_[used_++];
  value ^= value >> 11;
  value ^= (value << 7) & 0x9D2C5680u;
  value ^= (value << 15) & 0xEFC60000u;
  return value ^ (value >> 18);
}

uint64_t Generator::random64() {
  const uint64_t high = random32();
  return high << 32 | random32();
}

double Generator::normal() {
  if (kept_normal_) {
    const double value = *kept_normal_;
    kept_normal_.reset();
    return value;
  }
  const double turn = uniform_double();
  const double radius = std::sqrt(-2 * std::log1p(-uniform_double()));
  const double angle = 2 * std::numbers::pi * turn;
  kept_normal_ = radius * std::sin(angle);
  return radius * std::cos(angle);
}

Generator& default_generator() {
  static Generator generator(default_seed);
  return generator;
}

Generator& generator_of(AtenGeneratorHandle* argument) {
  require(argument == nullptr || *argument == nullptr, "a generator of the caller's own is given: only the default one is there");
  return default_generator();
}

}  // namespace aotwin::runtime

using namespace aotwin::runtime;

extern "C" AOTITorchError AOTWIN_SHIM(aotwin_seed_random)(uint64_t seed) {
  return guarded([&] {
    Generator& generator = default_generator();
    const std::lock_guard lock(generator.mutex());
    generator.seed(seed);
  });
}
