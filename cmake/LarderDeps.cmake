# Everything Larder links comes from the distribution (Debian 12 and 13 package all of it).
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson>=2.14)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(ROCKSDB REQUIRED IMPORTED_TARGET rocksdb>=7.8)
# Before 0.18 raft commits entries of earlier terms by counting (Raft, 5.4.2), which can lose them.
pkg_check_modules(RAFT REQUIRED IMPORTED_TARGET raft>=0.18)
pkg_check_modules(LIBUV REQUIRED IMPORTED_TARGET libuv>=1.44)
if(LARDER_GATEWAY)
  find_path(HTTP_PARSER_INCLUDE http_parser.h REQUIRED) # it has no .pc file
  find_library(HTTP_PARSER_LIBRARY http_parser REQUIRED)
  add_library(http_parser UNKNOWN IMPORTED)
  set_target_properties(http_parser PROPERTIES IMPORTED_LOCATION ${HTTP_PARSER_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${HTTP_PARSER_INCLUDE})
endif()
find_package(nng CONFIG REQUIRED) # it has no .pc file; the package's own target is nng::nng
if(LARDER_TESTS)
  pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
endif()
