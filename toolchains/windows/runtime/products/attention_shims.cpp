#include "attention.h"
#include "shims.h"

using namespace aotwin::runtime;

extern "C" AOTITorchError AOTWIN_SHIM(aoti_torch_cpu__scaled_dot_product_flash_attention_for_cpu)(AtenTensorHandle query, AtenTensorHandle key,
                                                                                                  AtenTensorHandle value, double dropout_p, int32_t is_causal,
                                                                                                  AtenTensorHandle* attn_mask, double* scale,
                                                                                                  AtenTensorHandle* ret0, AtenTensorHandle* ret1) {
  return guarded([&] {
    require(dropout_p == 0, "attention: dropout of ", dropout_p, " is for training; only 0 is supported");
    const std::optional<Tensor> mask = maybe(attn_mask);
    products::Attention result = products::attend(borrow(query), borrow(key), borrow(value), is_causal != 0, mask ? &*mask : nullptr,
                                                  scale == nullptr ? std::nullopt : std::optional<double>(*scale));
    *ret0 = give(std::move(result.out));
    *ret1 = give(std::move(result.log_sum));
  });
}
