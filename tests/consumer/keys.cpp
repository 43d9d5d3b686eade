#include <iostream>

#include <effnetv2/config/config.h>
#include <effnetv2/core/error.h>

/// Says how many epochs a config asks for, without LibTorch.
int main(int, char** argv) {
  try {
    std::cout << effnetv2::load_config(argv[1]).train.epochs << " epochs\n";
    return 0;
  } catch (const effnetv2::Error& e) {
    std::cerr << e.what() << "\n";
    return e.exit_code();
  }
}
