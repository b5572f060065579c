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
find_package(nng CONFIG REQUIRED) # it has no .pc file; the package's own target is nng::nng
if(LARDER_TESTS)
  pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
endif()
