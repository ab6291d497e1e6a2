; Definitions of Lua. Captures are explained in language.h. A body holds its "end".

(identifier) @reference
(comment) @comment

(function_call
  name: (identifier) @_require
  arguments: (arguments (string) @target)
  (#any-of? @_require "require" "dofile" "loadfile")) @import

; busted: describe("thing", function() … end)
(function_call
  name: (identifier) @_test
  arguments: (arguments
    . (string) @name
    (function_definition body: (_)? @body "end" @body)
    ")" @body)
  (#any-of? @_test "describe" "context" "it" "test" "pending")) @definition.function @test

(function_declaration
  name: (method_index_expression table: (_) @container method: (_) @name)
  body: (_) @body
  "end" @body) @definition.method
(function_declaration
  name: (method_index_expression table: (_) @container method: (_) @name)
  "end" @body) @definition.method
(function_declaration
  name: [(identifier) (dot_index_expression)] @name
  body: (_) @body
  "end" @body) @definition.function
(function_declaration
  name: [(identifier) (dot_index_expression)] @name
  "end" @body) @definition.function

(variable_declaration (assignment_statement) @inner) @outer

; name = function() … end, M.name = function() … end
(assignment_statement
  (variable_list . name: [(identifier) (dot_index_expression)] @name)
  (expression_list . value: (function_definition body: (_) @body "end" @body))) @definition.function
(assignment_statement
  (variable_list . name: (_) @container)
  (expression_list . value: (table_constructor (field
    name: (identifier) @name
    value: (function_definition body: (_)? @body "end" @body)) @definition.method)))
(field
  name: (identifier) @name
  value: (function_definition body: (_) @body "end" @body)) @definition.method

(chunk (variable_declaration
  (assignment_statement (variable_list name: (identifier) @name))) @definition.variable)
(chunk (variable_declaration (variable_list name: (identifier) @name)) @definition.variable)
(chunk (assignment_statement (variable_list name: (identifier) @name)) @definition.variable)
(chunk (assignment_statement
  (variable_list name: (dot_index_expression) @name)) @definition.field)
