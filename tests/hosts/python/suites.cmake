# What the Python host's tests need beyond their sources, included at the end of the configuration.
#
# The suite runs once for each interpreter: `host_python` with the one that the host finds by itself, `host_python_<version>`
# with the first of every other version (3.11.2 and 3.11.7 are two) among LAMBED_TEST_PYTHONS, a list of executables in the cache or,
# divided by colons, in the environment; the system's python3; python3.x on PATH; and what pyenv has installed. Those without
# a libpython are named and left out.
if(NOT TARGET test_host_python)
  return()
endif()
set(here "${CMAKE_CURRENT_LIST_DIR}")

add_library(lambed_test_single_phase MODULE "${here}/single_phase_module.c")
target_include_directories(lambed_test_single_phase SYSTEM PRIVATE "${LAMBED_PYTHON_INCLUDE_DIR}")
set_target_properties(lambed_test_single_phase PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
set_source_files_properties(
  "${here}/extension_modules_test.cc" TARGET_DIRECTORY test_host_python
  PROPERTIES COMPILE_DEFINITIONS "LAMBED_TEST_SINGLE_PHASE_MODULE=\"$<TARGET_FILE:lambed_test_single_phase>\"")
add_dependencies(test_host_python lambed_test_single_phase)
target_sources(test_host_python PRIVATE "${here}/python_fixture.cc")

add_library(lambed_test_attached MODULE "${here}/attached_driver.cc")
target_link_libraries(lambed_test_attached PRIVATE lambed_test_support lambed_test_settings lambed_warnings)
set_target_properties(lambed_test_attached PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
add_dependencies(test_host_python lambed_test_attached)

set(question "import os, sys, sysconfig
name = 'libpython%d.%d.so.1.0' % sys.version_info[:2]
folders = [sysconfig.get_config_var('LIBDIR'), os.path.join(sys.base_prefix, 'lib')]
shared = any(os.path.exists(os.path.join(folder, name)) for folder in folders)
print(sys.executable, '%d.%d.%d' % sys.version_info[:3], int(shared and sys.version_info >= (3, 11)), sep=';')")
if(DEFINED ENV{LAMBED_TEST_PYTHONS})
  string(REPLACE ":" ";" candidates "$ENV{LAMBED_TEST_PYTHONS}")
else()
  set(candidates ${LAMBED_TEST_PYTHONS})
endif()
# What the host takes when nothing is asked for comes first: `host_python` is its run, and LAMBED_PYTHON may have named it.
set(candidates $ENV{LAMBED_PYTHON} python3 ${candidates} /usr/bin/python3 python3.11 python3.12 python3.13)
set(pyenv "$ENV{PYENV_ROOT}")
if(NOT pyenv)
  set(pyenv "$ENV{HOME}/.pyenv")
endif()
file(GLOB installed "${pyenv}/versions/3.1[1-9]*/bin/python3")
list(APPEND candidates ${installed})
set(seen "")
set(default "")
foreach(candidate IN LISTS candidates)
  execute_process(COMMAND "${candidate}" -I -c "${question}" OUTPUT_VARIABLE answer RESULT_VARIABLE failed
                  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(failed)
    continue()
  endif()
  list(GET answer 0 executable)
  list(GET answer 1 version)
  list(GET answer 2 usable)
  if(version IN_LIST seen)
    continue()
  endif()
  list(APPEND seen "${version}")
  if(NOT usable)
    message(STATUS "Python host: not tested with ${executable} (${version}): too old or without libpython")
    continue()
  endif()
  message(STATUS "Python host: tested with ${executable} (${version})")
  if(NOT default)
    set(default "${version}")  # the host finds it by itself, which is part of the test
    string(REGEX MATCH "^[0-9]+\\.[0-9]+" minors "${version}")
  else()
    # tests/matrix runs with one of each minor version.
    string(REGEX MATCH "^[0-9]+\\.[0-9]+" minor "${version}")
    if(NOT minor IN_LIST minors)
      list(APPEND minors "${minor}")
      set_property(GLOBAL APPEND PROPERTY LAMBED_OTHER_TEST_PYTHONS "${minor}" "${executable}")
    endif()
    add_test(NAME host_python_${version} COMMAND test_host_python --log_level=test_suite --report_level=short
                                                 --color_output=no --catch_system_errors=no)
    set_tests_properties(host_python_${version} PROPERTIES LABELS hosts TIMEOUT 600 ENVIRONMENT "LAMBED_TEST_PYTHON=${executable}")
  endif()
  if(NOT LAMBED_SANITIZE)  # a sanitizer's runtime must be loaded first, which a given interpreter does not do
    add_test(NAME host_python_attached_${version}
             COMMAND "${executable}" "${here}/attached_test.py" "$<TARGET_FILE:lambed_test_attached>"
                     "$<TARGET_FILE:lambed_host_python>" "$<TARGET_FILE:lambed_test_single_phase>")
    set_tests_properties(host_python_attached_${version} PROPERTIES LABELS hosts TIMEOUT 120)
  endif()
endforeach()
