# src/<room>/cpu/*.cpp are compiled once per instruction set into namespaces of their own; the widest that the
# processor has is chosen at run time (core/cpu_features.h).
function(effnetv2_cpu_level room library name)
  file(GLOB kernels CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${room}/cpu/*.cpp)
  if(NOT kernels)
    return()
  endif()
  add_library(effnetv2_${room}_${name} OBJECT ${kernels})
  target_link_libraries(effnetv2_${room}_${name} PRIVATE effnetv2_options)
  target_compile_definitions(effnetv2_${room}_${name} PRIVATE EFFNETV2_CPU_LEVEL=${name})
  target_compile_options(effnetv2_${room}_${name} PRIVATE -O3 -fno-math-errno -fno-trapping-math ${ARGN})
  target_sources(${library} PRIVATE $<TARGET_OBJECTS:effnetv2_${room}_${name}>)
endfunction()
function(effnetv2_cpu_kernels room library)
  effnetv2_cpu_level(${room} ${library} baseline ${ARGN})
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    effnetv2_cpu_level(${room} ${library} avx2 -mavx2 -mfma ${ARGN})
    set(avx512 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mfma -mprefer-vector-width=512)
    effnetv2_cpu_level(${room} ${library} avx512 ${avx512} ${ARGN})
    effnetv2_cpu_level(${room} ${library} avx512_bf16 ${avx512} -mavx512bf16 ${ARGN})
  endif()
endfunction()

# pixels are the same at every instruction set: no product is fused with a sum
effnetv2_cpu_kernels(data effnetv2_base -ffp-contract=off)
effnetv2_cpu_kernels(ops effnetv2_nn)
# so are updates, wherever a slice is cut: compilers may fuse in a loop over registers and not in what is left of it
set_source_files_properties(src/ops/cpu/optimizer_kernels.cpp PROPERTIES COMPILE_OPTIONS -ffp-contract=off)
