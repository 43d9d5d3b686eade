# "cpack" in the build folder: two Debian packages, effnetv2 (the program) and effnetv2-dev (to build on its libraries).
# It needs dpkg-dev and file. The maintainer is whoever builds: -DEFFNETV2_MAINTAINER="Name <address>".
set(EFFNETV2_MAINTAINER "effnetv2 <effnetv2@localhost>" CACHE STRING "Maintainer of the Debian packages, with an address")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT ${EFFNETV2_MAINTAINER})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")  # each package has its own, the first line of its description
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ
                                                WORLD_EXECUTE)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_SOURCE_DIR}/cmake/DebianFiles.cmake)
set(CPACK_COMPONENTS_ALL program dev)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)

set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME effnetv2)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
# Debian's reference BLAS, which LibTorch takes otherwise, is about 30 times slower
set(CPACK_DEBIAN_PROGRAM_PACKAGE_RECOMMENDS libopenblas0-openmp)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SUGGESTS "bash-completion, effnetv2-dev")
set(CPACK_DEBIAN_PROGRAM_DESCRIPTION
"${PROJECT_DESCRIPTION}
Trains, resumes, evaluates and compares image classifiers on folders of
photographs: EfficientNetV2 S, M and L, EfficientNet-B0 and any stage table, on
LibTorch. Weights go to and from PyTorch.")

# the CMake package refuses another release than the one that the libraries were compiled with
string(REGEX MATCH "^([0-9]+)\\.([0-9]+)" torch_release "${Torch_VERSION}")
math(EXPR torch_next "${CMAKE_MATCH_2} + 1")
set(torch_next ${CMAKE_MATCH_1}.${torch_next})
set(CPACK_DEBIAN_DEV_PACKAGE_NAME effnetv2-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS
    "libtorch-dev (>= ${torch_release}), libtorch-dev (<< ${torch_next}), libopencv-dev, nlohmann-json3-dev (>= 3.9), libspdlog-dev")
set(CPACK_DEBIAN_DEV_PACKAGE_SUGGESTS effnetv2)
set(CPACK_DEBIAN_DEV_DESCRIPTION
"${PROJECT_DESCRIPTION} (libraries)
Headers, static libraries and CMake package of effnetv2: configs, data sets,
networks, training and reports for programs of your own.")

include(CPack)
