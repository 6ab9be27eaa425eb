# What `cmake --install` puts in place. Component `runtime`: the shared library, the program, the plugins. Component
# `development`: headers, static library, CMake package, pkg-config file. Everything is found relative to where it lies: the
# installed tree may be moved.
include(CMakePackageConfigHelpers)
set(package "${CMAKE_INSTALL_LIBDIR}/cmake/lambed")
if(TARGET lambed AND TARGET lambed_static)
  install(TARGETS lambed EXPORT lambed-targets LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT runtime
                                                       NAMELINK_COMPONENT development)
  install(TARGETS lambed_static EXPORT lambed-static-targets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
                                                                     COMPONENT development)
  install(DIRECTORY "${CMAKE_SOURCE_DIR}/core/include/lambed" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
          COMPONENT development PATTERN program.h EXCLUDE)  # not in the library
  foreach(kind IN ITEMS "" "-static")
    install(EXPORT lambed${kind}-targets NAMESPACE lambed:: DESTINATION "${package}" COMPONENT development)
  endforeach()

  set(LAMBED_PLUGIN_PLACE "${CMAKE_INSTALL_LIBDIR}/lambed")
  configure_package_config_file(
    "${CMAKE_SOURCE_DIR}/cmake/lambed-config.cmake.in" "${CMAKE_BINARY_DIR}/lambed-config.cmake"
    INSTALL_DESTINATION "${package}" PATH_VARS LAMBED_PLUGIN_PLACE)
  write_basic_package_version_file("${CMAKE_BINARY_DIR}/lambed-config-version.cmake" COMPATIBILITY SameMinorVersion)
  install(FILES "${CMAKE_BINARY_DIR}/lambed-config.cmake" "${CMAKE_BINARY_DIR}/lambed-config-version.cmake"
          DESTINATION "${package}" COMPONENT development)

  # lambed.pc lies in <prefix>/<libdir>/pkgconfig: so many steps up is the prefix.
  string(REGEX REPLACE "[^/]+" ".." up "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
  configure_file("${CMAKE_SOURCE_DIR}/cmake/lambed.pc.in" "${CMAKE_BINARY_DIR}/lambed.pc" @ONLY)
  install(FILES "${CMAKE_BINARY_DIR}/lambed.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT development)
endif()
if(TARGET lambed_worker)
  install(TARGETS lambed_worker RUNTIME DESTINATION "${CMAKE_INSTALL_LIBDIR}/lambed" COMPONENT runtime)
endif()
if(TARGET lambed_worker_preloaded)
  install(TARGETS lambed_worker_preloaded LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}/lambed" COMPONENT runtime)
endif()
if(TARGET lambed_cli)
  install(TARGETS lambed_cli RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT runtime)
endif()
