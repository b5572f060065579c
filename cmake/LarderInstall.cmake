# What `cmake --install` puts where: the four programs, the library, its header, and the two ways to find them.
include(CMakePackageConfigHelpers)
install(TARGETS larder-cli larder-node larder-coordinator RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
if(LARDER_GATEWAY)
  install(TARGETS larder-gateway RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(TARGETS larder EXPORT LarderTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${CMAKE_SOURCE_DIR}/client/larder.h ${CMAKE_SOURCE_DIR}/client/larder_scan.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT LarderTargets NAMESPACE Larder:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Larder)
# The file finds its prefix from where it lies, so that `cmake --install --prefix` may choose another than was configured.
file(RELATIVE_PATH LARDER_PC_TO_PREFIX ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(${CMAKE_SOURCE_DIR}/cmake/larder.pc.in ${CMAKE_BINARY_DIR}/larder.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/larder.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/LarderConfig.cmake.in ${CMAKE_BINARY_DIR}/LarderConfig.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Larder)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/LarderConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/LarderConfig.cmake ${CMAKE_BINARY_DIR}/LarderConfigVersion.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Larder)
file(GLOB man1 CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/man/*.1)
file(GLOB man3 CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/man/*.3)
file(GLOB man5 CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/man/*.5)
file(GLOB man8 CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/man/*.8)
install(FILES ${man1} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${man3} DESTINATION ${CMAKE_INSTALL_MANDIR}/man3)
install(FILES ${man5} DESTINATION ${CMAKE_INSTALL_MANDIR}/man5)
install(FILES ${man8} DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/examples/ DESTINATION ${CMAKE_INSTALL_DATADIR}/larder/templates)
