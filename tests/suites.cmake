# Read by ctest, with the variable program set: a test for each suite of a GoogleTest program. Not one for each of its tests:
# loading LibTorch takes longer than most of them, and there are a thousand.
if(NOT EXISTS ${program})
  cmake_path(GET program FILENAME name)
  add_test(${name}_not_built ${program})
  return()
endif()

execute_process(COMMAND ${program} --gtest_list_tests OUTPUT_VARIABLE listed COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "\n[^ \n]+\\." suites "${listed}")
foreach(suite ${suites})
  string(REGEX REPLACE "^\n|\\.$" "" suite "${suite}")
  add_test(${suite} ${program} --gtest_filter=${suite}.*)
  # Threads that wait by spinning keep those of the test beside them off the cores: minutes instead of seconds.
  set_tests_properties(${suite} PROPERTIES TIMEOUT 1200 ENVIRONMENT OMP_WAIT_POLICY=passive)
  if(suite MATCHES "Threads$")
    set_tests_properties(${suite} PROPERTIES LABELS threads)  # which the preset tsan selects
  endif()
endforeach()
