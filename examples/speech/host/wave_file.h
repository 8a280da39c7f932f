// Reads the kind of .wav that speech models take: 16 kHz, mono, 16 bits.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace speech {

inline constexpr uint32_t sample_rate = 16000;

namespace wave_file {

template <typename Number>
Number number(const std::vector<char>& bytes, size_t at) {
  if (at > bytes.size() || bytes.size() - at < sizeof(Number)) {
    throw std::runtime_error("the .wav ends too early");
  }
  Number value;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

inline bool named(const std::vector<char>& bytes, size_t at, const char* name) {
  return number<uint32_t>(bytes, at) == number<uint32_t>({name, name + 4}, 0);
}

}  // namespace wave_file

// Samples between -1 and 1. Format: "Multimedia Programming Interface and Data Specifications 1.0",
// chunks of a four-letter name, a 32-bit size and data padded to two bytes.
inline std::vector<float> read_wave(const std::filesystem::path& path) {
  using namespace wave_file;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw std::runtime_error("the audio file cannot be opened");
  }
  const std::vector<char> bytes(std::istreambuf_iterator<char>(file), {});
  if (!named(bytes, 0, "RIFF") || !named(bytes, 8, "WAVE")) {
    throw std::runtime_error("the audio file is no .wav");
  }
  bool fits = false;
  for (size_t at = 12;;) {
    const size_t size = number<uint32_t>(bytes, at + 4), data = at + 8;
    if (named(bytes, at, "fmt ")) {
      fits = number<uint16_t>(bytes, data) == 1 && number<uint16_t>(bytes, data + 2) == 1 &&
          number<uint32_t>(bytes, data + 4) == sample_rate &&
          number<uint16_t>(bytes, data + 14) == 16;
    } else if (named(bytes, at, "data")) {
      if (!fits) {
        throw std::runtime_error("the .wav must be 16 kHz, mono, 16 bits");
      }
      std::vector<float> samples(std::min(size, bytes.size() - data) / 2);
      for (size_t i = 0; i < samples.size(); ++i) {
        samples[i] = static_cast<float>(number<int16_t>(bytes, data + 2 * i)) / 32768.0F;
      }
      return samples;
    }
    at = data + size + size % 2;
  }
}

}  // namespace speech
