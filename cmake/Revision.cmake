# Writes OUT with the version and git revision, and touches it only when they changed.
cmake_minimum_required(VERSION 3.25)
execute_process(COMMAND git -C ${SOURCE} rev-parse --short=12 HEAD OUTPUT_VARIABLE revision
                OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(failed)
  set(revision "unknown")
else()
  execute_process(COMMAND git -C ${SOURCE} diff --quiet HEAD RESULT_VARIABLE dirty ERROR_QUIET)
  if(dirty)
    string(APPEND revision "-dirty")
  endif()
endif()
file(CONFIGURE OUTPUT ${OUT} @ONLY CONTENT
"#define EFFNETV2_VERSION \"@VERSION@\"
#define EFFNETV2_REVISION \"@revision@\"
")
