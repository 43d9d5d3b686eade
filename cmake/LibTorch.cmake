# LibTorch as one target, effnetv2::torch, with what its packages need to be linked well. The build includes this file,
# and so does the installed package (effnetv2Config.cmake), whose users link the same libraries.
# In: EFFNETV2_CUDA.

if(EFFNETV2_CUDA)
  enable_language(CUDA)
  set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)  # the one that LibTorch uses
  # LibTorch's package wants the card architectures under a name and form of its own (90 is 9.0+PTX there, 90-real 9.0), and warns that
  # it ignores CMake's. Given none it looks for a card, which a build machine need not have.
  if(NOT DEFINED TORCH_CUDA_ARCH_LIST)
    list(TRANSFORM CMAKE_CUDA_ARCHITECTURES REPLACE "^([0-9]+)([0-9])$" "\\1.\\2+PTX" OUTPUT_VARIABLE TORCH_CUDA_ARCH_LIST)
    list(TRANSFORM TORCH_CUDA_ARCH_LIST REPLACE "^([0-9]+)([0-9])-real$" "\\1.\\2")
  endif()
endif()
# LibTorch's package searches Caffe2's, which it is one with, and its own libraries by name; a wheel's must come before those
# of a system package.
string(REPLACE ":" ";" effnetv2_prefixes "$ENV{CMAKE_PREFIX_PATH}")
list(APPEND effnetv2_prefixes ${CMAKE_PREFIX_PATH})
list(TRANSFORM effnetv2_prefixes APPEND /Torch)
foreach(effnetv2_place ${Torch_DIR} ${effnetv2_prefixes})
  if(EXISTS ${effnetv2_place}/TorchConfig.cmake)
    cmake_path(SET Caffe2_DIR NORMALIZE ${effnetv2_place}/../Caffe2)
    list(PREPEND CMAKE_LIBRARY_PATH ${effnetv2_place}/../../../lib)
    break()
  endif()
endforeach()
find_package(Torch 1.13 QUIET)
if(NOT Torch_FOUND)
  message(FATAL_ERROR "LibTorch 1.13 or newer was not found. Install it (scripts/setup.sh does, Debian calls it libtorch-dev), "
                      "or name its place in CMAKE_PREFIX_PATH or Torch_DIR.")
endif()
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
if(NOT TARGET effnetv2::torch)
  add_library(effnetv2::torch INTERFACE IMPORTED)
  target_include_directories(effnetv2::torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
  target_link_libraries(effnetv2::torch INTERFACE OpenMP::OpenMP_CXX $<$<BOOL:${EFFNETV2_LIBSTDCXX}>:stdc++>
                                                  ${TORCH_LIBRARIES})
endif()
# The CUDA runtime of the wheel, which its LibTorch was built with, before the toolkit's, which may be an older one.
file(GLOB torch_cudart ${TORCH_INSTALL_PREFIX}/../nvidia/*/lib/libcudart.so.*)
if(EFFNETV2_CUDA AND torch_cudart)
  list(GET torch_cudart 0 torch_cudart)
  cmake_path(GET torch_cudart PARENT_PATH torch_cudart)
  cmake_path(NORMAL_PATH torch_cudart)
  list(PREPEND CMAKE_BUILD_RPATH ${torch_cudart})
  list(PREPEND CMAKE_INSTALL_RPATH ${torch_cudart})
endif()
# CMAKE_INSTALL_RPATH_USE_LINK_PATH passes over what lies in the source tree, as a virtual environment may.
if(NOT TORCH_INSTALL_PREFIX STREQUAL "/usr")
  list(APPEND CMAKE_INSTALL_RPATH ${TORCH_INSTALL_PREFIX}/lib)
endif()
