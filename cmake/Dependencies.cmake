# Everything the project links, found once. scripts/setup.sh installs it. What its libraries pass on to who links them
# is found again by cmake/effnetv2Config.cmake.in.

find_package(Threads REQUIRED)
find_package(OpenCV REQUIRED COMPONENTS core imgproc imgcodecs)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json 3.9 REQUIRED)
find_package(spdlog REQUIRED)
include(LibTorch)

if(EFFNETV2_TESTS)
  find_package(GTest REQUIRED)
endif()
