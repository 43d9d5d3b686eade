# Everything the project links, found once. scripts/setup.sh installs it. What its libraries pass on to who links them
# is found again by cmake/effnetv2Config.cmake.in.

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
include(LibTorch)

if(EFFNETV2_TESTS)
  effnetv2_package(GTest 1.12 "libgtest-dev libgmock-dev")
endif()
