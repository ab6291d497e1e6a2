; Definitions of Python. Captures are explained in language.h.

(identifier) @reference
(comment) @comment

(import_statement name: (dotted_name) @target) @import
(import_statement name: (aliased_import name: (dotted_name) @target)) @import
(import_from_statement module_name: (_) @target) @import

(decorated_definition definition: (_) @inner) @outer.lines

(function_definition
  name: (identifier) @name
  body: (block . (expression_statement (string) @doc)) @body
  (#prefix? @name "test")) @definition.function @test
(function_definition
  name: (identifier) @name
  body: (block) @body
  (#prefix? @name "test")) @definition.function @test
(function_definition
  name: (identifier) @name
  body: (block . (expression_statement (string) @doc)) @body) @definition.function
(function_definition name: (identifier) @name body: (block) @body) @definition.function

(class_definition
  name: (identifier) @name
  body: (block . (expression_statement (string) @doc)) @body) @definition.class
(class_definition name: (identifier) @name body: (block) @body) @definition.class

(module (expression_statement (assignment left: (identifier) @name) @definition.variable))
(module (expression_statement
  (assignment left: (pattern_list (identifier) @name)) @definition.variable))
(class_definition
  body: (block (expression_statement (assignment left: (identifier) @name) @definition.field)))
(type_alias_statement left: (type (identifier) @name)) @definition.type
