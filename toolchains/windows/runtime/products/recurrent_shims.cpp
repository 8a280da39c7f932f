// A layer of an LSTM in one direction, as torch hands it to oneDNN.
#include "../core/tensor.h"
#include "matmul.h"
#include "recurrent.h"
#include "shims.h"

using namespace aotwin::runtime;
using namespace aotwin::runtime::products;

namespace {

// torch's number of the kind of cell (its mkldnn RNN modes); it takes this way for LSTMs alone.
constexpr int64_t lstm_mode = 2;

Tensor as_float(const Tensor& tensor) {
  return contiguous(tensor.dtype() == Dtype::f32 ? tensor : to_dtype(tensor, Dtype::f32));
}

// The transpose, as a view.
Tensor mirrored(const Tensor& matrix) {
  return view(matrix, {matrix.size(1), matrix.size(0)}, {matrix.stride(1), matrix.stride(0)}, matrix.storage_offset());
}

struct Layer {
  Tensor input_weight;   // [4 * hidden, features]
  Tensor hidden_weight;  // [4 * hidden, hidden]
  Tensor bias;           // [4 * hidden], both biases together; undefined without
};

struct State {
  Tensor hidden;  // [batch, hidden]
  Tensor cell;
};

// output [steps, batch, hidden], and the last state in place of the first.
Tensor run_lstm(const Tensor& input, const Layer& layer, State& state, bool reverse) {
  const int64_t steps = input.size(0);
  const int64_t batch = input.size(1);
  const int64_t hidden = layer.hidden_weight.size(1);
  const Tensor gates = empty({steps * batch, 4 * hidden}, Dtype::f32);
  // What does not depend on the state: one product for all steps.
  multiply_tensors("mkldnn_rnn_layer", gates, view(input, {steps * batch, input.size(2)}, {input.size(2), 1}, input.storage_offset()),
                   mirrored(layer.input_weight), layer.bias.defined() ? &layer.bias : nullptr, layer.bias.defined() ? 1 : 0, 1);
  const Tensor output = empty({steps, batch, hidden}, Dtype::f32);
  run_lstm_steps({gates, layer.hidden_weight, output, state.hidden, state.cell, reverse});
  if (steps != 0) {
    copy_into(state.hidden, view(output, {batch, hidden}, {hidden, 1}, reverse ? 0 : (steps - 1) * batch * hidden));
  }
  return output;
}

// A copy in float, [batch, hidden], that the layer may write.
Tensor state_of(const Tensor& given, int64_t batch, int64_t hidden) {
  require(given.numel() == batch * hidden, "mkldnn_rnn_layer: a state of shape ", given.sizes(), " for a batch of ", batch, " and ", hidden,
          " hidden values");
  const Tensor copy = empty({batch, hidden}, Dtype::f32);
  const Tensor source = contiguous(given);
  copy_into(copy, view(source, {batch, hidden}, {hidden, 1}, source.storage_offset()));
  return copy;
}

Tensor like(const Tensor& result, const Tensor& given) {
  const Tensor out = empty(given.sizes(), given.dtype());
  copy_into(out, view(result, given.sizes(), contiguous_strides(given.sizes()), 0));
  return out;
}

}  // namespace

extern "C" AOTITorchError AOTWIN_SHIM(aoti_torch_cpu_mkldnn_rnn_layer)(
    AtenTensorHandle input, AtenTensorHandle weight0, AtenTensorHandle weight1, AtenTensorHandle weight2, AtenTensorHandle weight3,
    AtenTensorHandle hx_, AtenTensorHandle cx_, int32_t reverse, const int64_t*, int64_t batch_sizes_len_, int64_t mode, int64_t hidden_size,
    int64_t, int32_t has_biases, int32_t, int32_t, int32_t train, AtenTensorHandle* ret0, AtenTensorHandle* ret1, AtenTensorHandle* ret2,
    AtenTensorHandle* ret3) {
  return guarded([&] {
    require(mode == lstm_mode, "mkldnn_rnn_layer: mode ", mode, " is no LSTM");
    require(batch_sizes_len_ == 0, "mkldnn_rnn_layer: packed sequences are not implemented");
    require(train == 0, "mkldnn_rnn_layer: training is not implemented");
    const Tensor& given = borrow(input);
    const Tensor& input_weight = borrow(weight0);
    const Tensor& hidden_weight = borrow(weight1);
    require(given.dim() == 3 && is_floating(given.dtype()), "mkldnn_rnn_layer: an input of shape ", given.sizes(), " and dtype ", given.dtype());
    require(input_weight.sizes() == Dims{4 * hidden_size, given.size(2)} && hidden_weight.sizes() == Dims{4 * hidden_size, hidden_size},
            "mkldnn_rnn_layer: weights of shape ", input_weight.sizes(), " and ", hidden_weight.sizes(), " for an input of shape ", given.sizes(),
            " and ", hidden_size, " hidden values");
    // The steps read those of halves as they are.
    Layer layer{as_float(input_weight), hidden_weight.dtype() == Dtype::f64 ? as_float(hidden_weight) : contiguous(hidden_weight), Tensor()};
    if (has_biases != 0) {
      layer.bias = empty({4 * hidden_size}, Dtype::f32);
      const Tensor first = as_float(borrow(weight2));
      const Tensor second = as_float(borrow(weight3));
      require(first.numel() == 4 * hidden_size && second.numel() == 4 * hidden_size, "mkldnn_rnn_layer: biases of shape ", first.sizes(), " and ",
              second.sizes());
      for (int64_t i = 0; i < 4 * hidden_size; ++i) {
        layer.bias.as<float>()[i] = first.as<float>()[i] + second.as<float>()[i];
      }
    }
    State state{state_of(borrow(hx_), given.size(1), hidden_size), state_of(borrow(cx_), given.size(1), hidden_size)};
    const Tensor output = run_lstm(as_float(given), layer, state, reverse != 0);
    Tensor results[] = {given.dtype() == Dtype::f32 ? output : to_dtype(output, given.dtype()), like(state.hidden, borrow(hx_)),
                        like(state.cell, borrow(cx_)), empty({0}, Dtype::u8)};
    *ret0 = give(std::move(results[0]));
    *ret1 = give(std::move(results[1]));
    *ret2 = give(std::move(results[2]));
    *ret3 = give(std::move(results[3]));
  });
}
