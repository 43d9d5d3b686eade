#include <cstdint>
#include <iostream>

#include <ATen/ATen.h>
#include <effnetv2/config/config.h>
#include <effnetv2/run/network.h>

/// Builds the network of a config and shows it one picture.
int main(int, char** argv) {
  const effnetv2::ExperimentConfig config = effnetv2::load_config(argv[1], {"model.num_classes=10", "device=cpu"});
  const auto network = effnetv2::build_network(config);
  network->eval();
  std::int64_t parameters = 0;
  for (const at::Tensor& parameter : network->parameters()) {
    parameters += parameter.numel();
  }
  const at::NoGradGuard no_grad;
  const at::Tensor logits = network->forward(at::zeros({1, 3, config.data.image_size, config.data.image_size}));
  std::cout << parameters << " parameters, " << logits.size(1) << " logits"
            << (at::isfinite(logits).all().item<bool>() ? "\n" : ", not finite\n");
}
