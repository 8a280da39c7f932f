#include "pointwise_attributes.h"

#include <string_view>

namespace aotwin::runtime::products {

void set_activation(Fused& fused, const char* what, const char* given, const double* const* scalars, int64_t count, const char* algorithm) {
  const std::string_view name = given == nullptr ? "none" : given;
  const std::string_view form = algorithm == nullptr ? "none" : algorithm;
  const auto scalar = [&](int64_t index, double otherwise) { return scalars != nullptr && index < count && scalars[index] != nullptr ? *scalars[index] : otherwise; };
  if (name == "none" || name.empty()) {
    fused.activation = Activation::none;
  } else if (name == "relu") {
    fused.activation = Activation::relu;
  } else if (name == "sigmoid") {
    fused.activation = Activation::sigmoid;
  } else if (name == "tanh") {
    fused.activation = Activation::tanh;
  } else if (name == "swish") {
    fused.activation = Activation::silu;
  } else if (name == "hardswish") {
    fused.activation = Activation::hardswish;
  } else if (name == "hardsigmoid") {
    fused.activation = Activation::hardsigmoid;
  } else if (name == "gelu") {
    fused.activation = form == "tanh" ? Activation::gelu_tanh : Activation::gelu;
  } else if (name == "leaky_relu") {
    fused.activation = Activation::leaky_relu;
    fused.first = scalar(0, 0.01);
  } else if (name == "hardtanh") {
    fused.activation = Activation::clamp;
    fused.first = scalar(0, -1);
    fused.second = scalar(1, 1);
  } else {
    fail(what, ": the activation '", name, "' is not supported");
  }
}

void set_binary(Fused& fused, const char* what, const char* given, const Tensor& other, const double* alpha) {
  const std::string_view name = given == nullptr ? "" : given;
  fused.other = &other;
  fused.other_scale = alpha == nullptr ? 1 : *alpha;
  if (name == "sub") {
    fused.other_scale = -fused.other_scale;
  } else if (name == "mul") {
    fused.other_multiplies = true;
    fused.other_scale = 1;
  } else if (name != "add") {
    fail(what, ": the operation '", name, "' is not supported");
  }
}

}  // namespace aotwin::runtime::products
