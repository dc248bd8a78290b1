set(BUILD_TESTING ON)
enable_testing()

macro(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(MY "WITH_GENERIC_TESTS;WITH_SUBDIR" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  if(MY_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "Unknown keywords: ${MY_UNPARSED_ARGUMENTS}")
  endif()
  set(_destination ${CMAKE_BINARY_DIR}/${Slicer_QTSCRIPTEDMODULES_LIB_DIR})
  if(MY_WITH_SUBDIR)
    get_filename_component(_subdir ${CMAKE_CURRENT_SOURCE_DIR} NAME)
    set(_destination ${_destination}/${_subdir})
  endif()
  foreach(_file IN LISTS MY_SCRIPTS MY_RESOURCES)
    if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${_file})
      message(FATAL_ERROR "${MY_NAME} lists a nonexistent file: ${_file}")
    endif()
    # Slicer copies while it builds; a process for each of some hundred files would take longer than all tests of them.
    configure_file(${CMAKE_CURRENT_SOURCE_DIR}/${_file} ${_destination}/${_file} COPYONLY)
  endforeach()
  install(DIRECTORY ${CMAKE_BINARY_DIR}/${Slicer_QTSCRIPTEDMODULES_LIB_DIR}/
    DESTINATION ${Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR}
    COMPONENT RuntimeLibraries
    )
  if(MY_WITH_GENERIC_TESTS)
    add_test(NAME generic_${MY_NAME} COMMAND ${CMAKE_COMMAND} -E true)
  endif()
endmacro()

macro(slicer_add_python_unittest)
  cmake_parse_arguments(MY "" "SCRIPT" "" ${ARGN})
  add_test(NAME py_${MY_SCRIPT} COMMAND ${CMAKE_COMMAND} -E true)
endmacro()
