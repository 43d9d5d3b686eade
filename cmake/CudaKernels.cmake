# src/ops/cuda/*.cu when EFFNETV2_CUDA is on, else the stub that says what is missing.
if(EFFNETV2_CUDA)
  file(GLOB cuda_kernels CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/ops/cuda/*.cu)
else()
  file(GLOB cuda_kernels CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/ops/no_cuda/*.cpp)
endif()
target_sources(effnetv2_nn PRIVATE ${cuda_kernels})
