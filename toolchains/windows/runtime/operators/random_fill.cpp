#include "random_fill.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "elementwise.h"

namespace aotwin::runtime {

namespace {

// Complex numbers as twice as many real ones.
Tensor as_parts(const Tensor& tensor) {
  if (!is_complex(tensor.dtype())) {
    return tensor;
  }
  Dims sizes = tensor.sizes();
  Dims strides = tensor.strides();
  for (int64_t& stride : strides) {
    stride *= 2;
  }
  sizes.push_back(2);
  strides.push_back(1);
  return view_as(tensor, sizes, strides, tensor.storage_offset() * 2, real_part(tensor.dtype()));
}

// In what numbers of this dtype are drawn: half precisions through float.
template <class T>
opmath_t<T> draw(Generator& generator) {
  if constexpr (std::is_same_v<T, double>) {
    return generator.uniform_double();
  } else {
    return generator.uniform_float();
  }
}

// 16 uniform numbers made normal in place, by pairs that lie 8 apart.
template <class T>
void make_normal(T* values, opmath_t<T> mean, opmath_t<T> deviation, const opmath_t<T>* uniform) {
  using Math = opmath_t<T>;
  for (int i = 0; i < 8; ++i) {
    const Math radius = std::sqrt(Math(-2) * std::log(Math(1) - uniform[i]));
    const Math angle = Math(2) * static_cast<Math>(std::numbers::pi) * uniform[i + 8];
    values[i] = cast<T>(radius * std::cos(angle) * deviation + mean);
    values[i + 8] = cast<T>(radius * std::sin(angle) * deviation + mean);
  }
}

}  // namespace

void fill_uniform(const Tensor& whole, double low, double high, Generator& generator) {
  require(low <= high, "uniform: the range [", low, ", ", high, ") falls");
  const Tensor tensor = as_parts(whole);
  const std::lock_guard lock(generator.mutex());
  for_float(tensor.dtype(), "uniform", [&]<class T>(TypeTag<T>) {
    using Math = opmath_t<T>;
    const Math from = cast<Math>(cast<T>(low));
    const Math to = cast<Math>(cast<T>(high));
    for (int64_t i = 0; i < tensor.numel(); ++i) {
      const T value = cast<T>(std::fma(draw<T>(generator), to - from, from));
      // Rounding must not reach the end that is left out.
      tensor.as<T>()[i] = is_half_v<T> && cast<Math>(value) >= to ? cast<T>(from) : value;
    }
  });
}

void fill_normal(const Tensor& whole, double mean, double deviation, Generator& generator) {
  require(deviation >= 0, "normal: the standard deviation ", deviation, " is negative");
  const Tensor tensor = as_parts(whole);
  if (is_complex(whole.dtype())) {
    deviation /= std::numbers::sqrt2;
  }
  const std::lock_guard lock(generator.mutex());
  for_float(tensor.dtype(), "normal", [&]<class T>(TypeTag<T>) {
    using Math = opmath_t<T>;
    const int64_t count = tensor.numel();
    T* const values = tensor.as<T>();
    if (count < 16 || !tensor.is_contiguous()) {
      for (int64_t i = 0; i < count; ++i) {
        values[i] = cast<T>(generator.normal() * deviation + mean);
      }
      return;
    }
    // All uniform numbers are drawn before any is used, and 16 more for an end that is shorter than a block.
    Scratch memory(static_cast<size_t>(count) * sizeof(Math));
    Math* const uniform = memory.as<Math>();
    const int64_t first_drawn = is_half_v<T> ? count - count % 16 : count;  // half precisions leave the end out, as torch does
    for (int64_t i = 0; i < first_drawn; ++i) {
      uniform[i] = draw<T>(generator);
    }
    parallel_for(0, count / 16, 64, [&](int64_t first, int64_t last) {
      for (int64_t i = first * 16; i < last * 16; i += 16) {
        make_normal(values + i, cast<Math>(mean), cast<Math>(deviation), uniform + i);
      }
    });
    if (count % 16 != 0) {
      for (int64_t i = count - 16; i < count; ++i) {
        uniform[i] = draw<T>(generator);
      }
      make_normal(values + count - 16, cast<Math>(mean), cast<Math>(deviation), uniform + count - 16);
    }
  });
}

void fill_exponential(const Tensor& tensor, double rate, Generator& generator) {
  require(rate > 0, "exponential: the rate ", rate, " is not positive");
  const std::lock_guard lock(generator.mutex());
  for_float(tensor.dtype(), "exponential", [&]<class T>(TypeTag<T>) {
    for (int64_t i = 0; i < tensor.numel(); ++i) {
      tensor.as<T>()[i] = cast<T>(-std::log1p(-generator.uniform_double()) / rate);
    }
  });
}

void fill_integers(const Tensor& tensor, int64_t low, int64_t high, Generator& generator) {
  require(low < high, "randint: the range [", low, ", ", high, ") is empty");
  const uint64_t range = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
  // From here on 32 bits would favour some numbers too much.
  const bool wide = range >= uint64_t(1) << 28;
  const std::lock_guard lock(generator.mutex());
  const auto run = [&]<class T>(TypeTag<T>) {
    for (int64_t i = 0; i < tensor.numel(); ++i) {
      const uint64_t drawn = wide ? generator.random64() : generator.random32();
      tensor.as<T>()[i] = cast<T>(static_cast<int64_t>(drawn % range + static_cast<uint64_t>(low)));
    }
  };
  tensor.dtype() == Dtype::boolean ? run(TypeTag<bool>{}) : for_real(tensor.dtype(), "randint", run);
}

void fill_bernoulli(const Tensor& tensor, double probability, Generator& generator) {
  require(probability >= 0 && probability <= 1, "bernoulli: the probability ", probability, " is not in [0, 1]");
  const std::lock_guard lock(generator.mutex());
  const auto run = [&]<class T>(TypeTag<T>) {
    for (int64_t i = 0; i < tensor.numel(); ++i) {
      tensor.as<T>()[i] = cast<T>(generator.uniform_double() < probability);
    }
  };
  tensor.dtype() == Dtype::boolean ? run(TypeTag<bool>{}) : for_real(tensor.dtype(), "bernoulli", run);
}

void fill_bernoulli(const Tensor& tensor, const Tensor& probabilities, Generator& generator) {
  const Tensor each = aligned(expand(probabilities, tensor.sizes()), tensor, probabilities.dtype());
  const std::lock_guard lock(generator.mutex());
  for_float(each.dtype(), "bernoulli", [&]<class P>(TypeTag<P>) {
    const auto run = [&]<class T>(TypeTag<T>) {
      for (int64_t i = 0; i < tensor.numel(); ++i) {
        const opmath_t<P> probability = cast<opmath_t<P>>(each.as<P>()[i]);
        require(probability >= 0 && probability <= 1, "bernoulli: the probability ", probability, " is not in [0, 1]");
        tensor.as<T>()[i] = cast<T>(draw<P>(generator) < probability);
      }
    };
    tensor.dtype() == Dtype::boolean ? run(TypeTag<bool>{}) : for_real(tensor.dtype(), "bernoulli", run);
  });
}

}  // namespace aotwin::runtime
