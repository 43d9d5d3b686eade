# Everything the project links, found once. scripts/setup.sh installs it.

# What is older than Debian 12 has was never tried.
if((CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 12)
   OR (CMAKE_CXX_COMPILER_ID STREQUAL Clang AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 14))
  message(FATAL_ERROR "effnetv2 needs GCC 12 or Clang 14 or newer, and ${CMAKE_CXX_COMPILER} is "
                      "${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}: choose another with CXX=")
endif()

# effnetv2_package(NAME LEAST DEBIAN ...): finds NAME, of version LEAST or newer, which Debian has in its package DEBIAN.
macro(effnetv2_package name least debian)
  find_package(${name} QUIET ${ARGN})
  if(NOT ${name}_FOUND)
    message(FATAL_ERROR "${name} ${least} or newer was not found. Install it (scripts/setup.sh does, Debian calls it "
                        "${debian}), or name its place in CMAKE_PREFIX_PATH.")
  elseif(${name}_VERSION AND ${name}_VERSION VERSION_LESS ${least})
    message(FATAL_ERROR "${name} ${${name}_VERSION} in ${${name}_DIR} is too old: effnetv2 needs ${least} or newer.")
  endif()
endmacro()

find_package(Threads REQUIRED)
effnetv2_package(OpenCV 4.6 libopencv-dev COMPONENTS core imgproc imgcodecs)
effnetv2_package(CLI11 2.1 libcli11-dev)
effnetv2_package(nlohmann_json 3.9 nlohmann-json3-dev)
effnetv2_package(spdlog 1.10 libspdlog-dev)

if(EFFNETV2_CUDA)
  enable_language(CUDA)
  set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)  # the one that LibTorch uses
  # LibTorch's package wants the card architectures under a name and form of its own (90 is 9.0 there), and warns that
  # it ignores CMake's. Given none it looks for a card, which a build machine need not have.
  if(NOT DEFINED TORCH_CUDA_ARCH_LIST)
    list(TRANSFORM CMAKE_CUDA_ARCHITECTURES REPLACE "([0-9]+)([0-9])" "\\1.\\2" OUTPUT_VARIABLE TORCH_CUDA_ARCH_LIST)
  endif()
endif()
# LibTorch's package searches its own libraries by name; a wheel's must come before those of a system package.
string(REPLACE ":" ";" prefixes "$ENV{CMAKE_PREFIX_PATH}")
list(TRANSFORM prefixes APPEND /Torch)
list(TRANSFORM CMAKE_PREFIX_PATH APPEND /Torch OUTPUT_VARIABLE more_prefixes)
foreach(place ${prefixes} ${more_prefixes} ${Torch_DIR})
  if(EXISTS ${place}/TorchConfig.cmake)
    list(PREPEND CMAKE_LIBRARY_PATH ${place}/../../../lib)
  endif()
endforeach()
effnetv2_package(Torch 1.13 libtorch-dev)
find_package(OpenMP REQUIRED COMPONENTS CXX)  # without it at::parallel_for in our own files is a plain loop
# at::parallel_for is a region of ours that at::set_num_threads has to govern, and that shares one pool of threads with
# LibTorch's: a wheel brings a libgomp of its own, and linking the compiler's beside it could start two runtimes.
file(GLOB torch_openmp ${TORCH_INSTALL_PREFIX}/lib/libgomp*.so*)
if(torch_openmp AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  list(GET torch_openmp 0 torch_openmp)
  set_target_properties(OpenMP::OpenMP_CXX PROPERTIES INTERFACE_LINK_LIBRARIES ${torch_openmp})
endif()
if(EFFNETV2_CUDA AND NOT TARGET torch_cuda)
  message(FATAL_ERROR "EFFNETV2_CUDA is ON but this LibTorch has no CUDA: ${TORCH_INSTALL_PREFIX}. "
                      "Point CMAKE_PREFIX_PATH at a CUDA build of torch, for example the one of PyPI's torch wheel.")
endif()

# A wheel's libtorch.so exports parts of std::filesystem that call into nothing (remove_all is one), and whatever
# library comes first is called: libstdc++ has to.
include(CheckCXXSymbolExists)
check_cxx_symbol_exists(__GLIBCXX__ ios EFFNETV2_LIBSTDCXX)
if(EFFNETV2_LIBSTDCXX)
  list(PREPEND TORCH_LIBRARIES stdc++)
endif()
# The CUDA runtime of the wheel, which its LibTorch was built with, before the toolkit's, which may be an older one.
file(GLOB torch_cudart ${TORCH_INSTALL_PREFIX}/../nvidia/*/lib/libcudart.so.*)
if(EFFNETV2_CUDA AND torch_cudart)
  list(GET torch_cudart 0 torch_cudart)
  cmake_path(GET torch_cudart PARENT_PATH torch_cudart)
  cmake_path(NORMAL_PATH torch_cudart)
  list(PREPEND CMAKE_BUILD_RPATH ${torch_cudart})
endif()

if(EFFNETV2_TESTS)
  effnetv2_package(GTest 1.12 "libgtest-dev libgmock-dev")
endif()
