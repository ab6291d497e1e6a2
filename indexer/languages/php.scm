; Definitions of PHP. Captures are explained in language.h.

(name) @reference
(comment) @comment

(namespace_use_clause . [(name) (qualified_name)] @target) @import
(namespace_use_declaration (namespace_name) @target) @import
(include_expression (string) @target) @import
(include_once_expression (string) @target) @import
(require_expression (string) @target) @import
(require_once_expression (string) @target) @import

; PHPUnit: function testName(), #[Test]
(method_declaration name: (_) @name body: (_) @body (#prefix? @name "test")) @definition.method @test
(method_declaration
  attributes: (attribute_list (attribute_group (attribute (name) @_test)))
  name: (_) @name
  body: (_) @body
  (#any-of? @_test "Test")) @definition.method @test
; Pest: it('behaves', function () { … });
(function_call_expression
  function: (name) @_test
  arguments: (arguments
    . (argument [(string) (encapsed_string)] @name)
    (argument [
      (anonymous_function body: (_) @body)
      (arrow_function body: (_) @body)
    ])
    ")" @body)
  (#any-of? @_test "it" "test" "describe")) @definition.function @test

(namespace_definition name: (_) @name body: (_) @body) @definition.namespace
(namespace_definition name: (_) @name) @definition.namespace
(class_declaration name: (_) @name body: (_) @body) @definition.class
(interface_declaration name: (_) @name body: (_) @body) @definition.interface
(trait_declaration name: (_) @name body: (_) @body) @definition.class
(enum_declaration name: (_) @name body: (_) @body) @definition.enum
(enum_case name: (_) @name) @definition.enumerator

(function_definition name: (_) @name body: (_) @body) @definition.function
(method_declaration name: (_) @name body: (_) @body) @definition.method
(method_declaration name: (_) @name) @definition.method
(property_declaration (property_element name: (variable_name (name) @name))) @definition.field
(property_promotion_parameter name: (variable_name (name) @name)) @definition.field
(const_declaration (const_element . (name) @name)) @definition.constant
(program (expression_statement (assignment_expression
  left: (variable_name (name) @name))) @definition.variable)
(program (expression_statement (function_call_expression
  function: (name) @_define
  arguments: (arguments . (argument (string) @name)))
  (#any-of? @_define "define")) @definition.constant)
