# cmake -DQUERIES=a.scm;b.scm -DOUTPUT=queries.h -P embed_queries.cmake
set(text "// Generated from the query files of indexer/languages.\n#pragma once\n\n#include <string_view>\n\nnamespace kinglet::indexer {\n")
foreach(query IN LISTS QUERIES)
  get_filename_component(name ${query} NAME_WE)
  file(READ ${query} content)
  string(APPEND text "\ninline constexpr std::string_view kQuery_${name} = R\"scm(${content})scm\";\n")
endforeach()
string(APPEND text "\n}  // namespace kinglet::indexer\n")
file(WRITE ${OUTPUT} "${text}")
