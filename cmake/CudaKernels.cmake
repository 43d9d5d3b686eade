# src/ops/cuda when EFFNETV2_CUDA is on (.cu: plain CUDA C++ without LibTorch; .cpp: its bindings to tensors), else the
# stub that says what is missing.
if(EFFNETV2_CUDA)
  file(GLOB cuda_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/ops/cuda/*.cu ${CMAKE_SOURCE_DIR}/src/ops/cuda/*.cpp)
  # the kernels need no more than C++17, which every nvcc and CMake in use can be asked for
  set_target_properties(effnetv2_nn PROPERTIES CUDA_STANDARD 17 CUDA_STANDARD_REQUIRED ON)
else()
  file(GLOB cuda_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/ops/no_cuda/*.cpp)
endif()
set_source_files_properties(${cuda_sources} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
target_sources(effnetv2_nn PRIVATE ${cuda_sources})
