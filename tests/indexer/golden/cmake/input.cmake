# Builds rings.
cmake_minimum_required(VERSION 3.25)
project(ring VERSION 1.0 LANGUAGES CXX)
option(RING_TESTS "Build the tests (all)" ON)
set(SOURCES ring.cpp # add_library(commented OUT)
            reader.cpp)
set(${prefix}_DIR "x")

# Adds a test.
function(ring_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES")
  set(local ${arg_SOURCES})
  add_executable(${name} ${local})
  macro(inner)
  endmacro()
  add_test(NAME ${name} COMMAND ${name})
endfunction()

#[==[ add_library(in_a_comment) ]==]
message([[add_library(in_a_string)]] "add_library(quoted \") too)")
ADD_LIBRARY(ring STATIC ${SOURCES})
add_library(ring::ring ALIAS ring)
if(RING_TESTS AND (NOT WIN32))
  add_executable("ring_tool" tool.cpp)
  add_test(NAME smoke COMMAND ring_tool --help)
  add_test(old ring_tool)
endif()
add_custom_target(docs ALL COMMAND doxygen)
macro(unclosed)
