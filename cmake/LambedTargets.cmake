# The kinds of target this project has: rooms of the core, host plugins, test suites, fuzz targets.
#
# Source lists are globs with CONFIGURE_DEPENDS: a new file joins at the next build.

# lambed_add_room(<room> [<room it may include>...]) makes, from core/<room>/*.cc and core/<room>/<part>/*.cc,
#   lambed_room_<room>_objects  what liblambed is made of, and
#   lambed_room_<room>          a static library for tests, which brings the rooms below with it.
# A room with no sources yet is an interface library with the same name.
function(lambed_add_room room)
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/core/${room}/*.cc" "${CMAKE_SOURCE_DIR}/core/${room}/*/*.cc")
  list(FILTER sources EXCLUDE REGEX "/cli/main\\.cc$")
  set(below ${ARGN})
  list(TRANSFORM below PREPEND lambed_room_)
  if(NOT sources)
    add_library(lambed_room_${room} INTERFACE)
    target_link_libraries(lambed_room_${room} INTERFACE lambed_includes ${below})
    return()
  endif()
  add_library(lambed_room_${room}_objects OBJECT ${sources})
  target_link_libraries(lambed_room_${room}_objects PRIVATE lambed_includes lambed_warnings)
  if(NOT TARGET lambed_pch)
    file(WRITE "${CMAKE_CURRENT_BINARY_DIR}/pch.cc" "")
    add_library(lambed_pch OBJECT "${CMAKE_CURRENT_BINARY_DIR}/pch.cc")
    target_link_libraries(lambed_pch PRIVATE lambed_includes lambed_warnings)
    target_precompile_headers(lambed_pch PRIVATE <string> <vector> <map> <functional> <memory> <nlohmann/json.hpp>)
  endif()
  target_precompile_headers(lambed_room_${room}_objects REUSE_FROM lambed_pch)
  add_library(lambed_room_${room} STATIC $<TARGET_OBJECTS:lambed_room_${room}_objects>)
  target_link_libraries(lambed_room_${room} PUBLIC lambed_includes ${below})
  if(NOT room STREQUAL cli)
    set_property(GLOBAL APPEND PROPERTY LAMBED_ROOM_OBJECTS $<TARGET_OBJECTS:lambed_room_${room}_objects>)
  endif()
endfunction()

# lambed_add_host(<name> <source>... [TEST]) makes the plugin liblambed_host_<name>.so, target lambed_host_<name>.
# A host sees <lambed/host.h> and its own files, nothing else of ours. TEST plugins go to another folder and are not
# installed. <name> may carry an ABI suffix, e.g. node-108.
function(lambed_add_host name)
  set(sources ${ARGN})
  list(FIND sources TEST test_at)
  list(REMOVE_ITEM sources TEST)
  set(target lambed_host_${name})
  add_library(${target} MODULE ${sources})
  target_include_directories(${target} PRIVATE "${LAMBED_HOST_INCLUDE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
  target_link_libraries(${target} PRIVATE lambed_warnings Threads::Threads ${CMAKE_DL_LIBS})
  target_link_options(${target} PRIVATE -Wl,--gc-sections)
  if(test_at GREATER -1)
    set_target_properties(${target} PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${LAMBED_TEST_PLUGIN_DIR}")
  else()
    set(place "${LAMBED_HOST_SUBFOLDER}") # the caller's: "/node", or nothing
    set_target_properties(${target} PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${LAMBED_PLUGIN_DIR}${place}")
    install(TARGETS ${target} LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}/lambed${place}" COMPONENT runtime)
    set_property(GLOBAL APPEND PROPERTY LAMBED_HOSTS ${target})
  endif()
endfunction()

# How every program and library of the tests is compiled: most of the time that one of their files takes goes into headers and
# templates that the file beside it uses as well, so that a folder's files are one translation unit.
function(lambed_compile_as_test target)
  target_precompile_headers(${target} REUSE_FROM lambed_test_pch)
  set_target_properties(${target} PROPERTIES UNITY_BUILD "${LAMBED_UNITY_TESTS}" UNITY_BUILD_BATCH_SIZE 0
                                             RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
endfunction()

# lambed_add_suite(<name> SOURCES <source>... [LIBRARIES <target>...] [DEPENDS <target>...] [LABELS <label>...])
# makes one Boost.Test executable test_<name> and registers it with ctest.
function(lambed_add_suite name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBRARIES;DEPENDS;LABELS" ${ARGN})
  set(target test_${name})
  add_executable(${target} ${arg_SOURCES} $<TARGET_OBJECTS:lambed_test_main>)
  target_link_libraries(${target} PRIVATE ${arg_LIBRARIES} lambed_test_support lambed_test_settings lambed_warnings)
  lambed_compile_as_test(${target})
  if(arg_DEPENDS)
    add_dependencies(${target} ${arg_DEPENDS})
  endif()
  add_test(NAME ${name} COMMAND ${target} --log_level=test_suite --report_level=short --color_output=no --catch_system_errors=no)
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT 600)
  set_property(GLOBAL APPEND PROPERTY LAMBED_SUITES ${target})
  if(NOT "processes" IN_LIST arg_LABELS)
    set_property(GLOBAL APPEND PROPERTY LAMBED_SUITES_WITHOUT_PROCESSES ${target})
  endif()
  if("core" IN_LIST arg_LABELS)
    set_property(GLOBAL APPEND PROPERTY LAMBED_CORE_SUITES ${target})
  endif()
endfunction()
