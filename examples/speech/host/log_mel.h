// Log-mel frames as Whisper's encoder (and so Voxtral's) takes them: what
// transformers' WhisperFeatureExtractor(feature_size=128) computes.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <stdexcept>
#include <vector>

#include "wave_file.h"

namespace speech {

inline constexpr size_t num_chunks = 3, mel_bins = 128, frames_per_chunk = 3000;
inline constexpr size_t window_size = 400, hop = 160, num_frequencies = window_size / 2 + 1;
inline constexpr size_t num_frames = num_chunks * frames_per_chunk;
inline constexpr size_t num_samples = num_frames * hop;  // 90 s

namespace log_mel {

// Slaney's mel scale: linear up to 1 kHz, logarithmic above.
inline double hertz(double mel) {
  return mel < 15 ? mel * 200 / 3 : 1000 * std::exp((mel - 15) * std::log(6.4) / 27);
}

inline double mel(double hertz) {
  return hertz < 1000 ? hertz * 3 / 200 : 15 + std::log(hertz / 1000) * 27 / std::log(6.4);
}

// Triangles of equal area over 0 to 8 kHz: [mel_bins][num_frequencies].
inline std::vector<float> filters() {
  std::array<double, mel_bins + 2> edges;
  const double top = mel(8000);
  for (size_t i = 0; i < edges.size(); ++i) {
    edges[i] = hertz(top * static_cast<double>(i) / (mel_bins + 1));
  }
  std::vector<float> result(mel_bins * num_frequencies);
  for (size_t bin = 0; bin < mel_bins; ++bin) {
    for (size_t f = 0; f < num_frequencies; ++f) {
      const double frequency = static_cast<double>(f) * sample_rate / window_size;
      const double up = (frequency - edges[bin]) / (edges[bin + 1] - edges[bin]);
      const double down = (edges[bin + 2] - frequency) / (edges[bin + 2] - edges[bin + 1]);
      const double height = 2 / (edges[bin + 2] - edges[bin]);
      result[bin * num_frequencies + f] =
          static_cast<float>(height * std::max(0.0, std::min(up, down)));
    }
  }
  return result;
}

// The discrete Fourier transform of one windowed frame as squared magnitudes. The direct sum: 400 is
// no power of two, and three chunks take a second.
class Spectrum {
 public:
  Spectrum() {
    for (size_t i = 0; i < window_size; ++i) {
      const double angle = 2 * std::numbers::pi * static_cast<double>(i) / window_size;
      cosine_[i] = static_cast<float>(std::cos(angle));
      sine_[i] = static_cast<float>(std::sin(angle));
      window_[i] = static_cast<float>(0.5 - 0.5 * std::cos(angle));
    }
  }

  std::array<float, num_frequencies> power(const float* samples) const {
    // Even and odd parts around the middle halve the work.
    constexpr size_t half = window_size / 2;
    std::array<float, half + 1> even, odd;
    for (size_t i = 1; i < half; ++i) {
      const float left = samples[i] * window_[i];
      const float right = samples[window_size - i] * window_[window_size - i];
      even[i] = left + right;
      odd[i] = left - right;
    }
    const float first = samples[0] * window_[0], middle = samples[half] * window_[half];
    std::array<float, num_frequencies> result;
    for (size_t f = 0; f < num_frequencies; ++f) {
      double real = first + (f % 2 == 0 ? middle : -middle), imaginary = 0;
      for (size_t i = 1, turn = f; i < half; ++i, turn = (turn + f) % window_size) {
        real += even[i] * cosine_[turn];
        imaginary += odd[i] * sine_[turn];
      }
      result[f] = static_cast<float>(real * real + imaginary * imaginary);
    }
    return result;
  }

 private:
  std::array<float, window_size> cosine_, sine_, window_;
};

// Zeros up to 90 s, then half a window mirrored on both sides, so that frames are centred.
inline std::vector<float> padded(std::vector<float> samples) {
  if (samples.size() > num_samples) {
    throw std::runtime_error("the recording is longer than 90 s");
  }
  samples.resize(num_samples);
  constexpr size_t side = window_size / 2;
  std::vector<float> result(num_samples + 2 * side);
  std::copy(samples.begin(), samples.end(), result.begin() + side);
  for (size_t i = 1; i <= side; ++i) {
    result[side - i] = samples[i];
    result[side + num_samples - 1 + i] = samples[num_samples - 1 - i];
  }
  return result;
}

}  // namespace log_mel

// [num_chunks][mel_bins][frames_per_chunk] of a recording of up to 90 s.
inline std::vector<float> log_mel_frames(std::vector<float> recording) {
  const std::vector<float> samples = log_mel::padded(std::move(recording));
  const std::vector<float> filters = log_mel::filters();
  const log_mel::Spectrum spectrum;
  std::vector<float> result(num_frames * mel_bins);
  float highest = -10;
  for (size_t frame = 0; frame < num_frames; ++frame) {
    const auto power = spectrum.power(samples.data() + frame * hop);
    for (size_t bin = 0; bin < mel_bins; ++bin) {
      double sum = 0;
      for (size_t f = 0; f < num_frequencies; ++f) {
        sum += filters[bin * num_frequencies + f] * power[f];
      }
      const float value = static_cast<float>(std::log10(std::max(sum, 1e-10)));
      highest = std::max(highest, value);
      result[((frame / frames_per_chunk) * mel_bins + bin) * frames_per_chunk +
             frame % frames_per_chunk] = value;
    }
  }
  for (float& value : result) {
    value = (std::max(value, highest - 8) + 4) / 4;
  }
  return result;
}

}  // namespace speech
