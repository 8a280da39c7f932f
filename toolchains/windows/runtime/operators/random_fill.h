// Filling tensors with random numbers, one after the other in the order of memory, as torch's CPU kernels do.
#pragma once

#include "../core/tensor.h"
#include "random_generator.h"

namespace aotwin::runtime {

// The tensors must be dense. Floating dtypes (and complex ones, as pairs of numbers), unless said otherwise.
void fill_uniform(const Tensor& tensor, double low, double high, Generator& generator);
void fill_normal(const Tensor& tensor, double mean, double deviation, Generator& generator);
void fill_exponential(const Tensor& tensor, double rate, Generator& generator);
// Any real dtype; [low, high).
void fill_integers(const Tensor& tensor, int64_t low, int64_t high, Generator& generator);
// Any real dtype or bool: 1 with this probability, or with each element's own.
void fill_bernoulli(const Tensor& tensor, double probability, Generator& generator);
void fill_bernoulli(const Tensor& tensor, const Tensor& probabilities, Generator& generator);

}  // namespace aotwin::runtime
