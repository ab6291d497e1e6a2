; Definitions of Kotlin. Captures are explained in language.h.

(identifier) @reference
(line_comment) @comment
(block_comment) @comment

(import (qualified_identifier) @target) @import

; JUnit, kotlin.test: @Test fun behaves() { … }
(function_declaration
  (modifiers (annotation [
    (user_type (identifier) @_test)
    (constructor_invocation (user_type (identifier) @_test))
  ]))
  name: (_) @name
  (function_body) @body
  (#any-of? @_test "Test" "ParameterizedTest" "RepeatedTest" "TestFactory")) @definition.function @test

(class_declaration
  "interface" name: (_) @name (class_body)? @body) @definition.interface
(class_declaration name: (_) @name (enum_class_body) @body) @definition.enum
(class_declaration name: (_) @name (class_body) @body) @definition.class
(class_declaration name: (_) @name (primary_constructor) @content) @definition.class
(class_declaration name: (_) @name) @definition.class
(object_declaration name: (_) @name (class_body)? @body) @definition.class
(companion_object name: (_) @name (class_body)? @body) @definition.class
(enum_entry . (identifier) @name) @definition.enumerator
(enum_entry (modifiers) . (identifier) @name) @definition.enumerator
(class_parameters (class_parameter ["val" "var"] (identifier) @name) @definition.field)
(type_alias type: (_) @name) @definition.type

; fun Receiver.name()
(function_declaration
  [
    (user_type . (identifier) @container)
    (nullable_type (user_type . (identifier) @container))
  ]
  "."
  name: (_) @name
  (function_body)? @body) @definition.function
(function_declaration name: (_) @name (function_body)? @body) @definition.function
(secondary_constructor "constructor" @name (block)? @body) @definition.method

(class_body (property_declaration (variable_declaration . (identifier) @name)) @definition.field)
(enum_class_body
  (property_declaration (variable_declaration . (identifier) @name)) @definition.field)
(source_file (property_declaration
  (modifiers (property_modifier "const"))
  (variable_declaration . (identifier) @name)) @definition.constant)
(source_file (property_declaration (variable_declaration . (identifier) @name)) @definition.variable)
