# Read by ctest, with the variable program set: a test for each suite of a GoogleTest program. Not one for each of its tests:
# loading LibTorch takes longer than most of them, and there are a thousand.
if(NOT EXISTS ${program})
  cmake_path(GET program FILENAME name)
  add_test(${name}_not_built ${program})
  return()
endif()

execute_process(COMMAND ${program} --gtest_list_tests OUTPUT_VARIABLE listed COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "\n[^ \n]+\\." suites "\n${listed}")
if(NOT suites)
  message(FATAL_ERROR "${program} --gtest_list_tests names no test")
endif()
cmake_path(GET program FILENAME kind)
string(REGEX REPLACE "^effnetv2_|_tests$" "" kind "${kind}")
foreach(suite ${suites})
  string(REGEX REPLACE "^\n|\\.$" "" suite "${suite}")
  set(test ${kind}.${suite})
  add_test(${test} ${program} --gtest_filter=${suite}.*)
  # Threads that wait by spinning keep those of the test beside them off the cores: minutes instead of seconds.
  set_tests_properties(${test} PROPERTIES TIMEOUT 1200 ENVIRONMENT OMP_WAIT_POLICY=passive)
  if(suite MATCHES "Threads$")
    set_tests_properties(${test} PROPERTIES LABELS threads)  # which the preset tsan selects
  endif()
endforeach()
