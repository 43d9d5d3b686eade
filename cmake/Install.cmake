# What "cmake --install" lays down. Component program: the program, its manual page and completion, configs, documents.
# Component dev: libraries, headers, CMake package. Nothing in it names the prefix, so an installed tree can be moved.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(share ${CMAKE_INSTALL_DATADIR}/effnetv2)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/effnetv2)

# The manual page and the completion are what the program says of itself.
set(written ${CMAKE_BINARY_DIR}/share)
file(MAKE_DIRECTORY ${written})
add_custom_command(OUTPUT ${written}/effnetv2.1 ${written}/effnetv2.bash
  COMMAND effnetv2 docs man > ${written}/effnetv2.1
  COMMAND effnetv2 docs completion > ${written}/effnetv2.bash
  DEPENDS effnetv2 VERBATIM)
add_custom_target(effnetv2_docs ALL DEPENDS ${written}/effnetv2.1 ${written}/effnetv2.bash)

install(TARGETS effnetv2 RUNTIME COMPONENT program)
install(FILES ${written}/effnetv2.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT program)
install(FILES ${written}/effnetv2.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME effnetv2
        COMPONENT program)
install(FILES README.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
install(FILES docs/config.schema.json DESTINATION ${share} COMPONENT program)
install(DIRECTORY configs DESTINATION ${share} COMPONENT program FILES_MATCHING PATTERN *.json)
# there the schema lies beside the configs, not in docs
install(CODE "
  file(GLOB_RECURSE configs \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${share}/configs/*.json\")
  foreach(config \${configs})
    file(READ \${config} text)
    string(REPLACE /docs/config.schema.json /config.schema.json text \"\${text}\")
    file(WRITE \${config} \"\${text}\")
  endforeach()" COMPONENT program)
# the licences of what is compiled into the program, where Debian's packages of it say them
foreach(library libcli11-dev libjs-chart.js libspdlog-dev nlohmann-json3-dev)
  if(EXISTS /usr/share/doc/${library}/copyright)
    install(FILES /usr/share/doc/${library}/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR}/licences
            RENAME ${library}.txt COMPONENT program)
  endif()
endforeach()

# Two export sets, so that the libraries without LibTorch can be had without LibTorch.
foreach(library base nn)
  set_target_properties(effnetv2_${library} PROPERTIES EXPORT_NAME ${library})
  install(TARGETS effnetv2_${library} EXPORT effnetv2_${library} ARCHIVE COMPONENT dev)
  install(EXPORT effnetv2_${library} NAMESPACE effnetv2:: FILE effnetv2-${library}.cmake DESTINATION ${package}
          COMPONENT dev)
endforeach()
target_include_directories(effnetv2_base INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(effnetv2_base INTERFACE cxx_std_20)
# the two left out are for kernels, which are compiled once per instruction set
install(DIRECTORY include/effnetv2 DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev FILES_MATCHING PATTERN *.h
        PATTERN core/vector.h EXCLUDE PATTERN core/level_kernels.h EXCLUDE)

configure_package_config_file(cmake/effnetv2Config.cmake.in ${CMAKE_BINARY_DIR}/effnetv2Config.cmake
                              INSTALL_DESTINATION ${package} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/effnetv2ConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/effnetv2Config.cmake ${CMAKE_BINARY_DIR}/effnetv2ConfigVersion.cmake
        DESTINATION ${package} COMPONENT dev)
install(FILES cmake/LibTorch.cmake DESTINATION ${package} RENAME effnetv2-torch.cmake COMPONENT dev)
