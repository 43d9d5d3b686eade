# Two libraries and the program. effnetv2_base holds the rooms that know no torch
# (core, config, data, report): the build itself keeps them so. effnetv2_nn holds the rest.

add_library(effnetv2_options INTERFACE)
target_include_directories(effnetv2_options INTERFACE ${CMAKE_SOURCE_DIR}/include ${CMAKE_BINARY_DIR}/include)
target_compile_options(effnetv2_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wshadow -Wpedantic -Wno-psabi>
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<BOOL:${EFFNETV2_WERROR}>>:-Werror>)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  # overlaps and overflows that GCC 12 sees in "literal" + std::string (its bug 105651), and 13 and newer in the growth of
  # LibTorch's std::vector<bool>
  set(false_alarms -Wno-stringop-overflow -Wno-array-bounds $<$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>:-Wno-restrict>)
  target_compile_options(effnetv2_options INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${false_alarms}>")
endif()
if(EFFNETV2_SANITIZE)
  target_compile_options(effnetv2_options INTERFACE -fsanitize=${EFFNETV2_SANITIZE} -fno-omit-frame-pointer
                                                    -fno-sanitize-recover=all)
  target_link_options(effnetv2_options INTERFACE -fsanitize=${EFFNETV2_SANITIZE})
endif()

# The git revision goes into one object file, refreshed at each build, so a new commit recompiles nothing else.
add_custom_target(effnetv2_revision
  COMMAND ${CMAKE_COMMAND} -DSOURCE=${CMAKE_SOURCE_DIR} -DOUT=${CMAKE_BINARY_DIR}/include/effnetv2_revision.h
          -DVERSION=${PROJECT_VERSION} -P ${CMAKE_SOURCE_DIR}/cmake/Revision.cmake
  BYPRODUCTS ${CMAKE_BINARY_DIR}/include/effnetv2_revision.h)

function(effnetv2_sources out)
  set(sources)
  foreach(room ${ARGN})
    file(GLOB room_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${room}/*.cpp)
    list(APPEND sources ${room_sources})
  endforeach()
  set(${out} ${sources} PARENT_SCOPE)
endfunction()

# Not for the commands, each of which has its own `Options`.
function(effnetv2_in_batches target)
  if(EFFNETV2_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
    # a source that another includes is taken for a header, which must not use an unnamed namespace's types
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-subobject-linkage>)
  endif()
endfunction()

# The report's page carries its own charting library. Without one it has tables and no charts.
find_file(EFFNETV2_CHART_JS chart.min.js PATHS /usr/share/javascript/chart.js DOC "Chart.js 3 or newer, minified")
if(NOT EFFNETV2_CHART_JS)
  message(WARNING "Chart.js was not found, so reports will have no charts: install libjs-chart.js, or set EFFNETV2_CHART_JS")
endif()
set(assets ${CMAKE_SOURCE_DIR}/src/report/assets)
set(asset_files ${assets}/report.html ${assets}/report.css ${assets}/report.js ${EFFNETV2_CHART_JS})
set(embedded ${CMAKE_BINARY_DIR}/report_assets.cpp)
list(JOIN asset_files "|" asset_list)
add_custom_command(OUTPUT ${embedded}
  COMMAND ${CMAKE_COMMAND} "-DNAMES=kHtml|kCss|kJs|kChartJs" "-DFILES=${asset_list}" -DOUT=${embedded}
          -DHEADER=${CMAKE_SOURCE_DIR}/src/report/assets.h -P ${CMAKE_SOURCE_DIR}/cmake/Embed.cmake
  DEPENDS ${asset_files} ${CMAKE_SOURCE_DIR}/cmake/Embed.cmake VERBATIM)

effnetv2_sources(base_sources core config data report)
add_library(effnetv2_base STATIC ${base_sources} ${embedded})
effnetv2_in_batches(effnetv2_base)
set_source_files_properties(${embedded} src/core/version.cpp PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
add_dependencies(effnetv2_base effnetv2_revision)
target_link_libraries(effnetv2_base
  PUBLIC $<BUILD_INTERFACE:effnetv2_options> nlohmann_json::nlohmann_json Threads::Threads
  PRIVATE opencv_core opencv_imgproc opencv_imgcodecs spdlog::spdlog)

effnetv2_sources(nn_sources ops model weights train run)
add_library(effnetv2_nn STATIC ${nn_sources})
target_link_libraries(effnetv2_nn PUBLIC effnetv2_base effnetv2::torch)
effnetv2_in_batches(effnetv2_nn)
# not torch/torch.h, which takes longer to load than most files take to compile
set(effnetv2_precompiled <ATen/ATen.h> <nlohmann/json.hpp> <torch/nn/module.h> <torch/csrc/autograd/custom_function.h>)
if(EFFNETV2_PCH)
  target_precompile_headers(effnetv2_nn PRIVATE ${effnetv2_precompiled})
endif()
include(CpuKernels)
include(CudaKernels)

file(GLOB cli_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/cli/*.cpp)
add_executable(effnetv2 ${cli_sources})
target_link_libraries(effnetv2 PRIVATE effnetv2_nn CLI11::CLI11)
target_compile_options(effnetv2 PRIVATE $<$<CONFIG:Release>:-O1>)  # nothing here is worth -O3's compile time
