# What `cmake --install` puts in place: the library with its headers and CMake package, the program, the plugins.
include(CMakePackageConfigHelpers)
if(TARGET lambed)
  install(TARGETS lambed EXPORT lambed-targets LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT runtime)
  install(DIRECTORY "${CMAKE_SOURCE_DIR}/core/include/lambed" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
          COMPONENT development)
  install(EXPORT lambed-targets NAMESPACE lambed:: DESTINATION "${CMAKE_INSTALL_LIBDIR}/cmake/lambed"
          COMPONENT development)
  configure_package_config_file(
    "${CMAKE_SOURCE_DIR}/cmake/lambed-config.cmake.in" "${CMAKE_BINARY_DIR}/lambed-config.cmake"
    INSTALL_DESTINATION "${CMAKE_INSTALL_LIBDIR}/cmake/lambed")
  write_basic_package_version_file("${CMAKE_BINARY_DIR}/lambed-config-version.cmake" COMPATIBILITY SameMinorVersion)
  install(FILES "${CMAKE_BINARY_DIR}/lambed-config.cmake" "${CMAKE_BINARY_DIR}/lambed-config-version.cmake"
          DESTINATION "${CMAKE_INSTALL_LIBDIR}/cmake/lambed" COMPONENT development)
endif()
if(TARGET lambed_cli)
  install(TARGETS lambed_cli RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT runtime)
endif()
