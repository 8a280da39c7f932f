// The names by which torch's fused forms call what follows a product.
#pragma once

#include "matmul.h"

namespace aotwin::runtime::products {

// "relu", "gelu" with the algorithm "tanh" or "none", "hardtanh" with two scalars, ...; null or "none": nothing. An unknown one is an
// error that names it.
void set_activation(Fused& fused, const char* what, const char* name, const double* const* scalars, int64_t count, const char* algorithm);
// "add", "sub" and "mul" with `other`.
void set_binary(Fused& fused, const char* what, const char* name, const Tensor& other, const double* alpha);

}  // namespace aotwin::runtime::products
