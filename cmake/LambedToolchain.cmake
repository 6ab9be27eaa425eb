# Language level, warnings, sanitizers, ccache and where built files go: the same for every target of the project.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
# One flavour of object for the shared library, the tests and the precompiled header that they share (CMake's own property
# would compile executables with -fPIE, and a precompiled header fits one flavour only).
add_compile_options(-fPIC)
# C++20 modules are not used; scanning for them only costs time.
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)

if(NOT CMAKE_BUILD_TYPE AND PROJECT_IS_TOP_LEVEL)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")

add_library(lambed_warnings INTERFACE)
target_compile_options(lambed_warnings INTERFACE -Wall -Wextra -Wpedantic -Wshadow)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 and 13 see overlaps and overruns inside std::string's own operator+ (GCC bugs 105651, 105329).
  target_compile_options(
    lambed_warnings INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict> $<$<COMPILE_LANGUAGE:CXX>:-Wno-array-bounds>
                              $<$<COMPILE_LANGUAGE:CXX>:-Wno-stringop-overflow -Wno-stringop-overread>)
endif()
if(LAMBED_WERROR)
  target_compile_options(lambed_warnings INTERFACE -Werror)
endif()

if(LAMBED_SANITIZE)
  # Line tables are all that a report needs. AddressSanitizer's code takes g++ twice as long to optimise as to write, which the
  # tests do not win back; for fuzzing and under ThreadSanitizer speed is worth it.
  add_compile_options(-fsanitize=${LAMBED_SANITIZE} -fno-omit-frame-pointer -g1)
  if(LAMBED_SANITIZE MATCHES "address" AND NOT LAMBED_FUZZ)
    add_compile_options(-O0)
  else()
    add_compile_options(-O1)
  endif()
  add_link_options(-fsanitize=${LAMBED_SANITIZE})
  add_compile_definitions(LAMBED_SANITIZED=1)
  if(LAMBED_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
  if(LAMBED_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # g++ warns where a dependency's header uses atomic_thread_fence, which it does not model.
    add_compile_options(-Wno-tsan)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # The sanitizers' instrumentation makes g++ 12 see uninitialised values that are not there.
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-maybe-uninitialized>)
  endif()
endif()
if(LAMBED_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "LAMBED_FUZZ needs clang (libFuzzer); configure with --preset fuzz")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(LAMBED_CCACHE ccache)
if(LAMBED_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Without this sloppiness ccache refuses every file that uses a precompiled header. Python sets a locale for what it starts where there
  # is none, and nobody caches messages.
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND};-E;env;CCACHE_SLOPPINESS=pch_defines,time_macros,locale;${LAMBED_CCACHE}")
  set(CMAKE_C_COMPILER_LAUNCHER "${LAMBED_CCACHE}")
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
  elseif(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:SHELL:-Xclang -fno-pch-timestamp>")
  endif()
endif()

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib")
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib")
set(LAMBED_PLUGIN_DIR "${CMAKE_BINARY_DIR}/lib/lambed")
set(LAMBED_TEST_PLUGIN_DIR "${CMAKE_BINARY_DIR}/lib/lambed-test")
