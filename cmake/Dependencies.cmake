# Everything the project links, found once. scripts/setup.sh installs it.

find_package(Threads REQUIRED)
find_package(OpenCV REQUIRED COMPONENTS core imgproc imgcodecs)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json 3.9 REQUIRED)
find_package(spdlog REQUIRED)

if(EFFNETV2_CUDA)
  enable_language(CUDA)
endif()
find_package(Torch REQUIRED)
if(EFFNETV2_CUDA AND NOT TARGET torch_cuda)
  message(FATAL_ERROR "EFFNETV2_CUDA is ON but this LibTorch has no CUDA: ${TORCH_INSTALL_PREFIX}. "
                      "Point CMAKE_PREFIX_PATH at a CUDA build of torch, for example the one of PyPI's torch wheel.")
endif()

if(EFFNETV2_TESTS)
  find_package(GTest REQUIRED)
endif()
