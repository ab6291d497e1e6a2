; Definitions of Java. Captures are explained in language.h.

(identifier) @reference
(type_identifier) @reference
(line_comment) @comment
(block_comment) @comment

(import_declaration [(identifier) (scoped_identifier)] @target) @import

; JUnit, TestNG: @Test void behaves() { … }
(method_declaration
  (modifiers [(marker_annotation name: (_) @_test) (annotation name: (_) @_test)])
  name: (_) @name
  body: (_) @body
  (#any-of? @_test "Test" "ParameterizedTest" "RepeatedTest" "TestFactory" "TestTemplate"
    "org.junit.Test")) @definition.method @test

(class_declaration name: (_) @name body: (_) @body) @definition.class
(record_declaration name: (_) @name body: (_) @body) @definition.class
(record_declaration
  parameters: (formal_parameters (formal_parameter name: (_) @name) @definition.field))
(interface_declaration name: (_) @name body: (_) @body) @definition.interface
(annotation_type_declaration name: (_) @name body: (_) @body) @definition.interface
(enum_declaration name: (_) @name body: (_) @body) @definition.enum
(enum_constant name: (_) @name body: (_) @body) @definition.enumerator
(enum_constant name: (_) @name) @definition.enumerator
(module_declaration name: (_) @name body: (_) @body) @definition.module

(method_declaration name: (_) @name body: (_) @body) @definition.method
(method_declaration name: (_) @name) @definition.method
(constructor_declaration name: (_) @name body: (_) @body) @definition.method
(compact_constructor_declaration name: (_) @name body: (_) @body) @definition.method
(annotation_type_element_declaration name: (_) @name) @definition.method
(field_declaration
  (modifiers "static" "final")
  declarator: (variable_declarator name: (_) @name)) @definition.constant
(field_declaration declarator: (variable_declarator name: (_) @name)) @definition.field
(constant_declaration declarator: (variable_declarator name: (_) @name)) @definition.constant
