; Definitions of Go. Captures are explained in language.h.

(identifier) @reference
(type_identifier) @reference
(field_identifier) @reference
(package_identifier) @reference
(comment) @comment

(import_spec path: (_) @target) @import

; func TestName(t *testing.T), benchmarks and fuzz tests too
(function_declaration
  name: (identifier) @name
  parameters: (parameter_list . (parameter_declaration
    type: (pointer_type (qualified_type package: (package_identifier) @_testing))))
  body: (_) @body
  (#any-of? @_testing "testing")
  (#prefix? @name "Test" "Benchmark" "Fuzz")) @definition.function @test
; t.Run("case", func(t *testing.T) { … })
(call_expression
  function: (selector_expression field: (field_identifier) @_run)
  arguments: (argument_list
    . (interpreted_string_literal) @name
    . (func_literal body: (_) @body)
    ")" @body)
  (#any-of? @_run "Run")) @definition.function @test

(function_declaration name: (_) @name body: (_) @body) @definition.function
(function_declaration name: (_) @name) @definition.function
(method_declaration
  receiver: (parameter_list (parameter_declaration type: [
    (type_identifier) @container
    (generic_type type: (type_identifier) @container)
    (pointer_type (type_identifier) @container)
    (pointer_type (generic_type type: (type_identifier) @container))
  ]))
  name: (_) @name
  body: (_) @body) @definition.method

; type ( … ) holds several, each a definition of its own; else the keyword belongs to the one.
(type_declaration "("
  (type_spec name: (_) @name type: (struct_type (_) @body)) @definition.struct)
(type_declaration "("
  (type_spec
    name: (_) @name
    type: (interface_type "{" @body "}" @body)) @definition.interface)
(type_declaration "(" (type_spec name: (_) @name) @definition.type)
(type_declaration "(" (type_alias name: (_) @name) @definition.type)
(type_declaration
  (type_spec name: (_) @name type: (struct_type (_) @body))) @definition.struct
(type_declaration
  (type_spec
    name: (_) @name
    type: (interface_type "{" @body "}" @body))) @definition.interface
(type_declaration (type_spec name: (_) @name)) @definition.type
(type_declaration (type_alias name: (_) @name)) @definition.type
(type_spec type: (struct_type (field_declaration_list
  (field_declaration name: (_) @name) @definition.field)))
(type_spec type: (interface_type (method_elem name: (_) @name) @definition.method))

(source_file (const_declaration "(" (const_spec name: (identifier) @name) @definition.constant))
(source_file (const_declaration (const_spec name: (identifier) @name)) @definition.constant)
(source_file (var_declaration
  (var_spec_list (var_spec name: (identifier) @name) @definition.variable)))
(source_file (var_declaration (var_spec name: (identifier) @name)) @definition.variable)
